//! Every route of the admin API. What is added here stands in its document, and nothing else does.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use http::{StatusCode, Uri};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::{
    Admin, actions, approvals, audit, bypasses, events, keys, maintenances, matrix, openapi,
    preview, records, report, status, switches, tokens, upstreams, windows,
};

/// The routes, and the document that tells of them.
pub(super) fn all() -> (Router<Arc<Admin>>, utoipa::openapi::OpenApi) {
    let router = OpenApiRouter::with_openapi(openapi::beginning())
        .merge(of_node())
        .merge(of_windows())
        .merge(of_maintenances())
        .merge(of_operators());
    let (router, mut document) = router.split_for_parts();
    openapi::complete(&mut document);
    (router.fallback(nothing_here).method_not_allowed_fallback(wrong_method), document)
}

fn of_node() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new()
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::metrics))
        .routes(routes!(status::status))
        .routes(routes!(status::reload))
        .routes(routes!(status::check))
        .routes(routes!(keys::show, keys::turn))
        .routes(routes!(upstreams::list))
        .routes(routes!(upstreams::show))
        .routes(routes!(upstreams::post))
        .routes(routes!(described))
}

fn of_windows() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new()
        .routes(routes!(switches::on))
        .routes(routes!(switches::off))
        .routes(routes!(windows::list))
        .routes(routes!(windows::show, actions::amend))
        .routes(routes!(actions::start))
        .routes(routes!(actions::extend))
        .routes(routes!(actions::end))
        .routes(routes!(actions::cancel))
        .routes(routes!(matrix::state))
        .routes(routes!(matrix::in_flight))
        .routes(routes!(preview::preview))
}

fn of_maintenances() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new()
        .routes(routes!(maintenances::list, maintenances::plan))
        .routes(routes!(maintenances::show, maintenances::revise))
        .routes(routes!(maintenances::cancel))
        .routes(routes!(maintenances::update))
        .routes(routes!(maintenances::aftermath))
        .routes(routes!(report::of_maintenance))
        .routes(routes!(report::of_window))
}

fn of_operators() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new()
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::revoke))
        .routes(routes!(bypasses::list, bypasses::make))
        .routes(routes!(bypasses::revoke))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::approve, approvals::drop))
        .routes(routes!(audit::list))
        .routes(routes!(records::history))
        .routes(routes!(events::events))
        .routes(routes!(records::submissions))
        .routes(routes!(records::submission, records::erase))
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "node",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
async fn described(Extension(document): Extension<openapi::Text>) -> Response {
    document.into_response()
}

async fn nothing_here(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

async fn wrong_method(method: http::Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not possible at {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
}
