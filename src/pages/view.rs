//! What the pages for one visitor show, as plain values: the vault and the proxy fill them in.

use std::fmt;

use http::StatusCode;
use serde::Serialize;

use crate::clock::Wall;
use crate::id::Id;

/// One submission, in any state, with what its owner can do about it.
#[derive(Clone, Serialize)]
pub struct ReceiptView {
    /// Its name; the forms post to addresses made of it.
    pub id: Id,
    /// A short code that can be read out to a help desk.
    pub reference: String,
    /// Where in its life it is.
    pub state: ReceiptState,
    /// The route's title: "Claims".
    pub service: String,
    /// The path it was sent to, without its query. The script asks about this path.
    pub path: String,
    /// When it was saved.
    pub captured: Wall,
    /// When it is deleted if nobody comes.
    pub expires: Wall,
    /// Whether the place it was sent to is still closed, so that it cannot be sent now.
    pub window_closed: bool,
    /// When that place returns, if it is closed and anybody knows.
    pub until: Option<Wall>,
    /// The status the application answered with last.
    pub answer: Option<u16>,
    /// A path on this site where the visitor signs in, if the application asked for that.
    pub sign_in: Option<String>,
    /// Whether the form's page was asked for fresh tokens and has no such form any more.
    pub form_gone: bool,
    /// Whether the application knows a send that arrived before, so that nobody needs to look.
    pub honoured: bool,
    /// What was typed.
    pub fields: Vec<Field>,
    /// How many further fields were kept and are not shown.
    pub more_fields: usize,
    /// How it can be sent.
    pub mode: Mode,
    /// Whether the form carries what is good only once, such as the proof of a solved captcha.
    pub one_time: bool,
    /// Whether somebody else is signed in at the application than when it was saved.
    pub is_another: bool,
    /// Whether the answers are not shown until their reader has said that they are theirs.
    pub concealed: bool,
    /// Whether its owner comes from the live form that held these answers.
    pub refilled: bool,
    /// Proves that the forms were on this page. Secret.
    pub page_token: String,
    /// The one-time ticket that the Send form carries; empty if it cannot be sent. Secret.
    pub ticket: String,
    /// Who operates the site; may be empty.
    pub operator: String,
    /// Whom to ask; may be empty.
    pub contact: String,
    /// What the operator says of data protection.
    pub privacy: Privacy,
}

/// What the operator says of data protection; each may be empty.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Privacy {
    /// Instead of our own words.
    pub text: String,
    /// Where more stands.
    pub url: String,
    /// Whom to ask.
    pub contact: String,
}

/// The page of resume codes, in each of its steps.
#[derive(Clone, Serialize)]
pub struct CodeView {
    /// Which one.
    pub step: CodeStep,
    /// What was typed, or the reference of what was opened.
    pub reference: String,
    /// The code that has opened it, for the forms of this page. Secret.
    pub code: String,
    /// Codes that were just made, with what they open.
    pub made: Vec<CodeMade>,
    /// Where codes are typed.
    pub address: String,
    /// The title of the route of what was opened.
    pub service: String,
    /// When that was saved.
    pub captured: Wall,
    /// When it is deleted.
    pub expires: Wall,
    /// What was typed into it.
    pub fields: Vec<Field>,
    /// How many further fields were kept and are not shown.
    pub more_fields: usize,
    /// Whether the live form can be opened with them.
    pub refillable: bool,
    /// Who operates the site; may be empty.
    pub operator: String,
}

/// INVARIANT: neither codes nor what they open is ever printed.
impl fmt::Debug for CodeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeView").field("step", &self.step).finish_non_exhaustive()
    }
}

/// Where in its life the page of resume codes is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeStep {
    /// A reference and a code are asked for.
    Ask,
    /// They do not belong together.
    Wrong,
    /// There were too many wrong ones.
    Late,
    /// A code was made.
    Made,
    /// Codes were made, and this browser has forgotten what they open.
    Left,
    /// A code has opened a submission.
    Shown,
    /// It was deleted.
    Deleted,
}

/// A code that was just made.
#[derive(Clone, Serialize)]
pub struct CodeMade {
    /// The title of the route of what it opens.
    pub service: String,
    /// What belongs to it.
    pub reference: String,
    /// The code. Secret.
    pub code: String,
    /// When what it opens is deleted.
    pub expires: Wall,
}

impl ReceiptView {
    /// Whether the page offers Send: nothing is under way, the place is open, and a ticket is
    /// there.
    pub fn sendable(&self) -> bool {
        !self.window_closed
            && self.state.keeps_answers_at_rest()
            && matches!(self.mode, Mode::Replay | Mode::Confirm)
            && !self.ticket.is_empty()
    }

    /// Whether the page offers the live form with the answers in it.
    pub fn refillable(&self) -> bool {
        !self.window_closed && self.state.keeps_answers_at_rest() && self.mode != Mode::Copy
    }

    /// Whether that is offered before Send: sending once more what was refused for what it says,
    /// what may have arrived, or what is good only once would not do.
    pub fn refill_first(&self) -> bool {
        let refused = self.state == ReceiptState::Refused && self.sign_in.is_none();
        let for_its_token = matches!(self.answer, Some(400 | 403 | 419));
        self.refillable()
            && (!self.sendable()
                || self.one_time
                || self.form_gone
                || self.state == ReceiptState::Unknown
                || refused && !for_its_token)
    }
}

/// INVARIANT: neither what the visitor typed nor what would let another send it is ever printed.
impl fmt::Debug for ReceiptView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptView")
            .field("id", &self.id)
            .field("state", &self.state)
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

/// Where in its life a submission is, as far as its owner is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// Saved, not sent.
    Held,
    /// Send was pressed; the browser has not come back with the ticket yet.
    Armed,
    /// On its way to the application.
    Sending,
    /// The application took it.
    Accepted,
    /// The application did not take it.
    Refused,
    /// Sent, or partly, and no answer came.
    Unknown,
    /// Its owner is content, or the grace has passed.
    Done,
    /// Deleted by its owner.
    Discarded,
    /// Nobody came in time.
    Expired,
    /// Its content cannot be opened.
    Unreadable,
}

impl ReceiptState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Held,
        Self::Armed,
        Self::Sending,
        Self::Accepted,
        Self::Refused,
        Self::Unknown,
        Self::Done,
        Self::Discarded,
        Self::Expired,
        Self::Unreadable,
    ];

    /// The catalog's name for it.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Armed => "armed",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Done => "done",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether there is content that its owner can read.
    pub const fn keeps_answers(self) -> bool {
        match self {
            Self::Held
            | Self::Armed
            | Self::Sending
            | Self::Accepted
            | Self::Refused
            | Self::Unknown => true,
            Self::Done | Self::Discarded | Self::Expired | Self::Unreadable => false,
        }
    }

    /// Whether the answers are saved and nothing is happening to them.
    const fn keeps_answers_at_rest(self) -> bool {
        matches!(self, Self::Held | Self::Refused | Self::Unknown)
    }
}

/// How a submission can be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As it was captured.
    Replay,
    /// With fresh tokens from the live form.
    Confirm,
    /// From the live form alone, with the answers in it.
    Refill,
    /// Not at all: its owner reads, copies or downloads it.
    Copy,
}

/// One field of a submission.
#[derive(Clone, Serialize)]
pub struct Field {
    /// As the form names it.
    pub name: String,
    /// What was typed; empty for a file.
    pub value: String,
    /// How it is shown.
    #[serde(flatten)]
    pub kind: FieldKind,
}

/// What visitors type stays out of logs.
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").finish_non_exhaustive()
    }
}

/// How a field is shown.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FieldKind {
    /// On one line.
    Text,
    /// On several lines.
    Long,
    /// By name and size.
    File {
        /// The file's name.
        file: String,
        /// Bytes.
        size: u64,
    },
    /// Folded away: not typed by the visitor.
    Hidden,
}

/// All submissions of one browser.
#[derive(Clone, Debug, Serialize)]
pub struct ListView {
    /// The newest first.
    pub items: Vec<ListItem>,
    /// Who operates the site; may be empty.
    pub operator: String,
}

/// One line of the list.
#[derive(Clone, Debug, Serialize)]
pub struct ListItem {
    /// Its name, and the address of its receipt.
    pub id: Id,
    /// The short code.
    pub reference: String,
    /// The route's title.
    pub service: String,
    /// When it was saved.
    pub captured: Wall,
    /// Where in its life it is.
    pub state: ReceiptState,
}

/// The small pages that say one thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlainKind {
    /// No route has this host and path.
    UnknownRoute,
    /// The request cannot be read.
    BadRequest,
    /// The head, or the address in it, is too long.
    TooLarge,
    /// The request did not arrive in time.
    Timeout,
    /// A method or expectation that is not served.
    Unsupported,
    /// The application could not be reached, or broke off.
    BadGateway,
    /// The application did not answer in time.
    GatewayTimeout,
    /// A fault of our own.
    Fault,
    /// No such receipt in this browser.
    NotYours,
    /// The ticket was used, or its time has passed.
    Gone,
    /// From another site, or with a stale page token.
    Refused,
    /// The submission is being sent right now.
    Busy,
    /// The service is still closed, so nothing was sent.
    StillClosed,
    /// Saved submissions cannot be opened at the moment.
    StoreDown,
}

impl PlainKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::UnknownRoute,
        Self::BadRequest,
        Self::TooLarge,
        Self::Timeout,
        Self::Unsupported,
        Self::BadGateway,
        Self::GatewayTimeout,
        Self::Fault,
        Self::NotYours,
        Self::Gone,
        Self::Refused,
        Self::Busy,
        Self::StillClosed,
        Self::StoreDown,
    ];

    /// The status it goes with, where the caller has no more exact one (414, 417).
    pub const fn status(self) -> StatusCode {
        match self {
            Self::UnknownRoute | Self::NotYours => StatusCode::NOT_FOUND,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Fault => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Gone => StatusCode::GONE,
            Self::Refused => StatusCode::FORBIDDEN,
            Self::Busy => StatusCode::CONFLICT,
            Self::StillClosed | Self::StoreDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The catalog's name for it.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::UnknownRoute => "unknown_route",
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::Unsupported => "unsupported",
            Self::BadGateway => "bad_gateway",
            Self::GatewayTimeout => "gateway_timeout",
            Self::Fault => "fault",
            Self::NotYours => "not_yours",
            Self::Gone => "gone",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::StillClosed => "still_closed",
            Self::StoreDown => "store_down",
        }
    }

    /// What the page offers next.
    pub(super) const fn next(self) -> &'static str {
        match self {
            Self::Timeout
            | Self::BadGateway
            | Self::GatewayTimeout
            | Self::Fault
            | Self::StoreDown => "again",
            Self::NotYours | Self::Gone | Self::Refused | Self::Busy | Self::StillClosed => "list",
            Self::UnknownRoute | Self::BadRequest | Self::TooLarge | Self::Unsupported => "",
        }
    }
}
