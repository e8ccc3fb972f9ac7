//! What callers take: an answer that they would not is told before anything is done.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};

use super::problem::Problem;

/// Lets a request pass whose caller takes what it will be answered with.
pub(super) async fn negotiate(request: Request, next: Next) -> Response {
    let offers = offers(request.uri().path());
    if offers.is_empty() || takes(request.headers(), offers) {
        return next.run(request).await;
    }
    let detail = format!("the answer would be {}; say so in Accept", offers.join(" or "));
    Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail).into_response()
}

/// What is answered there; nothing where the handler looks itself.
fn offers(path: &str) -> &'static [&'static str] {
    match path {
        "/metrics" => &["text/plain"],
        "/api/v1/events" => &["text/event-stream"],
        "/api/v1/preview" => &[],
        _ if path.ends_with("/report") => &["application/json", "text/markdown"],
        _ => &["application/json"],
    }
}

/// Whether one of the ranges covers one of the offers (RFC 9110 §12.5.1). No field takes all.
pub(super) fn takes(headers: &HeaderMap, offers: &[&str]) -> bool {
    let mut fields = headers.get_all(ACCEPT).iter().peekable();
    if fields.peek().is_none() {
        return true;
    }
    let ranges = fields.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(','));
    let mut ranges = ranges.map(str::trim).filter(|range| !range.is_empty());
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0))
        });
        !refused && offers.iter().any(|offer| covers(kind, offer))
    })
}

fn covers(range: &str, offer: &str) -> bool {
    if range == "*/*" || range.eq_ignore_ascii_case(offer) {
        return true;
    }
    let whole = range.strip_suffix("/*");
    whole.is_some_and(|whole| {
        offer.split('/').next().is_some_and(|kind| kind.eq_ignore_ascii_case(whole))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_they_are_meant() {
        let takes = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().expect("a field"));
            takes(&headers, &["application/json"])
        };
        for accept in ["*/*", "application/*", "text/html, Application/JSON;q=0.1", "a/b,*/*;q=0.2"]
        {
            assert!(takes(accept), "{accept}");
        }
        for accept in ["text/html", "application/json;q=0", "application", "text/*", ","] {
            assert!(!takes(accept), "{accept}");
        }
    }
}
