//! One client connection: from an accepted socket to the protocol that is spoken on it.

use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::TcpStream;

use super::doors::Inside;
use super::lane::Link;
use super::socket::Socket;
use super::worker::Worker;
use super::{h1, h2, proxy_protocol, tls};
use crate::addr::proxy_protocol::Ends;
use crate::snapshot::{Listener, Protocol};

/// Serves a connection to its end.
///
/// | # | stage     | does                                                    |
/// |---|-----------|---------------------------------------------------------|
/// | 1 | balancer  | learns whose it is, from those that pass connections on  |
/// | 2 | TLS       | shakes hands, on listeners that want it                  |
/// | 3 | protocol  | by ALPN under TLS, by the first bytes where h2c may come |
/// | 4 | requests  | HTTP/1.1 or HTTP/2                                       |
pub(super) async fn serve(
    worker: Rc<Worker>,
    _inside: Inside,
    mut stream: TcpStream,
    peer: SocketAddr,
    listener: Listener,
) {
    let Some(destination) = destination(&stream, listener) else { return };
    let mut ends = Ends { source: peer, destination };
    let passed_on = worker.current().snapshot.site.proxy_protocol.contains(peer.ip());
    if passed_on {
        // Boxed, so that its buffer costs other connections nothing.
        match Box::pin(proxy_protocol::take(&mut stream, ends)).await {
            Some(told) => ends = told,
            None => return,
        }
    }
    let (socket, proved) = match listener.protocol {
        Protocol::Http | Protocol::H2c => (Socket::Plain(stream), None),
        // Answered before it comes to this.
        Protocol::Probe => return,
        // Boxed for the same reason.
        Protocol::Https => match Box::pin(tls::shake_hands(&worker, stream)).await {
            Some(shaken) => shaken,
            None => return,
        },
    };
    let link = Link::new(&worker, ends, &socket, proved);
    let h2 = match &socket {
        Socket::Plain(stream) => {
            listener.protocol == Protocol::H2c && h2::is_prefaced(stream).await
        }
        Socket::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
    };
    // Boxed, so that a connection that is parked does not keep room for one that is not.
    if h2 {
        Box::pin(h2::serve(link, socket)).await;
    } else {
        h1::serve(link, socket).await;
    }
}

/// Our end. Where the listener has one address, the system need not be asked for it.
fn destination(stream: &TcpStream, listener: Listener) -> Option<SocketAddr> {
    if listener.at.ip().is_unspecified() { stream.local_addr().ok() } else { Some(listener.at) }
}
