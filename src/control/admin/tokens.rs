//! Tokens that are made through the API: their secrets are shown once and kept as hashes only.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Admin;
use super::asked::{Asked, Key};
use super::body::{self, Json, Span};
use super::gate::Operator;
use super::problem::Problem;
use super::rehearsal::Nothing;
use crate::clock::Wall;
use crate::control::scopes;
use crate::digest;
use crate::grant::token::LOCAL_USER;
use crate::grant::{Role, Token};
use crate::id::Id;
use crate::limit;
use crate::store::StoreError;
use crate::window::scope::{Scope, Selection};

type Answer = Result<Response, Problem>;

/// Whose token it shall be, and what they may do.
#[derive(Deserialize, Debug, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WantedToken)]
pub(super) struct Wanted {
    /// Who it stands for in the history.
    #[schema(min_length = 1, max_length = 63)]
    name: String,
    role: Role,
    /// Where: a change of anything outside it is refused.
    #[serde(default)]
    regions: Selection,
    #[serde(default)]
    routes: Selection,
    /// For how long; this or `not_after`, or for ever.
    #[serde(rename = "for")]
    life: Option<Span>,
    not_after: Option<Wall>,
}

/// A token as it may be seen.
fn view(token: &Token, now: Wall) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "source": "api",
        "role": token.role,
        "scope": token.scope,
        "created": token.created,
        "by": token.by,
        "not_after": token.not_after,
        "revoked": token.revoked,
        "holds": token.holds(now),
    })
}

/// The token with this id as it may be seen.
pub(super) fn shown(admin: &Admin, id: &str) -> Option<Value> {
    let all = admin.door.tokens.all();
    let token = all.iter().find(|token| token.id.to_string() == id)?;
    Some(view(token, admin.clock.now()))
}

/// Those of the config, then those that were made, oldest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens",
    responses((status = 200, description = "All of them", body = Object)))]
pub(super) async fn list(State(admin): State<Arc<Admin>>, Asked(_): Asked<Nothing>) -> Response {
    let now = admin.clock.now();
    let declared = admin.rules.tokens.iter().map(|token| {
        json!({
            "id": null,
            "name": token.name,
            "source": "config",
            "role": token.role,
            "scope": token.scope,
            "certificate": token.certificate,
            "holds": true,
        })
    });
    let made = admin.door.tokens.all();
    let items: Vec<_> = declared.chain(made.iter().map(|token| view(token, now))).collect();
    axum::Json(json!({ "items": items, "next": null })).into_response()
}

/// Makes one. The secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = Wanted,
    responses((status = 201, description = "The token and its secret", body = Object,
        headers(("Location" = String, description = "The token")))))]
pub(super) async fn make(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Asked(_): Asked<Nothing>,
    Json(asked): Json<Wanted>,
) -> Answer {
    let now = admin.clock.now();
    let Wanted { name, role, regions, routes, life, not_after } = asked;
    let scope = Scope { regions, routes, ..Scope::default() };
    operator.may(Role::Admin, &scope)?;
    let unknown = scopes::unknown(&scope, &admin.live.snapshot().site);
    if !unknown.is_empty() {
        return Err(crate::control::Refused::Unknown(unknown).into());
    }
    let not_after = match (life, not_after) {
        (Some(_), Some(_)) => {
            return Err(Problem::field("for", "give for or not_after, not both"));
        }
        (Some(life), None) => Some(now.plus(life.duration())),
        (None, not_after) => not_after,
    };
    if not_after.is_some_and(|end| end <= now) {
        return Err(Problem::field("not_after", format!("that has passed; it is {now} here")));
    }
    let name = new_name(&admin, &name, now)?;
    let secret = format!("im_{}", digest::base64url(&digest::random::<32>()));
    let token = Token {
        id: Id::new(now, admin.live.snapshot().site.node_tag),
        name,
        hash: digest::sha256(secret.as_bytes()),
        role,
        scope,
        created: now,
        by: operator.name,
        not_after,
        revoked: None,
    };
    keep(&admin, &token).await?;
    let told = view(&token, now);
    let whole = axum::Json(json!({ "token": told, "secret": secret }));
    let mut response = (StatusCode::CREATED, whole).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("/api/v1/tokens/{}", token.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// What is durable holds from then on, whatever happens next.
async fn keep(admin: &Admin, token: &Token) -> Result<(), Problem> {
    match admin.store.keep_token(token.clone()).await {
        Ok(()) => {
            admin.door.tokens.put(token.clone());
            Ok(())
        }
        Err(StoreError::Quota(_)) => {
            let detail = "too many tokens hold for ever or for long; revoke some first";
            Err(Problem::new(StatusCode::CONFLICT, "too_many_tokens", detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// A name that nobody else has in the history.
fn new_name(admin: &Admin, name: &str, now: Wall) -> Result<String, Problem> {
    let name = body::text("name", name)?;
    let is_line = !name.is_empty() && !name.chars().any(char::is_control);
    if !is_line || name.chars().count() > limit::NAME_CHARS_MAX {
        let most = limit::NAME_CHARS_MAX;
        return Err(Problem::field(
            "name",
            format!("one line of 1 to {most} characters is wanted"),
        ));
    }
    let declared = admin.rules.tokens.iter().any(|token| token.name == name);
    let made = admin.door.tokens.all();
    let taken = declared || made.iter().any(|token| token.name == name && token.holds(now));
    if taken || name == "intermission" || name.starts_with(LOCAL_USER) {
        return Err(Problem::field("name", format!("`{name}` is somebody else in the history")));
    }
    Ok(name)
}

/// Revokes one: it is worth nothing from this answer on.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens",
    params(("id" = Id, Path, description = "Of the token")),
    responses((status = 200, description = "The token", body = Object)))]
pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(id): Key<String>,
    Asked(_): Asked<Nothing>,
) -> Answer {
    let now = admin.clock.now();
    let all = admin.door.tokens.all();
    let Some(token) = all.into_iter().find(|token| token.id.to_string() == id) else {
        let detail =
            format!("no token was made with the id \"{id}\"; one of the config goes there");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_token", detail));
    };
    operator.may(Role::Admin, &token.scope)?;
    let revoked = token.revoked.or(Some(now));
    let token = Token { revoked, ..token };
    keep(&admin, &token).await?;
    admin.door.waiting.forget(&token.name, now);
    Ok(axum::Json(json!({ "token": view(&token, now) })).into_response())
}
