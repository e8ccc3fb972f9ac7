//! The document of the API: OpenAPI 3.1, made from the handlers and the types that they read and
//! write, so that it cannot drift from them.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, HeaderBuilder, Object, Ref, RefOr, Required, ResponseBuilder,
    SecurityRequirement,
};
use utoipa::{OpenApi, ToSchema as _};

use super::problem::ProblemBody;

/// What is said of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Intermission",
        description = "The admin API of a maintenance-mode reverse proxy: plans, announces, \
                       closes, verifies and reopens. Instants are RFC 3339, durations are \
                       written as `90s`, `15m`, `1h 30m`, `2d`. Every refusal is a problem (RFC \
                       9457) with a `code` for programs. What can be changed carries an `ETag`; \
                       actions honour `If-Match`, and PUT wants it."
    ),
    components(schemas(ProblemBody)),
    tags(
        (name = "windows", description = "Scopes that are closed over a range of time"),
        (name = "maintenances", description = "What is announced: windows under one title"),
        (name = "bypasses", description = "What lets people through a closed scope"),
        (name = "tokens", description = "What lets operators use this API"),
        (name = "approvals", description = "What waits for a second operator"),
        (name = "node", description = "How the node is, its config and its servers"),
        (name = "records", description = "What happened"),
        (name = "probes", description = "For load balancers and scrapers; no token is wanted")
    )
)]
struct Document;

/// The name of the one security scheme.
const TOKEN: &str = "token";

/// The document before the routes are added.
pub(super) fn beginning() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("`intermission token` makes one."))
        .build();
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(TOKEN, SecurityScheme::Http(scheme));
    document
}

/// Adds what holds for every route: who may ask, and how it may be refused.
pub(super) fn complete(document: &mut utoipa::openapi::OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let guarded = path.starts_with("/api/");
        for (method, operation) in operations(item) {
            operation.operation_id = Some(name(method, path));
            if path == "/api/v1/config/check" {
                spare_body(operation);
            }
            if guarded {
                let wanted = SecurityRequirement::new(TOKEN, [] as [&str; 0]);
                operation.security.get_or_insert_with(|| vec![wanted]);
                refusals(method, path, operation);
            }
        }
    }
}

/// A body of which each kind may be left out, which its handler's types do not tell.
fn spare_body(operation: &mut Operation) {
    if let Some(body) = &mut operation.request_body {
        body.required = Some(Required::False);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let each = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
    ];
    each.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// `post_windows_id_end`: one of its own for each operation.
fn name(method: &str, path: &str) -> String {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let words = path.split(['/', '-', '.']).map(|word| word.trim_matches(['{', '}']));
    std::iter::once(method)
        .chain(words.filter(|word| !word.is_empty()))
        .collect::<Vec<_>>()
        .join("_")
}

fn refusals(method: &str, path: &str, operation: &mut Operation) {
    let mut codes = vec![
        (StatusCode::BAD_REQUEST, "The request is malformed"),
        (StatusCode::UNAUTHORIZED, "The token is missing or wrong"),
        (StatusCode::FORBIDDEN, "The token may not do this, or a page of another origin asks"),
        (StatusCode::NOT_ACCEPTABLE, "The caller takes nothing that could be answered"),
        (StatusCode::MISDIRECTED_REQUEST, "The Host is not the admin API's"),
        (StatusCode::UNPROCESSABLE_ENTITY, "A field cannot be taken; `problems` says which"),
        (StatusCode::TOO_MANY_REQUESTS, "Too many refused tokens from this address"),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "The store or the control plane cannot; nothing was done",
        ),
    ];
    // A page is looked at in the words of a window, which may be gone.
    if path.contains('{') || path.ends_with("/preview") {
        codes.push((StatusCode::NOT_FOUND, "There is nothing of this name"));
    }
    if method != "get" {
        codes.push((StatusCode::CONFLICT, "It cannot be done as things stand"));
        codes.push((StatusCode::PRECONDITION_FAILED, "Somebody changed it meanwhile"));
    }
    if operation.request_body.is_some() {
        codes.push((StatusCode::REQUEST_TIMEOUT, "The body took too long"));
        codes.push((StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"));
        codes.push((StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is not application/json"));
    }
    if method == "put" {
        codes.push((StatusCode::PRECONDITION_REQUIRED, "If-Match is missing"));
    }
    for (status, says) in codes {
        let said = &mut operation.responses.responses;
        said.entry(status.as_str().to_owned()).or_insert_with(|| problem(status, says));
    }
    let creates = method == "post" && operation.responses.responses.contains_key("201");
    if creates {
        let key = header(
            "Idempotency-Key",
            "Asked again with the same key and body within a \
                         day, it is done once and answered as the first time",
        );
        operation.parameters.get_or_insert_default().push(key);
    }
}

fn header(name: &str, says: &str) -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(says))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

fn problem(status: StatusCode, says: &str) -> RefOr<utoipa::openapi::Response> {
    let body = Ref::from_schema_name(ProblemBody::name());
    let mut response = ResponseBuilder::new()
        .description(says)
        .content("application/problem+json", ContentBuilder::new().schema(Some(body)).build());
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        let seconds = HeaderBuilder::new().schema(Object::with_type(Type::Integer));
        response = response.header("Retry-After", seconds.description(Some("Seconds")).build());
    }
    response.build().into()
}

/// The document as it is served: the same bytes for everybody.
#[derive(Clone)]
pub(super) struct Text(Bytes);

impl Text {
    /// Of this document.
    pub(super) fn of(document: &utoipa::openapi::OpenApi) -> Self {
        let text = document.to_json().map(Bytes::from);
        Self(text.unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}").into()))
    }
}

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}
