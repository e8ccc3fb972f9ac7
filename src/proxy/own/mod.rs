//! Our own endpoints, below `/.intermission/`: never forwarded, on every host.
//!
//! | path below it | method | answer |
//! |---|---|---|
//! | `bypass?token={secret}&to={path}` | GET | 303 to that path, with the secret in a cookie |
//! | `v1/state?p={path}` | GET | whether that path is open, as JSON |
//! | `v1/state.mjs?p={path}` | GET | the same as a module of JavaScript |
//! | `v1/events?p={path}` | GET | the same as an event stream: told when it changes |
//! | `a/{digest}/{name}` | GET | what our script is made of, for ever the same at one address |
//! | `s` | GET | what this browser has saved |
//! | `s/{id}` | GET | the receipt of one submission, in any state |
//! | `s/{id}/data` | GET | what was typed, as a download |
//! | `v1/submissions/{capability}` | GET, DELETE | what became of what a program sent; erases it |
//! | `s/{id}/fields` | GET | the same as JSON, for our script |
//! | `s/{id}/refill` | POST | 303 to the page of the form, which comes with the answers in it |
//! | `v1/hold` | POST | keeps the form that a page has open, while its place is closed |
//! | `s/{id}/resume` | POST | 307 to the original address, where the ticket is awaited |
//! | `s/{id}/discard`, `s/{id}/done` | POST | deletes what was saved |
//! | `s/{id}/code` | POST | a code that opens it on another device, told once |
//! | `s/{id}/leave` | POST | codes for all that this browser has saved, which it then forgets |
//! | `r` | GET, POST | asks for a reference and a code; shows what they open, never to send it |
//!
//! A GET changes nothing: links are fetched by scanners before anybody presses them. A POST must
//! come from a page of this site and carry the token of the page that it was on.

mod act;
mod code;
mod events;
mod hold;
mod refill;
mod show;
mod state;
mod submission;

use std::rc::Rc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};

use super::answer::{self, Asker, Reply};
use super::body::Body;
use super::compress;
use super::ending::Story;
use super::head::{self, Judged};
use super::inbound::Inbound;
use super::lane::Lane;
use super::{bypass, forward, visitor};
use crate::addr::ClientAddr;
use crate::id::Id;
use crate::inject::{self, Asset};
use crate::pages::PlainKind;
use crate::snapshot::edge::Coding;
use crate::telemetry::end::End;
use crate::vault::receipt::Denied;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Endpoint {
    Asset(&'static Asset),
    Bypass,
    Events,
    State(state::Form),
    Submission,
    List,
    Receipt(Id),
    Data(Id),
    Fields(Id),
    Hold,
    Act(Id, Action),
    Code,
}

/// What a visitor does with a submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Resume,
    Refill,
    Discard,
    Done,
    Code,
    Leave,
}

/// A request to one of the endpoints.
struct Asked<'a> {
    lane: &'a Rc<Lane>,
    judged: &'a Judged,
    parts: &'a request::Parts,
    asker: Asker,
}

/// Answers a request to one of our own endpoints.
pub(super) async fn run(
    lane: Rc<Lane>,
    judged: Judged,
    mut story: Box<Story>,
    request: Request<Inbound>,
) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    let mut upload = forward::upload(&lane, &judged, incoming, &mut story);
    let asked =
        Asked { lane: &lane, judged: &judged, parts: &parts, asker: Asker::of(&parts.headers) };
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let posts = parts.method == Method::POST;
    let reply = match endpoint(parts.uri.path()) {
        None => asked.plain(PlainKind::UnknownRoute),
        Some(Endpoint::Asset(asset)) if reads => served(asset, &parts.headers),
        Some(Endpoint::Bypass) if reads => bypass(&asked),
        Some(Endpoint::State(form)) if reads => state::state(&asked, story.client, form).await,
        Some(Endpoint::Events) if parts.method == Method::GET => {
            events::events(&asked, story.client)
        }
        Some(Endpoint::Submission) if reads => submission::status(&asked).await,
        Some(Endpoint::Submission) if parts.method == Method::DELETE => {
            submission::erase(&asked).await
        }
        Some(Endpoint::List) if reads => show::list(&asked).await,
        Some(Endpoint::Receipt(id)) if reads => show::receipt(&asked, id).await,
        Some(Endpoint::Data(id)) if reads => show::data(&asked, id).await,
        Some(Endpoint::Fields(id)) if reads => refill::fields(&asked, id).await,
        Some(Endpoint::Hold) if posts => hold::hold(&asked, story.client, &mut upload).await,
        // Whoever comes back to the address of a form by GET is shown what became of it.
        Some(Endpoint::Act(id, _)) if reads => answer::see_other(&at(id)),
        Some(Endpoint::Code) if reads => code::ask(&asked),
        Some(endpoint @ (Endpoint::Act(..) | Endpoint::Code)) if posts => {
            if head::is_from_here(&parts, &judged) {
                match visitor::small_body(&lane, &mut upload).await {
                    Ok(form) => posted(&asked, endpoint, story.client, &form).await,
                    Err(End::ClientBodyMalformed) => asked.plain(PlainKind::BadRequest),
                    Err(end) => {
                        lane.close_after_answer();
                        let snapshot = &judged.current.snapshot;
                        return answer::failed(snapshot, end, &asked.asker).send(&lane, story);
                    }
                }
            } else {
                asked.plain(PlainKind::Refused)
            }
        }
        Some(endpoint) => asked.wrong_method(endpoint),
    };
    reply.finish_upload(&lane, story, upload).await
}

/// What a small form of ours asks for.
async fn posted(asked: &Asked<'_>, to: Endpoint, client: ClientAddr, form: &[u8]) -> Reply {
    match to {
        Endpoint::Act(id, action) => act::act(asked, id, action, form).await,
        Endpoint::Code => code::open(asked, client, form).await,
        Endpoint::Asset(_)
        | Endpoint::Bypass
        | Endpoint::Events
        | Endpoint::State(_)
        | Endpoint::Submission
        | Endpoint::List
        | Endpoint::Receipt(_)
        | Endpoint::Data(_)
        | Endpoint::Fields(_)
        | Endpoint::Hold => asked.wrong_method(to),
    }
}

/// What our script is made of. Its address changes with it, so that it may be kept.
fn served(asset: &'static Asset, headers: &HeaderMap) -> Reply {
    let packs = compress::choose(headers, &[Coding::Gzip]).is_some();
    let bytes = if packs { &asset.packed[..] } else { asset.bytes.as_bytes() };
    let reply = Reply::new(StatusCode::OK, Body::full(Bytes::from_static(bytes)))
        .with(CONTENT_TYPE, HeaderValue::from_static(asset.media_type))
        .with(VARY, HeaderValue::from_static("accept-encoding"))
        .guarded()
        .with(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    if packs { reply.with(CONTENT_ENCODING, HeaderValue::from_static("gzip")) } else { reply }
}

/// Turns the secret of a link into a cookie. A secret that is worth nothing is answered like an
/// address that nobody knows.
fn bypass(asked: &Asked<'_>) -> Reply {
    let query = asked.parts.uri.query().unwrap_or_default().as_bytes();
    let secret = visitor::field(query, "token").unwrap_or_default();
    let to = visitor::field(query, "to").unwrap_or_default();
    let now = asked.lane.link.worker.time.now();
    match asked.judged.current.snapshot.beside.grants.by_secret(&secret, now) {
        Some(bypass) => bypass::lead(bypass, &secret, &to, asked.judged.scheme, now),
        None => asked.plain(PlainKind::UnknownRoute),
    }
}

/// The address of a receipt.
fn at(id: Id) -> String {
    format!("/.intermission/s/{id}")
}

fn endpoint(path: &str) -> Option<Endpoint> {
    let rest = path.strip_prefix("/.intermission/")?;
    let mut steps = rest.strip_suffix('/').unwrap_or(rest).split('/');
    let endpoint = match (steps.next()?, steps.next(), steps.next()) {
        ("a", Some(digest), Some(name)) => Endpoint::Asset(inject::asset(digest, name)?),
        ("bypass", None, _) => Endpoint::Bypass,
        ("v1", Some("events"), None) => Endpoint::Events,
        ("v1", Some("hold"), None) => Endpoint::Hold,
        ("v1", Some("state"), None) => Endpoint::State(state::Form::Json),
        ("v1", Some("state.mjs"), None) => Endpoint::State(state::Form::Module),
        ("r", None, _) => Endpoint::Code,
        ("v1", Some("submissions"), Some(_)) => Endpoint::Submission,
        ("s", None, _) => Endpoint::List,
        ("s", Some(id), action) => {
            let id = id.parse().ok()?;
            match action {
                None => Endpoint::Receipt(id),
                Some("data") => Endpoint::Data(id),
                Some("fields") => Endpoint::Fields(id),
                Some("refill") => Endpoint::Act(id, Action::Refill),
                Some("resume") => Endpoint::Act(id, Action::Resume),
                Some("discard") => Endpoint::Act(id, Action::Discard),
                Some("done") => Endpoint::Act(id, Action::Done),
                Some("code") => Endpoint::Act(id, Action::Code),
                Some("leave") => Endpoint::Act(id, Action::Leave),
                Some(_) => return None,
            }
        }
        _ => return None,
    };
    if steps.next().is_none() { Some(endpoint) } else { None }
}

impl Asked<'_> {
    fn plain(&self, kind: PlainKind) -> Reply {
        answer::plain(&self.judged.current.snapshot, kind, &self.asker)
    }

    fn wrong_method(&self, endpoint: Endpoint) -> Reply {
        let allowed = match endpoint {
            Endpoint::Act(..) | Endpoint::Hold => "POST",
            Endpoint::Code => "GET, HEAD, POST",
            Endpoint::Events => "GET",
            Endpoint::Submission => "GET, HEAD, DELETE",
            Endpoint::Asset(_)
            | Endpoint::Bypass
            | Endpoint::State(_)
            | Endpoint::List
            | Endpoint::Receipt(_)
            | Endpoint::Data(_)
            | Endpoint::Fields(_) => "GET, HEAD",
        };
        let reply = self.plain(PlainKind::Unsupported);
        reply.status(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, HeaderValue::from_static(allowed))
    }

    /// Why what a code opens is not shown or not done: there is no receipt to look at.
    fn refuse(&self, denied: &Denied) -> Reply {
        match denied {
            Denied::NotYours | Denied::Gone(_) | Denied::Unreadable => self.plain(PlainKind::Gone),
            Denied::Stale | Denied::UnderWay | Denied::NotNow(_) => self.plain(PlainKind::Busy),
            Denied::Unchecked | Denied::TooOften | Denied::RefillOnly => {
                self.plain(PlainKind::Refused)
            }
            Denied::Store(error) => {
                tracing::error!(%error, "a saved submission cannot be looked at");
                self.plain(PlainKind::StoreDown)
            }
        }
    }

    /// Why something is not shown or not done.
    fn denied(&self, id: Id, denied: &Denied) -> Reply {
        match denied {
            Denied::NotYours => self.plain(PlainKind::NotYours),
            Denied::Gone(_) => self.plain(PlainKind::Gone),
            Denied::Stale => self.plain(PlainKind::Refused),
            Denied::UnderWay => self.plain(PlainKind::Busy),
            // The receipt says it all.
            Denied::Unchecked
            | Denied::TooOften
            | Denied::RefillOnly
            | Denied::NotNow(_)
            | Denied::Unreadable => answer::see_other(&at(id)),
            Denied::Store(error) => {
                tracing::error!(%error, "a saved submission cannot be looked at");
                self.plain(PlainKind::StoreDown)
            }
        }
    }
}
