//! Closing and reopening a scope now, without a plan.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::asked::Asked;
use super::body::{Json, Off, On};
use super::gate::Operator;
use super::problem::Problem;
use super::windows::{self, WindowAnswer, WindowView, WindowsAnswer};
use crate::control::command::{Refused, Which};
use crate::control::scopes;
use crate::limit;
use crate::snapshot::Snapshot;
use crate::window::scope::Scope;
use crate::window::state::{Author, Checks};

type Answer = Result<Response, Problem>;

/// Whether it is meant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Rehearsal {
    /// Say what would happen, and do nothing.
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// What would close.
#[derive(Serialize, ToSchema)]
pub(super) struct Rehearsed {
    /// Always true: nothing was done.
    dry_run: bool,
    /// How many places.
    count: usize,
    /// How many of them are closed already.
    already_closed: usize,
    /// The places; at most a thousand.
    cells: Vec<CellView>,
}

/// A place that would close.
#[derive(Serialize, ToSchema)]
pub(super) struct CellView {
    route: String,
    region: String,
    /// Whether it is closed already.
    closed: bool,
}

/// Closes a scope now.
#[utoipa::path(post, path = "/api/v1/switches", tag = "windows", request_body = On,
    params(Rehearsal),
    responses(
        (status = 201, description = "It is closed, for every visitor who comes after this answer",
            body = WindowAnswer, headers(("ETag" = String, description = "Its version"),
                ("Location" = String, description = "The window"))),
        (status = 200, description = "With `dry_run`: what would close", body = Rehearsed)))]
pub(super) async fn on(
    State(admin): State<Arc<Admin>>,
    Extension(Operator(by)): Extension<Operator>,
    Asked(rehearsal): Asked<Rehearsal>,
    Json(asked): Json<On>,
) -> Answer {
    let order = asked.order(admin.drain, admin.clock.now())?;
    if rehearsal.dry_run {
        let told = rehearse(&order.scope, &admin.live.snapshot())?;
        return Ok(axum::Json(told).into_response());
    }
    let author = Author { by, why: order.texts.reason.clone() };
    let change = admin.handle.switch(order, author).await?;
    Ok(windows::one(&admin, &change, StatusCode::CREATED))
}

/// Which cells a switch of this scope would close.
fn rehearse(scope: &Scope, snapshot: &Snapshot) -> Result<Rehearsed, Problem> {
    let site = &snapshot.site;
    let unknown = scopes::unknown(scope, site);
    if !unknown.is_empty() {
        return Err(Refused::Unknown(unknown).into());
    }
    let mut told = Rehearsed { dry_run: true, count: 0, already_closed: 0, cells: Vec::new() };
    for rules in site.rules.iter().filter(|rules| scope.routes.covers(&rules.name)) {
        for name in scopes::region_names(site) {
            let (route, region) = (site.route_named(&rules.name), site.regions.named(&name));
            let (Some(route), Some(region)) = (route, region) else { continue };
            if !scope.regions.covers(&name) {
                continue;
            }
            let closed = snapshot.cells.closure(route, region).is_some();
            told.count += 1;
            told.already_closed += usize::from(closed);
            if told.cells.len() < limit::ADMIN_ROWS_MAX as usize {
                told.cells.push(CellView { route: rules.name.to_string(), region: name, closed });
            }
        }
    }
    Ok(told)
}

/// Reopens a scope: ends every window that lies in it.
#[utoipa::path(post, path = "/api/v1/switches/off", tag = "windows", request_body = Off,
    responses((status = 200, description = "The windows that ended", body = WindowsAnswer)))]
pub(super) async fn off(
    State(admin): State<Arc<Admin>>,
    Extension(Operator(by)): Extension<Operator>,
    Json(asked): Json<Off>,
) -> Answer {
    let (scope, why) = asked.scope()?;
    let change = admin.handle.end(Which::Scope(scope), Checks::Planned, Author { by, why }).await?;
    let windows = change.windows.iter().map(|window| WindowView::of(window, &[])).collect();
    let body = WindowsAnswer { windows, generation: change.generation };
    Ok(axum::Json(body).into_response())
}
