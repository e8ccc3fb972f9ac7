//! Views to render templates with before a visitor asks: what `check` tries an operator's files on.

use std::time::Duration;

use super::view::{
    CodeMade, CodeStep, CodeView, Field, FieldKind, ListItem, ListView, Mode, Privacy,
    ReceiptState, ReceiptView,
};
use super::{News, Notice, PhaseNotice, Stage, Words};
use crate::clock::Wall;
use crate::id::Id;

/// 2026-11-21 14:02 UTC.
const NOON: Wall = Wall::from_millis(1_795_269_720_000);
const ID: Id = Id::from_bytes([7; 20]);

/// Closures of each kind: with an end, without one, overdue, only for writing, and after the work.
/// The first is complete.
pub fn notices() -> Vec<Notice> {
    let news = |minutes: u64, text: &str| News {
        at: NOON.plus(Duration::from_secs(minutes * 60)),
        text: text.to_owned(),
    };
    let first = Notice {
        window: ID,
        maintenance: Some(ID),
        phase: Some(PhaseNotice { number: 2, name: "Production APAC".to_owned() }),
        service: "Claims".to_owned(),
        operator: "Example Insurance".to_owned(),
        read_only: false,
        stage: Stage::Closed,
        since: NOON,
        until: Some(NOON.plus(Duration::from_secs(7_080))),
        overrun: false,
        disruption: Some(75),
        updates: vec![
            news(40, "All claims are copied. We are switching over now."),
            news(5, "The copy has begun."),
        ],
        words: Words {
            title: "Database upgrade".to_owned(),
            reason: "We are moving claims to a faster database.".to_owned(),
            message: "Claims that were filed before today are not affected.".to_owned(),
            impact: "You cannot file a claim or look at one.".to_owned(),
            benefit: "Searching your claims will take seconds instead of minutes.".to_owned(),
            contact: "Call 0800 555 0100 or write to help@example.com.".to_owned(),
            alternative: "For a roadside emergency, go to https://example.com/roadside".to_owned(),
        },
        languages: std::collections::BTreeMap::new(),
    };
    let bare = Notice {
        maintenance: None,
        phase: None,
        operator: String::new(),
        until: None,
        disruption: None,
        updates: Vec::new(),
        words: Words::default(),
        ..first.clone()
    };
    let after = |stage| Notice { stage, ..bare.clone() };
    vec![
        first.clone(),
        bare.clone(),
        Notice { overrun: true, stage: Stage::Overrun, ..bare.clone() },
        Notice { read_only: true, ..first },
        after(Stage::Verifying),
        after(Stage::Reopening),
    ]
}

/// A submission in this state, with a field of each kind, after the reopening.
pub fn receipt(state: ReceiptState) -> ReceiptView {
    let refused = state == ReceiptState::Refused;
    ReceiptView {
        id: ID,
        reference: "7K3Q-92MD".to_owned(),
        state,
        service: "Claims".to_owned(),
        path: "/claims/new".to_owned(),
        captured: NOON,
        expires: NOON.plus(Duration::from_secs(48 * 3600)),
        window_closed: false,
        until: None,
        answer: refused.then_some(403),
        sign_in: None,
        form_gone: false,
        honoured: false,
        fields: fields(),
        more_fields: 3,
        mode: Mode::Confirm,
        one_time: false,
        is_another: false,
        concealed: false,
        refilled: false,
        page_token: "page-token".to_owned(),
        ticket: "ticket".to_owned(),
        operator: "Example Insurance".to_owned(),
        contact: "help@example.com".to_owned(),
        privacy: Privacy {
            text: String::new(),
            url: "https://www.example.com/privacy".to_owned(),
            contact: "privacy@example.com".to_owned(),
        },
    }
}

/// The page of resume codes in each of its steps.
pub fn codes() -> Vec<CodeView> {
    let made = CodeMade {
        service: "Claims".to_owned(),
        reference: "7K3Q-92MD".to_owned(),
        code: "K7QF-2M9X-04TB-WZ3C".to_owned(),
        expires: NOON.plus(Duration::from_secs(48 * 3600)),
    };
    let steps = [
        CodeStep::Ask,
        CodeStep::Wrong,
        CodeStep::Late,
        CodeStep::Made,
        CodeStep::Left,
        CodeStep::Shown,
        CodeStep::Deleted,
    ];
    let view = |step| CodeView {
        step,
        reference: made.reference.clone(),
        code: made.code.clone(),
        made: vec![made.clone()],
        address: "https://www.example.com/.intermission/r".to_owned(),
        service: made.service.clone(),
        captured: NOON,
        expires: made.expires,
        fields: fields(),
        more_fields: 3,
        refillable: step == CodeStep::Shown,
        operator: "Example Insurance".to_owned(),
    };
    steps.map(view).into()
}

/// Every receipt that looks different: each state with the place open and closed, and what depends
/// on the mode or on the application's answer. The first waits for a reopening whose time is known.
pub fn receipts() -> Vec<ReceiptView> {
    let held = receipt(ReceiptState::Held);
    let refused = receipt(ReceiptState::Refused);
    let (until, sign_in) = (Some(NOON.plus(Duration::from_secs(3600))), Some("/login".to_owned()));
    let (operator, contact) = (String::new(), String::new());
    let privacy_in_words =
        Privacy { text: "We keep this for two days.".to_owned(), ..Privacy::default() };
    let mut views = vec![
        ReceiptView { window_closed: true, until, ..held.clone() },
        ReceiptView { mode: Mode::Copy, fields: Vec::new(), ..held.clone() },
        ReceiptView { form_gone: true, ..held.clone() },
        ReceiptView { mode: Mode::Refill, ..held.clone() },
        ReceiptView { one_time: true, ..held.clone() },
        ReceiptView { refilled: true, ..held.clone() },
        ReceiptView { is_another: true, ..held.clone() },
        ReceiptView { is_another: true, concealed: true, fields: Vec::new(), ..held.clone() },
        ReceiptView {
            mode: Mode::Replay,
            more_fields: 0,
            privacy: privacy_in_words,
            ..held.clone()
        },
        ReceiptView { privacy: Privacy::default(), operator: String::new(), ..held },
        ReceiptView { answer: Some(302), sign_in, ..refused.clone() },
        ReceiptView { answer: Some(422), operator, contact, ..refused },
    ];
    for state in ReceiptState::ALL {
        views.push(receipt(state));
        if state.keeps_answers() {
            views.push(ReceiptView { window_closed: true, ..receipt(state) });
        }
    }
    views
}

/// A list with a submission in each state, and an empty one.
pub fn lists() -> Vec<ListView> {
    let item = |state| ListItem {
        id: ID,
        reference: "7K3Q-92MD".to_owned(),
        service: "Claims".to_owned(),
        captured: NOON,
        state,
    };
    let items = ReceiptState::ALL.into_iter().map(item).collect();
    vec![
        ListView { items, operator: "Example Insurance".to_owned() },
        ListView { items: Vec::new(), operator: String::new() },
    ]
}

fn fields() -> Vec<Field> {
    let field = |name: &str, value: &str, kind| Field {
        name: name.to_owned(),
        value: value.to_owned(),
        kind,
    };
    let file = FieldKind::File { file: "front-left-wing.jpg".to_owned(), size: 2_406_113 };
    let story = "I was standing at the lights.\nThe van behind me did not stop.";
    vec![
        field("Policy number", "EX-204-117", FieldKind::Text),
        field("Date of the accident", "2026-11-19", FieldKind::Text),
        field("What happened", story, FieldKind::Long),
        field("Other party", "", FieldKind::Text),
        field("Photo", "", file),
        field("step", "3", FieldKind::Hidden),
    ]
}
