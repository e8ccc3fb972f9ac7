//! What a visitor does with a submission: send it, delete it, be content.

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode};

use super::{Action, Asked, at};
use crate::id::Id;
use crate::pages::PlainKind;
use crate::proxy::answer::{self, Reply, STATE};
use crate::proxy::body::Body;
use crate::proxy::visitor;
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
        Action::Discard => vault.discard(&owner, id, &token).await,
        Action::Done => vault.done(&owner, id, &token).await,
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
        Standing::Open(ResumeMode::Copy) | Standing::Nowhere => {
            return answer::see_other(&at(id));
        }
    }
    let Some(mode) = visitor::field(form, "mode").and_then(|name| Mode::named(&name)) else {
        return asked.plain(PlainKind::BadRequest);
    };
    let checked = match visitor::field(form, "checked").as_deref() {
        Some("yes") => Checked::NotThere,
        Some(_) | None => Checked::No,
    };
    let Ok(target) = HeaderValue::from_str(&address(&record.head)) else {
        return asked.plain(PlainKind::BadRequest);
    };
    match vault.arm(owner, id, token, mode, checked).await {
        Ok(_) => Reply::new(StatusCode::TEMPORARY_REDIRECT, Body::empty()).with(LOCATION, target),
        Err(denied) => asked.denied(id, &denied),
    }
}

/// Where a submission goes, so that no browser takes it for another host.
fn address(head: &Head) -> String {
    if head.target.starts_with("//") || head.target.starts_with("/\\") {
        return format!("{}://{}{}", head.scheme, head.authority, head.target);
    }
    head.target.clone()
}

/// How things stand at the place that a submission goes to.
pub(super) enum Standing {
    /// It is closed.
    Closed(std::sync::Arc<Closure>),
    /// It is open, and submissions are sent so.
    Open(ResumeMode),
    /// No route goes there any more.
    Nowhere,
}

pub(super) fn standing(asked: &Asked<'_>, head: &Head) -> Standing {
    let path = head.target.split('?').next().unwrap_or_default();
    let place = crate::proxy::head::place_of(asked.lane, asked.judged, asked.parts, path);
    let Some((route, region)) = place else { return Standing::Nowhere };
    let snapshot = &asked.judged.current.snapshot;
    let now = asked.lane.link.worker.moment();
    match snapshot.cells.closure_for(route, region, &Method::POST, now) {
        Some(closure) => Standing::Closed(closure.clone()),
        None => Standing::Open(snapshot.site.rules(route).forms.resume),
    }
}

fn still_closed(asked: &Asked<'_>, closure: &Closure) -> Reply {
    let reply = asked.plain(PlainKind::StillClosed).with(STATE, HeaderValue::from_static("closed"));
    let told = closure.until.is_some();
    let reply = answer::with_return(reply, asked.lane, closure);
    // Without a promised end a minute is as good a guess as any.
    if told { reply } else { reply.with(RETRY_AFTER, HeaderValue::from(60)) }
}
