//! A form for a closed place, streamed into the vault.
//!
//! ORDER: what the head alone rules out is answered before the body is asked for, so that a client
//! that waits for `100 Continue` is told so only if we want its form. The redirect to the receipt
//! is made after the vault has said that the form is durable.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, REFERER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, request};
use http_body::Body as _;

use super::answer::{self, Asker, Reply, STATE};
use super::body::{Body, Upload};
use super::ending::Story;
use super::head::{self, Judged};
use super::lane::Lane;
use super::lasting::Place;
use super::programs;
use super::tee::IDEMPOTENCY_KEY;
use super::visitor;
use super::worker::Worker;
use crate::addr::ClientAddr;
use crate::decide::{FormKind, NotKept, Wants};
use crate::id::Id;
use crate::limit;
use crate::snapshot::Closure;
use crate::telemetry::end::End;
use crate::vault::capture::Fate;
use crate::vault::form::Kind;
use crate::vault::{self, Head, Owner, Receipt, Terms};

/// A form's body: what of it is at hand, and where the rest comes from.
pub(super) struct Arriving {
    pub ahead: Bytes,
    pub rest: Upload,
}

/// How something is kept.
pub(super) struct How {
    pub kind: FormKind,
    /// What the application has seen of it.
    pub fate: Fate,
    /// What it carries on every send, if the application honours that.
    pub key: Option<String>,
    /// What its client calls it.
    pub name: Option<String>,
    /// Whose it is; the browser's, if nobody says.
    pub owner: Option<Owner>,
    /// Where it comes from.
    pub client: ClientAddr,
}

impl How {
    /// What a page keeps for later, before anything was sent.
    pub(super) fn of_page(
        lane: &Lane,
        judged: &Judged,
        kind: FormKind,
        client: ClientAddr,
    ) -> Self {
        let honoured = judged.rules().forms.idempotency_key;
        let key = idempotency_key(&lane.link.worker, None, honoured);
        Self { kind, fate: Fate::NotSent, key, name: None, owner: None, client }
    }
}

/// What is wrong with a name that a client gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NameFault {
    /// It is another submission's.
    Reused,
    /// Another of this name is still arriving.
    Arriving,
}

impl NameFault {
    /// What the client is told (draft-ietf-httpapi-idempotency-key-header-07 §2.7).
    pub(super) fn reply(self) -> Reply {
        match self {
            Self::Reused => programs::problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "the Idempotency-Key was used for another request",
            ),
            Self::Arriving => programs::problem(
                StatusCode::CONFLICT,
                "key-in-use",
                "a request with this Idempotency-Key is still arriving",
            ),
        }
    }
}

/// Why there is no receipt.
pub(super) enum Failed {
    /// The form is not kept; the visitor is told why.
    NotKept(NotKept),
    /// Its client's name for it is taken.
    Named(NameFault),
    /// It did not arrive.
    Client(End),
}

/// Keeps a form and leads its visitor to the receipt, or says honestly that it is not kept.
pub(super) async fn run(
    lane: Rc<Lane>,
    judged: Judged,
    story: Box<Story>,
    parts: request::Parts,
    upload: Upload,
    kind: FormKind,
) -> Response<Body> {
    let asker = Asker::of(&parts.headers);
    let name = named(&parts.headers);
    let flag = judged.rules().forms.idempotency_key;
    let key = idempotency_key(&lane.link.worker, name.as_deref(), flag);
    let mut arriving = Arriving { ahead: Bytes::new(), rest: upload };
    let client = story.client;
    let how = How { kind, fate: Fate::NotSent, key, name, owner: None, client };
    match keep(&lane, &judged, &parts, &mut arriving, how).await {
        Ok((owner, receipt)) => kept(&judged, &owner, receipt).send(&lane, story),
        Err(Failed::NotKept(why)) => {
            let reply = answer::closed(&judged, &lane, Wants::Html, Some(why), &asker);
            reply.finish_upload(&lane, story, arriving.rest).await
        }
        Err(Failed::Named(fault)) => fault.reply().finish_upload(&lane, story, arriving.rest).await,
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

/// Keeps a form that the application has failed. None: it is not kept, and its visitor is told what
/// is told where nothing is caught.
pub(super) async fn caught(
    lane: &Rc<Lane>,
    judged: &Judged,
    parts: &request::Parts,
    mut arriving: Arriving,
    how: How,
) -> Option<Reply> {
    let fate = how.fate;
    match keep(lane, judged, parts, &mut arriving, how).await {
        Ok((owner, receipt)) => {
            let state = match fate {
                Fate::NotSent => "held",
                Fate::Perhaps => "unknown",
            };
            let state = HeaderValue::from_static(state);
            Some(kept(judged, &owner, receipt).with(STATE, state))
        }
        Err(Failed::NotKept(why)) => {
            tracing::debug!(why = why.name(), "a form was not caught");
            None
        }
        Err(Failed::Client(_) | Failed::Named(_)) => None,
    }
}

pub(super) async fn keep(
    lane: &Rc<Lane>,
    judged: &Judged,
    parts: &request::Parts,
    arriving: &mut Arriving,
    how: How,
) -> Result<(Owner, Receipt), Failed> {
    let (worker, vault) = (&lane.link.worker, &lane.link.worker.vault);
    let _under_way = worker.begin_capture().ok_or(Failed::NotKept(NotKept::Quota))?;
    let How { kind, fate, key, name, owner, client } = how;
    pace(lane, judged, client).map_err(Failed::NotKept)?;
    let closure = closing(lane, judged, parts);
    let never_kept = never_kept(lane, judged, parts);
    // A program shows who it is each time; a browser's form whose page nobody knows is kept, and
    // never sent on from here.
    let refill_only = owner.is_none() && !head::is_from_here(parts, judged);
    let terms = terms(lane, judged, closure.as_deref(), kind);
    let terms = Terms { name, never_kept, refill_only, ..terms };
    let ahead = arriving.ahead.len() as u64;
    let declared = arriving.rest.size_hint().exact().map(|rest| ahead + rest);
    if declared.is_some_and(|bytes| bytes > terms.bytes_max) {
        return Err(Failed::NotKept(NotKept::Size));
    }
    let _room = vault.reserve(declared, terms.bytes_max)?;
    let owner = owner.or_else(|| visitor::owner(lane, &parts.headers, judged.scheme));
    let owner = match owner {
        None => vault.new_owner(),
        Some(owner) => {
            vault.admit(&owner, declared).await?;
            owner
        }
    };
    let window = closure.map(|closure| closure.notice.window);
    let head = remembered(judged, parts, (window, key)).ok_or(Failed::NotKept(NotKept::Broken))?;
    let signed_in = visitor::signed_in(&parts.headers, &owner, &judged.rules().forms);
    let terms = Terms { signed_in, ..terms };
    let mut form = vault.receive(&owner, head, terms)?;
    let deadline = worker.clock.tick().plus(limit::CAPTURE_DEADLINE);
    form.push(std::mem::take(&mut arriving.ahead)).await?;
    let rest = &mut arriving.rest;
    while let Some(piece) = visitor::next_piece(lane, rest).await.map_err(Failed::Client)? {
        if deadline < worker.clock.tick() {
            return Err(Failed::Client(End::ClientBodyTimeout));
        }
        form.push(piece).await?;
    }
    let finished = worker.outlive(form.finish_as(fate)).await;
    let receipt = finished.ok_or(Failed::NotKept(NotKept::Store))??;
    Ok((owner, receipt))
}

/// What closes its place: as it was judged, or by now, if a window began while it was on its way.
fn closing(lane: &Lane, judged: &Judged, parts: &request::Parts) -> Option<Arc<Closure>> {
    if judged.closure.is_some() {
        return judged.closure.clone();
    }
    let (worker, site) = (&lane.link.worker, &judged.current.snapshot.site);
    let current = worker.current();
    let place = Place::of(site, judged.place?, &parts.method);
    place.closure(&current.snapshot, worker.moment()).cloned()
}

/// On which terms the route keeps a form. Its life begins when visitors were told that the window
/// ends, so that it does not run out while nobody could have sent it.
fn terms(lane: &Lane, judged: &Judged, closure: Option<&Closure>, kind: FormKind) -> Terms {
    let forms = &judged.rules().forms;
    let until = closure.and_then(|closure| closure.until);
    let closed_for =
        until.map(|until| until.since(lane.link.worker.time.now())).unwrap_or_default();
    let (kind, bytes_max) = match kind {
        FormKind::Urlencoded => (Kind::Urlencoded, forms.body_bytes_max),
        FormKind::Plain => (Kind::Plain, forms.body_bytes_max),
        FormKind::Multipart => (Kind::Multipart, forms.upload_bytes_max),
        FormKind::Json => (Kind::Json, forms.body_bytes_max),
        FormKind::Opaque => (Kind::Opaque, forms.body_bytes_max),
    };
    Terms {
        kind,
        bytes_max,
        life: forms.life + closed_for,
        never_kept: forms.never_kept.clone(),
        refill_only: false,
        signed_in: Vec::new(),
        csrf_fields: forms.csrf_fields.clone(),
        name: None,
    }
}

/// What makes all sends of one form known for one: what its client says, or a name of ours where
/// the application honours one.
pub(super) fn idempotency_key(
    worker: &Worker,
    named: Option<&str>,
    honoured: bool,
) -> Option<String> {
    let ours = || honoured.then(|| format!("\"{}\"", worker.vault.new_id()));
    named.map(str::to_owned).or_else(ours)
}

/// What its client calls a request, so that it is known when it comes twice.
pub(super) fn named(headers: &HeaderMap) -> Option<String> {
    let mut said = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (first, second) = (said.next()?.to_str().ok()?, said.next());
    let fits = (1..=limit::IDEMPOTENCY_KEY_BYTES_MAX).contains(&first.len());
    (fits && second.is_none()).then(|| first.to_owned())
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
fn remembered(
    judged: &Judged,
    parts: &request::Parts,
    (window, idempotency_key): (Option<Id>, Option<String>),
) -> Option<Head> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let authority = head::authority(parts, judged);
    let origin = format!("{}://{authority}/", judged.scheme.name());
    // A referer of another site is nothing that we may say in the visitor's name later.
    let own = |referer: &String| referer.starts_with(&origin);
    // What a program sends may have none.
    let content_type = match parts.headers.get(CONTENT_TYPE) {
        None => String::new(),
        Some(value) => text(value)?,
    };
    Some(Head {
        method: parts.method.as_str().to_owned(),
        scheme: judged.scheme.name().to_owned(),
        authority: authority.to_owned(),
        target: parts.uri.path_and_query()?.as_str().to_owned(),
        content_type,
        referer: parts.headers.get(REFERER).and_then(text).filter(own),
        route: judged.rules().name.to_string(),
        region: judged.site().regions.name(judged.region).to_owned(),
        window,
        idempotency_key,
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
            vault::NotKept::Reused => return Self::Named(NameFault::Reused),
            vault::NotKept::Arriving => return Self::Named(NameFault::Arriving),
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
