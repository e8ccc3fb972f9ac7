//! From a place at a server to a connection: socket, PROXY header, TLS, protocol.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use http::uri::Scheme;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::super::gather::Gather;
use super::super::wire::Asked;
use super::lease::{Carrier, Exclusive, Lease};
use super::server::{Held, Server};
use super::session::Session;
use super::stream::Stream;
use super::watch::Watch;
use crate::addr::ServerAddr;
use crate::addr::proxy_protocol::{self, Ends};
use crate::limit;
use crate::snapshot::{Speaks, Upstream};
use crate::tls::{self, Alpn};

/// Why no connection could be made.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::proxy) enum ConnectError {
    /// The server refused, or cannot be reached.
    #[error("cannot connect to {0}: {1}")]
    Refused(ServerAddr, Rc<io::Error>),
    /// It took too long.
    #[error("connecting to {0} took too long")]
    TimedOut(ServerAddr),
    /// It is not who it should be, or does not speak TLS.
    #[error("no TLS with {0}: {1}")]
    Tls(ServerAddr, Rc<io::Error>),
}

/// How the servers of an upstream are connected to.
pub(super) struct Manner {
    pub(super) speaks: Speaks,
    tls: Option<tls::Client>,
    proxy_protocol: Option<proxy_protocol::Version>,
    timeout: Duration,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Purpose {
    /// Whose request it is, and where it arrived.
    pub ends: Ends,
    /// Whether the connection is to leave HTTP behind, which HTTP/1.1 alone can do.
    pub switches: bool,
}

impl Manner {
    /// As the config says.
    pub(super) fn of(upstream: &Upstream) -> Self {
        Self {
            speaks: upstream.care.speaks,
            tls: upstream.tls.clone(),
            proxy_protocol: upstream.care.proxy_protocol,
            timeout: upstream.connect_timeout,
        }
    }

    /// Whether a connection made in one manner does for the other. Two reloads of one certificate
    /// count as two: what was verified by the one says nothing about the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let tls = match (&self.tls, &other.tls) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is(other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        tls && self.speaks == other.speaks && self.proxy_protocol == other.proxy_protocol
    }

    /// Whether connections may be used again: not if each begins with whom it is for.
    pub(super) fn is_pooled(&self) -> bool {
        self.proxy_protocol.is_none()
    }

    /// What a target in absolute form begins with.
    pub(super) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// A socket, ready for the first byte of HTTP, and whether HTTP/2 was agreed on.
    async fn reach(
        &self,
        server: &Server,
        alpn: Alpn,
        ends: Option<Ends>,
    ) -> Result<(Stream, bool), ConnectError> {
        let address = server.address;
        let refused = |error| ConnectError::Refused(address, Rc::new(error));
        let mut stream = TcpStream::connect(address.0).await.map_err(refused)?;
        let _ = stream.set_nodelay(true);
        if let (Some(version), Some(ends)) = (self.proxy_protocol, ends) {
            let header = proxy_protocol::encode(version, ends.source, ends.destination);
            stream.write_all(&header).await.map_err(refused)?;
        }
        let Some(tls) = &self.tls else { return Ok((Stream::Plain(stream), alpn == Alpn::H2)) };
        let shaken = tls.connect(&server.name, alpn, stream).await;
        let stream = shaken.map_err(|error| match error.kind() == io::ErrorKind::InvalidData {
            true => ConnectError::Tls(address, Rc::new(error)),
            false => refused(error),
        })?;
        let chosen = stream.get_ref().1.alpn_protocol();
        // A server without ALPN speaks HTTP/1.1, or was told to speak HTTP/2 by the config.
        let h2 = chosen == Some(b"h2") || chosen.is_none() && alpn == Alpn::H2;
        Ok((Stream::Tls(Box::new(stream)), h2))
    }
}

impl Held {
    /// A connection to the server: a new one, or a stream of one that is there.
    pub(in crate::proxy) async fn connect(self, purpose: Purpose) -> Result<Lease, ConnectError> {
        let server = Rc::clone(self.server());
        let manner = server.manner();
        let speaks = match (purpose.switches, manner.speaks) {
            (true, _) => Speaks::Http1,
            (false, Speaks::Either) if server.sessions.is_http1() => Speaks::Http1,
            (false, speaks) => speaks,
        };
        let connecting = async {
            match speaks {
                Speaks::Http1 => self.exclusive(&server, &manner, purpose.ends).await,
                Speaks::Http2 | Speaks::Either => self.shared(&server, &manner).await,
            }
        };
        let connected = tokio::time::timeout(manner.timeout, connecting).await;
        connected.map_err(|_| ConnectError::TimedOut(server.address))?
    }

    async fn exclusive(
        self,
        server: &Rc<Server>,
        manner: &Manner,
        ends: Ends,
    ) -> Result<Lease, ConnectError> {
        let epoch = server.epoch.get();
        let (stream, _) = manner.reach(server, Alpn::Http1, Some(ends)).await?;
        let connection = begin_http1(stream, epoch).await;
        let connection =
            connection.map_err(|error| ConnectError::Refused(server.address, Rc::new(error)))?;
        Ok(Lease { carrier: Carrier::Exclusive { connection, idle_since: None }, held: self })
    }

    /// Waits for a stream: on the connection that is being made, or on one that has room again.
    async fn shared(
        mut self,
        server: &Rc<Server>,
        manner: &Rc<Manner>,
    ) -> Result<Lease, ConnectError> {
        loop {
            self = match self.pooled() {
                Ok(lease) => return Ok(lease),
                Err(held) => held,
            };
            let opened = server.sessions.opened(|| {
                // The task ends by its timeout. It is not the request's own: others wait for it.
                tokio::task::spawn_local(open(Rc::clone(server), Rc::clone(manner)));
            });
            match opened.await {
                Ok(opened) => opened?,
                Err(_) => return Err(ConnectError::TimedOut(server.address)),
            }
        }
    }
}

/// Makes an HTTP/2 connection, or what the server chose instead, for all who wait for it.
async fn open(server: Rc<Server>, manner: Rc<Manner>) {
    let epoch = server.epoch.get();
    let opening = async {
        let alpn = match manner.speaks {
            Speaks::Http1 | Speaks::Http2 => Alpn::H2,
            Speaks::Either => Alpn::Either,
        };
        let (stream, h2) = manner.reach(&server, alpn, None).await?;
        let refused = |error| ConnectError::Refused(server.address, Rc::new(error));
        if h2 {
            let session = Session::begin(stream).await.map_err(refused)?;
            // If the manner has changed meanwhile, those who waited begin anew.
            if epoch == server.epoch.get() {
                server.sessions.add(session);
            }
        } else {
            server.sessions.add_http1();
            server.keep(begin_http1(stream, epoch).await.map_err(refused)?);
        }
        Ok(())
    };
    let opened = tokio::time::timeout(manner.timeout, opening).await;
    let opened = opened.unwrap_or(Err(ConnectError::TimedOut(server.address)));
    server.sessions.tell(&opened);
}

/// Begins HTTP/1.1 on a socket.
async fn begin_http1(stream: Stream, epoch: u32) -> io::Result<Exclusive> {
    let mut builder = http1::Builder::new();
    builder.max_headers(limit::HEAD_FIELDS_MAX).max_header_size(limit::HEAD_BYTES_MAX);
    let asked = Rc::<Asked>::default();
    let watched = Watch::new(Gather(stream), Rc::clone(&asked));
    let handshake = builder.handshake(TokioIo::new(watched)).await;
    let (requests, mut driver) = handshake.map_err(io::Error::other)?;
    let (give, socket) = oneshot::channel();
    // The task ends with its connection: it is owned by the `SendRequest` in the lease.
    tokio::task::spawn_local(async move {
        if (&mut driver).await.is_ok() {
            let parts = driver.into_parts();
            let _ = give.send((parts.io.into_inner().into_inner().0, parts.read_buf));
        }
    });
    Ok(Exclusive { requests, asked, socket, epoch })
}
