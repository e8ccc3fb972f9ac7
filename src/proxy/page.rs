//! Pages that our script goes into: what is changed in the head of the request and of the answer.
//!
//! Requests say by their head whether a page is asked for; all others of a route are passed by
//! with two looks at it. An answer's tag gets our mark (`inject::etag`), which is taken off again
//! when a browser asks whether its copy is fresh. `Range` is left as it is: a part of a page is
//! never changed, and a page that was says neither its length nor that it comes in parts.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_SECURITY_POLICY_REPORT_ONLY, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};
use http::{HeaderMap, HeaderValue, StatusCode, request, response};

use super::compress;
use super::ending::Story;
use super::head::{self, Judged, Scheme};
use super::lane::Lane;
use super::pipe::Plan;
use super::worker::Worker;
use crate::inject::eligible::{self, Skip};
use crate::inject::rewrite::{Placed, Rewriter, Tag, Work, fresh_nonce};
use crate::inject::{csp, etag, script_path};
use crate::snapshot::Csp;
use crate::snapshot::edge::Coding;
use crate::telemetry::insertion::Insertion;

/// Fields that were computed over the body as it was.
const DIGESTS: [&str; 4] = ["content-md5", "digest", "content-digest", "repr-digest"];

/// What matters of a request on a route whose pages get our script.
pub(super) struct Asked {
    /// Whether it asks for a page.
    page: bool,
    /// The application's tags of copies that the client has, with our script in them.
    copies: Vec<String>,
    /// Host and port, as the visitor's browser knows them.
    authority: String,
    /// The target, as it was sent.
    target: String,
}

/// Makes a request's head fit for an answer that our script may go into.
pub(super) fn up(parts: &mut request::Parts, judged: &Judged) -> Option<Box<Asked>> {
    if !judged.rules().forms.script {
        return None;
    }
    let page = eligible::asks_for_page(&parts.method, &parts.headers);
    let mut copies = Vec::new();
    for name in [IF_NONE_MATCH, IF_MATCH] {
        unmark(&mut parts.headers, &name, &mut copies);
    }
    if !page && copies.is_empty() {
        return None;
    }
    let part = parts.headers.get(IF_RANGE).and_then(|tag| tag.to_str().ok());
    if part.is_some_and(|tag| etag::unmark(tag).is_some()) {
        // Our page is none that the server has parts of.
        parts.headers.remove(RANGE);
        parts.headers.remove(IF_RANGE);
    }
    if page {
        take_what_we_can_read(&mut parts.headers);
    }
    let authority = head::authority(parts, judged).to_owned();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    Some(Box::new(Asked { page, copies, authority, target }))
}

fn unmark(headers: &mut HeaderMap, name: &HeaderName, copies: &mut Vec<String>) {
    if !headers.contains_key(name) {
        return;
    }
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let list = values.collect::<Vec<_>>().join(", ");
    let Some((theirs, found)) = etag::unmark_list(&list) else { return };
    if let Ok(theirs) = HeaderValue::from_str(&theirs) {
        headers.insert(name, theirs);
        copies.extend(found);
    }
}

/// Takes codings out of `Accept-Encoding` that a page could not be read in.
fn take_what_we_can_read(headers: &mut HeaderMap) {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let all = values.collect::<Vec<_>>().join(", ");
    let known = |item: &&str| {
        let name = item.split(';').next().unwrap_or_default().trim();
        coding(name).is_some() || name == "*" || name.eq_ignore_ascii_case("identity")
    };
    let items = || all.split(',').map(str::trim).filter(|item| !item.is_empty());
    if items().all(|item| known(&item)) {
        return;
    }
    let kept = items().filter(known).collect::<Vec<_>>().join(", ");
    let kept = if kept.is_empty() { "identity".to_owned() } else { kept };
    if let Ok(kept) = HeaderValue::from_str(&kept) {
        headers.insert(ACCEPT_ENCODING, kept);
    }
}

fn coding(name: &str) -> Option<Coding> {
    let known = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
    let alias = name.eq_ignore_ascii_case("x-gzip").then_some(Coding::Gzip);
    alias.or_else(|| known.into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name)))
}

/// Makes an answer's head into that of the page that the visitor gets, and tells what is to be
/// done with its body: our script, and the route's compression.
pub(super) fn down(
    parts: &mut response::Parts,
    lane: &Lane,
    judged: &Judged,
    story: &mut Story,
) -> Plan {
    let asked = story.page.take();
    let work = asked.and_then(|asked| {
        if parts.status == StatusCode::NOT_MODIFIED {
            fresh_copy(parts, judged, &asked);
            return None;
        }
        asked.page.then(|| inserted(parts, lane, judged, &asked)).flatten()
    });
    let compression = judged.rules().edge.as_deref().and_then(|edge| edge.compression.as_ref());
    let chosen = story.visible().and_then(|visible| visible.coding);
    let chosen = compression.and_then(|rules| compress::prepare(parts, rules, chosen));
    let Some((page, coded)) = work else {
        return Plan { page: None, decode: None, encode: chosen };
    };
    if page.changes() {
        for name in [CONTENT_LENGTH, ACCEPT_RANGES] {
            parts.headers.remove(name);
        }
        for name in DIGESTS {
            parts.headers.remove(name);
        }
    }
    Plan { page: Some(page), decode: coded, encode: coded.or(chosen) }
}

/// The server says that a copy which has our script is fresh: it keeps its tag, and its policies.
fn fresh_copy(parts: &mut response::Parts, judged: &Judged, asked: &Asked) {
    let tag = parts.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
    let is_copy = tag.is_some_and(|tag| asked.copies.iter().any(|copy| etag::is_same(copy, tag)));
    if is_copy {
        mark(&mut parts.headers);
        let _ = policies(parts, judged, asked);
    }
}

/// What is done with the body of an answer that is a page, and the coding it comes in.
fn inserted(
    parts: &mut response::Parts,
    lane: &Lane,
    judged: &Judged,
    asked: &Asked,
) -> Option<(Page, Option<Coding>)> {
    let count = |went| lane.link.worker.shard.page(went);
    let syntax = match eligible::page(parts.status, &parts.headers)? {
        Ok(syntax) => syntax,
        Err(skip) => {
            count(skip.into());
            return None;
        }
    };
    let mut codings = parts.headers.get_all(CONTENT_ENCODING).iter();
    let coded = match (codings.next().map(|name| name.to_str().unwrap_or("?")), codings.next()) {
        (None | Some("identity"), None) => None,
        (Some(name), None) if coding(name.trim()).is_some() => coding(name.trim()),
        (_, _) => {
            count(Insertion::Coding);
            return None;
        }
    };
    let policy = policies(parts, judged, asked);
    if policy.is_err() {
        count(Insertion::Csp);
        if coded.is_some() {
            return None;
        }
    }
    let script = policy.ok().map(|admitted| {
        let tag = Tag::new(&judged.rules().name, admitted.nonce.as_deref());
        if admitted.connects { tag } else { tag.asking_by_module() }
    });
    if script.is_some() {
        mark(&mut parts.headers);
    }
    // What strangers can ask for in any number teaches nothing.
    let learn = parts.status != StatusCode::NOT_FOUND && parts.status != StatusCode::GONE;
    let changes = script.is_some();
    let page = Page {
        rewriter: Rewriter::new(Work { syntax, script, learn }),
        changes,
        worker: Rc::clone(&lane.link.worker),
        url: format!("{}://{}{}", judged.scheme.name(), asked.authority, asked.target),
    };
    Some((page, coded))
}

/// The page's policies keep our script out.
struct KeptOut;

/// What a page's policies say of our script.
struct Admitted {
    nonce: Option<String>,
    /// Whether it may use `fetch`.
    connects: bool,
}

/// Has a page's policies let our script in, and gives the nonce that they want it to have.
fn policies(
    parts: &mut response::Parts,
    judged: &Judged,
    asked: &Asked,
) -> Result<Admitted, KeptOut> {
    const NAMES: [HeaderName; 2] = [CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY];
    if !NAMES.iter().any(|name| parts.headers.contains_key(name)) {
        return Ok(Admitted { nonce: None, connects: true });
    }
    let values = |name: &HeaderName| -> Result<Vec<&str>, KeptOut> {
        let values = parts.headers.get_all(name).iter();
        values.map(|value| value.to_str().map_err(|_| KeptOut)).collect()
    };
    let (enforced, reported) = (values(&NAMES[0])?, values(&NAMES[1])?);
    let doing = match judged.rules().forms.csp {
        Csp::Amend => csp::Doing::Amend,
        Csp::Respect => csp::Doing::Respect,
    };
    let script = script_path();
    let is_https = judged.scheme == Scheme::Https;
    let place = csp::Place { authority: &asked.authority, is_https, script: &script };
    let allowed = csp::judge((&enforced, &reported), place, doing, fresh_nonce).ok_or(KeptOut)?;
    if allowed.changed {
        for (name, values) in NAMES.iter().zip([&allowed.enforced, &allowed.reported]) {
            parts.headers.remove(name);
            for value in values.iter().filter_map(|value| HeaderValue::from_str(value).ok()) {
                parts.headers.append(name, value);
            }
        }
    }
    Ok(Admitted { nonce: allowed.nonce, connects: allowed.connects })
}

/// Marks an answer's tag. What is no tag is taken away: it would vouch for two bodies.
fn mark(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(ETAG) else { return };
    let marked = tag.to_str().ok().and_then(etag::mark);
    match marked.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        Some(tag) => {
            headers.insert(ETAG, tag);
        }
        None => {
            headers.remove(ETAG);
        }
    }
}

/// A page on its way. When it is dropped, whole or not, what became of it is counted, and what was
/// learnt of it is remembered.
pub(super) struct Page {
    rewriter: Rewriter,
    changes: bool,
    worker: Rc<Worker>,
    url: String,
}

impl Page {
    /// Whether its body may get other bytes than it had.
    pub(super) fn changes(&self) -> bool {
        self.changes
    }

    /// Takes a piece; what can go on is appended to `out`.
    pub(super) fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) {
        self.rewriter.push(piece, out);
    }

    /// It has ended.
    pub(super) fn finish(mut self, out: &mut Vec<Bytes>) {
        self.rewriter.finish(out);
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if self.changes {
            let went = match self.rewriter.placed() {
                Placed::In => Insertion::Injected,
                Placed::Looking | Placed::Nowhere => Insertion::Body,
            };
            self.worker.shard.page(went);
        }
        if let Some(learnt) = self.rewriter.learnt() {
            self.worker.learnt.take(&self.url, &learnt);
        }
    }
}

/// Takes digests of another body out of what stands behind it.
pub(super) fn take_digests(trailers: &mut HeaderMap) {
    for name in DIGESTS {
        trailers.remove(name);
    }
    trailers.remove(ETAG);
}

impl From<Skip> for Insertion {
    fn from(skip: Skip) -> Self {
        match skip {
            Skip::Status => Self::Status,
            Skip::Part => Self::Part,
            Skip::Download => Self::Download,
            Skip::Sealed => Self::Sealed,
            Skip::Charset => Self::Charset,
        }
    }
}
