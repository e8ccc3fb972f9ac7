//! What of programs is kept for them while a place is closed.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use intermission::decide::{
    Accepts, Ask, FormKind, Ground, Keeps, NotKept, Redirects, Verdict, decide, prefers_async,
};
use intermission::window::state::Mode;

const JSON: &str = "content-type: application/json";
const PREFER: &str = "prefer: respond-async";

fn fields(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a field");
        let name: HeaderName = name.parse().expect("a name");
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    headers
}

/// What becomes of `method http://claims.example/api`.
fn verdict(closed: Option<Mode>, accepts: Accepts, method: &str, lines: &[&str]) -> Verdict {
    let (headers, method) = (fields(lines), method.parse::<Method>().expect("a method"));
    let ground = Ground {
        closed,
        allow: &[],
        holds: false,
        probes: &[],
        keeps_forms: Keeps::Forms,
        accepts,
        redirects: Redirects::default(),
    };
    let (scheme, authority) = ("http", "claims.example");
    let (path, query) = ("/api", None);
    decide(&ground, &Ask { method: &method, scheme, authority, path, query, headers: &headers })
}

fn asked(method: &str, lines: &[&str]) -> Option<FormKind> {
    let told = verdict(Some(Mode::Page), Accepts::Asked, method, lines);
    if let Verdict::Accept(kind) = told { Some(kind) } else { None }
}

#[test]
fn who_can_do_with_a_promise_is_kept_for_and_nobody_else() {
    let form = "content-type: application/x-www-form-urlencoded";
    let rows: &[(Option<FormKind>, &str, &[&str])] = &[
        (Some(FormKind::Json), "POST", &[JSON, PREFER]),
        (Some(FormKind::Json), "PATCH", &["content-type: application/merge-patch+json", PREFER]),
        (Some(FormKind::Json), "POST", &[JSON, PREFER, "authorization: Bearer x"]),
        (Some(FormKind::Json), "POST", &[JSON, "prefer: wait=10, Respond-Async; x=1"]),
        (
            Some(FormKind::Urlencoded),
            "POST",
            &[form, PREFER, "accept: */*", "content-length: 2000"],
        ),
        (Some(FormKind::Opaque), "PUT", &["content-type: application/xml", PREFER]),
        (Some(FormKind::Opaque), "DELETE", &[PREFER]),
        (None, "POST", &[JSON]),
        (None, "POST", &[JSON, "prefer: return=minimal"]),
        (None, "GET", &[PREFER, "accept: application/json"]),
        (None, "POST", &[JSON, PREFER, "content-encoding: gzip"]),
        (
            None,
            "PATCH",
            &["content-type: application/offset+octet-stream", PREFER, "upload-offset: 0"],
        ),
        (None, "PUT", &[PREFER, "content-range: bytes 0-9/20"]),
        (None, "POST", &["content-type: application/grpc", PREFER]),
        (None, "POST", &[JSON, PREFER, "content-type: text/plain"]),
    ];
    for (wanted, method, lines) in rows {
        assert_eq!(asked(method, lines), *wanted, "{method} {lines:?}");
    }
}

#[test]
fn no_page_of_another_site_leaves_anything() {
    let rows: &[(bool, &[&str])] = &[
        (true, &["origin: http://claims.example", "sec-fetch-site: same-origin"]),
        (true, &["origin: http://claims.example"]),
        (false, &["origin: http://evil.example"]),
        (false, &["origin: null"]),
        (false, &["origin: http://claims.example", "sec-fetch-site: same-site"]),
        (false, &["sec-fetch-site: cross-site"]),
        (false, &["sec-fetch-site: same-origin", "sec-fetch-mode: no-cors"]),
    ];
    for (kept, lines) in rows {
        let lines: Vec<&str> = [&[JSON, PREFER], *lines].concat();
        assert_eq!(asked("POST", &lines).is_some(), *kept, "{lines:?}");
    }
}

#[test]
fn a_route_may_keep_for_all_programs_or_for_none() {
    let page = Some(Mode::Page);
    let all = verdict(page, Accepts::All, "POST", &[JSON]);
    assert_eq!(all, Verdict::Accept(FormKind::Json));
    let none = verdict(page, Accepts::Nothing, "POST", &[JSON, PREFER]);
    assert!(matches!(none, Verdict::Page(_, Some(NotKept::Type))), "{none:?}");
    assert_eq!(verdict(None, Accepts::All, "POST", &[JSON, PREFER]), Verdict::Forward);
    let reads = verdict(Some(Mode::ReadOnly), Accepts::Asked, "POST", &[JSON, PREFER]);
    assert_eq!(reads, Verdict::Accept(FormKind::Json), "what would change something is kept");
}

#[test]
fn a_ticket_in_a_field_is_looked_at_whatever_is_closed() {
    let ticket = &["intermission-ticket: x"];
    for closed in [None, Some(Mode::Page)] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let told = verdict(closed, Accepts::Nothing, method, ticket);
            assert_eq!(told, Verdict::Resume, "{method}");
        }
        assert_ne!(verdict(closed, Accepts::All, "GET", ticket), Verdict::Resume);
    }
}

#[test]
fn a_preference_is_one_of_a_list() {
    for (lines, wanted) in [
        (&["prefer: respond-async"][..], true),
        (&["prefer: return=minimal", "prefer: RESPOND-ASYNC, wait=5"], true),
        (&["prefer: respond-asynchronously"], false),
        (&["prefer: x=respond-async"], false),
        (&[], false),
    ] {
        assert_eq!(prefers_async(&fields(lines)), wanted, "{lines:?}");
    }
}
