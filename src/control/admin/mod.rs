//! The admin API: JSON over HTTP/1.1 on a listener of its own, loopback unless told otherwise.

mod accept;
mod actions;
mod approvals;
mod asked;
mod audit;
mod body;
mod bypasses;
mod door;
mod events;
mod gate;
mod keys;
mod listen;
mod maintenances;
mod matrix;
mod openapi;
mod operator;
mod preview;
mod problem;
mod records;
mod refusals;
mod rehearsal;
mod replay;
mod report;
mod routes;
mod schema;
mod status;
mod strict;
mod switches;
mod tokens;
mod upstreams;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::watch;

use self::approvals::Inner;
use self::listen::Routes;
use super::command::Handle;
use super::hour::Hour;
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
use crate::vault::Vault;

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
    /// Its keys.
    pub vault: Vault,
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
    /// Who came in the last hour.
    pub hour: Arc<Hour>,
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
    let (routes, document) = routes::all();
    let audited = routes
        .layer(Extension(openapi::Text::of(&document)))
        .layer(from_fn_with_state(Arc::clone(&admin), audit::watch))
        .with_state(Arc::clone(&admin));
    let all = audited
        .clone()
        .layer(from_fn_with_state(Arc::clone(&admin), approvals::hold))
        .layer(from_fn_with_state(Arc::clone(&admin), replay::once))
        .layer(from_fn(accept::negotiate))
        .layer(from_fn_with_state(admin, gate::pass));
    Routes { all, inner: Inner(audited) }
}
