//! What a visitor does with a submission: send it, delete it, be content.

use std::sync::Arc;

use http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Method, StatusCode};

use super::{Action, Asked, at, code, refill};
use crate::id::Id;
use crate::pages::PlainKind;
use crate::proxy::answer::{self, Reply, STATE};
use crate::proxy::body::Body;
use crate::proxy::{admit, head, visitor};
use crate::route::RouteIx;
use crate::snapshot::{Closure, ResumeMode};
use crate::vault::capture::Head;
use crate::vault::item::Checked;
use crate::vault::{Mode, Owner};

/// The list, where a deleted submission was.
const LIST: &str = "/.intermission/s";

pub(super) async fn act(asked: &Asked<'_>, id: Id, action: Action, form: &[u8]) -> Reply {
    let owner = visitor::owner(asked.lane, &asked.parts.headers, asked.judged.scheme);
    let Some(owner) = owner else { return asked.plain(PlainKind::NotYours) };
    let vault = &asked.lane.link.worker.vault;
    let token = visitor::field(form, "im_csrf").unwrap_or_default();
    let done = match action {
        Action::Resume => return resume(asked, &owner, id, form, &token).await,
        Action::Refill => return refill::refill(asked, &owner, id, &token).await,
        Action::Discard => vault.discard(&owner, id, &token).await,
        Action::Done => vault.done(&owner, id, &token).await,
        Action::Code => return code::make(asked, &owner, id, &token).await,
        Action::Leave => return code::leave(asked, &owner, id, &token).await,
    };
    match done {
        Ok(()) => answer::see_other(LIST),
        Err(denied) => asked.denied(id, &denied),
    }
}

/// Arms a submission and sends the browser, with the same form, to where the submission goes. A
/// 307 keeps method and body, so the ticket arrives there with every cookie of that path.
async fn resume(asked: &Asked<'_>, owner: &Owner, id: Id, form: &[u8], token: &str) -> Reply {
    let vault = &asked.lane.link.worker.vault;
    let opened = match vault.open(owner, id).await {
        Ok(opened) => opened,
        Err(denied) => return asked.denied(id, &denied),
    };
    let Some(record) = opened.record else { return answer::see_other(&at(id)) };
    match standing(asked, &record.head) {
        Standing::Closed(closure) => return still_closed(asked, &closure),
        Standing::Open(ResumeMode::Replay | ResumeMode::Confirm) => {}
        Standing::Open(ResumeMode::Refill | ResumeMode::Copy) | Standing::Nowhere => {
            return answer::see_other(&at(id));
        }
    }
    let Some(mode) = visitor::field(form, "mode").and_then(|name| Mode::named(&name)) else {
        return asked.plain(PlainKind::BadRequest);
    };
    let checked = match visitor::field(form, "checked").as_deref() {
        Some("yes") => Checked::NotThere,
        Some(_) | None if honours(asked, &record.head) => Checked::Honoured,
        Some(_) | None => Checked::No,
    };
    let Ok(target) = HeaderValue::from_str(&address(&record.head, &record.head.target)) else {
        return asked.plain(PlainKind::BadRequest);
    };
    let admission = admission(asked, &record.head);
    match vault.arm(owner, id, token, mode, checked).await {
        Ok(_) => {
            let there = Reply::new(StatusCode::TEMPORARY_REDIRECT, Body::empty());
            let there = there.with(LOCATION, target);
            match admission {
                Some(cookie) => there.with(SET_COOKIE, cookie),
                None => there,
            }
        }
        Err(denied) => asked.denied(id, &denied),
    }
}

/// What lets a holder in where visitors are let in little by little: they come first.
fn admission(asked: &Asked<'_>, to: &Head) -> Option<HeaderValue> {
    let worker = &asked.lane.link.worker;
    let closure = closure(asked, to)?.1?;
    let ramp = closure.course.ramp.as_ref()?;
    Some(admit::admission(worker, ramp, asked.judged.scheme, worker.time.now()))
}

/// A path of the site that a submission goes to, so that no browser takes it for another host.
pub(super) fn address(to: &Head, path: &str) -> String {
    if path.starts_with("//") || path.starts_with("/\\") {
        return format!("{}://{}{path}", to.scheme, to.authority);
    }
    path.to_owned()
}

/// How things stand at the place that a submission goes to.
pub(super) enum Standing {
    /// It is closed.
    Closed(Arc<Closure>),
    /// It is open, and submissions are sent so.
    Open(ResumeMode),
    /// No route goes there any more.
    Nowhere,
}

/// Only for a submission whose owner asks: its place is open to who is let in as a holder.
pub(super) fn standing(asked: &Asked<'_>, to: &Head) -> Standing {
    match closure(asked, to) {
        None => Standing::Nowhere,
        Some((_, Some(closure))) if closure.course.ramp.is_none() => {
            Standing::Closed(Arc::clone(closure))
        }
        Some((route, _)) => Standing::Open(asked.judged.site().rules(route).forms.resume),
    }
}

/// Whether the application knows a send of this submission that arrived before. What was captured
/// while it did not have a key has none.
pub(super) fn honours(asked: &Asked<'_>, to: &Head) -> bool {
    to.idempotency_key.is_some()
        && closure(asked, to)
            .is_some_and(|(route, _)| asked.judged.site().rules(route).forms.idempotency_key)
}

/// The route that a submission goes to, and what closes it there.
fn closure<'a>(asked: &'a Asked<'_>, to: &Head) -> Option<(RouteIx, Option<&'a Arc<Closure>>)> {
    let path = to.target.split('?').next().unwrap_or_default();
    let (route, region) = head::place_of(asked.lane, asked.judged, asked.parts, path)?;
    let cells = &asked.judged.current.snapshot.cells;
    let now = asked.lane.link.worker.moment();
    Some((route, cells.closure_for(route, region, &Method::POST, now)))
}

pub(super) fn still_closed(asked: &Asked<'_>, closure: &Closure) -> Reply {
    let reply = asked.plain(PlainKind::StillClosed).with(STATE, HeaderValue::from_static("closed"));
    let told = closure.until.is_some();
    let reply = answer::with_return(reply, asked.lane, closure, None);
    // Without a promised end a minute is as good a guess as any.
    if told { reply } else { reply.with(RETRY_AFTER, HeaderValue::from(60)) }
}
