//! What a visitor sees of what was kept: the list, the receipt, the download.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body::{Body as HttpBody, Frame};

use super::Asked;
use super::act::{Standing, honours, standing};
use crate::clock::Wall;
use crate::id::Id;
use crate::pages::{
    Field, FieldKind, ListItem, ListView, Mode, PlainKind, Privacy, ReceiptState, ReceiptView,
};
use crate::proxy::answer::{Reply, STATE};
use crate::proxy::body::{Body, BodyError};
use crate::proxy::resume::NOTE_ANOTHER;
use crate::proxy::visitor;
use crate::snapshot::ResumeMode;
use crate::vault::Owner;
use crate::vault::capture::Record;
use crate::vault::item::{Item, State};
use crate::vault::receipt::Opened;
use crate::vault::summary::{self, Shown};
use crate::vault::transcript::Transcript;

/// Fields that a receipt shows; the download has all of them.
const FIELDS_MAX: usize = 200;

pub(super) async fn list(asked: &Asked<'_>) -> Reply {
    let owner = visitor::owner(asked.lane, &asked.parts.headers, asked.judged.scheme);
    let opened = match &owner {
        None => Ok(Vec::new()),
        Some(owner) => asked.lane.link.worker.vault.list(owner).await,
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%error, "saved submissions cannot be listed");
            return asked.plain(PlainKind::StoreDown);
        }
    };
    let item = |opened: &Opened| ListItem {
        id: opened.item.id,
        reference: opened.item.reference.to_string(),
        service: service(asked, &opened.item),
        captured: opened.item.captured,
        state: shown_state(opened.item.state),
    };
    let view = ListView {
        items: opened.iter().map(item).collect(),
        operator: asked.judged.site().operator.clone(),
    };
    let pages = &asked.judged.current.snapshot.pages;
    Reply::page(StatusCode::OK, pages.list(asked.asker.lang(), &view))
}

pub(super) async fn receipt(asked: &Asked<'_>, id: Id) -> Reply {
    let owner = visitor::owner(asked.lane, &asked.parts.headers, asked.judged.scheme);
    let Some(owner) = owner else { return asked.plain(PlainKind::NotYours) };
    let opened = match asked.lane.link.worker.vault.open(&owner, id).await {
        Ok(opened) => opened,
        Err(denied) => return asked.denied(id, &denied),
    };
    let state = opened.item.state;
    let status = if state.is_erased() { StatusCode::GONE } else { StatusCode::OK };
    let view = receipt_view(asked, &owner, &opened);
    let pages = &asked.judged.current.snapshot.pages;
    Reply::page(status, pages.receipt(asked.asker.lang(), &view))
        .with(STATE, HeaderValue::from_static(state.name()))
}

fn receipt_view(asked: &Asked<'_>, owner: &Owner, opened: &Opened) -> ReceiptView {
    let Opened { item, record } = opened;
    let at = record.as_ref().map_or(Standing::Nowhere, |record| standing(asked, &record.head));
    let honoured = record.as_ref().is_some_and(|record| honours(asked, &record.head));
    let is_refill_only = record.as_ref().is_some_and(|record| record.refill_only);
    let (closure, mode) = match at {
        Standing::Closed(closure) => (Some(closure), Mode::Confirm),
        Standing::Open(ResumeMode::Copy) | Standing::Nowhere => (None, Mode::Copy),
        Standing::Open(_) if is_refill_only => (None, Mode::Refill),
        Standing::Open(ResumeMode::Replay) => (None, Mode::Replay),
        Standing::Open(ResumeMode::Confirm) => (None, Mode::Confirm),
        Standing::Open(ResumeMode::Refill) => (None, Mode::Refill),
    };
    let note = visitor::field(asked.parts.uri.query().unwrap_or_default().as_bytes(), "note");
    let query = |name| visitor::field(asked.parts.uri.query().unwrap_or_default().as_bytes(), name);
    let is_another = note.as_deref() == Some(NOTE_ANOTHER)
        || record.as_ref().is_some_and(|it| visitor::is_another(&asked.parts.headers, owner, it));
    let concealed = is_another && query("mine").as_deref() != Some("yes");
    let shown = record.as_ref().filter(|_| !concealed);
    let (fields, more_fields) = shown.map(shown_fields).unwrap_or_default();
    let path =
        |record: &Record| record.head.target.split('?').next().unwrap_or_default().to_owned();
    let is_spent = item.sends >= crate::limit::SENDS_MAX;
    let one_time = record.as_ref().is_some_and(carries_one_time);
    ReceiptView {
        id: item.id,
        reference: item.reference.to_string(),
        state: shown_state(item.state),
        service: service(asked, item),
        path: record.as_ref().map(path).unwrap_or_default(),
        captured: item.captured,
        expires: kept_until(item),
        window_closed: closure.is_some(),
        until: closure.as_ref().and_then(|closure| closure.until),
        answer: item.answer,
        sign_in: record.as_ref().filter(|_| wants_sign_in(item, note.as_deref())).map(page_path),
        // A form that is not on its page any more cannot be refreshed; it can still go as it was.
        form_gone: mode != Mode::Copy && note.as_deref() == Some("no_form"),
        honoured,
        more_fields,
        fields,
        mode,
        one_time,
        is_another,
        concealed,
        refilled: note.as_deref() == Some("refilled"),
        page_token: owner.page_token(item.id, item.version),
        ticket: if is_spent { String::new() } else { owner.ticket(item.id, item.version).text() },
        operator: asked.judged.site().operator.clone(),
        contact: closure.map(|closure| closure.notice.words.contact.clone()).unwrap_or_default(),
        privacy: privacy(asked),
    }
}

fn privacy(asked: &Asked<'_>) -> Privacy {
    let crate::snapshot::Privacy { text, url, contact } = asked.judged.site().privacy.clone();
    Privacy { text, url, contact }
}

/// The fields that a page shows, and how many more there are.
pub(super) fn shown_fields(record: &Record) -> (Vec<Field>, usize) {
    let fields: Vec<Field> = record.summary.fields.iter().filter_map(shown_field).collect();
    let more = fields.len().saturating_sub(FIELDS_MAX);
    (fields.into_iter().take(FIELDS_MAX).collect(), more)
}

/// When the content is erased if its owner does nothing. What was accepted goes sooner.
pub(super) fn kept_until(item: &Item) -> Wall {
    if item.state == State::Accepted { item.due } else { item.expires }
}

/// Whether the application asked the visitor to sign in: a refusal by redirect is nothing else.
fn wants_sign_in(item: &Item, note: Option<&str>) -> bool {
    match item.state {
        State::Refused => matches!(item.answer, Some(300..=399 | 401)),
        State::Held | State::Unknown => note == Some("sign_in"),
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

/// Whether a form carries what is good once and for minutes only: the proof that a captcha was
/// solved, or the state of a page that its server wants back. No token can be made fresh for it.
fn carries_one_time(record: &Record) -> bool {
    const STATES: [&str; 4] =
        ["__VIEWSTATE", "javax.faces.ViewState", "jakarta.faces.ViewState", "__EVENTVALIDATION"];
    let once = |name: &str| {
        STATES.contains(&name)
            || name.to_ascii_lowercase().contains("captcha")
            || name == "cf-turnstile-response"
    };
    record.summary.fields.iter().any(|field| once(&field.name) && field.bytes > 0)
}

/// The page the form was on: whoever opens it without a session is led to sign in by the
/// application itself, and back.
pub(super) fn page_path(record: &Record) -> String {
    let head = &record.head;
    let origin = format!("{}://{}", head.scheme, head.authority);
    let referer = head.referer.as_deref().and_then(|referer| referer.strip_prefix(&origin));
    referer.filter(|path| path.starts_with('/')).unwrap_or(&head.target).to_owned()
}

fn shown_field(field: &summary::Field) -> Option<Field> {
    let kind = |text: &str| {
        if text.contains('\n') || text.len() > 80 { FieldKind::Long } else { FieldKind::Text }
    };
    let (value, kind) = match &field.shown {
        Shown::Whole(text) => (text.clone(), kind(text)),
        Shown::Cut(text) => (format!("{text} …"), FieldKind::Long),
        Shown::File(file) => {
            (String::new(), FieldKind::File { file: file.clone(), size: field.bytes })
        }
        Shown::Token => return None,
    };
    Some(Field { name: field.name.clone(), value, kind })
}

/// The route's title, or its name where the config has lost it.
pub(super) fn service(asked: &Asked<'_>, item: &Item) -> String {
    let site = asked.judged.site();
    let title = site.route_named(&item.route).map(|route| site.rules(route).title.clone());
    title.unwrap_or_else(|| item.route.clone())
}

const fn shown_state(state: State) -> ReceiptState {
    match state {
        State::Receiving | State::Held => ReceiptState::Held,
        State::Armed => ReceiptState::Armed,
        State::Sending => ReceiptState::Sending,
        State::Accepted => ReceiptState::Accepted,
        State::Refused => ReceiptState::Refused,
        State::Unknown => ReceiptState::Unknown,
        State::Done => ReceiptState::Done,
        State::Discarded => ReceiptState::Discarded,
        State::Expired => ReceiptState::Expired,
        State::Unreadable => ReceiptState::Unreadable,
    }
}

/// What was typed, whole, as a text file. Never a page: what a visitor typed is not ours to show
/// as HTML on this site.
pub(super) async fn data(asked: &Asked<'_>, id: Id) -> Reply {
    let owner = visitor::owner(asked.lane, &asked.parts.headers, asked.judged.scheme);
    let Some(owner) = owner else { return asked.plain(PlainKind::NotYours) };
    match asked.lane.link.worker.vault.read(&owner, id).await {
        Ok((item, record, body)) => download(asked, &item, &record, body),
        Err(denied) => asked.denied(id, &denied),
    }
}

/// The whole content of a submission, as a file.
pub(super) fn download(
    asked: &Asked<'_>,
    item: &Item,
    record: &Record,
    body: crate::vault::body::Body,
) -> Reply {
    let Ok(transcript) = Transcript::new(record) else {
        return asked.plain(PlainKind::StoreDown);
    };
    let name = format!("attachment; filename=\"answers-{}.txt\"", item.reference);
    let name = HeaderValue::from_str(&name).expect("letters, digits and a hyphen");
    let download = Download { body, transcript: Some(transcript) };
    Reply::new(StatusCode::OK, Body::boxed(Box::pin(download)))
        .with(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))
        .with(CONTENT_DISPOSITION, name)
        .with(
            HeaderName::from_static("content-security-policy"),
            HeaderValue::from_static("default-src 'none'; sandbox"),
        )
        .guarded()
}

/// A transcript that is written while it is read.
struct Download {
    body: crate::vault::body::Body,
    /// None once it is at its end.
    transcript: Option<Transcript>,
}

impl Download {
    fn write(&mut self, piece: Option<Bytes>) -> Result<Vec<u8>, BodyError> {
        let mut out = Vec::new();
        let Some(transcript) = &mut self.transcript else { return Ok(out) };
        let written = match piece {
            Some(piece) => transcript.push(&piece, &mut out),
            None => transcript.finish(&mut out),
        };
        written.map_err(|fault| BodyError::Unreadable(fault.to_string()))?;
        Ok(out)
    }
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while self.transcript.is_some() {
            let piece = match std::task::ready!(self.body.poll_next(cx)) {
                Some(Ok(piece)) => Some(piece),
                Some(Err(fault)) => {
                    self.transcript = None;
                    return Poll::Ready(Some(Err(BodyError::Unreadable(fault.to_string()))));
                }
                None => None,
            };
            let is_last = piece.is_none();
            let written = self.write(piece);
            if is_last {
                self.transcript = None;
            }
            match written {
                Ok(out) if out.is_empty() => {}
                written => return Poll::Ready(Some(written.map(|out| Frame::data(out.into())))),
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.transcript.is_none()
    }
}
