//! Fresh tokens from live pages.

use intermission::limit;
use intermission::vault::refresh::{LiveForm, NoForm, Wanted, resolve};

fn fresh(target: &str, fields: &[&str], page: &str) -> Result<Vec<(String, String)>, NoForm> {
    let mut form = LiveForm::new(Wanted {
        page: "https://example.org/admin/add/?from=list".into(),
        target: format!("https://example.org{target}"),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    });
    for chunk in page.as_bytes().chunks(5) {
        form.push(chunk)?;
    }
    form.finish()
}

fn pairs(fresh: Result<Vec<(String, String)>, NoForm>) -> Vec<(String, String)> {
    fresh.expect("the page has the form")
}

#[test]
fn a_form_without_an_action_posts_to_its_own_page() {
    let page = r#"<!doctype html><title>x</title>
        <form action="/search" method="get"><input name="csrf" value="no"></form>
        <form id="out" action="/logout/" method="post"><input type="hidden" name="csrf" value="wrong"></form>
        <form method="POST"><input type=hidden name=csrf value="a&amp;b"><input name="text" value="t"></form>"#;
    let got = pairs(fresh("/admin/add/?from=list", &["csrf"], page));
    assert_eq!(got, [("csrf".to_owned(), "a&b".to_owned())]);
}

#[test]
fn relative_actions_and_bases_are_resolved() {
    let page = r#"<base href="/app/"><form action="save?x=1&amp;y=2" method="post"><input name="t" value="1"></form>
                  <form action="other" method="post"><input name="t" value="2"></form>"#;
    assert_eq!(pairs(fresh("/app/save?x=1&y=2", &["t"], page))[0].1, "1");
    assert_eq!(pairs(fresh("/app/other", &["t"], page))[0].1, "2");
}

#[test]
fn an_unknown_action_is_accepted_only_if_one_form_has_all_the_tokens() {
    let one = r#"<form method="post" action="/v2/save"><input name="t" value="1"><input name="u" value="2"></form>
                 <form method="post" action="/out"><input name="t" value="9"></form>"#;
    let got = pairs(fresh("/v1/save", &["t", "u"], one));
    assert_eq!(got[1], ("u".to_owned(), "2".to_owned()));
    assert_eq!(fresh("/v1/save", &["t"], one), Err(NoForm::NotFound), "two forms have it");
    assert_eq!(fresh("/v1/save", &["w"], one), Err(NoForm::NotFound));
}

#[test]
fn a_page_that_asks_to_sign_in_gives_no_token() {
    let page = r#"<form method="post" action="/login"><input name="t" value="theirs">
                  <input type="PASSWORD" name="p"></form>"#;
    assert_eq!(fresh("/save", &["t"], page), Err(NoForm::SignIn));
    let both =
        format!(r#"{page}<form method="post" action="/v2"><input name="t" value="1"></form>"#);
    assert_eq!(pairs(fresh("/save", &["t"], &both))[0].1, "1");
}

#[test]
fn inputs_outside_their_form_and_rails_heads_count() {
    let page = r#"<head><meta name="csrf-token" content="meta"></head>
        <input form="f" name="_token" value="loose"><form id="f" method="post" action="/s"></form>
        <form id="g" method="post" action="/r"><input name="text"></form>"#;
    assert_eq!(pairs(fresh("/s", &["_token"], page))[0].1, "loose");
    assert_eq!(pairs(fresh("/r", &["authenticity_token"], page))[0].1, "meta");
    assert!(fresh("/r", &["_token"], page).is_err());
}

#[test]
fn a_page_without_end_is_not_read_to_its_end() {
    let mut form = LiveForm::new(Wanted {
        page: "http://h/".into(),
        target: "http://h/".into(),
        fields: vec!["t".into()],
    });
    let chunk = vec![b' '; 64 * 1024];
    let chunks = limit::LIVE_FORM_BYTES_MAX / chunk.len();
    (0..chunks).for_each(|_| form.push(&chunk).expect("within the bound"));
    assert_eq!(form.push(&chunk), Err(NoForm::TooLong));
}

#[test]
fn references_resolve_as_in_rfc_3986() {
    let base = "http://a/b/c/d?q";
    for (reference, want) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("g#s", "http://a/b/c/g"),
        ("", "http://a/b/c/d?q"),
        (".", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../../../g", "http://a/g"),
        ("https://x/y", "https://x/y"),
        ("/a/./b/../c", "http://a/a/c"),
    ] {
        assert_eq!(resolve(base, reference), want, "{reference}");
    }
}
