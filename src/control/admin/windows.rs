//! Windows: what is and was in force, and what can be done to one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ETAG, HeaderValue, LOCATION};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::asked::{self, Asked, Items, Key};
use super::problem::Problem;
use crate::control::command::{Change, Refused};
use crate::control::traffic::{self, InFlight};
use crate::control::verify::Verification;
use crate::window::history::Entry;
use crate::window::state::{State as Life, Window};

type Answer = Result<Response, Problem>;

/// A window, and what is under way in its scope.
#[derive(Serialize, ToSchema)]
pub(super) struct WindowView {
    #[serde(flatten)]
    window: Window,
    /// What is under way in its scope, by place; nothing while it is not in force.
    in_flight: Vec<PlaceView>,
    /// All of that together.
    in_flight_total: u64,
}

/// Requests under way on one route in one region.
#[derive(Serialize, ToSchema)]
pub(super) struct PlaceView {
    route: String,
    region: String,
    /// All of them, of which some go on for long:
    count: u64,
    /// WebSockets and other tunnels,
    tunnels: u64,
    /// and answers that go on, such as events.
    streams: u64,
}

/// A window after a change, and the first generation that shows it.
#[derive(Serialize, ToSchema)]
pub(super) struct WindowAnswer {
    window: WindowView,
    /// Every request that is judged at this generation or a later one sees the change.
    generation: u64,
}

/// Windows after a change, and the first generation that shows it.
#[derive(Serialize, ToSchema)]
pub(super) struct WindowsAnswer {
    pub(super) windows: Vec<WindowView>,
    /// Every request that is judged at this generation or a later one sees the change.
    pub(super) generation: u64,
}

/// A window with its history.
#[derive(Serialize, ToSchema)]
pub(super) struct WindowHistory {
    window: WindowView,
    /// Oldest first.
    history: Vec<Entry>,
    /// How its verification goes, or the looks at its ramp; null while there is none.
    verification: Option<Verification>,
}

impl PlaceView {
    pub(super) fn of(place: &InFlight) -> Self {
        let (route, region) = (place.route.to_string(), place.region.to_string());
        let (count, tunnels, streams) = (place.count, place.tunnels, place.streams);
        Self { route, region, count, tunnels, streams }
    }
}

impl WindowView {
    pub(super) fn of(window: &Window, all: &[InFlight]) -> Self {
        let all = if window.state.in_force() { all } else { &[] };
        let in_flight: Vec<_> = traffic::within(all, &window.scope).map(PlaceView::of).collect();
        let in_flight_total = traffic::count_within(all, &window.scope);
        Self { window: window.clone(), in_flight, in_flight_total }
    }
}

/// Which windows.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Rows {
    /// In which part of their life; in force if it is left out.
    #[serde(default)]
    #[param(inline)]
    state: Wanted,
    /// How many rows at most; 100 if it is left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What `next` of the page before said.
    after: Option<String>,
}

/// Windows in which part of their life.
#[derive(Deserialize, ToSchema, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    /// From draining to reopening, oldest first.
    #[default]
    InForce,
    /// Planned or stalled, oldest first.
    Planned,
    /// All that are not over, oldest first.
    Live,
    /// Ended or cancelled, newest first.
    Ended,
}

impl Wanted {
    fn covers(self, state: Life) -> bool {
        match self {
            Self::InForce => state.in_force(),
            Self::Planned => matches!(state, Life::Planned | Life::Stalled),
            Self::Live => !state.is_over(),
            Self::Ended => state.is_over(),
        }
    }
}

/// Windows with what is under way in their scope.
#[utoipa::path(get, path = "/api/v1/windows", tag = "windows", params(Rows),
    responses((status = 200, description = "One page", body = Items<WindowView>)))]
pub(super) async fn list(State(admin): State<Arc<Admin>>, Asked(rows): Asked<Rows>) -> Answer {
    let count = asked::count(rows.limit)?;
    let after = asked::cursor(rows.after.as_deref())?;
    let windows: Vec<Arc<Window>> = match rows.state {
        Wanted::InForce | Wanted::Planned | Wanted::Live => {
            let standing = admin.handle.standing();
            let mut windows: Vec<_> =
                standing.windows.iter().filter(|w| rows.state.covers(w.state)).cloned().collect();
            windows.sort_by_key(|window| window.id);
            let later = windows.into_iter().filter(|w| after.is_none_or(|after| w.id > after));
            later.take(count as usize + 1).collect()
        }
        Wanted::Ended => {
            let windows = admin.store.ended_windows_after(after, count + 1).await?;
            windows.into_iter().map(Arc::new).collect()
        }
    };
    let traffic = admin.traffic.in_flight();
    let views = windows.iter().map(|window| WindowView::of(window, &traffic)).collect();
    let page = Items::page(views, count, |view: &WindowView| view.window.id.to_string());
    Ok(axum::Json(page).into_response())
}

/// One window with its history.
#[utoipa::path(get, path = "/api/v1/windows/{id}", tag = "windows",
    params(("id" = crate::id::Id, Path, description = "Of the window")),
    responses((status = 200, description = "The window", body = WindowHistory,
        headers(("ETag" = String, description = "Its version")))))]
pub(super) async fn show(State(admin): State<Arc<Admin>>, Key(window): Key<String>) -> Answer {
    let id = asked::id("window", &window)?;
    let window = admin.store.window(id).await?.ok_or(Refused::NoWindow(id))?;
    let history = admin.store.history_of(id).await?;
    let view = WindowView::of(&window, &admin.traffic.in_flight());
    let verification = admin.verifications.of(id);
    let body = WindowHistory { window: view, history, verification };
    Ok((etag(window.version), axum::Json(body)).into_response())
}

/// The first window of a change.
pub(super) fn one(admin: &Admin, change: &Change, status: StatusCode) -> Response {
    let traffic = admin.traffic.in_flight();
    let Some(window) = change.windows.first() else { return status.into_response() };
    let view = WindowView::of(window, &traffic);
    let body = axum::Json(WindowAnswer { window: view, generation: change.generation });
    let mut response = (status, etag(window.version), body).into_response();
    if status == StatusCode::CREATED
        && let Ok(location) = HeaderValue::try_from(format!("/api/v1/windows/{}", window.id))
    {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The field that tells a version.
pub(super) fn etag(version: u64) -> [(http::HeaderName, String); 1] {
    [(ETAG, format!("\"{version}\""))]
}
