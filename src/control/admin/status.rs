//! How the node is: for operators, for load balancers, for a scraper; and its config.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::asked::Asked;
use super::body::{Because, Json, Toml};
use super::gate::Operator;
use super::problem::Problem;
use super::rehearsal::Nothing;
use super::windows::{PlaceView, WindowView};
use crate::clock::Wall;
use crate::control::drift;
use crate::control::phase::Phase;
use crate::control::reload::{Outcome, Reloads, Trigger, Verdict, Way};
use crate::grant::Role;

/// How the node is.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    /// Its name.
    node: String,
    /// Of the program.
    version: &'static str,
    /// `starting`, `serving`, `draining` or `stopped`.
    phase: &'static str,
    now: Wall,
    /// When the process began.
    began: Wall,
    uptime_secs: u64,
    /// What requests are judged by, counted from 1 since the start.
    generation: u64,
    config: ConfigStatus,
    certificates: Vec<Certificate>,
    /// Windows in force.
    windows: Vec<WindowView>,
    /// How many route × region places are closed.
    closed_cells: usize,
    /// How many declared maintenances stand otherwise than their files say.
    drift: usize,
    /// Requests under way, by place.
    in_flight: Vec<PlaceView>,
    /// Client connections open now.
    connections: u64,
    store: StoreStatus,
}

/// The config in force.
#[derive(Serialize, ToSchema)]
struct ConfigStatus {
    fingerprint: String,
    /// How the last reload went; null if there was none.
    last_reload: Option<Outcome>,
}

/// A certificate that is shown.
#[derive(Serialize, ToSchema)]
struct Certificate {
    name: String,
    not_after: Wall,
}

/// What the store holds, or why it cannot say.
#[derive(Serialize, ToSchema, Default)]
struct StoreStatus {
    /// Submissions by state.
    #[serde(skip_serializing_if = "Option::is_none")]
    submissions: Option<BTreeMap<&'static str, u64>>,
    /// Sealed bytes held.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One word.
#[derive(Serialize, ToSchema)]
pub(super) struct Word {
    status: &'static str,
}

/// How the node is, what is closed, and what is under way.
#[utoipa::path(get, path = "/api/v1/status", tag = "node",
    responses((status = 200, description = "As of now", body = Status)))]
pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let standing = admin.handle.standing();
    let site = Arc::clone(&admin.live.snapshot().site);
    let traffic = admin.traffic.in_flight();
    let in_force = standing.in_force();
    // The store may hang or fail; what is in force must be told all the same.
    let store = match admin.store.census().await {
        Ok(census) => StoreStatus {
            submissions: Some(
                census.submissions.iter().map(|(state, count)| (state.name(), *count)).collect(),
            ),
            bytes: Some(census.bytes),
            error: None,
        },
        Err(error) => StoreStatus { error: Some(error.to_string()), ..StoreStatus::default() },
    };
    let shown = site.tls.iter().flat_map(|tls| tls.certificates());
    let body = Status {
        node: site.node.to_string(),
        version: env!("CARGO_PKG_VERSION"),
        phase: admin.phase.borrow().name(),
        now: admin.clock.now(),
        began: admin.began,
        uptime_secs: admin.clock.now().since(admin.began).as_secs(),
        generation: standing.generation,
        config: ConfigStatus {
            fingerprint: site.fingerprint.to_string(),
            last_reload: admin
                .reloads
                .as_ref()
                .and_then(|reloads| reloads.last())
                .map(|last| (*last).clone()),
        },
        certificates: shown
            .map(|one| Certificate { name: one.name.to_string(), not_after: one.not_after })
            .collect(),
        windows: in_force.map(|window| WindowView::of(window, &traffic)).collect(),
        closed_cells: standing.closed_cells,
        drift: drift::all(&standing).count(),
        in_flight: traffic.iter().map(PlaceView::of).collect(),
        connections: admin.metrics.connections(),
        store,
    };
    axum::Json(body).into_response()
}

/// Whether the process and its control plane work.
#[utoipa::path(get, path = "/health", tag = "probes",
    responses((status = 200, description = "They do", body = Word),
        (status = 503, description = "The control plane has stopped", body = Word)))]
pub(super) async fn health(State(admin): State<Arc<Admin>>) -> Response {
    if admin.handle.is_heard() {
        return axum::Json(Word { status: "ok" }).into_response();
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    (status, axum::Json(Word { status: "the reconciler has stopped" })).into_response()
}

/// Whether a load balancer should send visitors here.
#[utoipa::path(get, path = "/ready", tag = "probes",
    responses((status = 200, description = "It should", body = Word),
        (status = 503, description = "It should not", body = Word)))]
pub(super) async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    let phase = *admin.phase.borrow();
    let status = match phase {
        Phase::Serving => StatusCode::OK,
        Phase::Starting | Phase::Draining | Phase::Stopped => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, axum::Json(Word { status: phase.name() })).into_response()
}

/// For a scraper, in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "probes",
    responses((status = 200, description = "All metrics", body = String,
        content_type = "text/plain")))]
pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, admin.metrics.render()).into_response()
}

/// Reads the config file again, all of it or nothing.
#[utoipa::path(post, path = "/api/v1/config/reload", tag = "node", request_body = Option<Because>,
    responses((status = 200, description = "It is in force", body = Outcome)))]
pub(super) async fn reload(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Asked(_): Asked<Nothing>,
    Json(asked): Json<Because>,
) -> Result<Response, Problem> {
    asked.why()?;
    answer(&*reloads(&admin)?.carry_out(Trigger::Api(operator.name), Way::Apply).await?)
}

/// Says what a reload would say, and changes nothing. With a body of `application/toml`, that text
/// is looked at as if it stood in the file's place; it may name files of the machine, so that an
/// admin is wanted.
#[utoipa::path(post, path = "/api/v1/config/check", tag = "node",
    request_body(content((Option<Because> = "application/json"), (String = "application/toml"))),
    responses((status = 200, description = "It would be taken", body = Outcome)))]
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Asked(_): Asked<Nothing>,
    asked: Toml<Because>,
) -> Result<Response, Problem> {
    let reloads = reloads(&admin)?;
    let outcome = match asked {
        Toml::Else(asked) => {
            asked.why()?;
            reloads.carry_out(Trigger::Api(operator.name), Way::Check).await?
        }
        Toml::Text(text) => {
            operator.has(Role::Admin)?;
            reloads.check(Trigger::Api(operator.name), text).await?
        }
    };
    answer(&outcome)
}

fn reloads(admin: &Admin) -> Result<&Reloads, Problem> {
    admin.reloads.as_ref().ok_or_else(|| {
        let detail = "this process was started without a config file; there is nothing to read";
        Problem::new(StatusCode::CONFLICT, "no_config_file", detail)
    })
}

fn answer(outcome: &Outcome) -> Result<Response, Problem> {
    match outcome.result {
        Verdict::Ok => Ok(axum::Json(outcome).into_response()),
        Verdict::Failed => Err(refused(outcome)),
    }
}

fn refused(outcome: &Outcome) -> Problem {
    let detail = format!("the config was not taken: {}", outcome.reason);
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_config", detail)
        .with("problems", json!(outcome.problems))
        .with("fingerprint", json!(outcome.fingerprint))
}
