//! The one place that every mutation passes on its way to its handler: its role is asked for here,
//! and what was there before and what came of it is noted here, done or refused.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::asked::{self, Asked, Items, Paging};
use super::gate::{self, Operator};
use super::operator::role_for;
use super::problem::{Code, Problem};
use super::replay::{whole, without_secrets};
use super::{Admin, tokens};
use crate::grant::Audit;
use crate::id::Id;
use crate::limit;

/// Asks for the role of the route, then lets the request pass and notes what came of it.
pub(super) async fn watch(
    State(admin): State<Arc<Admin>>,
    operator: Option<Extension<Operator>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    // Probes and metrics have no operator, nor has what is nowhere a route.
    let (Some(Extension(operator)), Some(route)) = (operator, route) else {
        return next.run(request).await;
    };
    let allowed = operator.has(role_for(request.method(), route.as_str()));
    let rehearses = request.uri().query().is_some_and(|query| {
        form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name == "dry_run" && value == "true")
    });
    if gate::reads(request.method()) {
        return match allowed {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
    }
    let subject = request.uri().path().to_owned();
    let action = format!("{} {}", request.method(), route.as_str());
    let before = before(&admin, &subject).await;
    let response = match allowed {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let (head, body) = response.into_parts();
    let body = whole(body).await;
    let refused = head.extensions.get::<Code>().map(|Code(code)| (*code).to_owned());
    let told: Option<Value> = serde_json::from_slice(&without_secrets(&body)).ok();
    // A route that knows no rehearsals may have done what it was asked for all the same.
    let rehearsed = told.as_ref().is_some_and(|told| told["dry_run"] == true);
    if rehearses && (rehearsed || refused.is_some()) {
        return Response::from_parts(head, Body::from(body));
    }
    let by = match &operator.approved {
        None => operator.name.clone(),
        Some(second) => format!("{} (approved by {second})", operator.name),
    };
    let from = operator.from.to_string();
    let (at, after) = (admin.clock.now(), told.map(bounded));
    note(&admin, Audit { seq: 0, at, by, action, subject, refused, before, after, from }).await;
    Response::from_parts(head, Body::from(body))
}

/// What was done cannot be undone because it was not noted; so it is told where it can be.
async fn note(admin: &Admin, audit: Audit) {
    let Audit { by, action, subject, from, .. } = &audit;
    let refused = audit.refused.as_deref().unwrap_or("no");
    tracing::info!(%by, %action, %subject, %refused, %from, "audit");
    let (by, subject) = (by.clone(), subject.clone());
    if let Err(error) = admin.store.note(audit).await {
        tracing::error!(%error, %by, %subject, "what an operator did is missing in the audit");
    }
}

/// What a mutation is about to change, as the API shows it; none where that is nothing yet.
async fn before(admin: &Admin, path: &str) -> Option<Value> {
    let parts = path.strip_prefix("/api/v1/")?.split('/');
    let parts: Vec<_> = parts.map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
    let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
    let standing = admin.handle.standing();
    let found = match parts.as_slice() {
        ["windows", id, ..] => {
            let id: Id = id.parse().ok()?;
            match standing.windows.iter().find(|window| window.id == id) {
                Some(window) => Some(json!(**window)),
                None => admin.store.window(id).await.ok()?.map(|window| json!(window)),
            }
        }
        ["upstreams", upstream, "servers", server, ..] => {
            let pool = standing.servers.pool(upstream)?;
            let server = pool.servers.iter().find(|known| &*known.name == *server)?;
            Some(json!({ "state": server.duty(), "decision": server.posting }))
        }
        ["maintenances", id, ..] => {
            let id: Id = id.parse().ok()?;
            match standing.maintenances.iter().find(|maintenance| maintenance.id == id) {
                Some(maintenance) => Some(json!(**maintenance)),
                None => admin.store.maintenance(id).await.ok()?.map(|known| json!(known)),
            }
        }
        ["bypasses", id] => {
            let id: Id = id.parse().ok()?;
            let bypass = standing.bypasses.iter().find(|bypass| bypass.id == id)?;
            let mut shown = json!(**bypass);
            shown.as_object_mut()?.remove("hash");
            Some(shown)
        }
        ["tokens", id] => tokens::shown(admin, id),
        ["switches", "off"] => {
            let ids = standing.windows.iter().map(|window| window.id);
            Some(json!({ "windows": ids.collect::<Vec<_>>() }))
        }
        ["config", ..] => Some(json!({ "fingerprint": admin.live.snapshot().site.fingerprint })),
        _ => None,
    };
    found.map(bounded)
}

/// The value, or its size where it is large.
fn bounded(value: Value) -> Value {
    let size = value.to_string().len();
    if size <= limit::AUDIT_VALUE_BYTES_MAX { value } else { json!({ "bytes": size }) }
}

/// What operators asked for, done or refused, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "records", params(Paging),
    responses((status = 200, description = "One page", body = Items<Audit>)))]
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Asked(paging): Asked<Paging>,
) -> Result<Response, Problem> {
    let count = asked::count(paging.limit)?;
    let before = asked::number(paging.after.as_deref())?;
    let entries = admin.store.audit(before, count + 1).await?;
    let page = Items::page(entries, count, |entry: &Audit| entry.seq.to_string());
    Ok(axum::Json(page).into_response())
}
