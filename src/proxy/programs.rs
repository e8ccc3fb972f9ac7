//! Programs at a closed place: what they sent is kept if they can do with a promise, and they send
//! it on themselves.
//!
//! ```text
//!  POST, Prefer: respond-async ──► 202, Location: /.intermission/v1/submissions/{capability}
//!  GET that address            ──► what became of it, and how to send it on
//!  the same method to the original address, with Intermission-Ticket and no body
//!                              ──► what was kept goes to the application, whose answer comes back
//! ```
//!
//! The address is a capability: whoever knows it is the owner. It stands in no log of ours. The
//! credentials are never kept: they come with the request that sends it on.

use std::rc::Rc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LOCATION, CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, request};
use http_body::Body as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{self, Asker, Reply, STATE};
use super::body::{Body, Upload};
use super::capture::{self, Arriving, Failed, How};
use super::ending::Story;
use super::head::{self, Judged};
use super::lane::Lane;
use super::resume::{Delivery, Whom};
use crate::clock::Wall;
use crate::decide::{Accepts, FormKind, TICKET, Wants, prefers_async};
use crate::id::Id;
use crate::limit;
use crate::snapshot::{Programs, RouteRules};
use crate::telemetry::end::End;
use crate::vault::capture::{Fate, Head};
use crate::vault::item::{Checked, Item, State};
use crate::vault::resume::{Arrival, NoClaim};
use crate::vault::{Mode, Owner};

/// Where what was kept of programs is looked after, before the capability.
pub(super) const ADDRESS: &str = "/.intermission/v1/submissions/";
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// What a program says that has looked whether an earlier attempt arrived.
const CHECKED: HeaderName = HeaderName::from_static("intermission-checked");
/// When to look again, if nobody knows when the place returns.
const LOOK_AGAIN: u64 = 60;

/// What a program is told of what was kept of it.
#[derive(Serialize)]
struct Status {
    id: Id,
    state: &'static str,
    captured: Wall,
    expires: Wall,
    /// The status that the application answered with last.
    answer: Option<u16>,
    /// Whether the place that it goes to is closed still.
    closed: bool,
    /// How it is sent on; null while it cannot be.
    resume: Option<Value>,
}

/// Which programs a route keeps for.
pub(super) fn accepts(rules: &RouteRules) -> Accepts {
    match rules.forms.programs {
        Programs::Refuse => Accepts::Nothing,
        Programs::Prefer => Accepts::Asked,
        Programs::Keep => Accepts::All,
    }
}

/// Keeps a program's request, or says that it is not kept.
pub(super) async fn accept(
    lane: Rc<Lane>,
    judged: Judged,
    story: Box<Story>,
    parts: request::Parts,
    upload: Upload,
    kind: FormKind,
) -> Response<Body> {
    let asker = Asker::of(&parts.headers);
    let name = capture::named(&parts.headers);
    let owner = owner(&lane, &story, &judged, &parts, name.as_deref()).await;
    let flag = judged.rules().forms.idempotency_key;
    let key = capture::idempotency_key(&lane.link.worker, name.as_deref(), flag);
    let mut arriving = Arriving { ahead: Bytes::new(), rest: upload };
    let (owner, client) = (Some(owner), story.client);
    let how = How { kind, fate: Fate::NotSent, key, name, owner, client };
    match capture::keep(&lane, &judged, &parts, &mut arriving, how).await {
        Ok((owner, receipt)) => {
            let vault = &lane.link.worker.vault;
            let opened = vault.open(&owner, receipt.id).await;
            let Ok(opened) = opened else {
                return answer::fault(&judged.current.snapshot, &asker).send(&lane, story);
            };
            let Some(record) = &opened.record else {
                return answer::fault(&judged.current.snapshot, &asker).send(&lane, story);
            };
            let place = Place { lane: &lane, judged: &judged, parts: &parts };
            let reply = place.status(&owner, &opened.item, &record.head, StatusCode::ACCEPTED);
            let reply = reply
                .with(LOCATION, secret(&format!("{ADDRESS}{}", *owner.capability(receipt.id))));
            let applied = prefers_async(&parts.headers);
            let reply = if applied {
                reply.with(APPLIED, HeaderValue::from_static("respond-async"))
            } else {
                reply
            };
            reply.send(&lane, story)
        }
        Err(Failed::NotKept(why)) => {
            let reply = answer::closed(&judged, &lane, Wants::Problem, Some(why), &asker);
            reply.finish_upload(&lane, story, arriving.rest).await
        }
        Err(Failed::Named(fault)) => fault.reply().finish_upload(&lane, story, arriving.rest).await,
        Err(Failed::Client(end)) => {
            lane.close_after_answer();
            answer::failed(&judged.current.snapshot, end, &asker).send(&lane, story)
        }
    }
}

/// Whose a program's request is. One that gave it a name is known again by that and by what it is
/// let in with, so that it gets the same address if it asks twice; without either, by where it
/// comes from.
async fn owner(
    lane: &Lane,
    story: &Story,
    judged: &Judged,
    parts: &request::Parts,
    name: Option<&str>,
) -> Owner {
    let vault = &lane.link.worker.vault;
    let Some(name) = name else { return vault.new_owner() };
    let field = |name| parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let (authorization, cookie) = (field(AUTHORIZATION), field(COOKIE));
    let client = story.client.to_string();
    let from = if authorization.is_empty() && cookie.is_empty() { client.as_bytes() } else { b"" };
    let authority = head::authority(parts, judged).as_bytes();
    let shown = [authorization, cookie, from, authority, name.as_bytes()];
    let lengths: Vec<u8> = shown.iter().flat_map(|part| part.len().to_be_bytes()).collect();
    vault.owner_by(&[&lengths, shown[0], shown[1], shown[2], shown[3], shown[4]]).await
}

/// Sends on what a program's ticket stands for.
pub(super) async fn redeem(
    lane: Rc<Lane>,
    judged: Judged,
    story: Box<Story>,
    parts: request::Parts,
    upload: Upload,
) -> Response<Body> {
    if !upload.is_end_stream() {
        // What was kept is the body; this one belongs to nobody.
        lane.close_after_answer();
    }
    let asker = Asker::of(&parts.headers);
    let pass = parts.headers.get(&TICKET).and_then(|value| value.to_str().ok());
    let Some((owner, ticket)) = pass.and_then(Owner::from_pass) else {
        return problem(StatusCode::GONE, "ticket", "the ticket is none of ours")
            .send(&lane, story);
    };
    if judged.closure.is_some() {
        return answer::closed(&judged, &lane, Wants::Problem, None, &asker).send(&lane, story);
    }
    let arrival = Arrival {
        method: parts.method.as_str(),
        authority: head::authority(&parts, &judged),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        mode: Mode::Replay,
    };
    let honours = judged.rules().forms.idempotency_key;
    let said = parts.headers.get(&CHECKED).is_some_and(|said| said == "yes");
    let checked = |record: &crate::vault::capture::Record| match said {
        true => Checked::NotThere,
        false if honours && record.head.idempotency_key.is_some() => Checked::Honoured,
        false => Checked::No,
    };
    let vault = &lane.link.worker.vault;
    let claim = match vault.claim_at_rest(&owner, &ticket, arrival, checked).await {
        Ok(claim) => claim,
        Err(why) => return no_claim(&why).send(&lane, story),
    };
    let address = format!("{ADDRESS}{}", *owner.capability(claim.id()));
    let worker = Rc::clone(&lane.link.worker);
    let delivery = Delivery { lane, judged, parts, whom: Whom::Program(secret(&address)) };
    worker.outlive(delivery.run(story, claim)).await.unwrap_or_else(|| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn no_claim(why: &NoClaim) -> Reply {
    match why {
        NoClaim::Unknown => {
            problem(StatusCode::GONE, "ticket", "nothing is kept under this ticket any more")
        }
        NoClaim::Spent(_) => problem(
            StatusCode::CONFLICT,
            "ticket",
            "the ticket is spent, or came to another address: its status tells what became of it",
        ),
        NoClaim::Unchecked(_) => problem(
            StatusCode::CONFLICT,
            "unchecked",
            "it may have arrived: look first, then say Intermission-Checked: yes",
        ),
        NoClaim::Unreadable(_) => {
            problem(StatusCode::GONE, "unreadable", "what was kept cannot be opened")
        }
        NoClaim::Store(error) => {
            tracing::error!(%error, "a ticket could not be looked up");
            problem(StatusCode::SERVICE_UNAVAILABLE, "store", "the store does not answer")
                .ending(End::ProxyFault)
        }
    }
}

/// No answer of the application's came back: what became of it, and where its status is told.
pub(super) fn unanswered(state: State, address: HeaderValue) -> Reply {
    let reply = if state == State::Unknown {
        let title = "it was on its way, and no answer came back";
        problem(StatusCode::BAD_GATEWAY, "unknown", title)
    } else {
        let title = "nothing was sent: the application cannot be reached";
        problem(StatusCode::SERVICE_UNAVAILABLE, "not-sent", title)
            .with(RETRY_AFTER, HeaderValue::from(limit::RETRY_AFTER_BUSY.as_secs()))
    };
    reply.with(STATE, HeaderValue::from_static(state.name())).with(CONTENT_LOCATION, address)
}

/// Where a status is told.
pub(super) struct Place<'a> {
    pub lane: &'a Lane,
    pub judged: &'a Judged,
    pub parts: &'a request::Parts,
}

impl Place<'_> {
    /// What became of a submission whose head is at hand.
    pub(super) fn status(
        &self,
        owner: &Owner,
        item: &Item,
        head: &Head,
        status: StatusCode,
    ) -> Reply {
        let path = head.target.split('?').next().unwrap_or_default();
        let place = head::place_of(self.lane, self.judged, self.parts, path);
        let method = head.method.parse::<Method>().unwrap_or(Method::POST);
        let now = self.lane.link.worker.moment();
        let cells = &self.judged.current.snapshot.cells;
        let closure =
            place.and_then(|(route, region)| cells.closure_for(route, region, &method, now));
        let may = is_at_rest(item.state) && item.sends < limit::SENDS_MAX;
        let open = place.is_some() && closure.is_none();
        let honoured = head.idempotency_key.is_some()
            && place
                .is_some_and(|(route, _)| self.judged.site().rules(route).forms.idempotency_key);
        let resume = (may && open).then(|| resume(owner, item, head, honoured));
        let told = Status {
            id: item.id,
            state: item.state.name(),
            captured: item.captured,
            expires: item.expires,
            answer: item.answer,
            closed: closure.is_some(),
            resume,
        };
        let reply = json(status, &told).with(STATE, HeaderValue::from_static(item.state.name()));
        match closure {
            Some(closure) if closure.until.is_some() => {
                answer::with_return(reply, self.lane, closure, None)
            }
            Some(_) => reply.with(RETRY_AFTER, HeaderValue::from(LOOK_AGAIN)),
            None => reply,
        }
    }
}

/// The request by which a program sends on what was kept.
fn resume(owner: &Owner, item: &Item, head: &Head, honoured: bool) -> Value {
    let mut fields = json!({ "Intermission-Ticket": *owner.pass(item.id, item.version) });
    let to_check = item.state == State::Unknown && !honoured;
    if to_check {
        fields["Intermission-Checked"] = json!("yes");
    }
    json!({
        "method": head.method,
        "url": format!("{}://{}{}", head.scheme, head.authority, head.target),
        "headers": fields,
        // Whoever sends the field above says that it has looked, and that it is not there.
        "check_first": to_check,
    })
}

fn is_at_rest(state: State) -> bool {
    match state {
        State::Held | State::Refused | State::Unknown => true,
        State::Receiving
        | State::Armed
        | State::Sending
        | State::Accepted
        | State::Done
        | State::Discarded
        | State::Expired
        | State::Unreadable => false,
    }
}

fn json(status: StatusCode, told: &impl Serialize) -> Reply {
    let body = serde_json::to_vec(told).expect("texts and numbers are JSON");
    Reply::new(status, Body::full(Bytes::from(body)))
        .with(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .guarded()
}

/// A problem of a program's own making, or of ours (RFC 9457).
pub(super) fn problem(status: StatusCode, name: &str, title: &str) -> Reply {
    let kind = format!("tag:intermission,2026:{name}");
    let told = json!({ "type": kind, "title": title, "status": status.as_u16() });
    json(status, &told).with(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))
}

/// What became of something that has no content any more.
pub(super) fn gone(item: &Item) -> Reply {
    let told = Status {
        id: item.id,
        state: item.state.name(),
        captured: item.captured,
        expires: item.expires,
        answer: item.answer,
        closed: false,
        resume: None,
    };
    json(StatusCode::GONE, &told)
}

fn secret(address: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(address).expect("base64url is visible ASCII");
    value.set_sensitive(true);
    value
}
