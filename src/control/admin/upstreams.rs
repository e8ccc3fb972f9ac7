//! Which servers there are, how they are, and what operators say of them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Admin;
use super::body::{self, Json};
use super::gate::Operator;
use super::problem::Problem;
use crate::control::command::Assignment;
use crate::control::roster::{Health, Pool, Server};
use crate::duty::{Duty, Posting};
use crate::grant::Role;
use crate::limit;
use crate::snapshot::{Site, UpstreamIx};
use crate::window::scope::{Scope, Selection};

type Answer = Result<Response, Problem>;

#[derive(Serialize)]
struct PoolView<'a> {
    name: &'a str,
    servers: Vec<ServerView<'a>>,
}

#[derive(Serialize)]
struct ServerView<'a> {
    name: &'a str,
    weight: u32,
    state: Duty,
    /// Of what operators said last; 0 if they never did.
    version: u64,
    /// What they said.
    decision: Option<&'a Posting>,
    addresses: Vec<PlaceView<'a>>,
}

#[derive(Serialize)]
struct PlaceView<'a> {
    address: String,
    #[serde(flatten)]
    health: &'a Health,
}

impl<'a> PoolView<'a> {
    fn of(pool: &'a Pool) -> Self {
        Self { name: &pool.name, servers: pool.servers.iter().map(ServerView::of).collect() }
    }
}

impl<'a> ServerView<'a> {
    fn of(server: &'a Server) -> Self {
        let places = server.places.iter();
        let decision = server.posting.as_ref();
        Self {
            name: &server.name,
            weight: server.weight,
            state: server.duty(),
            version: decision.map_or(0, |posting| posting.version),
            decision,
            addresses: places
                .map(|place| PlaceView {
                    address: place.address.0.to_string(),
                    health: &place.health,
                })
                .collect(),
        }
    }
}

/// `GET /api/v1/upstreams`
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Response {
    let standing = admin.handle.standing();
    let servers = &standing.servers;
    let pools: Vec<_> = servers.pools().iter().map(PoolView::of).collect();
    let strangers: Vec<_> = servers.strangers().collect();
    let body = json!({
        "generation": standing.generation,
        "upstreams": pools,
        "not_in_config": strangers,
    });
    axum::Json(body).into_response()
}

/// `GET /api/v1/upstreams/{upstream}`: its servers, and what operators said of them.
pub(super) async fn show(State(admin): State<Arc<Admin>>, Path(upstream): Path<String>) -> Answer {
    let standing = admin.handle.standing();
    let Some(pool) = standing.servers.pool(&upstream) else {
        let detail = format!("there is no upstream `{upstream}`");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_upstream", detail));
    };
    let history = admin.store.postings_of(upstream.clone(), limit::ADMIN_ROWS_MAX).await?;
    let generation = standing.generation;
    let view = PoolView::of(pool);
    let body = json!({ "generation": generation, "upstream": view, "history": history });
    Ok(axum::Json(body).into_response())
}

/// `POST /api/v1/upstreams/{upstream}/servers/{server}/state`
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Duty,
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/upstreams/{upstream}/servers/{server}/state`
pub(super) async fn post(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Path((upstream, server)): Path<(String, String)>,
    headers: HeaderMap,
    Json(asked): Json<Wanted>,
) -> Answer {
    let expected = body::if_match(&headers)?;
    let why = body::text("reason", &asked.reason)?;
    operator.may(Role::Operator, &reach(&admin.live.snapshot().site, &upstream))?;
    let order = Assignment { upstream, server, state: asked.state, expected };
    let posted = admin.handle.post(order, operator.author(why)).await?;
    let etag = HeaderValue::try_from(format!("\"{}\"", posted.posting.version));
    let body = json!({ "decision": posted.posting, "generation": posted.generation });
    let mut response = axum::Json(body).into_response();
    if let Ok(etag) = etag {
        response.headers_mut().insert(ETAG, etag);
    }
    Ok(response)
}

/// What a change of an upstream's servers is felt by: every route that may be sent there. An
/// upstream that no route names is everybody's.
fn reach(site: &Site, upstream: &str) -> Scope {
    let named = |at: &UpstreamIx| &*site.upstreams[at.0 as usize].name == upstream;
    let routes = site.rules.iter().filter(|rules| rules.upstreams.iter().any(named));
    let routes = Selection::of(routes.map(|rules| rules.name.to_string()));
    Scope { routes, ..Scope::default() }
}
