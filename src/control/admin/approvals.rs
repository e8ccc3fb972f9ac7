//! Two are needed: what closes a scope that the config guards waits, undone, until another
//! operator approves it. It waits in memory: after a restart it is asked for again.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, IF_MATCH, LOCATION};
use http::{HeaderMap, Method, StatusCode, Uri};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt as _;
use utoipa::ToSchema;

use super::asked::{self, Asked, Items, Key, Paging};
use super::gate::{self, Operator};
use super::problem::{Code, Problem};
use super::rehearsal::Nothing;
use super::{Admin, body};
use crate::clock::Wall;
use crate::grant::Role;
use crate::id::Id;
use crate::limit;
use crate::window::scope::Scope;

type Answer = Result<Response, Problem>;

/// The routes behind the gate, for what has been approved.
#[derive(Clone)]
pub(super) struct Inner(pub(super) Router);

/// What waits for a second operator, oldest first.
#[derive(Default)]
pub(super) struct Waiting(Mutex<Vec<Pending>>);

/// A request that waits.
#[derive(Clone)]
struct Pending {
    id: Id,
    at: Wall,
    not_after: Wall,
    operator: Operator,
    scope: Scope,
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// What waits for a second operator.
#[derive(Serialize, ToSchema)]
#[schema(as = Approval)]
pub(super) struct PendingView {
    id: Id,
    /// When it was asked for.
    at: Wall,
    /// When it is dropped if nobody approves it.
    not_after: Wall,
    /// Who asked.
    by: String,
    /// What it would close.
    scope: Scope,
    /// Method and target of the request.
    action: String,
    /// Its body; null if it had none.
    #[schema(value_type = Option<Object>)]
    body: Value,
}

/// What was asked for, and waits or waits no more.
#[derive(Serialize, ToSchema)]
pub(super) struct ApprovalAnswer {
    approval: PendingView,
}

impl Pending {
    fn view(&self) -> PendingView {
        PendingView {
            id: self.id,
            at: self.at,
            not_after: self.not_after,
            by: self.operator.name.clone(),
            scope: self.scope.clone(),
            action: format!("{} {}", self.method, self.target),
            body: serde_json::from_slice(&self.body).unwrap_or_default(),
        }
    }

    fn request(&self, second: &Operator, inner: &Inner) -> Request {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = self.headers.clone();
        let approved = Some(second.name.clone());
        request.extensions_mut().insert(Operator { approved, ..self.operator.clone() });
        request.extensions_mut().insert(inner.clone());
        request
    }
}

impl Waiting {
    fn with<T>(&self, now: Wall, work: impl FnOnce(&mut Vec<Pending>) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|pending| now < pending.not_after);
        work(&mut all)
    }

    fn add(&self, pending: Pending) -> Result<(), Problem> {
        self.with(pending.at, |all| {
            if all.len() >= limit::APPROVALS_WAITING_MAX {
                let detail = "too many requests wait for approval; approve or drop some first";
                return Err(Problem::new(StatusCode::CONFLICT, "too_many_approvals", detail));
            }
            all.push(pending);
            Ok(())
        })
    }

    /// Forgets what somebody asked for who may not any more.
    pub(super) fn forget(&self, name: &str, now: Wall) {
        self.with(now, |all| all.retain(|pending| pending.operator.name != name));
    }

    fn find(&self, id: &str, now: Wall) -> Result<Pending, Problem> {
        let found =
            self.with(now, |all| all.iter().find(|pending| pending.id.to_string() == id).cloned());
        found.ok_or_else(|| {
            let detail =
                format!("nothing waits for approval as \"{id}\"; after an hour it is over");
            Problem::new(StatusCode::NOT_FOUND, "no_such_approval", detail)
        })
    }

    /// Takes it, so that it is carried out once; false if somebody was faster.
    fn take(&self, id: Id, now: Wall) -> bool {
        self.with(now, |all| {
            let before = all.len();
            all.retain(|pending| pending.id != id);
            all.len() < before
        })
    }
}

/// Keeps what its handler says another operator has to approve.
pub(super) async fn hold(
    State(admin): State<Arc<Admin>>,
    operator: Option<Extension<Operator>>,
    request: Request,
    next: Next,
) -> Response {
    let guarded = !admin.door.approvals.is_empty() && !gate::reads(request.method());
    let Some(Extension(operator)) = operator.filter(|_| guarded) else {
        return next.run(request).await;
    };
    let (head, body) = request.into_parts();
    let body = match body::read(body).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let (method, target, headers) = (head.method.clone(), head.uri.clone(), kept(&head.headers));
    let response = next.run(Request::from_parts(head, Body::from(body.clone()))).await;
    let Some(scope) = wanted(&response) else { return response };
    let at = admin.clock.now();
    let id = Id::new(at, admin.live.snapshot().site.node_tag);
    let not_after = at.plus(limit::APPROVAL_LIFE);
    let pending = Pending { id, at, not_after, operator, scope, method, target, headers, body };
    let view = pending.view();
    if let Err(problem) = admin.door.waiting.add(pending) {
        return problem.into_response();
    }
    let mut response =
        (StatusCode::ACCEPTED, axum::Json(ApprovalAnswer { approval: view })).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("/api/v1/approvals/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The fields that a handler reads.
fn kept(headers: &HeaderMap) -> HeaderMap {
    let names = [CONTENT_TYPE, IF_MATCH].into_iter();
    names.filter_map(|name| Some((name.clone(), headers.get(&name)?.clone()))).collect()
}

/// The scope that a handler wants to have approved.
fn wanted(response: &Response) -> Option<Scope> {
    let Code(code) = response.extensions().get::<Code>()?;
    (*code == super::operator::APPROVAL_WANTED)
        .then(|| response.extensions().get::<Guarded>().map(|guarded| guarded.0.clone()))?
}

/// The scope that has to be approved, on the answer that says so.
#[derive(Clone, Debug)]
pub(super) struct Guarded(pub(super) Scope);

/// What waits for a second operator, oldest first.
#[utoipa::path(get, path = "/api/v1/approvals", tag = "approvals", params(Paging),
    responses((status = 200, description = "One page", body = Items<PendingView>)))]
pub(super) async fn list(State(admin): State<Arc<Admin>>, Asked(paging): Asked<Paging>) -> Answer {
    let count = asked::count(paging.limit)?;
    let after = asked::cursor(paging.after.as_deref())?;
    let view = |pending: &Pending| (pending.id, pending.view());
    let all: Vec<_> =
        admin.door.waiting.with(admin.clock.now(), |all| all.iter().map(view).collect());
    Ok(axum::Json(Items::after(all, after.as_ref(), count, Id::to_string)).into_response())
}

/// Carries out what waits, and answers what that answers.
#[utoipa::path(post, path = "/api/v1/approvals/{id}", tag = "approvals",
    params(("id" = Id, Path, description = "Of what waits")),
    responses((status = 200, description = "What it answers", body = Object),
        (status = 201, description = "What it answers", body = Object)))]
pub(super) async fn approve(
    State(admin): State<Arc<Admin>>,
    Extension(second): Extension<Operator>,
    Extension(inner): Extension<Inner>,
    Key(id): Key<String>,
    Asked(_): Asked<Nothing>,
) -> Answer {
    let now = admin.clock.now();
    let pending = admin.door.waiting.find(&id, now)?;
    if pending.operator.name == second.name {
        let detail = "whoever asked cannot approve; another operator has to";
        return Err(Problem::new(StatusCode::FORBIDDEN, "own_request", detail));
    }
    second.may(Role::Operator, &pending.scope)?;
    if !admin.door.waiting.take(pending.id, now) {
        return Err(admin.door.waiting.find(&id, now).err().unwrap_or_else(Problem::broken_off));
    }
    let request = pending.request(&second, &inner);
    let Inner(router) = inner;
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    if response.status().is_server_error() {
        // Nothing was done, so that it may be approved again.
        admin.door.waiting.add(pending)?;
    }
    Ok(response)
}

/// Drops what waits: it is not carried out.
#[utoipa::path(delete, path = "/api/v1/approvals/{id}", tag = "approvals",
    params(("id" = Id, Path, description = "Of what waits")),
    responses((status = 200, description = "What was asked for", body = ApprovalAnswer)))]
pub(super) async fn drop(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Key(id): Key<String>,
    Asked(_): Asked<Nothing>,
) -> Answer {
    let now = admin.clock.now();
    let pending = admin.door.waiting.find(&id, now)?;
    operator.may(Role::Operator, &pending.scope)?;
    admin.door.waiting.take(pending.id, now);
    Ok(axum::Json(ApprovalAnswer { approval: pending.view() }).into_response())
}
