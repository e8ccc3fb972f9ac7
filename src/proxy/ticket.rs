//! Whether a post is a ticket: looked into before anybody else sees it.
//!
//! A ticket says nothing to the application, and must not be left there by anybody: a visitor whose
//! cookies are gone, another browser, another site. So whatever looks like one ends here.

use bytes::{Bytes, BytesMut};
use http::{Response, request};

use super::answer::{self, Asker, Reply};
use super::body::{Body, Upload};
use super::ending::Story;
use super::head::Judged;
use super::lane::Lane;
use super::visitor;
use crate::limit;
use crate::pages::PlainKind;
use crate::telemetry::end::End;

/// What a form of ours begins with.
const TICKET_FIELD: &str = "intermission_ticket=";

/// What a post turned out to be.
pub(super) enum Looked {
    /// A form of ours: these are its bytes.
    Ticket(Bytes),
    /// It begins like a form of ours and is longer than any: this is the rest of it.
    TooLong(Upload),
    /// The application's own; its bytes go on untouched.
    Other(Upload),
    /// It did not arrive.
    Broken(End),
}

/// Looks into a post that may be a ticket. Of one that is none no more is read than it takes to
/// know; the rest streams on as its client sends it.
pub(super) async fn look(lane: &Lane, mut upload: Upload) -> Looked {
    let mut bytes = BytesMut::new();
    loop {
        match visitor::next_piece(lane, &mut upload).await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) => break,
            Err(end) => return Looked::Broken(end),
        }
        if !begins(&bytes) {
            return Looked::Other(upload.unread(bytes.freeze()));
        }
        if bytes.len() as u64 > limit::TICKET_BODY_BYTES_MAX {
            return Looked::TooLong(upload);
        }
    }
    let is_ours = bytes.len() >= TICKET_FIELD.len() && begins(&bytes);
    if is_ours {
        Looked::Ticket(bytes.freeze())
    } else {
        Looked::Other(Upload::Bytes(bytes.freeze()))
    }
}

/// Whether a form begins like one of ours, as far as it is there.
fn begins(bytes: &[u8]) -> bool {
    bytes.iter().zip(TICKET_FIELD.as_bytes()).all(|(byte, ours)| byte == ours)
}

/// The answer to what looks like a ticket and gives no right to send.
pub(super) fn gone(judged: &Judged, parts: &request::Parts) -> Reply {
    answer::plain(&judged.current.snapshot, PlainKind::Gone, &Asker::of(&parts.headers))
}

/// The answer to a post that did not arrive.
pub(super) fn broken(
    lane: &Lane,
    judged: &Judged,
    story: Box<Story>,
    parts: &request::Parts,
    end: End,
) -> Response<Body> {
    lane.close_after_answer();
    let asker = Asker::of(&parts.headers);
    answer::failed(&judged.current.snapshot, end, &asker).send(lane, story)
}
