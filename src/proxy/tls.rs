//! The TLS stage of a connection: a handshake within its bounds, and what it tells of the client.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::socket::Socket;
use super::worker::Worker;
use crate::telemetry::handshake::Handshake;
use crate::tls::{self, Accepted, Server, Version};
use crate::{digest, limit};

/// The first byte of TLS: a record of the handshake (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 0x16;
/// What a client that forgot the `s` of `https` is told.
const IN_THE_CLEAR: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 53\r\n\r\n\
    This port speaks HTTPS: the address begins https://.\n";

/// What clients that are asked for certificates have proved.
pub(super) struct Proved {
    server: Server,
    /// The name that was asked for in the handshake.
    asked: Option<Box<str>>,
    /// The client's certificate as a value of `Client-Cert` (RFC 9440 §2.2).
    pub certificate: Option<HeaderValue>,
}

impl Proved {
    fn of(server: &Server, stream: &Accepted) -> Option<Self> {
        if !server.asks_clients() {
            return None;
        }
        let shown = tls::client_certificate(stream);
        let value = shown.map(|der| format!(":{}:", digest::base64(der)));
        Some(Self {
            server: server.clone(),
            asked: tls::asked_name(stream).map(Box::from),
            certificate: value.and_then(|value| HeaderValue::from_str(&value).ok()),
        })
    }

    /// Whether a request for `host` belongs to another connection (RFC 9110 §7.4): who asked for
    /// one site and proved to be somebody there has proved nothing to another.
    pub(super) fn is_misdirected(&self, host: &str) -> bool {
        self.asked.as_ref().is_some_and(|asked| !self.server.covers(asked, host))
    }
}

/// Handshakes of a worker that are under way.
#[derive(Default)]
pub(super) struct Handshakes(Cell<usize>);

/// One of them.
struct UnderWay<'a>(&'a Cell<usize>);

impl Handshakes {
    fn begin(&self) -> Option<UnderWay<'_>> {
        let count = self.0.get();
        if count >= limit::TLS_HANDSHAKES_MAX {
            return None;
        }
        self.0.set(count + 1);
        Some(UnderWay(&self.0))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// Shakes hands with a client. None if it did not do its part; it was told so.
pub(super) async fn shake_hands(
    worker: &Rc<Worker>,
    stream: TcpStream,
) -> Option<(Socket, Option<Proved>)> {
    let current = worker.current();
    let server = current.snapshot.site.tls.clone()?;
    // A snapshot is not held for as long as a client takes.
    drop(current);
    let Some(under_way) = worker.handshakes.begin() else {
        worker.shard.handshake(Handshake::Crowded);
        return None;
    };
    let shaking = attempt(&server, stream);
    let deadline = worker.sweep.pace().handshake;
    let shaken = tokio::time::timeout(deadline, shaking).await;
    drop(under_way);
    let (outcome, kept) = match shaken {
        Err(_) => (Handshake::Late, None),
        Ok(Err(Failed::InTheClear(stream))) => (Handshake::InTheClear, Some(stream)),
        Ok(Err(Failed::Broken(error, stream))) => {
            tracing::debug!(%error, "a TLS handshake failed");
            (Handshake::Failed, Some(stream))
        }
        Ok(Ok(stream)) => {
            worker.shard.handshake(outcome(&stream));
            if tls::is_proving(&stream) {
                let (stream, _) = stream.into_inner();
                farewell(stream, b"").await;
                return None;
            }
            let proved = Proved::of(&server, &stream);
            return Some((Socket::Tls(Box::new(stream)), proved));
        }
    };
    worker.shard.handshake(outcome);
    if let Some(stream) = kept {
        let words = if outcome == Handshake::InTheClear { IN_THE_CLEAR } else { b"" };
        farewell(stream, words).await;
    }
    None
}

/// Why there is no session.
enum Failed {
    /// HTTP was spoken instead.
    InTheClear(TcpStream),
    /// Something else was.
    Broken(io::Error, TcpStream),
}

async fn attempt(server: &Server, stream: TcpStream) -> Result<Accepted, Failed> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first[0] != HANDSHAKE_RECORD && first[0].is_ascii_uppercase() => {
            Err(Failed::InTheClear(stream))
        }
        Ok(_) => server.accept(stream).await.map_err(|(error, io)| Failed::Broken(error, io)),
        Err(error) => Err(Failed::Broken(error, stream)),
    }
}

fn outcome(stream: &Accepted) -> Handshake {
    let session = tls::session(stream);
    match (session.version, session.resumed) {
        (Version::Tls12, false) => Handshake::Full12,
        (Version::Tls12, true) => Handshake::Resumed12,
        (Version::Tls13, false) => Handshake::Full13,
        (Version::Tls13, true) => Handshake::Resumed13,
    }
}

/// Closes so that the client can read what it was told: closing on bytes that nobody has read
/// would reset the connection, and the alert with it.
async fn farewell(mut stream: TcpStream, words: &[u8]) {
    let parting = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let mut taken = 0;
        let mut sink = [0; 1024];
        while taken < limit::TLS_REFUSED_BYTES_MAX {
            match stream.read(&mut sink).await? {
                0 => break,
                count => taken += count,
            }
        }
        Ok::<_, io::Error>(())
    };
    let _ = tokio::time::timeout(limit::LINGER, parting).await;
}
