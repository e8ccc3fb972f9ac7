//! The pool: idle connections per server, the last used first; hyper's `client::conn` on each.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::super::body::Upload;
use super::super::deadline::Sweep;
use super::super::gather::Gather;
use super::super::wire::Asked;
use super::watch::Watch;
use crate::addr::ServerAddr;
use crate::limit;

/// A server's socket, taken back from hyper after an upgrade, and the bytes hyper had read ahead.
pub(in crate::proxy) type Socket = (TcpStream, Bytes);

/// Why no connection could be made.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum ConnectError {
    /// The server refused, or cannot be reached.
    #[error("cannot connect to {0}: {1}")]
    Refused(ServerAddr, std::io::Error),
    /// It took too long.
    #[error("connecting to {0} took too long")]
    TimedOut(ServerAddr),
}

/// The servers of one worker.
pub(in crate::proxy) struct Pool {
    servers: RefCell<HashMap<ServerAddr, Rc<Server>>>,
    sweep: Rc<Sweep>,
    builder: http1::Builder,
}

/// One server and the idle connections to it.
pub(in crate::proxy) struct Server {
    address: ServerAddr,
    idle: RefCell<Vec<Idle>>,
    sweep: Rc<Sweep>,
}

struct Idle {
    connection: Connection,
    since: u64,
}

/// A connection to a server.
struct Connection {
    requests: SendRequest<Upload>,
    asked: Rc<Asked>,
    socket: oneshot::Receiver<Socket>,
}

/// A connection in use. Dropping it closes the connection.
pub(in crate::proxy) struct Lease {
    connection: Connection,
    server: Rc<Server>,
}

impl Pool {
    /// An empty pool on the worker's clock.
    pub(in crate::proxy) fn new(sweep: Rc<Sweep>) -> Rc<Self> {
        let mut builder = http1::Builder::new();
        builder.max_headers(limit::HEAD_FIELDS_MAX).max_header_size(limit::HEAD_BYTES_MAX);
        Rc::new(Self { servers: RefCell::default(), sweep, builder })
    }

    /// The server at this address, to be asked without a look-up from then on.
    pub(in crate::proxy) fn server(&self, address: ServerAddr) -> Rc<Server> {
        let mut servers = self.servers.borrow_mut();
        let server = servers.entry(address).or_insert_with(|| {
            let sweep = Rc::clone(&self.sweep);
            Rc::new(Server { address, idle: RefCell::default(), sweep })
        });
        Rc::clone(server)
    }

    /// A new connection to `server`.
    pub(in crate::proxy) async fn connect(
        &self,
        server: &Rc<Server>,
        timeout: Duration,
    ) -> Result<Lease, ConnectError> {
        let address = server.address;
        let connecting = tokio::time::timeout(timeout, TcpStream::connect(address.0));
        let stream = connecting.await.map_err(|_| ConnectError::TimedOut(address))?;
        let stream = stream.map_err(|error| ConnectError::Refused(address, error))?;
        let _ = stream.set_nodelay(true);
        let asked = Rc::<Asked>::default();
        let watched = Watch::new(Gather(stream), Rc::clone(&asked));
        let handshake = self.builder.handshake(TokioIo::new(watched)).await;
        let (requests, mut driver) = handshake
            .map_err(|error| ConnectError::Refused(address, std::io::Error::other(error)))?;
        let (give, socket) = oneshot::channel();
        // The task ends with its connection: it is owned by the `SendRequest` in the lease.
        tokio::task::spawn_local(async move {
            if (&mut driver).await.is_ok() {
                let parts = driver.into_parts();
                let _ = give.send((parts.io.into_inner().into_inner().0, parts.read_buf));
            }
        });
        let connection = Connection { requests, asked, socket };
        Ok(Lease { connection, server: Rc::clone(server) })
    }

    /// Closes connections that have been idle for too long.
    pub(in crate::proxy) fn prune(&self) {
        let span = u64::try_from(limit::POOL_IDLE.as_millis()).unwrap_or(u64::MAX);
        let oldest = self.sweep.now().saturating_sub(span);
        self.servers.borrow_mut().retain(|_, server| {
            let mut idle = server.idle.borrow_mut();
            idle.retain(|one| one.since >= oldest && !one.connection.requests.is_closed());
            !idle.is_empty() || Rc::strong_count(server) > 1
        });
    }
}

impl Server {
    /// The connection that was used last and is still good.
    pub(in crate::proxy) fn pooled(self: &Rc<Self>) -> Option<Lease> {
        let mut idle = self.idle.borrow_mut();
        let mut at = idle.len();
        while at > 0 {
            at -= 1;
            let requests = &idle[at].connection.requests;
            if requests.is_ready() {
                let connection = idle.remove(at).connection;
                return Some(Lease { connection, server: Rc::clone(self) });
            }
            // If it is neither, its task has not yet seen the end of the last answer.
            if requests.is_closed() {
                idle.remove(at);
            }
        }
        None
    }
}

impl Lease {
    /// To send a request of this method with.
    pub(in crate::proxy) fn requests(&mut self, method: &http::Method) -> &mut SendRequest<Upload> {
        self.connection.asked.ask(method);
        &mut self.connection.requests
    }

    /// What tells whether the server's bytes can be trusted.
    pub(in crate::proxy) fn asked(&self) -> &Rc<Asked> {
        &self.connection.asked
    }

    /// Which server it leads to.
    pub(in crate::proxy) fn server(&self) -> ServerAddr {
        self.server.address
    }

    /// Back to the pool, for the next request.
    pub(in crate::proxy) fn give_back(self) {
        let Self { connection, server } = self;
        let mut idle = server.idle.borrow_mut();
        let good = !connection.requests.is_closed() && connection.asked.fault().is_none();
        if idle.len() < limit::POOL_IDLE_MAX && good {
            idle.push(Idle { connection, since: server.sweep.now() });
        }
    }

    /// The bare socket, once the server has switched protocols.
    pub(in crate::proxy) fn socket(self) -> oneshot::Receiver<Socket> {
        self.connection.socket
    }
}
