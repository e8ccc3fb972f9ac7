//! Switching, ending, extending, and what is and was in force.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Admin;
use super::body::{self, Because, Extend, Json, Off, On};
use super::gate::Operator;
use super::problem::Problem;
use crate::control::command::{Change, Refused, Which};
use crate::control::scopes;
use crate::control::traffic::{self, InFlight};
use crate::grant::Role;
use crate::id::Id;
use crate::limit;
use crate::snapshot::Snapshot;
use crate::window::scope::Scope;
use crate::window::state::{Checks, Window};

type Answer = Result<Response, Problem>;

/// A window, and what is under way in its scope.
#[derive(Serialize)]
pub(super) struct WindowView<'a> {
    #[serde(flatten)]
    window: &'a Window,
    in_flight: Vec<PlaceView<'a>>,
    in_flight_total: u64,
}

/// Requests under way on one route in one region.
#[derive(Serialize)]
pub(super) struct PlaceView<'a> {
    route: &'a str,
    region: &'a str,
    count: u64,
}

impl<'a> PlaceView<'a> {
    pub(super) fn of(place: &'a InFlight) -> Self {
        Self { route: &place.route, region: &place.region, count: place.count }
    }
}

impl<'a> WindowView<'a> {
    pub(super) fn of(window: &'a Window, all: &'a [InFlight]) -> Self {
        let all = if window.state.in_force() { all } else { &[] };
        let in_flight: Vec<_> = traffic::within(all, &window.scope).map(PlaceView::of).collect();
        let in_flight_total = traffic::count_within(all, &window.scope);
        Self { window, in_flight, in_flight_total }
    }
}

/// `?dry_run=true`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rehearsal {
    #[serde(default)]
    dry_run: bool,
}

/// `POST /api/v1/switches`: closes a scope now.
pub(super) async fn on(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    rehearsal: Result<Query<Rehearsal>, QueryRejection>,
    Json(asked): Json<On>,
) -> Answer {
    let emergency = asked.is_emergency();
    let order = asked.order(admin.drain, admin.clock.now())?;
    if query(rehearsal)?.dry_run {
        operator.may(Role::Operator, &order.scope)?;
        return rehearse(&order.scope, &admin.live.snapshot());
    }
    operator.may_close(&order.scope, emergency)?;
    let author = operator.author(order.texts.reason.clone());
    let change = admin.handle.switch(order, author).await?;
    Ok(one(&admin, &change, StatusCode::CREATED))
}

/// Which cells a switch of this scope would close.
fn rehearse(scope: &Scope, snapshot: &Snapshot) -> Answer {
    let site = &snapshot.site;
    let unknown = scopes::unknown(scope, site);
    if !unknown.is_empty() {
        return Err(Refused::Unknown(unknown).into());
    }
    let (mut cells, mut count, mut closed) = (Vec::new(), 0, 0);
    for rules in site.rules.iter().filter(|rules| scope.routes.covers(&rules.name)) {
        for name in scopes::region_names(site) {
            let (route, region) = (site.route_named(&rules.name), site.regions.named(&name));
            let (Some(route), Some(region)) = (route, region) else { continue };
            if !scope.regions.covers(&name) {
                continue;
            }
            let is_closed = snapshot.cells.closure(route, region).is_some();
            count += 1;
            closed += usize::from(is_closed);
            if cells.len() < limit::ADMIN_ROWS_MAX as usize {
                cells.push(json!({ "route": *rules.name, "region": name, "closed": is_closed }));
            }
        }
    }
    let body = json!({ "dry_run": true, "count": count, "already_closed": closed, "cells": cells });
    Ok(axum::Json(body).into_response())
}

/// `POST /api/v1/switches/off`: reopens a scope.
pub(super) async fn off(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Json(asked): Json<Off>,
) -> Answer {
    let (scope, why) = asked.scope()?;
    operator.may(Role::Operator, &scope)?;
    let change =
        admin.handle.end(Which::Scope(scope), Checks::Planned, operator.author(why)).await?;
    let windows: Vec<_> = change.windows.iter().map(|w| WindowView::of(w, &[])).collect();
    let body = json!({ "windows": windows, "generation": change.generation });
    Ok(axum::Json(body).into_response())
}

/// `POST /api/v1/windows/{id}/end`
pub(super) async fn end(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Path(window): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<Because>,
) -> Answer {
    let id = id(&window)?;
    operator.may(Role::Operator, &scope_of(&admin, id).await?)?;
    let which = Which::Window(id, body::if_match(&headers)?);
    let change = admin.handle.end(which, Checks::Planned, operator.author(asked.why()?)).await?;
    Ok(one(&admin, &change, StatusCode::OK))
}

/// `POST /api/v1/windows/{id}/extend`
pub(super) async fn extend(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Path(window): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<Extend>,
) -> Answer {
    let (window, expected) = (id(&window)?, body::if_match(&headers)?);
    let (end, why) = asked.promise(admin.clock.now())?;
    operator.may(Role::Operator, &scope_of(&admin, window).await?)?;
    let change = admin.handle.extend(window, expected, end, operator.author(why)).await?;
    Ok(one(&admin, &change, StatusCode::OK))
}

/// Which windows, and how many at most.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    #[serde(default)]
    state: Wanted,
    limit: Option<u32>,
}

/// Windows in force, or those that ended.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    #[default]
    InForce,
    Ended,
}

/// `GET /api/v1/windows?state=in_force|ended`
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    rows: Result<Query<Rows>, QueryRejection>,
) -> Answer {
    let rows = query(rows)?;
    let count = count(rows.limit)?;
    let traffic = admin.traffic.in_flight();
    let windows: Vec<Arc<Window>> = match rows.state {
        Wanted::InForce => admin.handle.standing().in_force().cloned().collect(),
        Wanted::Ended => {
            admin.store.ended_windows(count).await?.into_iter().map(Arc::new).collect()
        }
    };
    let views = windows.iter().take(count as usize).map(|w| WindowView::of(w, &traffic));
    Ok(axum::Json(json!({ "windows": views.collect::<Vec<_>>() })).into_response())
}

/// `GET /api/v1/windows/{id}`: the window with its history.
pub(super) async fn show(State(admin): State<Arc<Admin>>, Path(window): Path<String>) -> Answer {
    let id = id(&window)?;
    let window = admin.store.window(id).await?.ok_or(Refused::NoWindow(id))?;
    let history = admin.store.history_of(id).await?;
    let traffic = admin.traffic.in_flight();
    let view = WindowView::of(&window, &traffic);
    let body = axum::Json(json!({ "window": view, "history": history }));
    Ok((etag(&window), body).into_response())
}

/// How many rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    limit: Option<u32>,
}

/// `GET /api/v1/history`: who changed what, newest first.
pub(super) async fn history(
    State(admin): State<Arc<Admin>>,
    rows: Result<Query<Limit>, QueryRejection>,
) -> Answer {
    let entries = admin.store.history(count(query(rows)?.limit)?).await?;
    Ok(axum::Json(json!({ "entries": entries })).into_response())
}

/// What a window closes: whoever changes it must be allowed to there.
async fn scope_of(admin: &Admin, id: Id) -> Result<Scope, Problem> {
    let standing = admin.handle.standing();
    if let Some(window) = standing.windows.iter().find(|window| window.id == id) {
        return Ok(window.scope.clone());
    }
    let window = admin.store.window(id).await?.ok_or(Refused::NoWindow(id))?;
    Ok(window.scope)
}

fn one(admin: &Admin, change: &Change, status: StatusCode) -> Response {
    let traffic = admin.traffic.in_flight();
    let Some(window) = change.windows.first() else { return status.into_response() };
    let view = WindowView::of(window, &traffic);
    let body = axum::Json(json!({ "window": view, "generation": change.generation }));
    let mut response = (status, etag(window), body).into_response();
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::try_from(format!("/api/v1/windows/{}", window.id))
    {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn etag(window: &Window) -> [(http::HeaderName, String); 1] {
    [(ETAG, format!("\"{}\"", window.version))]
}

fn id(text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|error: crate::id::NotAnId| {
        Problem::new(StatusCode::NOT_FOUND, "no_such_window", format!("\"{text}\" is {error}"))
    })
}

pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let refused = |error: QueryRejection| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_query", error.body_text())
    };
    query.map(|Query(value)| value).map_err(refused)
}

pub(super) fn count(limit: Option<u32>) -> Result<u32, Problem> {
    let most = limit::ADMIN_ROWS_MAX;
    match limit {
        None => Ok(100),
        Some(count) if (1..=most).contains(&count) => Ok(count),
        Some(_) => Err(Problem::field("limit", format!("from 1 to {most}"))),
    }
}
