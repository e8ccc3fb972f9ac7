//! Which servers there are, how they are, and what operators say of them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Admin;
use super::asked::{Asked, Key};
use super::body::{self, Json};
use super::gate::Operator;
use super::problem::Problem;
use super::rehearsal::Nothing;
use super::windows::etag;
use crate::control::command::Assignment;
use crate::control::roster::{Health, Pool, Server};
use crate::duty::{Duty, Posting};
use crate::grant::Role;
use crate::limit;
use crate::snapshot::{Site, UpstreamIx};
use crate::window::scope::{Scope, Selection};

type Answer = Result<Response, Problem>;

/// The servers of one upstream.
#[derive(Serialize, ToSchema)]
pub(super) struct PoolView {
    name: String,
    servers: Vec<ServerView>,
}

/// One server.
#[derive(Serialize, ToSchema)]
pub(super) struct ServerView {
    name: String,
    weight: u32,
    state: Duty,
    /// Of what operators said last; 0 if they never did.
    version: u64,
    /// What they said.
    decision: Option<Posting>,
    addresses: Vec<ServerPlace>,
}

/// A server at one address.
#[derive(Serialize, ToSchema)]
pub(super) struct ServerPlace {
    address: String,
    #[serde(flatten)]
    health: Health,
}

impl PoolView {
    fn of(pool: &Pool) -> Self {
        Self {
            name: pool.name.to_string(),
            servers: pool.servers.iter().map(ServerView::of).collect(),
        }
    }
}

impl ServerView {
    fn of(server: &Server) -> Self {
        let places = server.places.iter();
        let decision = server.posting.as_ref();
        Self {
            name: server.name.to_string(),
            weight: server.weight,
            state: server.duty(),
            version: decision.map_or(0, |posting| posting.version),
            decision: decision.cloned(),
            addresses: places
                .map(|place| ServerPlace {
                    address: place.address.0.to_string(),
                    health: place.health.clone(),
                })
                .collect(),
        }
    }
}

/// All upstreams.
#[derive(Serialize, ToSchema)]
struct Pools {
    generation: u64,
    upstreams: Vec<PoolView>,
    /// Decisions about servers that the config does not name.
    not_in_config: Vec<Posting>,
}

/// One upstream.
#[derive(Serialize, ToSchema)]
struct PoolHistory {
    generation: u64,
    upstream: PoolView,
    /// All decisions about its servers, newest first.
    history: Vec<Posting>,
}

/// What was decided about a server.
#[derive(Serialize, ToSchema)]
struct Decided {
    decision: Posting,
    /// Every request that is judged at this generation or a later one sees it.
    generation: u64,
}

/// Every server: its addresses, their health, and what operators say of it.
#[utoipa::path(get, path = "/api/v1/upstreams", tag = "node",
    responses((status = 200, description = "All of them", body = Pools)))]
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Response {
    let standing = admin.handle.standing();
    let servers = &standing.servers;
    let body = Pools {
        generation: standing.generation,
        upstreams: servers.pools().iter().map(PoolView::of).collect(),
        not_in_config: servers.strangers().cloned().collect(),
    };
    axum::Json(body).into_response()
}

/// One upstream's servers, and what operators said of them.
#[utoipa::path(get, path = "/api/v1/upstreams/{upstream}", tag = "node",
    params(("upstream" = String, Path, description = "As the config names it")),
    responses((status = 200, description = "The upstream", body = PoolHistory)))]
pub(super) async fn show(State(admin): State<Arc<Admin>>, Key(upstream): Key<String>) -> Answer {
    let standing = admin.handle.standing();
    let Some(pool) = standing.servers.pool(&upstream) else {
        let detail = format!("there is no upstream `{upstream}`");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_upstream", detail));
    };
    let history = admin.store.postings_of(upstream.clone(), limit::ADMIN_ROWS_MAX).await?;
    let generation = standing.generation;
    let body = PoolHistory { generation, upstream: PoolView::of(pool), history };
    Ok(axum::Json(body).into_response())
}

/// What a server shall be.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedDuty)]
pub(super) struct Wanted {
    state: Duty,
    /// Why, for the history.
    #[serde(default)]
    #[schema(max_length = 2000)]
    reason: String,
}

/// Says whether a server takes requests (`ready`), bound ones only (`drain`), or none (`maint`).
#[utoipa::path(post, path = "/api/v1/upstreams/{upstream}/servers/{server}/state", tag = "node",
    request_body = Wanted,
    params(("upstream" = String, Path, description = "As the config names it"),
        ("server" = String, Path, description = "As it is typed in the config"),
        ("If-Match" = Option<String>, Header, description = "The version of the decision that \
            was read; 0 if there is none yet")),
    responses((status = 200, description = "It is in force", body = Decided,
        headers(("ETag" = String, description = "The decision's version")))))]
pub(super) async fn post(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key((upstream, server)): Key<(String, String)>,
    Asked(_): Asked<Nothing>,
    headers: HeaderMap,
    Json(asked): Json<Wanted>,
) -> Answer {
    let expected = body::if_match(&headers)?;
    let why = body::text("reason", &asked.reason)?;
    operator.may(Role::Operator, &reach(&admin.live.snapshot().site, &upstream))?;
    let order = Assignment { upstream, server, state: asked.state, expected };
    let posted = admin.handle.post(order, operator.author(why)).await?;
    let version = posted.posting.version;
    let body = Decided { decision: posted.posting, generation: posted.generation };
    Ok((etag(version), axum::Json(body)).into_response())
}

/// What a change of an upstream's servers is felt by: every route that may be sent there. An
/// upstream that no route names is everybody's.
fn reach(site: &Site, upstream: &str) -> Scope {
    let named = |at: &UpstreamIx| &*site.upstreams[at.0 as usize].name == upstream;
    let routes = site.rules.iter().filter(|rules| rules.upstreams.iter().any(named));
    let routes = Selection::of(routes.map(|rules| rules.name.to_string()));
    Scope { routes, ..Scope::default() }
}
