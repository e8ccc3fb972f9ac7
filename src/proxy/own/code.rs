//! Resume codes: made on a receipt, typed on another device. What a code opens can be read, copied
//! and deleted, never sent: whoever holds a code need not be who typed the answers.

use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, StatusCode};

use super::Asked;
use super::show::{download, kept_until, service, shown_fields};
use crate::addr::ClientAddr;
use crate::clock::Wall;
use crate::id::Id;
use crate::pages::{CodeMade, CodeStep, CodeView, PlainKind};
use crate::proxy::answer::Reply;
use crate::proxy::{head, visitor};
use crate::vault::Owner;
use crate::vault::code::{Code, CodeFault, Coded};
use crate::vault::item::Item;

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
        "" => page(asked, StatusCode::OK, &shown(asked, &coded, &code)),
        _ => asked.plain(PlainKind::BadRequest),
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
