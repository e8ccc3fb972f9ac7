//! Every route of the admin API. What is added here stands in its document, and nothing else does.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use http::{StatusCode, Uri};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::{Admin, gate, openapi, records, status, switches, upstreams, windows};

/// The document without a node, and the routes that it tells of.
pub(super) fn all() -> (OpenApiRouter<Arc<Admin>>, utoipa::openapi::OpenApi) {
    let router = OpenApiRouter::with_openapi(openapi::beginning())
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::metrics))
        .routes(routes!(status::status))
        .routes(routes!(switches::on))
        .routes(routes!(switches::off))
        .routes(routes!(windows::list))
        .routes(routes!(windows::show))
        .routes(routes!(windows::end))
        .routes(routes!(windows::extend))
        .routes(routes!(records::history))
        .routes(routes!(upstreams::list))
        .routes(routes!(upstreams::show))
        .routes(routes!(upstreams::post))
        .routes(routes!(status::reload))
        .routes(routes!(status::check))
        .routes(routes!(described));
    let mut document = router.get_openapi().clone();
    openapi::complete(&mut document);
    (router, document)
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "node",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
async fn described(Extension(document): Extension<openapi::Text>) -> Response {
    document.into_response()
}

/// The routes behind their gate.
pub(super) fn router(admin: Arc<Admin>) -> Router {
    let (router, document) = all();
    let router: Router<Arc<Admin>> = router.into();
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(openapi::Text::of(&document)))
        .layer(from_fn_with_state(Arc::clone(&admin), gate::pass))
        .with_state(admin)
}

async fn nothing_here(uri: Uri) -> Problem {
    let detail = format!("there is nothing at {}", uri.path());
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

async fn wrong_method(method: http::Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not possible at {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", detail)
}
