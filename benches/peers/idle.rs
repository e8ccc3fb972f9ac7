//! What a connection costs in memory that was used once and is idle: the slope of the resident
//! size over their number, since a process has a size of its own.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::load::{self, Request};
use super::machine;
use super::proxy::{Bench, Name, Proxy};
use super::secure::{Sessions, Visitor};

/// Connections at the points of the slope.
const POINTS: [usize; 3] = [1_000, 5_000, 9_000];
/// Connections that are opened at once.
const AT_ONCE: usize = 64;
/// Descriptors that load and proxy each need besides the connections.
const DESCRIPTORS: u64 = 10_000;
/// For buffers that are given back a moment after an answer.
const SETTLING: Duration = Duration::from_secs(2);
/// How long opening may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is aimed at, for an idle connection in the clear.
const TARGET_BYTES: f64 = 4096.0;

/// What is spoken on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Plain,
    Tls,
    Http2,
}

/// A connection that is held open: dropping it closes it.
enum Held {
    Plain { _stream: TcpStream },
    Tls { _stream: Box<tokio_rustls::client::TlsStream<TcpStream>> },
    Http2 { _send: h2::client::SendRequest<Bytes>, driver: tokio::task::AbortHandle },
}

impl Drop for Held {
    fn drop(&mut self) {
        match self {
            Self::Http2 { driver, .. } => driver.abort(),
            Self::Plain { .. } | Self::Tls { .. } => {}
        }
    }
}

/// Measures every proxy; tells whether all connections could be opened.
pub(crate) fn run(proxies: &[&Proxy], bench: &Bench, runtime: &Runtime) -> bool {
    println!("\nresident memory per idle connection after one request, at {POINTS:?}");
    if files_max().is_some_and(|max| max < DESCRIPTORS) {
        println!("  fewer than {DESCRIPTORS} files may be open: not measured");
        return true;
    }
    println!("  {:<13} {:<6} {:>16} {:>14}", "proxy", "", "bytes/connection", "RSS at last, MB");
    let mut right = true;
    for kind in [Kind::Plain, Kind::Tls, Kind::Http2] {
        for proxy in proxies {
            match slope(proxy, kind, bench, runtime) {
                Ok((bytes, last)) => {
                    let name = proxy.name.text();
                    let ours = proxy.name == Name::Intermission;
                    let target = match kind {
                        Kind::Plain if !ours => "",
                        Kind::Plain if bytes <= TARGET_BYTES => "  target 4 KiB: met",
                        Kind::Plain => "  target 4 KiB: MISSED",
                        Kind::Tls | Kind::Http2 => "",
                    };
                    let last = last / 1e6;
                    let kind = format!("{kind:?}").to_lowercase();
                    println!("  {name:<13} {kind:<6} {bytes:>16.0} {last:>14.1}{target}");
                }
                Err(fault) => {
                    println!("  {} {kind:?}: {fault}", proxy.name.text());
                    right = false;
                }
            }
        }
    }
    right
}

/// Bytes per connection between the first point and the last, and the size at the last.
fn slope(proxy: &Proxy, kind: Kind, bench: &Bench, runtime: &Runtime) -> io::Result<(f64, f64)> {
    let protocol = if kind == Kind::Http2 { "h2" } else { "http/1.1" };
    let visitor = Visitor::new(&bench.folder, Sessions::Forgotten, protocol)?;
    let to = if kind == Kind::Plain { proxy.open } else { proxy.secure };
    let mut held = Vec::new();
    let mut sizes = Vec::new();
    for point in POINTS {
        let more = point - held.len();
        let visitor = visitor.clone();
        let opened = runtime.block_on(async {
            let opened =
                tokio::time::timeout(PATIENCE, open_all(more, kind, to, visitor)).await??;
            // The drivers of HTTP/2 connections run on this runtime: it must not stand still.
            tokio::time::sleep(SETTLING).await;
            Ok::<_, io::Error>(opened)
        })?;
        held.extend(opened);
        sizes.push(resident(proxy.pid()) as f64);
    }
    let count = (POINTS[POINTS.len() - 1] - POINTS[0]) as f64;
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    runtime.block_on(async { drop(held) });
    Ok(((last - first) / count, last))
}

async fn open_all(
    count: usize,
    kind: Kind,
    to: SocketAddr,
    visitor: Visitor,
) -> io::Result<Vec<Held>> {
    let mut held = Vec::with_capacity(count);
    let mut opening = JoinSet::new();
    for _ in 0..count {
        if opening.len() >= AT_ONCE
            && let Some(opened) = opening.join_next().await
        {
            held.push(opened.map_err(io::Error::other)??);
        }
        let visitor = visitor.clone();
        opening.spawn(async move { open(kind, to, &visitor).await });
    }
    while let Some(opened) = opening.join_next().await {
        held.push(opened.map_err(io::Error::other)??);
    }
    Ok(held)
}

async fn open(kind: Kind, to: SocketAddr, visitor: &Visitor) -> io::Result<Held> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let request = Request::get(to, "/small", "*/*");
    match kind {
        Kind::Plain => {
            load::once(&mut stream, &request).await?;
            Ok(Held::Plain { _stream: stream })
        }
        Kind::Tls => {
            let mut stream = visitor.enter(stream).await?;
            load::once(&mut stream, &request).await?;
            Ok(Held::Tls { _stream: Box::new(stream) })
        }
        Kind::Http2 => {
            let stream = visitor.enter(stream).await?;
            let (send, driver) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
            let driver = tokio::spawn(async move {
                let _ = driver.await;
            });
            let mut send = send.ready().await.map_err(io::Error::other)?;
            let uri = format!("https://localhost:{}/small", to.port());
            let asked = http::Request::get(uri).body(()).map_err(io::Error::other)?;
            let (answer, _) = send.send_request(asked, true).map_err(io::Error::other)?;
            let mut body = answer.await.map_err(io::Error::other)?.into_body();
            while let Some(piece) = body.data().await {
                let length = piece.map_err(io::Error::other)?.len();
                body.flow_control().release_capacity(length).map_err(io::Error::other)?;
            }
            Ok(Held::Http2 { _send: send, driver: driver.abort_handle() })
        }
    }
}

/// Resident bytes of a process and its descendants.
fn resident(pid: u32) -> u64 {
    let kilobytes = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().split(' ').next()?.parse::<u64>().ok()
    };
    machine::family(pid).into_iter().filter_map(kilobytes).sum::<u64>() * 1024
}

/// How many files this process may have open.
fn files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
