//! Closing and reopening a scope now, without a plan.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::Admin;
use super::asked::Asked;
use super::body::{Json, Off, On};
use super::gate::Operator;
use super::problem::Problem;
use super::rehearsal::{self, Rehearsal, Rehearsed};
use super::windows::{self, WindowAnswer, WindowView, WindowsAnswer};
use crate::control::command::Which;
use crate::grant::Role;
use crate::window::state::Checks;

type Answer = Result<Response, Problem>;

/// Closes a scope now.
#[utoipa::path(post, path = "/api/v1/switches", tag = "windows", request_body = On,
    params(Rehearsal),
    responses(
        (status = 201, description = "It is closed, for every visitor who comes after this answer",
            body = WindowAnswer, headers(("ETag" = String, description = "Its version"),
                ("Location" = String, description = "The window"))),
        (status = 200, description = "With `dry_run`: what would close", body = Rehearsed)))]
pub(super) async fn on(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Asked(rehearsal): Asked<Rehearsal>,
    Json(asked): Json<On>,
) -> Answer {
    let emergency = asked.is_emergency();
    let order = asked.order(admin.drain, admin.clock.now())?;
    if rehearsal.dry_run {
        let told = rehearsal::of_scope(&admin, &operator, &order.scope)?;
        return Ok(axum::Json(told).into_response());
    }
    operator.may_close(&order.scope, emergency)?;
    let author = operator.author(order.texts.reason.clone());
    let change = admin.handle.switch(order, author).await?;
    Ok(windows::one(&admin, &change, StatusCode::CREATED))
}

/// Reopens a scope: ends every window that lies in it.
#[utoipa::path(post, path = "/api/v1/switches/off", tag = "windows", request_body = Off,
    params(Rehearsal),
    responses((status = 200, description = "What ended, or with `dry_run` what is there",
        body = inline(rehearsal::Either<WindowsAnswer>))))]
pub(super) async fn off(
    State(admin): State<Arc<Admin>>,
    Extension(operator): Extension<Operator>,
    Asked(rehearsal): Asked<Rehearsal>,
    Json(asked): Json<Off>,
) -> Answer {
    let (scope, why) = asked.scope()?;
    operator.may(Role::Operator, &scope)?;
    if rehearsal.dry_run {
        let told = rehearsal::of_scope(&admin, &operator, &scope)?;
        return Ok(axum::Json(told).into_response());
    }
    let which = Which::Scope(scope);
    let change = admin.handle.end(which, Checks::Planned, operator.author(why)).await?;
    let windows = change.windows.iter().map(|window| WindowView::of(window, &[])).collect();
    let body = WindowsAnswer { windows, generation: change.generation };
    Ok(axum::Json(body).into_response())
}
