//! Fresh CSRF tokens for a submission: the form's page is fetched with the visitor's own cookies,
//! inside the visitor's own request, and only allow-listed fields are taken from it.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, ORIGIN, RANGE, SET_COOKIE, TE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::{Body as _, Incoming};

use super::body::Upload;
use super::ending::Story;
use super::exchange::Exchange;
use super::head::{self, Judged};
use super::lane::Lane;
use super::resume::is_sign_in;
use super::rewrite;
use super::upstream::Lease;
use crate::route::RouteIx;
use crate::vault::capture::Head;
use crate::vault::refresh::{LiveForm, NoForm, Wanted, resolve};
use crate::vault::resume::Claim;
use crate::vault::substitute::Fresh;

/// What the live page gave.
#[derive(Default)]
pub(super) struct Refreshed {
    /// The tokens.
    pub fresh: Fresh,
    /// Cookies that the page set, for the visitor's browser.
    pub cookies: Vec<HeaderValue>,
    /// The request's cookies with those applied; none if nothing changed.
    pub jar: Option<HeaderValue>,
}

/// Why nothing may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoFresh {
    /// The application wants the visitor to sign in first.
    SignIn,
    /// The page is there and has no such form.
    NoForm,
    /// The application did not answer.
    Unreachable,
    /// The page's own place is closed.
    Closed,
}

/// Fetches the tokens that a submission carries. One that carries none needs none.
///
/// `parts` are made fit for the server already.
pub(super) async fn refresh(
    lane: &Rc<Lane>,
    judged: &Judged,
    parts: &request::Parts,
    claim: &Claim,
    story: &mut Story,
) -> Result<Refreshed, NoFresh> {
    let record = claim.record();
    let allowed = &judged.rules().forms.csrf_fields;
    let is_allowed = |name: &&str| allowed.iter().any(|known| known == name);
    let mut fields: Vec<String> =
        record.summary.tokens().filter(is_allowed).map(str::to_owned).collect();
    fields.dedup();
    if fields.is_empty() {
        return Ok(Refreshed::default());
    }
    let page = page_of(&record.head);
    let target =
        format!("{}://{}{}", record.head.scheme, record.head.authority, record.head.target);
    let path = path_of(&page, &record.head);
    let route = route_of(lane, judged, parts, path)?;
    let upstream = judged.site().upstream_ix(route, judged.region);
    let request = get(parts, path).ok_or(NoFresh::NoForm)?;
    let (mut head, body) = request.into_parts();
    let rules = judged.site().rules(route);
    rewrite::up(&mut head, rules, story).map_err(|_| NoFresh::NoForm)?;
    let request = Request::from_parts(head, body);
    let exchange = Exchange::of(lane, judged).to(upstream);
    let answer_timeout = exchange.answer_timeout();
    let fetched = tokio::time::timeout(answer_timeout, exchange.send(request, story)).await;
    let Ok(Ok((response, lease))) = fetched else { return Err(NoFresh::Unreachable) };
    let sign_in =
        |location: &str| is_sign_in(&judged.rules().forms.sign_in_paths, &resolve(&page, location));
    check(&response, sign_in)?;
    let mut answered = response.headers().clone();
    super::hop::down(&mut answered, None);
    let cookies = cookies_of(&answered);
    let form = LiveForm::new(Wanted { page: page.clone(), target, fields });
    let read = tokio::time::timeout(answer_timeout, read(response.into_body(), lease, form)).await;
    let fresh = read.unwrap_or(Err(NoFresh::Unreachable))?;
    let jar = jar(parts.headers.get(COOKIE), &cookies);
    Ok(Refreshed { fresh, cookies, jar })
}

/// The `Set-Cookie` values of an answer.
pub(super) fn cookies_of(fields: &HeaderMap) -> Vec<HeaderValue> {
    fields.get_all(SET_COOKIE).iter().cloned().collect()
}

/// The page that the form was on: where it came from if that is known, else where it goes.
pub(super) fn page_of(head: &Head) -> String {
    let origin = format!("{}://{}", head.scheme, head.authority);
    let is_page = |referer: &&String| {
        let rest = referer.strip_prefix(&origin);
        rest.is_some_and(|rest| !rest.starts_with("/.intermission"))
    };
    head.referer.as_ref().filter(is_page).cloned().unwrap_or(format!("{origin}{}", head.target))
}

fn path_of<'a>(page: &'a str, head: &Head) -> &'a str {
    let origin = head.scheme.len() + "://".len() + head.authority.len();
    let path = page.get(origin..).unwrap_or_default().split('#').next().unwrap_or_default();
    if path.starts_with('/') { path } else { "/" }
}

/// Who serves the page: it may belong to another route than the form's target.
fn route_of(
    lane: &Lane,
    judged: &Judged,
    parts: &request::Parts,
    path: &str,
) -> Result<RouteIx, NoFresh> {
    let path = path.split('?').next().unwrap_or_default();
    let place = head::place_of(lane, judged, parts, path).ok_or(NoFresh::NoForm)?;
    let (cells, now) = (&judged.current.snapshot.cells, lane.link.worker.moment());
    match cells.closure_for(place.0, place.1, &Method::GET, now) {
        Some(_) if judged.let_in.is_none() => Err(NoFresh::Closed),
        // A place that leads elsewhere has no server to ask.
        Some(_) | None if judged.site().rules(place.0).redirects() => Err(NoFresh::NoForm),
        Some(_) | None => Ok(place.0),
    }
}

/// The visitor's own request for the page, made from the one at hand.
fn get(parts: &request::Parts, path: &str) -> Option<Request<Upload>> {
    let mut headers = parts.headers.clone();
    for of_a_post in [
        CONTENT_LENGTH,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        ORIGIN,
        TE,
        RANGE,
        IF_MATCH,
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
    ] {
        headers.remove(of_a_post);
    }
    headers.insert(ACCEPT, HeaderValue::from_static("text/html,application/xhtml+xml;q=0.9"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let navigates = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    for (name, value) in navigates.map(|(n, v)| (HeaderName::from_static(n), v)) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let mut request = Request::new(Upload::Bytes(Bytes::new()));
    *request.method_mut() = Method::GET;
    *request.uri_mut() = path.parse().ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

/// Whether the answer is a page that can be read.
fn check(response: &Response<Incoming>, sign_in: impl FnOnce(&str) -> bool) -> Result<(), NoFresh> {
    let text =
        |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(NoFresh::SignIn),
        status if status.is_redirection() && text(LOCATION).is_some_and(sign_in) => {
            return Err(NoFresh::SignIn);
        }
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            return Err(NoFresh::Unreachable);
        }
        _ => return Err(NoFresh::NoForm),
    }
    let kind = text(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let is_html = kind.starts_with("text/html") || kind.starts_with("application/xhtml+xml");
    let is_plain = text(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    if is_html && is_plain { Ok(()) } else { Err(NoFresh::NoForm) }
}

async fn read(mut body: Incoming, lease: Lease, mut form: LiveForm) -> Result<Fresh, NoFresh> {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| NoFresh::Unreachable)?;
        if let Some(piece) = frame.data_ref() {
            form.push(piece).map_err(|_| NoFresh::NoForm)?;
        }
    }
    // Only a connection whose answer was read to its end can be used again.
    lease.give_back();
    form.finish().map_err(|none| match none {
        NoForm::SignIn => NoFresh::SignIn,
        NoForm::NotFound | NoForm::TooLong => NoFresh::NoForm,
    })
}

/// The request's cookies after the page's were set; none if none was.
fn jar(sent: Option<&HeaderValue>, set: &[HeaderValue]) -> Option<HeaderValue> {
    if set.is_empty() {
        return None;
    }
    let sent = sent.map_or(&b""[..], HeaderValue::as_bytes);
    let name_of =
        |pair: &[u8]| pair.split(|byte| *byte == b'=').next().unwrap_or_default().to_vec();
    let mut jar: Vec<&[u8]> = sent.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).collect();
    for cookie in set {
        let mut attributes = cookie.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let pair = attributes.next().unwrap_or_default();
        let ends = attributes.any(|attribute| attribute.eq_ignore_ascii_case(b"max-age=0"));
        jar.retain(|known| name_of(known) != name_of(pair));
        if !ends {
            jar.push(pair);
        }
    }
    jar.retain(|pair| !pair.is_empty());
    HeaderValue::from_bytes(&jar.join(&b"; "[..])).ok()
}
