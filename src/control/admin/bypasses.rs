//! Bypasses: what lets people through a closed scope. Their secrets are shown once.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Admin;
use super::asked::{self, Asked, Items, Key, Paging};
use super::body::{self, Json, Span};
use super::gate::Operator;
use super::problem::Problem;
use super::rehearsal::Nothing;
use crate::clock::Wall;
use crate::control::command::Refused;
use crate::control::scopes;
use crate::grant::{Bypass, Role, bypass};
use crate::id::Id;
use crate::limit;
use crate::window::scope::{Scope, Selection};

type Answer = Result<Response, Problem>;

/// A bypass as it may be seen.
#[derive(Serialize, ToSchema)]
pub(super) struct BypassView {
    /// It stands in access lines.
    id: Id,
    /// Client networks that need no secret.
    networks: Vec<String>,
    /// Where it holds.
    scope: Scope,
    /// The only window that it holds for; every one if it is null.
    window: Option<Id>,
    created: Wall,
    /// From when on it is worth nothing.
    expires: Wall,
    by: String,
    why: String,
    revoked: Option<Wall>,
}

/// A bypass that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct Made {
    bypass: BypassView,
    /// For the field `Intermission-Bypass`. It is told now and never again; null where client
    /// networks alone let through, and where the answer is told again.
    secret: Option<String>,
    /// A link that leaves a cookie in the browser, on the visitors' own address.
    link: Option<String>,
    generation: u64,
}

/// A bypass that is worth nothing any more.
#[derive(Serialize, ToSchema)]
pub(super) struct Revoked {
    bypass: BypassView,
    generation: u64,
}

/// Whom to let through.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedBypass)]
pub(super) struct Wanted {
    /// Which regions.
    #[serde(default)]
    regions: Selection,
    /// Which routes.
    #[serde(default)]
    routes: Selection,
    /// The only window that it holds for.
    #[schema(value_type = Option<Id>)]
    window: Option<String>,
    /// For how long; at most 30 days.
    #[serde(rename = "for")]
    life: Span,
    /// Client networks that need no secret, such as `10.1.0.0/16`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    networks: Vec<IpNet>,
    /// What for.
    #[serde(default)]
    #[schema(max_length = 2000)]
    reason: String,
}

impl BypassView {
    fn of(bypass: &Bypass) -> Self {
        Self {
            id: bypass.id,
            networks: bypass.networks.iter().map(ToString::to_string).collect(),
            scope: bypass.scope.clone(),
            window: bypass.window,
            created: bypass.created,
            expires: bypass.not_after,
            by: bypass.by.clone(),
            why: bypass.why.clone(),
            revoked: bypass.revoked,
        }
    }
}

/// Bypasses that hold, oldest first.
#[utoipa::path(get, path = "/api/v1/bypasses", tag = "bypasses", params(Paging),
    responses((status = 200, description = "One page", body = Items<BypassView>)))]
pub(super) async fn list(State(admin): State<Arc<Admin>>, Asked(paging): Asked<Paging>) -> Answer {
    let count = asked::count(paging.limit)?;
    let after = asked::cursor(paging.after.as_deref())?;
    let now = admin.clock.now();
    let standing = admin.handle.standing();
    let live = standing.bypasses.iter().filter(|one| one.revoked.is_none() && now < one.not_after);
    let views = live.map(|bypass| (bypass.id, BypassView::of(bypass)));
    Ok(axum::Json(Items::after(views, after.as_ref(), count, Id::to_string)).into_response())
}

/// Lets people through a closed scope: by link, by header, by client network.
#[utoipa::path(post, path = "/api/v1/bypasses", tag = "bypasses", request_body = Wanted,
    responses((status = 201, description = "It holds", body = Made,
        headers(("Location" = String, description = "The bypass")))))]
pub(super) async fn make(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Asked(_): Asked<Nothing>,
    Json(asked): Json<Wanted>,
) -> Answer {
    let now = admin.clock.now();
    let why = body::text("reason", &asked.reason)?;
    let scope = Scope { regions: asked.regions, routes: asked.routes, ..Scope::default() };
    operator.may(Role::Operator, &scope)?;
    let site = Arc::clone(&admin.live.snapshot().site);
    let unknown = scopes::unknown(&scope, &site);
    if !unknown.is_empty() {
        return Err(Refused::Unknown(unknown).into());
    }
    let life = asked.life.duration();
    if life.is_zero() || life > limit::BYPASS_LIFE_MAX {
        return Err(Problem::field("for", "more than nothing and at most 30 days"));
    }
    if asked.networks.len() > limit::BYPASS_NETWORKS_MAX {
        let most = limit::BYPASS_NETWORKS_MAX;
        return Err(Problem::field("networks", format!("{most} are the most")));
    }
    let window = asked.window.map(|id| asked::id("window", &id)).transpose()?;
    if let Some(id) = window {
        let standing = admin.handle.standing();
        let known = standing.windows.iter().any(|known| known.id == id);
        if !known {
            return Err(Problem::field("window", "no window that is not over has this id"));
        }
    }
    let (secret, hash) = bypass::new_secret();
    let by = operator.author(why.clone());
    let bypass = Bypass {
        id: Id::new(now, site.node_tag),
        hash,
        networks: asked.networks,
        scope,
        window,
        created: now,
        not_after: now.plus(life),
        by: by.by.clone(),
        why,
        revoked: None,
    };
    let granted = admin.handle.grant(bypass, by).await?;
    Ok(made(&granted.bypass, granted.generation, secret))
}

fn made(bypass: &Bypass, generation: u64, secret: String) -> Response {
    let open = bypass.networks.is_empty();
    let link = open.then(|| format!("/.intermission/bypass?token={secret}&to=/"));
    let told = |secret, link| Made { bypass: BypassView::of(bypass), secret, link, generation };
    let whole = axum::Json(told(open.then_some(secret), link));
    let mut response = (StatusCode::CREATED, whole).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("/api/v1/bypasses/{}", bypass.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Lets nobody through by this bypass any more, from this answer on.
#[utoipa::path(delete, path = "/api/v1/bypasses/{id}", tag = "bypasses",
    params(("id" = Id, Path, description = "Of the bypass")),
    responses((status = 200, description = "It is worth nothing", body = Revoked)))]
pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(id): Key<String>,
    Asked(_): Asked<Nothing>,
) -> Answer {
    let id = asked::id("bypass", &id)?;
    let standing = admin.handle.standing();
    let known = standing.bypasses.iter().find(|bypass| bypass.id == id);
    let known = known.ok_or(Refused::NoBypass(id))?;
    operator.may(Role::Operator, &known.scope)?;
    let granted = admin.handle.revoke(id, operator.author("revoked".to_owned())).await?;
    let bypass = BypassView::of(&granted.bypass);
    let body = Revoked { bypass, generation: granted.generation };
    Ok(axum::Json(body).into_response())
}
