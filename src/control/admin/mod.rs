//! The admin API: JSON over HTTP/1.1 on a listener of its own, loopback unless told otherwise.

mod asked;
mod body;
mod gate;
mod openapi;
mod problem;
mod records;
mod routes;
mod schema;
mod status;
mod switches;
mod upstreams;
mod windows;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::command::Handle;
use super::phase::{Phase, stopped};
use super::reload::Reloads;
use super::traffic::Traffic;
use crate::addr::PeerAddr;
use crate::clock::{Clock, Wall};
use crate::config::AdminRules;
use crate::limit;
use crate::snapshot::Live;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

/// What the admin API speaks for.
pub struct Admin {
    /// Who may use it.
    pub rules: AdminRules,
    /// The one writer.
    pub handle: Handle,
    /// What requests are judged by.
    pub live: Live,
    /// Windows that ended, and the history.
    pub store: Arc<dyn Store>,
    /// Requests under way.
    pub traffic: Arc<dyn Traffic>,
    /// Reading the config again; none without a file.
    pub reloads: Option<Reloads>,
    /// For `/metrics`.
    pub metrics: Metrics,
    /// In which phase of its life the process is.
    pub phase: watch::Receiver<Phase>,
    /// What time it is.
    pub clock: Clock,
    /// When the process began.
    pub began: Wall,
    /// How long requests in flight may take to finish, unless an order says otherwise.
    pub drain: Duration,
    /// Refused tokens, by address.
    pub refusals: Refusals,
}

pub use gate::Refusals;

/// Serves until the phase is [`Phase::Stopped`], then lets answers under way finish.
pub async fn serve(listener: TcpListener, admin: Admin) {
    let mut phase = admin.phase.clone();
    let router = routes::router(Arc::new(admin));
    let mut connections = JoinSet::new();
    loop {
        let room = connections.len() < limit::ADMIN_CONNECTIONS_MAX;
        // CANCEL: a lost accept leaves the connection in the backlog; a lost join is joined later.
        tokio::select! {
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(converse(stream, peer, router.clone(), phase.clone()));
                }
                // Out of descriptors: an instant retry would burn the core.
                Err(error) => {
                    tracing::warn!(%error, "the admin listener cannot accept");
                    tokio::time::sleep(limit::DEADLINE_SWEEP).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stopped(&mut phase) => break,
        }
    }
    drop(listener);
    // CANCEL: a connection that is not done by then is cut; its caller sees it.
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limit::LINGER, all).await;
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    mut phase: watch::Receiver<Phase>,
) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(PeerAddr(peer));
        router.clone().oneshot(request)
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
        tracing::debug!(%peer, why, "an admin connection was cut");
    }
}
