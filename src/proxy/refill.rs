//! The page of a form whose visitor wants to see it with the answers in it.
//!
//! The receipt leads there with a cookie that names the submission and lives for two minutes. It
//! opens nothing: the answers are read with the visitor's key, and go into no other page than the
//! one that the form was on. Who has typed a resume code instead has no key, so that cookie holds
//! what the code opens it with, as long as the code is good. The visitor sends the form as any
//! other; we are not asked.

use std::rc::Rc;

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING,
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, EXPIRES, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, SET_COOKIE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request, response};
use zeroize::Zeroizing;

use super::answer::Asker;
use super::body::Body;
use super::bypass;
use super::confirm;
use super::ending::Story;
use super::fields::Fields;
use super::forward;
use super::head::{self, Judged, Scheme};
use super::inbound::Inbound;
use super::lane::Lane;
use super::visitor;
use crate::addr::url::same_place;
use crate::id::Id;
use crate::inject::fill::{Answer, Fill, Given, Outcome, Wanted};
use crate::limit;
use crate::pages::Refilled;
use crate::vault::code::Coded;
use crate::vault::refill;

/// The name of the cookie: browsers take the `__Host-` prefix over TLS only.
const fn cookie(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => "intermission-refill",
        Scheme::Https => "__Host-intermission-refill",
    }
}

/// What a visitor wants to see in the next page.
pub(super) struct Wish {
    id: Id,
    /// What opens it for who has typed its code; none for who has its cookie.
    opener: Option<Zeroizing<String>>,
}

impl Wish {
    fn parse(value: &str) -> Option<Self> {
        let (id, opener) = match value.split_once('.') {
            Some((id, opener)) => (id, Some(Zeroizing::new(opener.to_owned()))),
            None => (value, None),
        };
        Some(Self { id: id.parse().ok()?, opener })
    }
}

/// The `Set-Cookie` that makes the next page be filled.
pub(super) fn wish(id: Id, scheme: Scheme) -> HeaderValue {
    set(&id.to_string(), limit::REFILL_LIFE.as_secs(), scheme)
}

/// The same for who has typed a code, and has no cookie that opens it.
pub(super) fn wish_coded(coded: &Coded, scheme: Scheme) -> HeaderValue {
    let value = Zeroizing::new(format!("{}.{}", coded.item.id, *coded.opener()));
    let mut cookie = set(&value, limit::REFILL_LIFE.as_secs(), scheme);
    cookie.set_sensitive(true);
    cookie
}

fn set(value: &str, life: u64, scheme: Scheme) -> HeaderValue {
    let secure = match scheme {
        Scheme::Https => "; Secure",
        Scheme::Http => "",
    };
    let name = cookie(scheme);
    let text = format!("{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("letters, digits and marks")
}

/// The submission whose answers a request wants to see in its page.
pub(super) fn wanted<B>(judged: &Judged, request: &Request<B>) -> Option<Wish> {
    if !judged.fields.any(Fields::COOKIE) || request.method() != Method::GET {
        return None;
    }
    let headers = request.headers();
    let mut wishes = bypass::cookies(headers, cookie(judged.scheme));
    let wish = wishes.find_map(Wish::parse)?;
    navigates(headers).then_some(wish)
}

/// Whether a browser shows the answer as a page of its own.
fn navigates(headers: &HeaderMap) -> bool {
    let is = |name: &str, wanted: &[&str]| {
        let is_one = |told: &HeaderValue| {
            wanted.iter().any(|one| told.as_bytes().eq_ignore_ascii_case(one.as_bytes()))
        };
        headers.get(name).is_none_or(is_one)
    };
    // Empty where a service worker fetches the page that it was asked for.
    is("sec-fetch-mode", &["navigate"]) && is("sec-fetch-dest", &["document", "empty"])
}

/// Forwards a request for a page, which is filled on its way back if it is the one.
pub(super) async fn run(
    lane: Rc<Lane>,
    judged: Judged,
    mut story: Box<Story>,
    request: Request<Inbound>,
    wish: Wish,
) -> Response<Body> {
    // It was judged open now; nobody may be told that nothing is under way there any more.
    story.in_flight();
    let (mut parts, incoming) = request.into_parts();
    if let Some(fill) = fill(&lane, &judged, &parts, wish).await {
        whole_and_plain(&mut parts.headers);
        story.fill = Some(Box::new(fill));
    }
    let request = Request::from_parts(parts, incoming);
    forward::start(&lane, judged, story, request).await
}

/// What goes into the page; none if it is not the page that the form was on, or the submission is
/// not this visitor's. That a page comes as it is says nothing to anybody.
async fn fill(lane: &Lane, judged: &Judged, parts: &request::Parts, wish: Wish) -> Option<Fill> {
    let (vault, id) = (&lane.link.worker.vault, wish.id);
    let (record, answers, back) = match wish.opener {
        None => {
            let owner = visitor::owner(lane, &parts.headers, judged.scheme)?;
            let (record, answers) = vault.answers(&owner, id).await.ok()?;
            (record, answers, format!("/.intermission/s/{id}?note=refilled"))
        }
        Some(opener) => {
            let (coded, answers) = vault.answers_coded(id, &opener).await.ok()?;
            let back = format!("/.intermission/r?reference={}", coded.item.reference);
            (coded.record, answers, back)
        }
    };
    let asked = format!(
        "{}://{}{}",
        judged.scheme.name(),
        head::authority(parts, judged),
        parts.uri.path_and_query().map_or("/", |target| target.as_str())
    );
    let page = confirm::page_of(&record.head);
    if !same_place(&asked, &page) {
        return None;
    }
    let to = &record.head;
    let target = format!("{}://{}{}", to.scheme, to.authority, to.target);
    let wanted = Wanted { page, target, answers: answers.into_iter().map(answer).collect() };
    let (current, lang) = (Rc::clone(&judged.current), Asker::of(&parts.headers).lang());
    let note = move |outcome: &Outcome| {
        let Outcome { placed, left, files } = outcome;
        current
            .snapshot
            .pages
            .refilled(lang, &Refilled { id, back: &back, placed: *placed, left, files })
    };
    Some(Fill::new(wanted, Box::new(note)))
}

fn answer(answer: refill::Answer) -> Answer {
    let given = match answer.given {
        refill::Given::Text(text) => Given::Text(text),
        refill::Given::Part(text) => Given::Part(text),
        refill::Given::File(file, _) => Given::File(file),
    };
    Answer { name: answer.name, given }
}

/// Asks for a page that can be written into: all of it, and as it is.
fn whole_and_plain(headers: &mut HeaderMap) {
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE] {
        headers.remove(name);
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// What is written into an answer, whose head is made into that of a page for one visitor; none
/// where the answer is no page that can be written into. The wish stays then, for the page that
/// may come after a sign-in.
pub(super) fn prepare(
    parts: &mut response::Parts,
    judged: &Judged,
    fill: Option<Box<Fill>>,
) -> Option<Box<Fill>> {
    let fill = fill.filter(|_| parts.status == StatusCode::OK && is_page(&parts.headers))?;
    for name in [CONTENT_LENGTH, ETAG, LAST_MODIFIED, EXPIRES, AGE, ACCEPT_RANGES] {
        parts.headers.remove(name);
    }
    for name in ["content-md5", "digest", "content-digest", "repr-digest"] {
        parts.headers.remove(name);
    }
    parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    parts.headers.append(SET_COOKIE, set("", 0, judged.scheme));
    Some(fill)
}

/// Whether an answer is a page of HTML in an encoding that ASCII is a part of.
fn is_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let kind = text(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let (essence, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
    let is_html = matches!(essence.trim(), "text/html" | "application/xhtml+xml");
    let apart = ["utf-16", "utf-32", "utf-7", "iso-2022", "hz-gb"];
    let is_plain = text(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    let shown = text(CONTENT_DISPOSITION)
        .is_none_or(|how| !how.trim_start().to_ascii_lowercase().starts_with("attachment"));
    let may =
        text(CACHE_CONTROL).is_none_or(|told| !told.to_ascii_lowercase().contains("no-transform"));
    is_html
        && is_plain
        && shown
        && may
        && !headers.contains_key("signature-input")
        && !apart.iter().any(|charset| parameters.contains(charset))
}
