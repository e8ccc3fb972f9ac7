//! What is closed where, and what is under way there.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Admin;
use super::asked::{self, Asked, Items, Paging};
use super::problem::Problem;
use crate::clock::Wall;
use crate::id::Id;
use crate::window::state::{Mode, Window};

type Answer = Result<Response, Problem>;

/// One route in one region.
#[derive(Serialize, ToSchema)]
pub(super) struct Place {
    route: String,
    region: String,
    /// `open`, or the state of the window that governs: the strictest, then the oldest.
    state: String,
    /// What it does to requests; null where it is open.
    mode: Option<Mode>,
    /// The window that governs.
    window: Option<Id>,
    /// Every window over it, the one that governs first.
    windows: Vec<Id>,
    /// Since when.
    since: Option<Wall>,
    /// When it returns, if anybody knows.
    until: Option<Wall>,
    /// Who planned or began it.
    by: Option<String>,
}

/// Which places.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only this route.
    route: Option<String>,
    /// Only this region.
    region: Option<String>,
    /// Only what is closed.
    #[serde(default)]
    closed: bool,
    /// How many rows at most; 100 if it is left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// What `next` of the page before said.
    after: Option<String>,
}

/// The state of every route × region, in the order of the config.
#[utoipa::path(get, path = "/api/v1/state", tag = "windows", params(Wanted),
    responses((status = 200, description = "One page", body = Items<Place>)))]
pub(super) async fn state(State(admin): State<Arc<Admin>>, Asked(wanted): Asked<Wanted>) -> Answer {
    let count = asked::count(wanted.limit)?;
    let after = asked::number(wanted.after.as_deref())?.map_or(0, |after| after.saturating_add(1));
    let (standing, snapshot) = (admin.handle.standing(), admin.live.snapshot());
    let site = &snapshot.site;
    let routes = site.rules.iter().map(|rules| &*rules.name);
    let all = routes.flat_map(|route| site.regions.names().map(move |region| (route, region)));
    let covers = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
    let asked =
        |route: &str, region: &str| covers(&wanted.route, route) && covers(&wanted.region, region);
    let rows = (0u64..).zip(all).skip_while(|(at, _)| *at < after);
    let places = rows.filter_map(|(at, (route, region))| {
        if !asked(route, region) {
            return None;
        }
        let (route_ix, region_ix) = (site.route_named(route)?, site.regions.named(region)?);
        let closure = snapshot.cells.closure(route_ix, region_ix);
        if closure.is_none() && wanted.closed {
            return None;
        }
        let windows = closure.map(|closure| closure.windows.clone()).unwrap_or_default();
        let governs = windows.first();
        let governs: Option<&Arc<Window>> =
            governs.and_then(|id| standing.windows.iter().find(|window| window.id == *id));
        let state = match (closure, governs) {
            (None, _) => "open",
            (Some(_), Some(window)) => window.state.name(),
            // It was ended between the two looks.
            (Some(_), None) => "closed",
        };
        Some((
            at,
            Place {
                route: route.to_owned(),
                region: region.to_owned(),
                state: state.to_owned(),
                mode: closure.map(|closure| closure.mode),
                window: windows.first().copied(),
                windows,
                since: closure.map(|closure| closure.since),
                until: closure.and_then(|closure| closure.until),
                by: governs.map(|window| window.by.clone()),
            },
        ))
    });
    let rows: Vec<_> = places.take(count as usize + 1).collect();
    Ok(axum::Json(Items::of(rows, count)).into_response())
}

/// What is under way at one place.
#[derive(Serialize, ToSchema)]
pub(super) struct UnderWay {
    route: String,
    region: String,
    /// Requests, of which those that last are told apart.
    requests: u64,
    /// Of them WebSockets and other tunnels.
    tunnels: u64,
    /// Of them answers that go on, such as events.
    streams: u64,
}

/// What is under way, where there is anything.
#[utoipa::path(get, path = "/api/v1/in-flight", tag = "windows", params(Paging),
    responses((status = 200, description = "One page", body = Items<UnderWay>)))]
pub(super) async fn in_flight(
    State(admin): State<Arc<Admin>>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let count = asked::count(paging.limit)?;
    let after = asked::pair(paging.after.as_deref())?;
    let rows = admin.traffic.in_flight().into_iter().map(|one| {
        let (route, region) = (one.route.to_string(), one.region.to_string());
        let (requests, tunnels, streams) = (one.count, one.tunnels, one.streams);
        let key = (route.clone(), region.clone());
        (key, UnderWay { route, region, requests, tunnels, streams })
    });
    Ok(axum::Json(Items::after(rows, after.as_ref(), count, asked::written)).into_response())
}
