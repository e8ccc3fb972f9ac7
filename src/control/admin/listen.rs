//! Where the admin API is reached: an address, encrypted or not, and a socket of the machine.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::geteuid;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::approvals::Inner;
use super::gate::Caller;
use super::operator::Whence;
use crate::control::phase::{Phase, stopped};
use crate::limit;
use crate::tls;

/// Where the admin API is reached.
pub struct Listeners {
    /// An address.
    pub tcp: TcpListener,
    /// What callers are shown there; plain if it is none.
    pub tls: Option<tls::Server>,
    /// A socket of the machine.
    pub unix: Option<UnixListener>,
}

/// Listens at `path`, for this user alone. A socket that a former process left is replaced, and so
/// is that of a running one, which hands over.
pub fn unix(path: &Path) -> io::Result<UnixListener> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}", std::process::id()));
    let fresh = PathBuf::from(fresh);
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(&fresh)?)?;
    // ORDER: nobody can connect before `listen`, and by then nobody else may.
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    socket.listen(128)?;
    socket.set_nonblocking(true)?;
    std::fs::rename(&fresh, path)?;
    UnixListener::from_std(std::os::unix::net::UnixListener::from(socket))
}

/// The routes, and those of them that lie behind the gate.
#[derive(Clone)]
pub(super) struct Routes {
    pub(super) all: Router,
    pub(super) inner: Inner,
}

/// Serves until the phase is [`Phase::Stopped`], then lets answers under way finish.
pub(super) async fn serve(listeners: Listeners, routes: Routes, mut phase: watch::Receiver<Phase>) {
    let Listeners { tcp, tls, unix } = listeners;
    let mut connections = JoinSet::new();
    loop {
        let room = connections.len() < limit::ADMIN_CONNECTIONS_MAX;
        // CANCEL: a lost accept leaves the connection in the backlog; a lost join is joined later.
        let failed = tokio::select! {
            accepted = tcp.accept(), if room => match accepted {
                Ok((stream, peer)) => {
                    let from = Whence::Address(peer.ip());
                    let caller = Caller { from, certificate: Arc::from([]), local: None };
                    let (routes, phase) = (routes.clone(), phase.clone());
                    match &tls {
                        None => connections.spawn(converse(stream, caller, routes, phase)),
                        Some(tls) => {
                            let tls = tls.clone();
                            connections.spawn(shake_hands(stream, tls, caller, routes, phase))
                        }
                    };
                    None
                }
                Err(error) => Some(error),
            },
            accepted = next(unix.as_ref()), if room => match accepted {
                Ok(stream) => {
                    let caller = neighbour(&stream);
                    connections.spawn(converse(stream, caller, routes.clone(), phase.clone()));
                    None
                }
                Err(error) => Some(error),
            },
            Some(_) = connections.join_next() => None,
            () = stopped(&mut phase) => break,
        };
        if let Some(error) = failed {
            // Out of descriptors: an instant retry would burn the core.
            tracing::warn!(%error, "the admin listener cannot accept");
            tokio::time::sleep(limit::DEADLINE_SWEEP).await;
        }
    }
    drop((tcp, unix));
    // CANCEL: a connection that is not done by then is cut; its caller sees it.
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limit::LINGER, all).await;
}

/// The next connection of the socket; never where there is none.
async fn next(unix: Option<&UnixListener>) -> io::Result<UnixStream> {
    match unix {
        Some(unix) => unix.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Who is at the other end of the socket, as the kernel knows them. Our own user and root could
/// read and write the store and the config anyway; everybody else needs a token.
fn neighbour(stream: &UnixStream) -> Caller {
    let peer = stream.peer_cred().ok();
    let uid = peer.as_ref().map(tokio::net::unix::UCred::uid);
    let pid = peer.as_ref().and_then(tokio::net::unix::UCred::pid);
    tracing::info!(?uid, ?pid, "a connection to the admin socket");
    let local = uid.filter(|uid| *uid == 0 || *uid == geteuid().as_raw());
    Caller { from: Whence::Socket, certificate: Arc::from([]), local }
}

async fn shake_hands(
    stream: TcpStream,
    tls: tls::Server,
    caller: Caller,
    routes: Routes,
    phase: watch::Receiver<Phase>,
) {
    // CANCEL: a handshake that takes too long is cut.
    match tokio::time::timeout(limit::ADMIN_HEAD_DEADLINE, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificate = tls::client_names(&stream).into();
            converse(stream, Caller { certificate, ..caller }, routes, phase).await;
        }
        Ok(Err((error, _))) => tracing::warn!(%error, peer = %caller.from, "no admin handshake"),
        Err(_) => tracing::debug!(peer = %caller.from, "an admin handshake took too long"),
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: Caller,
    routes: Routes,
    mut phase: watch::Receiver<Phase>,
) {
    let from = caller.from;
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(caller.clone());
        request.extensions_mut().insert(routes.inner.clone());
        routes.all.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit::ADMIN_HEAD_DEADLINE)
        .max_buf_size(limit::HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    // CANCEL: nothing is lost; the connection goes on below, told to end after its answer.
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        () = stopped(&mut phase) => Err("the node stops"),
        () = tokio::time::sleep(limit::ADMIN_CONNECTION_LIFE) => Err("it is old"),
    };
    let ended = match ended {
        Ok(ended) => ended.map_err(|error| error.to_string()),
        Err(why) => {
            connection.as_mut().graceful_shutdown();
            let ended = tokio::time::timeout(limit::LINGER, connection).await;
            ended.map_or(Err(why.to_owned()), |ended| ended.map_err(|error| error.to_string()))
        }
    };
    if let Err(why) = ended {
        tracing::debug!(%from, why, "an admin connection was cut");
    }
}
