//! Resume codes: made on a receipt, typed on another device. What a code opens can be read, copied
//! and deleted, and put into the live form, which its reader sends; it is never sent from here,
//! since whoever holds a code need not be who typed the answers.

use http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, StatusCode};

use super::Asked;
use super::act::{self, Standing, standing};
use super::show::{download, kept_until, page_path, service, shown_fields};
use crate::addr::ClientAddr;
use crate::clock::Wall;
use crate::id::Id;
use crate::pages::{CodeMade, CodeStep, CodeView, PlainKind};
use crate::proxy::answer::{self, Reply};
use crate::proxy::{head, refill, visitor};
use crate::snapshot::ResumeMode;
use crate::vault::Owner;
use crate::vault::code::{Code, CodeFault, Coded};
use crate::vault::item::Item;
use crate::vault::refill::may_refill;

/// Asks for a reference and a code. The address may name the reference, which opens nothing.
pub(super) fn ask(asked: &Asked<'_>) -> Reply {
    let query = asked.parts.uri.query().unwrap_or_default().as_bytes();
    let reference = visitor::field(query, "reference").unwrap_or_default();
    page(asked, StatusCode::OK, &CodeView { reference: legible(&reference), ..view(asked) })
}

/// What a reference and a code open, and what is to be done with it.
pub(super) async fn open(asked: &Asked<'_>, client: ClientAddr, form: &[u8]) -> Reply {
    let [reference, code, wanted] =
        ["reference", "code", "do"].map(|name| visitor::field(form, name).unwrap_or_default());
    let vault = &asked.lane.link.worker.vault;
    let again = |step| CodeView { step, reference: legible(&reference), ..view(asked) };
    let coded = match vault.by_code(client.0, &reference, &code).await {
        Ok(coded) => coded,
        Err(CodeFault::Wrong) => {
            return page(asked, StatusCode::FORBIDDEN, &again(CodeStep::Wrong));
        }
        Err(CodeFault::TooOften(wait)) => {
            let reply = page(asked, StatusCode::TOO_MANY_REQUESTS, &again(CodeStep::Late));
            return reply.with(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
        }
        Err(CodeFault::Denied(denied)) => return asked.refuse(&denied),
    };
    match wanted.as_str() {
        "data" => match vault.read_coded(&coded) {
            Ok(body) => download(asked, &coded.item, &coded.record, body),
            Err(denied) => asked.refuse(&denied),
        },
        "discard" => match vault.discard_coded(coded).await {
            Ok(()) => {
                let view = CodeView { step: CodeStep::Deleted, ..view(asked) };
                page(asked, StatusCode::OK, &view)
            }
            Err(denied) => asked.refuse(&denied),
        },
        "refill" => refill(asked, &coded, &code),
        "" => page(asked, StatusCode::OK, &shown(asked, &coded, &code)),
        _ => asked.plain(PlainKind::BadRequest),
    }
}

/// To the page that the form was on, which comes with the answers in it; nothing is sent. The rules
/// are those of a receipt.
fn refill(asked: &Asked<'_>, coded: &Coded, code: &str) -> Reply {
    let again = || page(asked, StatusCode::OK, &shown(asked, coded, code));
    if let Err(denied) = may_refill(coded.item.state) {
        return asked.refuse(&denied);
    }
    match standing_here(asked, coded) {
        Standing::Closed(closure) => return act::still_closed(asked, &closure),
        Standing::Open(ResumeMode::Replay | ResumeMode::Confirm | ResumeMode::Refill) => {}
        Standing::Open(ResumeMode::Copy) | Standing::Nowhere => return again(),
    }
    let to = act::address(&coded.record.head, &page_path(&coded.record));
    let Ok(to) = HeaderValue::from_str(&to) else { return asked.plain(PlainKind::BadRequest) };
    answer::see_other("/")
        .with(LOCATION, to)
        .with(SET_COOKIE, refill::wish_coded(coded, asked.judged.scheme))
}

/// How things stand where it goes. Codes are typed on any host of ours, and a form is on its own.
fn standing_here(asked: &Asked<'_>, coded: &Coded) -> Standing {
    let to = &coded.record.head;
    let here = head::authority(asked.parts, asked.judged);
    let is_here =
        to.authority.eq_ignore_ascii_case(here) && to.scheme == asked.judged.scheme.name();
    if is_here { standing(asked, to) } else { Standing::Nowhere }
}

/// Whether the live form is offered.
fn is_refillable(asked: &Asked<'_>, coded: &Coded) -> bool {
    may_refill(coded.item.state).is_ok()
        && match standing_here(asked, coded) {
            Standing::Open(mode) => mode != ResumeMode::Copy,
            Standing::Closed(_) | Standing::Nowhere => false,
        }
}

/// A code for one submission.
pub(super) async fn make(asked: &Asked<'_>, owner: &Owner, id: Id, token: &str) -> Reply {
    let vault = &asked.lane.link.worker.vault;
    match vault.code(owner, id, token).await {
        Ok((item, code)) => {
            let made = vec![made(asked, &item, &code)];
            let view = CodeView { step: CodeStep::Made, made, ..view(asked) };
            page(asked, StatusCode::OK, &view)
        }
        Err(denied) => asked.denied(id, &denied),
    }
}

/// Codes for all that this browser has, which it then forgets.
pub(super) async fn leave(asked: &Asked<'_>, owner: &Owner, id: Id, token: &str) -> Reply {
    let vault = &asked.lane.link.worker.vault;
    match vault.leave(owner, id, token).await {
        Ok(codes) => {
            let made = codes.iter().map(|(item, code)| made(asked, item, code)).collect();
            let view = CodeView { step: CodeStep::Left, made, ..view(asked) };
            let reply = page(asked, StatusCode::OK, &view);
            reply.with(SET_COOKIE, visitor::forget_cookie(asked.judged.scheme))
        }
        Err(denied) => asked.denied(id, &denied),
    }
}

fn made(asked: &Asked<'_>, item: &Item, code: &Code) -> CodeMade {
    CodeMade {
        service: service(asked, item),
        reference: item.reference.to_string(),
        code: code.text().to_string(),
        expires: kept_until(item),
    }
}

fn shown(asked: &Asked<'_>, coded: &Coded, code: &str) -> CodeView {
    let (fields, more_fields) = shown_fields(&coded.record);
    CodeView {
        step: CodeStep::Shown,
        reference: coded.item.reference.to_string(),
        code: code.to_owned(),
        service: service(asked, &coded.item),
        captured: coded.item.captured,
        expires: kept_until(&coded.item),
        fields,
        more_fields,
        refillable: is_refillable(asked, coded),
        ..view(asked)
    }
}

/// The page with nothing on it yet.
fn view(asked: &Asked<'_>) -> CodeView {
    let (scheme, authority) =
        (asked.judged.scheme.name(), head::authority(asked.parts, asked.judged));
    CodeView {
        step: CodeStep::Ask,
        reference: String::new(),
        code: String::new(),
        made: Vec::new(),
        address: format!("{scheme}://{authority}/.intermission/r"),
        service: String::new(),
        captured: Wall::from_millis(0),
        expires: Wall::from_millis(0),
        fields: Vec::new(),
        more_fields: 0,
        refillable: false,
        operator: asked.judged.site().operator.clone(),
    }
}

/// What somebody typed as a reference, no longer than one is.
fn legible(typed: &str) -> String {
    typed.chars().filter(|letter| !letter.is_control()).take(20).collect()
}

fn page(asked: &Asked<'_>, status: StatusCode, view: &CodeView) -> Reply {
    let pages = &asked.judged.current.snapshot.pages;
    Reply::page(status, pages.code(asked.asker.lang(), view))
}
