//! Fields behind a body. Those that frame a message, say whom it is for or who sends it have been
//! looked for in its head, and mean nothing behind it: a server that merges the two would read
//! them unseen (RFC 9110 §6.5.1).

use http::{HeaderMap, HeaderName};

/// Takes away what has no place in a trailer section.
pub(super) fn clean(trailers: &mut HeaderMap) {
    if !trailers.keys().any(is_misplaced) {
        return;
    }
    let misplaced: Vec<HeaderName> = trailers.keys().filter(|n| is_misplaced(n)).cloned().collect();
    for name in misplaced {
        trailers.remove(name);
    }
}

fn is_misplaced(name: &HeaderName) -> bool {
    const MISPLACED: [&str; 35] = [
        "age",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "date",
        "expect",
        "expires",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "location",
        "max-forwards",
        "origin",
        "pragma",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "retry-after",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "via",
        "warning",
        "www-authenticate",
        "x-real-ip",
    ];
    let name = name.as_str();
    MISPLACED.binary_search(&name).is_ok()
        || ["x-forwarded-", "intermission-", "if-", "client-cert"]
            .iter()
            .any(|start| name.starts_with(start))
        || memchr::memchr(b'_', name.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn framing_routing_and_names_of_ours_go_and_results_stay() {
        let stay = ["grpc-status", "grpc-message", "digest", "server-timing", "x-checksum", "etag"];
        let go = ["content-length", "transfer-encoding", "host", "cookie", "te", "x-real-ip"];
        let starts = ["x-forwarded-for", "if-match", "intermission-resumed", "content_length"];
        let mut trailers = HeaderMap::new();
        for name in stay.iter().chain(&go).chain(&starts) {
            trailers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        clean(&mut trailers);
        let kept: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        assert_eq!(kept, stay);
    }
}
