//! The pages behind the pages: no template engine, so that a closed scope always has an answer.

use std::fmt::Write as _;

use super::catalog::Texts;
use super::sheet::not_kept_key;
use super::view::{CodeView, PlainKind, ReceiptView};
use super::{Lang, Notice, Words};
use crate::clock::Wall;

/// What a closed page must tell.
pub(super) fn closed(lang: Lang, texts: &Texts, notice: &Notice) -> String {
    let service = [("service", notice.service.as_str())];
    let title = if notice.read_only { "closed.title_read_only" } else { "closed.title" };
    let mut body = paragraph(&returns(texts, notice));
    let Words { title: about, reason, message, impact, benefit, contact, alternative } =
        &notice.words;
    let news = notice.updates.first().map(|news| &news.text);
    let words = [about, reason, message, impact, benefit, alternative, contact];
    for words in news.into_iter().chain(words) {
        body.push_str(&paragraph(words));
    }
    body.push_str(&paragraph(&texts.fill("closed.answers_text", &service)));
    body.push_str(&anchor("", &texts.fill("common.check_again", &[])));
    page(lang, &texts.fill(title, &service), &body)
}

/// What somebody must know whose form was not kept.
pub(super) fn not_kept(lang: Lang, texts: &Texts, notice: &Notice, why: &str) -> String {
    let service = [("service", notice.service.as_str())];
    let lead = if notice.read_only { "not_kept.lead_read_only" } else { "not_kept.lead" };
    let mut body = paragraph(&texts.fill(lead, &service));
    if let Some(key) = not_kept_key(why) {
        body.push_str(&paragraph(&texts.fill(key, &service)));
    }
    body.push_str(&paragraph(&texts.fill("not_kept.back", &service)));
    body.push_str(&paragraph(&returns(texts, notice)));
    body.push_str(&paragraph(&notice.words.contact));
    page(lang, &texts.fill("not_kept.title", &service), &body)
}

/// What somebody must know about a submission, with the ways to their answers.
pub(super) fn receipt(lang: Lang, texts: &Texts, view: &ReceiptView) -> String {
    let service = [("service", view.service.as_str())];
    let state = view.state.key();
    let mut body = paragraph(&texts.fill(&format!("receipt.lead_{state}"), &service));
    body.push_str(&paragraph(&view.reference));
    body.push_str(&anchor("", &texts.fill("common.check_again", &[])));
    let data = format!("/.intermission/s/{}/data", view.id);
    if view.state.keeps_answers() {
        body.push_str(&anchor(&data, &texts.fill("receipt.download", &[])));
    }
    page(lang, &texts.fill(&format!("receipt.title_{state}"), &service), &body)
}

/// The codes themselves, where there are any: they are told this once.
pub(super) fn code(lang: Lang, texts: &Texts, view: &CodeView) -> String {
    let mut body = String::new();
    for made in &view.made {
        body.push_str(&paragraph(&format!("{}: {}", made.reference, made.code)));
    }
    if body.is_empty() {
        return plain(lang, texts, PlainKind::Fault);
    }
    page(lang, &texts.fill("code.title_made", &[]), &body)
}

/// The list cannot be drawn; the answers are not touched.
pub(super) fn list(lang: Lang, texts: &Texts) -> String {
    plain(lang, texts, PlainKind::Fault)
}

/// A page that says one thing.
pub(super) fn plain(lang: Lang, texts: &Texts, kind: PlainKind) -> String {
    let body = paragraph(&texts.fill(&format!("plain.{}_text", kind.key()), &[]));
    page(lang, &texts.fill(&format!("plain.{}", kind.key()), &[]), &body)
}

fn returns(texts: &Texts, notice: &Notice) -> String {
    let service = ("service", notice.service.as_str());
    match notice.until.map(|until: Wall| texts.when(until)) {
        Some(time) => texts.fill("problem.returns", &[service, ("time", &time)]),
        None => texts.fill(notice.stage.key().unwrap_or("common.unknown_end"), &[service]),
    }
}

fn page(lang: Lang, title: &str, body: &str) -> String {
    let (tag, dir, title) = (lang.tag(), lang.direction(), html_escape::encode_text(title));
    format!(
        "<!doctype html>\n<html lang=\"{tag}\" dir=\"{dir}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"turbo-visit-control\" content=\"reload\"><title>{title}</title></head>\
         <body><main><h1>{title}</h1>\n{body}</main></body></html>\n"
    )
}

fn paragraph(words: &str) -> String {
    match words.trim() {
        "" => String::new(),
        words => format!("<p dir=\"auto\">{}</p>\n", html_escape::encode_text(words)),
    }
}

fn anchor(to: &str, words: &str) -> String {
    let mut html = String::new();
    let words = html_escape::encode_text(words);
    let _ = writeln!(html, "<p><a href=\"{to}\">{words}</a></p>");
    html
}
