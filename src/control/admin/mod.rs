//! The admin API: JSON over HTTP/1.1 on a listener of its own, loopback unless told otherwise.

mod approvals;
mod audit;
mod body;
mod door;
mod gate;
mod listen;
mod operator;
mod problem;
mod refusals;
mod replay;
mod status;
mod tokens;
mod upstreams;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use http::{StatusCode, Uri};
use tokio::sync::watch;

use self::approvals::Inner;
use self::listen::Routes;
use self::problem::Problem;
use super::command::Handle;
use super::phase::Phase;
use super::reload::Reloads;
use super::report::Reports;
use super::traffic::Traffic;
use super::verify::Verifications;
use crate::clock::{Clock, Wall};
use crate::config::AdminRules;
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
    /// What is remembered of who came and was let in.
    pub door: Door,
    /// Verifications and ramps that go on.
    pub verifications: Verifications,
    /// What is told of maintenances afterwards.
    pub reports: Reports,
}

pub use door::Door;
pub use listen::{Listeners, unix};

/// Serves until the phase is [`Phase::Stopped`], then lets answers under way finish.
pub async fn serve(listeners: Listeners, admin: Admin) {
    let phase = admin.phase.clone();
    let routes = router(Arc::new(admin));
    listen::serve(listeners, routes, phase).await;
}

/// From the outside in: the gate asks who it is, a repeated creation is answered again, what needs
/// a second operator waits, the audit asks for the role and notes what came of it.
fn router(admin: Arc<Admin>) -> Routes {
    let audited = routes()
        .layer(from_fn_with_state(Arc::clone(&admin), audit::watch))
        .with_state(Arc::clone(&admin));
    let all = audited
        .clone()
        .layer(from_fn_with_state(Arc::clone(&admin), approvals::hold))
        .layer(from_fn_with_state(Arc::clone(&admin), replay::once))
        .layer(from_fn_with_state(admin, gate::pass));
    Routes { all, inner: Inner(audited) }
}

fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/switches", post(windows::on))
        .route("/api/v1/switches/off", post(windows::off))
        .route("/api/v1/windows", get(windows::list))
        .route("/api/v1/windows/{id}", get(windows::show))
        .route("/api/v1/windows/{id}/end", post(windows::end))
        .route("/api/v1/windows/{id}/extend", post(windows::extend))
        .route("/api/v1/history", get(windows::history))
        .route("/api/v1/upstreams", get(upstreams::list))
        .route("/api/v1/upstreams/{upstream}", get(upstreams::show))
        .route("/api/v1/upstreams/{upstream}/servers/{server}/state", post(upstreams::post))
        .route("/api/v1/tokens", get(tokens::list).post(tokens::make))
        .route("/api/v1/tokens/{id}", delete(tokens::revoke))
        .route("/api/v1/approvals", get(approvals::list))
        .route("/api/v1/approvals/{id}", post(approvals::approve).delete(approvals::drop))
        .route("/api/v1/audit", get(audit::list))
        .route("/api/v1/config/reload", post(status::reload))
        .route("/api/v1/config/check", post(status::check))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
}

async fn nothing_here(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

async fn wrong_method(method: http::Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not possible at {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
}
