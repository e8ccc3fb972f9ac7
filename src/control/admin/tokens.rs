//! Tokens that are made through the API: their secrets are shown once and kept as hashes only.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Admin;
use super::asked::{self, Asked, Items, Key, Paging};
use super::body::{self, Json, Span};
use super::gate::Operator;
use super::problem::Problem;
use super::rehearsal::Nothing;
use crate::clock::Wall;
use crate::config;
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
#[derive(Serialize, ToSchema)]
pub(super) struct TokenView {
    /// Null for one of the config, which goes when it leaves the file.
    id: Option<Id>,
    name: String,
    source: Origin,
    role: Role,
    /// Where it may change anything.
    scope: Scope,
    /// A DNS name of the certificate that it is known by as well.
    certificate: Option<String>,
    /// When it was made, and by whom; null for one of the config.
    created: Option<Wall>,
    by: Option<String>,
    /// From when on it is worth nothing.
    not_after: Option<Wall>,
    /// When it was taken back.
    revoked: Option<Wall>,
    /// Whether it lets anybody in now.
    holds: bool,
}

/// Where a token comes from.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TokenSource)]
enum Origin {
    /// It stands in the config.
    Config,
    /// It was made through the API.
    Api,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeToken {
    token: TokenView,
    /// It is told now and never again; null where the answer is told again.
    secret: Option<String>,
}

/// A token that was taken back.
#[derive(Serialize, ToSchema)]
pub(super) struct RevokedToken {
    token: TokenView,
}

impl TokenView {
    fn of(token: &Token, now: Wall) -> Self {
        Self {
            id: Some(token.id),
            name: token.name.clone(),
            source: Origin::Api,
            role: token.role,
            scope: token.scope.clone(),
            certificate: None,
            created: Some(token.created),
            by: Some(token.by.clone()),
            not_after: token.not_after,
            revoked: token.revoked,
            holds: token.holds(now),
        }
    }

    fn declared(token: &config::Token) -> Self {
        Self {
            id: None,
            name: token.name.clone(),
            source: Origin::Config,
            role: token.role,
            scope: token.scope.clone(),
            certificate: token.certificate.clone(),
            created: None,
            by: None,
            not_after: None,
            revoked: None,
            holds: true,
        }
    }
}

/// The token with this id as it may be seen.
pub(super) fn shown(admin: &Admin, id: &str) -> Option<Value> {
    let all = admin.door.tokens.all();
    let token = all.iter().find(|token| token.id.to_string() == id)?;
    Some(json!(TokenView::of(token, admin.clock.now())))
}

/// Those of the config, then those that were made, oldest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(Paging),
    responses((status = 200, description = "One page", body = Items<TokenView>)))]
pub(super) async fn list(State(admin): State<Arc<Admin>>, Asked(paging): Asked<Paging>) -> Answer {
    let count = asked::count(paging.limit)?;
    let after = paging.after.as_deref().map(place).transpose()?;
    let now = admin.clock.now();
    let declared = (0u64..).zip(admin.rules.tokens.iter());
    let declared = declared.map(|(at, token)| (Place::Config(at), TokenView::declared(token)));
    let made = admin.door.tokens.all();
    let made = made.iter().map(|token| (Place::Made(token.id), TokenView::of(token, now)));
    let page =
        Items::after(declared.chain(made), after.as_ref(), count, |place: &Place| match place {
            Place::Config(at) => at.to_string(),
            Place::Made(id) => id.to_string(),
        });
    Ok(axum::Json(page).into_response())
}

/// Where a token stands in the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Config(u64),
    Made(Id),
}

fn place(after: &str) -> Result<Place, Problem> {
    if let Ok(id) = after.parse() {
        return Ok(Place::Made(id));
    }
    let wrong = |_| Problem::field("after", "give it as `next` of the page before said");
    after.parse().map(Place::Config).map_err(wrong)
}

/// Makes one. The secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = Wanted,
    responses((status = 201, description = "The token and its secret", body = MadeToken,
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
    let made = MadeToken { token: TokenView::of(&token, now), secret: Some(secret) };
    let whole = axum::Json(made);
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
    responses((status = 200, description = "The token", body = RevokedToken)))]
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
    let body = RevokedToken { token: TokenView::of(&token, now) };
    Ok(axum::Json(body).into_response())
}
