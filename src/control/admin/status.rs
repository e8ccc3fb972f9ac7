//! How the node is: for operators, for load balancers, for a scraper; and its config.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use super::Admin;
use super::body::{Because, Json};
use super::gate::Operator;
use super::problem::Problem;
use super::windows::{PlaceView, WindowView};
use crate::control::phase::Phase;
use crate::control::reload::{Outcome, Trigger, Verdict, Way};

/// `GET /api/v1/status`
pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let standing = admin.handle.standing();
    let site = Arc::clone(&admin.live.snapshot().site);
    let traffic = admin.traffic.in_flight();
    let windows: Vec<_> = standing.in_force().map(|w| WindowView::of(w, &traffic)).collect();
    let in_flight: Vec<_> = traffic.iter().map(PlaceView::of).collect();
    // The store may hang or fail; what is in force must be told all the same.
    let census = match admin.store.census().await {
        Ok(census) => {
            let by_state: BTreeMap<_, _> =
                census.submissions.iter().map(|(state, count)| (state.name(), *count)).collect();
            json!({ "submissions": by_state, "bytes": census.bytes })
        }
        Err(error) => json!({ "error": error.to_string() }),
    };
    let shown = site.tls.iter().flat_map(|tls| tls.certificates());
    let certificates: Vec<_> =
        shown.map(|one| json!({ "name": one.name, "not_after": one.not_after })).collect();
    let body = json!({
        "node": site.node,
        "version": env!("CARGO_PKG_VERSION"),
        "phase": admin.phase.borrow().name(),
        "now": admin.clock.now(),
        "began": admin.began,
        "uptime_secs": admin.clock.now().since(admin.began).as_secs(),
        "generation": standing.generation,
        "config": {
            "fingerprint": site.fingerprint,
            "last_reload": admin.reloads.as_ref().and_then(|reloads| reloads.last()).as_deref(),
        },
        "certificates": certificates,
        "windows": windows,
        "closed_cells": standing.closed_cells,
        "in_flight": in_flight,
        "connections": admin.metrics.connections(),
        "store": census,
    });
    axum::Json(body).into_response()
}

/// `GET /health`: the process and its control plane work.
pub(super) async fn health(State(admin): State<Arc<Admin>>) -> Response {
    if admin.handle.is_heard() {
        return axum::Json(json!({ "status": "ok" })).into_response();
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    (status, axum::Json(json!({ "status": "the reconciler has stopped" }))).into_response()
}

/// `GET /ready`: whether a load balancer should send visitors here.
pub(super) async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    let phase = *admin.phase.borrow();
    let status = match phase {
        Phase::Serving => StatusCode::OK,
        Phase::Starting | Phase::Draining | Phase::Stopped => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, axum::Json(json!({ "status": phase.name() }))).into_response()
}

/// `GET /metrics`
pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, admin.metrics.render()).into_response()
}

/// `POST /api/v1/config/reload`
pub(super) async fn reload(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Json(asked): Json<Because>,
) -> Result<Response, Problem> {
    asked.why()?;
    read_config(&admin, operator.name, Way::Apply).await
}

/// `POST /api/v1/config/check`: says what a reload would say, and changes nothing.
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Json(asked): Json<Because>,
) -> Result<Response, Problem> {
    asked.why()?;
    read_config(&admin, operator.name, Way::Check).await
}

async fn read_config(admin: &Admin, by: String, way: Way) -> Result<Response, Problem> {
    let Some(reloads) = &admin.reloads else {
        let detail = "this process was started without a config file; there is nothing to read";
        return Err(Problem::new(StatusCode::CONFLICT, "no_config_file", detail));
    };
    let outcome = reloads.carry_out(Trigger::Api(by), way).await?;
    match outcome.result {
        Verdict::Ok => Ok(axum::Json(&*outcome).into_response()),
        Verdict::Failed => Err(refused(&outcome)),
    }
}

fn refused(outcome: &Outcome) -> Problem {
    let detail = format!("the config was not taken: {}", outcome.reason);
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_config", detail)
        .with("problems", json!(outcome.problems))
        .with("fingerprint", json!(outcome.fingerprint))
}
