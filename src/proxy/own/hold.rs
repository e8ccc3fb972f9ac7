//! "Save for later": the form that a visitor has open, sent by our script while its place is
//! closed, and kept like the same form submitted there.
//!
//! The post is judged as the form's own would be, by making its head of this one: the same route,
//! window, bypass and policy, so that nothing can be kept here that could not be kept there.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, EXPECT, LOCATION, REFERER, RETRY_AFTER, SET_COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use serde::Serialize;

use super::{Asked, at};
use crate::addr::ClientAddr;
use crate::clock::Wall;
use crate::decide::{FormKind, NotKept, Verdict};
use crate::id::Id;
use crate::limit;
use crate::proxy::answer::{self, Reply, STATE};
use crate::proxy::body::{Body, Upload};
use crate::proxy::caller::Caller;
use crate::proxy::capture::{self, Arriving, Failed};
use crate::proxy::head::{self, Judged};
use crate::proxy::visitor;
use crate::telemetry::end::End;

/// Where the form goes: the path and query of its action.
const FORM: HeaderName = HeaderName::from_static("intermission-form");
/// The path and query of the page that it is on.
const PAGE: HeaderName = HeaderName::from_static("intermission-page");

/// What a kept form is told as.
#[derive(Serialize)]
struct Kept {
    id: Id,
    receipt: String,
    reference: Option<String>,
    expires: Option<Wall>,
}

/// Why it was not kept (RFC 9457).
#[derive(Serialize)]
struct Problem {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    reason: &'static str,
    saved: bool,
}

/// Why there is nothing to tell of.
enum Refused {
    /// The place is open: the form can be sent.
    Open,
    NotKept(NotKept),
    Client(End),
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::NotKept(why) => Self::NotKept(why),
            // A page gives no names.
            Failed::Named(_) => Self::NotKept(NotKept::Policy),
            Failed::Client(end) => Self::Client(end),
        }
    }
}

pub(super) async fn hold(asked: &Asked<'_>, client: ClientAddr, upload: &mut Upload) -> Reply {
    match keep(asked, client, upload).await {
        Ok(reply) => reply,
        Err(Refused::Open) => problem(StatusCode::CONFLICT, "open"),
        Err(Refused::NotKept(why)) => not_kept(why),
        Err(Refused::Client(end)) => {
            asked.lane.close_after_answer();
            answer::failed(&asked.judged.current.snapshot, end, &asked.asker)
        }
    }
}

async fn keep(
    asked: &Asked<'_>,
    client: ClientAddr,
    upload: &mut Upload,
) -> Result<Reply, Refused> {
    if !head::is_from_here(asked.parts, asked.judged) {
        return Err(Refused::NotKept(NotKept::Origin));
    }
    let request = request(asked)?;
    let current = std::rc::Rc::clone(&asked.judged.current);
    let caller = Caller::of(asked.lane, &current, &request);
    let judged = head::judge(asked.lane, current, caller, &request);
    let judged = judged.map_err(|_| Refused::NotKept(NotKept::Policy))?;
    let kind = kind(&judged)?;
    let parts = request.into_parts().0;
    let how = capture::How::of_page(asked.lane, &judged, kind, client);
    let rest = std::mem::replace(upload, Upload::Bytes(Bytes::new()));
    let mut arriving = Arriving { ahead: Bytes::new(), rest };
    let kept = capture::keep(asked.lane, &judged, &parts, &mut arriving, how).await;
    // What was not read of it is taken with the answer.
    *upload = arriving.rest;
    let (owner, receipt) = kept?;
    // It is saved whether or not it can be looked at just now.
    let opened = asked.lane.link.worker.vault.open(&owner, receipt.id).await.ok();
    let item = opened.map(|opened| opened.item);
    let kept = Kept {
        id: receipt.id,
        receipt: at(receipt.id),
        reference: item.as_ref().map(|item| item.reference.to_string()),
        expires: item.map(|item| item.expires),
    };
    let location = HeaderValue::from_str(&kept.receipt).expect("our own paths are visible ASCII");
    let json = serde_json::to_vec(&kept).expect("texts and numbers are JSON");
    Ok(Reply::new(StatusCode::CREATED, Body::full(json.into()))
        .with(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .with(LOCATION, location)
        .with(SET_COOKIE, visitor::set_cookie(&owner, judged.scheme))
        .with(STATE, HeaderValue::from_static("held"))
        .guarded())
}

/// The head that the form's own post would have.
fn request(asked: &Asked<'_>) -> Result<Request<()>, Refused> {
    let live = asked.parts;
    let told = |name: &HeaderName| live.headers.get(name).and_then(|told| told.to_str().ok());
    let target = told(&FORM).and_then(local).ok_or(Refused::NotKept(NotKept::Origin))?;
    let mut headers = live.headers.clone();
    if let Some(page) = told(&PAGE).and_then(local) {
        let authority = head::authority(live, asked.judged);
        let page = format!("{}://{authority}{page}", asked.judged.scheme.name());
        if let Ok(page) = HeaderValue::from_str(&page) {
            headers.insert(REFERER, page);
        }
    }
    for ours in [FORM, PAGE, EXPECT] {
        headers.remove(ours);
    }
    // A visitor presses a button here as there, and a page is what follows.
    headers.insert(ACCEPT, HeaderValue::from_static("text/html"));
    headers.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
    for of_a_script in ["x-requested-with", "hx-request"] {
        headers.remove(of_a_script);
    }
    let mut uri = live.uri.clone().into_parts();
    uri.path_and_query = Some(target);
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = live.version;
    *request.uri_mut() = Uri::from_parts(uri).map_err(|_| Refused::NotKept(NotKept::Origin))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// A path and query of this host, as they were told; none if a browser could take them for
/// another host's, or they are more than that.
fn local(told: &str) -> Option<PathAndQuery> {
    let elsewhere = told.starts_with("//") || told.contains('\\') || told.contains('#');
    if !told.starts_with('/') || elsewhere {
        return None;
    }
    told.parse().ok().filter(|target: &PathAndQuery| target.as_str() == told)
}

/// The kind of a form that would be kept.
fn kind(judged: &Judged) -> Result<FormKind, Refused> {
    let judged_on = match judged.verdict {
        Verdict::Resume => judged.otherwise,
        verdict => verdict,
    };
    let unheld = match judged_on {
        Verdict::Hold => judged.unheld,
        verdict => verdict,
    };
    match unheld {
        Verdict::Capture(kind) => Ok(kind),
        Verdict::Forward => Err(Refused::Open),
        Verdict::Page(_, why) => Err(Refused::NotKept(why.unwrap_or(NotKept::Policy))),
        Verdict::Own
        | Verdict::Probe
        | Verdict::Resume
        | Verdict::Hold
        | Verdict::Refuse(_)
        | Verdict::Accept(_)
        | Verdict::Redirect(_) => Err(Refused::NotKept(NotKept::Policy)),
    }
}

fn not_kept(why: NotKept) -> Reply {
    let status = match why {
        NotKept::Origin | NotKept::Policy => StatusCode::FORBIDDEN,
        NotKept::Type => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        NotKept::Secret => StatusCode::UNPROCESSABLE_ENTITY,
        NotKept::Size => StatusCode::PAYLOAD_TOO_LARGE,
        NotKept::Quota => StatusCode::TOO_MANY_REQUESTS,
        NotKept::Broken => StatusCode::BAD_REQUEST,
        NotKept::Store => StatusCode::INSUFFICIENT_STORAGE,
    };
    let reply = problem(status, why.name());
    match why {
        NotKept::Store => reply.ending(End::ProxyCaptureStore),
        NotKept::Quota => {
            reply.with(RETRY_AFTER, HeaderValue::from(limit::RETRY_AFTER_BUSY.as_secs()))
        }
        NotKept::Origin
        | NotKept::Type
        | NotKept::Policy
        | NotKept::Secret
        | NotKept::Size
        | NotKept::Broken => reply,
    }
}

fn problem(status: StatusCode, reason: &'static str) -> Reply {
    let problem = Problem {
        r#type: "tag:intermission,2026:not-kept",
        title: "The form was not kept",
        status: status.as_u16(),
        reason,
        saved: false,
    };
    let json = serde_json::to_vec(&problem).expect("texts and numbers are JSON");
    Reply::new(status, Body::full(json.into()))
        .with(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))
        .guarded()
}
