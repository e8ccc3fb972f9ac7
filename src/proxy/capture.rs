//! A form for a closed place, streamed into the vault.
//!
//! ORDER: what the head alone rules out is answered before the body is asked for, so that a client
//! that waits for `100 Continue` is told so only if we want its form. The redirect to the receipt
//! is made after the vault has said that the form is durable.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, REFERER, SET_COOKIE};
use http::{HeaderValue, Response, request};
use http_body::Body as _;

use super::answer::{self, Asker, Reply, STATE};
use super::body::{Body, Upload};
use super::ending::Story;
use super::head::{self, Judged};
use super::lane::Lane;
use super::visitor;
use crate::addr::ClientAddr;
use crate::decide::{FormKind, NotKept, Wants};
use crate::limit;
use crate::telemetry::end::End;
use crate::vault::form::Kind;
use crate::vault::{self, Head, Owner, Receipt, Terms};

/// Why there is no receipt.
enum Failed {
    /// The form is not kept; the visitor is told why.
    NotKept(NotKept),
    /// It did not arrive.
    Client(End),
}

/// Keeps a form and leads its visitor to the receipt, or says honestly that it is not kept.
pub(super) async fn run(
    lane: Rc<Lane>,
    judged: Judged,
    story: Box<Story>,
    parts: request::Parts,
    mut upload: Upload,
    kind: FormKind,
) -> Response<Body> {
    let asker = Asker::of(&parts.headers);
    let paced = pace(&lane, &judged, story.client);
    let kept_form = match paced {
        Ok(()) => keep(&lane, &judged, &parts, &mut upload, kind).await,
        Err(why) => Err(Failed::NotKept(why)),
    };
    match kept_form {
        Ok((owner, receipt)) => kept(&judged, &owner, receipt).send(&lane, story),
        Err(Failed::NotKept(why)) => {
            let reply = answer::closed(&judged, &lane, Wants::Html, Some(why), &asker);
            reply.finish_upload(&lane, story, upload).await
        }
        Err(Failed::Client(end)) => {
            lane.close_after_answer();
            answer::failed(&judged.current.snapshot, end, &asker).send(&lane, story)
        }
    }
}

/// How many forms are kept for one address; all that this machine sends itself, perhaps for
/// others, are.
fn pace(lane: &Lane, judged: &Judged, client: ClientAddr) -> Result<(), NotKept> {
    let per_minute = judged.site().limits.forms_per_minute;
    if client.0.to_canonical().is_loopback() {
        return Ok(());
    }
    let paced = lane.link.worker.vault.pace_form(client.0, per_minute);
    paced.map_err(|_| NotKept::Quota)
}

async fn keep(
    lane: &Rc<Lane>,
    judged: &Judged,
    parts: &request::Parts,
    upload: &mut Upload,
    kind: FormKind,
) -> Result<(Owner, Receipt), Failed> {
    let (worker, vault) = (&lane.link.worker, &lane.link.worker.vault);
    let _under_way = worker.begin_capture().ok_or(Failed::NotKept(NotKept::Quota))?;
    let terms = terms(lane, judged, parts, kind);
    let declared = upload.size_hint().exact();
    if declared.is_some_and(|bytes| bytes > terms.bytes_max) {
        return Err(Failed::NotKept(NotKept::Size));
    }
    let _room = vault.reserve(declared, terms.bytes_max)?;
    let owner = match visitor::owner(lane, &parts.headers, judged.scheme) {
        None => vault.new_owner(),
        Some(owner) => {
            vault.admit(&owner, declared).await?;
            owner
        }
    };
    let head = remembered(judged, parts).ok_or(Failed::NotKept(NotKept::Broken))?;
    let mut form = vault.receive(&owner, head, terms)?;
    let deadline = worker.clock.tick().plus(limit::CAPTURE_DEADLINE);
    while let Some(piece) = visitor::next_piece(lane, upload).await.map_err(Failed::Client)? {
        if deadline < worker.clock.tick() {
            return Err(Failed::Client(End::ClientBodyTimeout));
        }
        form.push(piece).await?;
    }
    let finished = worker.outlive(form.finish()).await;
    let receipt = finished.ok_or(Failed::NotKept(NotKept::Store))??;
    Ok((owner, receipt))
}

/// On which terms the route keeps a form. Its life begins when visitors were told that the window
/// ends, so that it does not run out while nobody could have sent it.
fn terms(lane: &Lane, judged: &Judged, parts: &request::Parts, kind: FormKind) -> Terms {
    let forms = &judged.rules().forms;
    let until = judged.closure.as_ref().and_then(|closure| closure.until);
    let closed_for =
        until.map(|until| until.since(lane.link.worker.time.now())).unwrap_or_default();
    let (kind, bytes_max) = match kind {
        FormKind::Urlencoded => (Kind::Urlencoded, forms.body_bytes_max),
        FormKind::Plain => (Kind::Plain, forms.body_bytes_max),
        FormKind::Multipart => (Kind::Multipart, forms.upload_bytes_max),
    };
    Terms {
        kind,
        bytes_max,
        life: forms.life + closed_for,
        never_kept: never_kept(lane, judged, parts),
        csrf_fields: forms.csrf_fields.clone(),
    }
}

/// The names that the route never keeps, and those of passwords and their like in the pages that
/// were served.
fn never_kept(lane: &Lane, judged: &Judged, parts: &request::Parts) -> Arc<[String]> {
    let named = &judged.rules().forms.never_kept;
    let authority = head::authority(parts, judged);
    let secrets = lane.link.worker.learnt.secrets(authority, parts.uri.path());
    if secrets.is_empty() {
        return Arc::clone(named);
    }
    named.iter().cloned().chain(secrets).collect()
}

/// What is remembered of a request besides its body; none if a field of it is not text.
fn remembered(judged: &Judged, parts: &request::Parts) -> Option<Head> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let authority = head::authority(parts, judged);
    let origin = format!("{}://{authority}/", judged.scheme.name());
    // A referer of another site is nothing that we may say in the visitor's name later.
    let own = |referer: &String| referer.starts_with(&origin);
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(text)?;
    Some(Head {
        method: parts.method.as_str().to_owned(),
        scheme: judged.scheme.name().to_owned(),
        authority: authority.to_owned(),
        target: parts.uri.path_and_query()?.as_str().to_owned(),
        content_type,
        referer: parts.headers.get(REFERER).and_then(text).filter(own),
        route: judged.rules().name.to_string(),
        region: judged.site().regions.name(judged.region).to_owned(),
        window: judged.closure.as_ref()?.notice.window,
    })
}

fn kept(judged: &Judged, owner: &Owner, receipt: Receipt) -> Reply {
    answer::see_other(&format!("/.intermission/s/{}", receipt.id))
        .with(SET_COOKIE, visitor::set_cookie(owner, judged.scheme))
        .with(STATE, HeaderValue::from_static("held"))
}

impl From<vault::NotKept> for Failed {
    fn from(why: vault::NotKept) -> Self {
        Self::NotKept(match why {
            vault::NotKept::Size => NotKept::Size,
            vault::NotKept::Secret => NotKept::Secret,
            vault::NotKept::Broken(_) => NotKept::Broken,
            vault::NotKept::Quota(_) => NotKept::Quota,
            vault::NotKept::Store(error) => {
                tracing::error!(%error, "a form could not be kept");
                NotKept::Store
            }
        })
    }
}
