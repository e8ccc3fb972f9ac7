//! What forms keep secret, as their pages say; and that a closed place refuses it.

use bytes::Bytes;
use intermission::inject::rewrite::{Rewriter, Work};
use intermission::inject::scan::Syntax;
use intermission::limit;
use intermission::window::state::Mode;

use super::wire::visit;
use crate::proxy::node::Node;
use crate::support::origin::{Act, Origin, answer};

/// Actions and secrets of each form of a page, in pieces of seven bytes.
fn learnt(page: &str) -> Vec<(String, String)> {
    let mut rewriter = Rewriter::new(Work { syntax: Syntax::Html, script: None, learn: true });
    for piece in page.as_bytes().chunks(7) {
        rewriter.push(Bytes::copy_from_slice(piece), &mut Vec::new());
    }
    let learnt = rewriter.learnt().expect("it was to be learnt");
    let told =
        |form: &intermission::inject::learn::Form| (form.actions.join(" "), form.secrets.join(" "));
    learnt.forms.iter().map(told).collect()
}

#[track_caller]
fn keeps(page: &str, wanted: &[(&str, &str)]) {
    let wanted: Vec<(String, String)> =
        wanted.iter().map(|(to, names)| ((*to).to_owned(), (*names).to_owned())).collect();
    assert_eq!(learnt(page), wanted, "{page}");
}

#[test]
fn passwords_codes_and_cards_are_known_by_what_the_page_says_of_them() {
    keeps("<form action=/a><input name=b><textarea name=c></textarea></form>", &[]);
    keeps("<form action=/a><input type=PassWord name=b value=secret>", &[("/a", "b")]);
    keeps("<FORM ACTION='/a'><INPUT NAME=\"b\" TYPE='password'>", &[("/a", "b")]);
    keeps("<form><input name=b autocomplete='section-x cc-number'>", &[("", "b")]);
    keeps("<form><input name=b autocomplete=one-time-code>", &[("", "b")]);
    keeps("<form><input name=b autocomplete=off><input name=c autocomplete=email>", &[]);
    keeps("<form action='/a?x&amp;y'><input name='b&quot;c' type=password>", &[("/a?x&y", "b\"c")]);
    keeps("<form><input type=password></form>", &[]);
}

#[test]
fn what_the_application_marks_is_not_kept() {
    keeps("<form><input name=b data-private><input name=c>", &[("", "b")]);
    keeps("<form><input name=b data-intermission=off><input name=c>", &[("", "b")]);
    keeps("<form><input name=b data-intermission=on>", &[]);
    keeps("<form data-intermission=off action=/a><input name=b><select name=c>", &[("/a", "b c")]);
    keeps(
        "<form><div data-private><div><input name=b></div><p><input name=c></div><input name=d>",
        &[("", "b c")],
    );
    keeps("<input data-private><form><input name=b></form>", &[]);
}

#[test]
fn fields_belong_to_their_form_wherever_they_stand() {
    keeps(
        "<form action=/a><input type=password name=b></form>\
         <form action=/c><input name=d></form><form action=/e><input name=f type=password></form>",
        &[("/a", "b"), ("/e", "f")],
    );
    keeps("<form action=/a><form action=/b><input type=password name=c></form>", &[("/a", "c")]);
    keeps(
        "<input type=password name=b form=x><form id=y></form><form id=x action=/a></form>",
        &[("/a", "b")],
    );
    keeps(
        "<form action=/a><input type=password name=b><button formaction=/c>x</button></form>",
        &[("/a /c", "b")],
    );
    keeps("<!-- <form action=/a> --><form><input type=password name=b>", &[("", "b")]);
    keeps("<script>'<form action=/a><input type=password name=b>'</script>", &[]);
    keeps("<noscript><form><input type=password name=b></form></noscript>", &[("", "b")]);
}

#[test]
fn a_page_cannot_make_us_keep_more_than_the_bounds() {
    let field = |n| format!("<input type=password name=n{n}>");
    let fields: String = (0..limit::LEARNT_NAMES_PER_FORM_MAX + 50).map(field).collect();
    let form = |n| format!("<form action=/{n}><input type=password name=x></form>");
    let forms: String = (0..limit::LEARNT_FORMS_PER_PAGE_MAX + 50).map(form).collect();
    let one = learnt(&format!("<form>{fields}</form>"));
    assert_eq!(one[0].1.split(' ').count(), limit::LEARNT_NAMES_PER_FORM_MAX);
    assert_eq!(learnt(&forms).len(), limit::LEARNT_FORMS_PER_PAGE_MAX);
    let name = "x".repeat(limit::INJECT_TAG_BYTES_MAX / 2);
    let long = format!("<form>{}</form>", format!("<input type=password name={name}>").repeat(90));
    let kept: usize = learnt(&long).iter().map(|(to, names)| to.len() + names.len()).sum();
    assert!(kept <= limit::LEARNT_BYTES_PER_PAGE_MAX, "{kept}");
}

const LOGIN: &str = "<!doctype html><html><head></head><body>\
    <form method=post action=in><input name=wer><input type=password name=geheimnis></form>";

/// A visitor without JavaScript sends a form.
fn post(to: &str, body: &str) -> String {
    format!(
        "POST {to} HTTP/1.1\r\nHost: site.test\r\nOrigin: http://site.test\r\n\
         Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nAccept: text/html\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_password_of_any_name_is_refused_without_javascript_once_its_page_was_served() {
    let page = answer("200 OK", &[("Content-Type", "text/html")], LOGIN);
    let node = Node::before(Origin::acting(move |_| Act::Send(page.clone())));
    let form = post("/in", "wer=ich&geheimnis=x");
    node.close(Mode::Page);
    assert_eq!(node.ask(&form).status(), 303, "control: nothing tells that it is a password");
    node.reopen();
    assert_eq!(node.ask(visit("")).status(), 200);
    node.close(Mode::Page);
    let refused = node.ask(&form);
    assert_eq!(refused.status(), 503, "{refused:?}");
    assert!(refused.text().contains("password"), "it says why: {}", refused.text());
    let other = post("/elsewhere", "wer=ich&geheimnis=x");
    assert_eq!(node.ask(other).status(), 303, "another form may call anything so");
    assert_eq!(node.ask(post("/in", "wer=ich")).status(), 303, "the rest of the form is none");
}
