//! Connections to servers: TLS and what is agreed on there, PROXY headers, those of the past.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use http::Response;
use intermission::snapshot::Duty;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::fleet::{answers, duty, node, plain, servers};
use crate::proxy::node::{Node, Setup};
use crate::support::PATIENCE;
use crate::support::origin::Origin;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhttp1";

/// A server that tells what it receives, with the number of the connection, and answers each piece.
fn recording() -> (SocketAddr, Receiver<(usize, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("a bound socket");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let tell = tell.clone();
            std::thread::spawn(move || {
                let mut piece = [0; 4096];
                let mut before = Vec::new();
                while let Ok(count @ 1..) = stream.read(&mut piece) {
                    before.extend_from_slice(&piece[..count]);
                    if before.ends_with(b"\r\n\r\n") {
                        let _ = tell.send((number, std::mem::take(&mut before)));
                        let _ = stream.write_all(OK);
                    }
                }
            });
        }
    });
    (address, told)
}

#[test]
fn each_connection_begins_with_whom_it_is_for_and_serves_nobody_else() {
    let (server, told) = recording();
    let upstream = "proxy_protocol = \"v1\"";
    let setup = Setup { server: Some(server), upstream, ..Setup::default() };
    let node = Node::start(Origin::untouched(), &setup);
    let mut client = node.connect();
    let header = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nGET / HTTP/1.1\r\n",
        client.local().port(),
        node.address().port()
    );
    for connection in 0..2 {
        client.send(plain());
        assert_eq!(client.response().status(), 200);
        let (number, bytes) = told.recv_timeout(PATIENCE).expect("a request");
        assert_eq!(number, connection, "none is used twice");
        assert!(bytes.starts_with(header.as_bytes()), "{:?}", String::from_utf8_lossy(&bytes));
    }
}

/// A server under TLS that offers these protocols, and answers with the one that was chosen. Its
/// thread ends with the process.
fn choosing(protocols: &'static [&'static [u8]]) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["site.test".to_owned()]).expect("a key");
    let key = made.signing_key.serialize_der().try_into().expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate");
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("a bound socket");
    listener.set_nonblocking(true).expect("a socket");
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    match stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        true => speak_http2(stream).await,
                        false => speak_http1(stream).await,
                    }
                });
            }
        });
    });
    address
}

type Stream = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

async fn speak_http2(stream: Stream) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let scheme = request.uri().scheme_str().unwrap_or("none").to_owned();
        let Ok(mut send) = respond.send_response(Response::new(()), false) else { return };
        let _ = send.send_data(Bytes::from(format!("h2 {scheme}")), true);
    }
}

async fn speak_http1(mut stream: Stream) {
    let mut piece = [0; 4096];
    while let Ok(1..) = stream.read(&mut piece).await {
        let _ = stream.write_all(OK).await;
        let _ = stream.flush().await;
    }
}

#[test]
fn the_server_chooses_the_protocol_under_tls() {
    let cases: [(&[&[u8]], &str); 3] =
        [(&[b"h2", b"http/1.1"], "h2 https"), (&[b"http/1.1"], "http1"), (&[], "http1")];
    for (protocols, chosen) in cases {
        let setup = Setup {
            server: Some(choosing(protocols)),
            upstream: "protocol = \"auto\"\n[upstream.tls]\nverify = false",
            ..Setup::default()
        };
        let node = Node::start(Origin::untouched(), &setup);
        assert_eq!(answers(&node, 3, &plain()), [chosen; 3], "{protocols:?}");
        let made = node.metric("intermission_upstream_connections_total{kind=\"connect\"}");
        assert!(made <= 1, "{made} connections for one visitor");
    }
}

#[test]
fn connections_to_a_server_that_left_are_closed() {
    let servers = servers(2);
    let node = node(&servers, "");
    answers(&node, 4, &plain());
    assert_eq!([servers[0].connections(), servers[1].connections()], [1, 1]);
    node.leave_only(1);
    servers[0].wait_closed(0);
    assert_eq!(answers(&node, 4, &plain()), ["1"; 4]);
    duty(&node, 0, Duty::Ready);
    assert!(answers(&node, 4, &plain()).contains(&"0".to_owned()), "it is back");
}
