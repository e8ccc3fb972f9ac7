//! Policies of pages, entity tags, and which heads are a page's.

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use intermission::inject::csp::{Allowed, Doing, Place, judge};
use intermission::inject::eligible::{Skip, page};
use intermission::inject::scan::Syntax;
use intermission::inject::{digest8, etag};

const OURS: &str = "app.example/.intermission/a/x/";
const PLACE: Place<'static> =
    Place { authority: "app.example", is_https: true, script: "/.intermission/a/x/form.js" };

fn judged(policies: &[&str], doing: Doing) -> Option<Allowed> {
    judge((policies, &[]), PLACE, doing, || "fresh".to_owned())
}

/// What becomes of one policy field, and the tag's nonce.
#[track_caller]
fn amended(policy: &str) -> (String, Option<String>) {
    let allowed = judged(&[policy], Doing::Amend).expect("the script is let in");
    assert_eq!(allowed.changed, allowed.enforced != [policy], "{policy}");
    (allowed.enforced[0].clone(), allowed.nonce)
}

#[test]
fn a_policy_gets_what_it_lacks_and_no_more() {
    for (policy, wanted, nonce) in [
        ("default-src 'self'", "", None),
        ("img-src 'none'; object-src 'none'", "", None),
        ("SCRIPT-SRC 'SELF'", "", None),
        ("script-src * 'unsafe-inline'", "", None),
        ("script-src https:", "", None),
        ("script-src https://app.example", "", None),
        ("script-src 'nonce-abc' 'strict-dynamic'", "", Some("abc")),
        (
            "default-src 'none'; script-src 'nonce-a+/=' 'strict-dynamic'",
            "default-src 'none'; script-src 'nonce-a+/=' 'strict-dynamic'; connect-src 'self'",
            Some("a+/="),
        ),
        ("script-src 'none'", "script-src OURS", None),
        ("script-src http:", "script-src http: OURS", None),
        ("default-src 'none'", "default-src 'none'; script-src OURS; connect-src 'self'", None),
        (
            "default-src https://cdn.example; img-src *",
            "default-src https://cdn.example; img-src *; script-src https://cdn.example OURS; \
             connect-src https://cdn.example 'self'",
            None,
        ),
        (
            "script-src 'self'; script-src-elem https://cdn.example; connect-src 'none'",
            "script-src 'self'; script-src-elem https://cdn.example OURS; connect-src 'self'",
            None,
        ),
        ("script-src 'none'; script-src 'self'", "script-src OURS; script-src 'self'", None),
        (
            "script-src 'self' 'strict-dynamic' 'sha256-x'",
            "script-src 'self' 'strict-dynamic' 'sha256-x' 'nonce-fresh'",
            Some("fresh"),
        ),
        ("script-src 'nonce-\"><x>'", "script-src 'nonce-\"><x>' OURS", None),
        ("script-src 'nonce-'", "script-src 'nonce-' OURS", None),
        ("sandbox allow-forms allow-scripts; script-src 'self'", "", None),
        (
            "script-src 'nonce-a', script-src 'nonce-b'; img-src *, script-src 'self'",
            "script-src 'nonce-a', script-src 'nonce-b' OURS; img-src *, script-src 'self'",
            Some("a"),
        ),
        (
            "script-src 'nonce-a', script-src 'strict-dynamic' 'nonce-b'",
            "script-src 'nonce-a', script-src 'strict-dynamic' 'nonce-b' 'nonce-a'",
            Some("a"),
        ),
    ] {
        let wanted = match wanted {
            "" => policy.to_owned(),
            wanted => wanted.replace("OURS", OURS),
        };
        assert_eq!(amended(policy), (wanted, nonce.map(str::to_owned)), "{policy}");
    }
}

#[test]
fn an_address_that_no_list_can_hold_is_called_self() {
    for (authority, source) in [
        ("app.example:8443", "app.example:8443/.intermission/a/x/"),
        ("127.0.0.1:8080", "'self'"),
        ("[::1]:8080", "'self'"),
        ("", "'self'"),
        ("a;b", "'self'"),
    ] {
        let place = Place { authority, ..PLACE };
        let policies: &[&str] = &["script-src 'none'"];
        let allowed = judge((policies, &[]), place, Doing::Amend, String::new).expect("let in");
        assert_eq!(allowed.enforced, [format!("script-src {source}")]);
    }
}

#[test]
fn what_is_not_ours_to_loosen_stays() {
    for policies in [&["sandbox"][..], &["script-src 'self'", "sandbox allow-forms"]] {
        assert_eq!(judged(policies, Doing::Amend), None, "{policies:?}");
    }
    for (policy, runs) in [
        ("default-src 'none'", false),
        ("script-src 'strict-dynamic' 'self'", false),
        ("script-src https://cdn.example", false),
        ("script-src 'self'; connect-src 'none'", true),
        ("script-src 'nonce-abc' 'strict-dynamic'", true),
    ] {
        let allowed = judged(&[policy], Doing::Respect);
        assert_eq!(allowed.is_some(), runs, "{policy}");
        let unchanged = allowed.is_none_or(|allowed| !allowed.changed);
        assert!(unchanged, "{policy}");
    }
    let reported: &[&str] = &["script-src 'none'"];
    let only_reports = |doing| judge((&[], reported), PLACE, doing, String::new).expect("it runs");
    assert_eq!(only_reports(Doing::Respect).reported, reported);
    assert_eq!(only_reports(Doing::Amend).reported, [format!("script-src {OURS}")]);
}

#[test]
fn a_tag_comes_back_as_the_application_gave_it() {
    for tag in ["\"x\"", "W/\"x\"", "\"\"", "W/\"a,b-imw\"", "\"v-im\""] {
        let marked = etag::mark(tag).expect("a tag");
        assert!(marked.starts_with("W/") && marked.contains(digest8()), "{marked}");
        assert_eq!(etag::unmark(&marked).as_deref(), Some(tag));
        assert_eq!(etag::unmark(tag), None, "it is not ours");
        assert!(etag::is_same(&etag::unmark(&marked).expect("ours"), tag));
    }
    for none in ["x", "", "\"a\"b\"", "*"] {
        assert_eq!(etag::mark(none), None, "{none:?}");
    }
    let other = etag::mark("\"x\"").expect("a tag").replace(digest8(), "00000000");
    assert_eq!(etag::unmark(&other), None, "another build's script");
    let (strong, weak) = (etag::mark("\"b,c\"").expect("a"), etag::mark("W/\"d\"").expect("a"));
    let (list, ours) =
        etag::unmark_list(&format!("\"a\", {strong} ,{weak}, {other}")).expect("two are ours");
    assert_eq!(list, format!("\"a\", \"b,c\", W/\"d\", {other}"));
    assert_eq!(ours, ["\"b,c\"", "W/\"d\""]);
    assert_eq!(etag::unmark_list("\"a\", *"), None);
}

/// What the head of an answer 200 of this type says.
fn of_type(kind: &'static str) -> Option<Result<Syntax, Skip>> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    page(StatusCode::OK, &headers)
}

#[test]
fn only_text_in_bytes_of_ascii_is_read() {
    for (kind, wanted) in [
        ("text/html", Some(Ok(Syntax::Html))),
        ("TEXT/HTML ; Charset=\"UTF-8\"", Some(Ok(Syntax::Html))),
        ("text/html;charset=shift_jis", Some(Ok(Syntax::Html))),
        ("text/html; charset=unknown", Some(Ok(Syntax::Html))),
        ("application/xhtml+xml; charset=iso-8859-1", Some(Ok(Syntax::Xml))),
        ("text/html; charset=utf-16", Some(Err(Skip::Charset))),
        ("text/html; level=1; charset='ISO-2022-JP'", Some(Err(Skip::Charset))),
        ("text/html; charset=unicodefffe", Some(Err(Skip::Charset))),
        ("text/html5", None),
        ("application/json", None),
        ("", None),
    ] {
        assert_eq!(of_type(kind), wanted, "{kind}");
    }
    assert_eq!(page(StatusCode::OK, &HeaderMap::new()), None);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    for (disposition, wanted) in [
        ("inline; filename=\"a;b\"", Ok(Syntax::Html)),
        ("Attachment", Err(Skip::Download)),
        ("form-data; name=x", Err(Skip::Download)),
    ] {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
        assert_eq!(page(StatusCode::OK, &headers), Some(wanted), "{disposition}");
    }
    headers.remove(CONTENT_DISPOSITION);
    headers.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    headers.append(CACHE_CONTROL, HeaderValue::from_static("max-age=1, NO-TRANSFORM"));
    assert_eq!(page(StatusCode::OK, &headers), Some(Err(Skip::Sealed)));
}
