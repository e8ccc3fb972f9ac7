//! What is told of a maintenance or a window afterwards.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::Admin;
use super::accept;
use super::asked::{self, Asked, Key};
use super::problem::Problem;
use super::rehearsal::Nothing;
use crate::control::command::Refused;
use crate::id::Id;
use crate::window::report::Report;

type Answer = Result<Response, Problem>;

/// The report of a maintenance, whether or not it is over.
#[utoipa::path(get, path = "/api/v1/maintenances/{id}/report", tag = "records",
    params(("id" = Id, Path, description = "Of the maintenance")),
    responses((status = 200, description = "The report", content(
        (Report = "application/json"), (String = "text/markdown")))))]
pub(super) async fn of_maintenance(
    State(admin): State<Arc<Admin>>,
    Key(id): Key<String>,
    Asked(_): Asked<Nothing>,
    headers: HeaderMap,
) -> Answer {
    let id = asked::id("maintenance", &id)?;
    let report = admin.reports.maintenance(id).await?.ok_or(Refused::NoMaintenance(id))?;
    Ok(told(&report, &headers))
}

/// The report of one window: of a switch, or of one phase.
#[utoipa::path(get, path = "/api/v1/windows/{id}/report", tag = "records",
    params(("id" = Id, Path, description = "Of the window")),
    responses((status = 200, description = "The report", content(
        (Report = "application/json"), (String = "text/markdown")))))]
pub(super) async fn of_window(
    State(admin): State<Arc<Admin>>,
    Key(id): Key<String>,
    Asked(_): Asked<Nothing>,
    headers: HeaderMap,
) -> Answer {
    let id = asked::id("window", &id)?;
    let report = admin.reports.window(id).await?.ok_or(Refused::NoWindow(id))?;
    Ok(told(&report, &headers))
}

/// As JSON, or as Markdown to who takes only that.
fn told(report: &Report, headers: &HeaderMap) -> Response {
    if accept::takes(headers, &["application/json"]) {
        return axum::Json(report).into_response();
    }
    ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], report.markdown()).into_response()
}
