//! Act five: claims reopen, and each kept form goes on by its owner's press, once.

use super::operator::typed;
use super::traffic::{form_on, photo};
use super::{Broken, STORY, Seen, Story, element, must};
use crate::cli::demo::visitor::{Page, Request, Sender, Visitor};
use crate::digest;

/// What reopens it, as typed.
const OFF: [&str; 5] = ["off", "--region", "apac", "--route", "claims"];

/// A press of Send.
pub(super) struct Sent {
    /// The request with the ticket that followed the 307.
    ticket: Request,
    /// What the visitor sees.
    result: Page,
}

impl Story {
    pub(super) fn reopen(&mut self) -> Seen {
        let printed = self.operator.types(&OFF)?;
        let page = self.amina.open("/claims")?;
        must(page.answer.status == 200, || format!("GET /claims → {}", page.answer.status))?;
        Ok(format!("$ {}\n{printed}\napac: GET /claims → 200", typed(&OFF)))
    }

    pub(super) fn send(&mut self) -> Seen {
        let receipt = self.receipt(0)?;
        let sent = press_send(&mut self.amina, &receipt)?;
        let page = &sent.result;
        let steps = arrows(page);
        must(page.hops.first().is_some_and(|hop| *hop == (307, "/claims/new".to_owned())), || {
            format!("Send led to {steps}")
        })?;
        must(page.answer.status == 200 && page.at.ends_with("/documents"), || {
            let html = page.answer.text();
            format!("Send led to {steps}: {} “{}”", page.answer.status, element(&html, "main"))
        })?;
        let claims = self.arrived();
        must(claims == 1, || format!("the claim is in the ledger {claims} times"))?;
        self.sent = Some(sent);
        Ok(format!("{steps}\nthe ledger holds it once, word for word"))
    }

    pub(super) fn reload_result(&mut self) -> Seen {
        let at = self.sent()?.result.at.clone();
        self.amina.open(&at)?;
        let receipt = self.receipt(0)?;
        let page = self.amina.open(&receipt)?;
        let state = page.answer.header("intermission-state").unwrap_or("(absent)").to_owned();
        must(state.starts_with("accepted"), || format!("{receipt}: {state}"))?;
        let claims = self.arrived();
        must(claims == 1, || format!("the claim is in the ledger {claims} times"))?;
        Ok(format!("{at} again; the receipt says “{}”", element(&page.answer.text(), "h1")))
    }

    pub(super) fn replay_ticket(&mut self) -> Seen {
        let (ticket, receipt) = (self.sent()?.ticket.clone(), self.receipt(0)?);
        let own = self.amina.send(&ticket)?;
        let location = own.header("location").unwrap_or("(absent)");
        must(own.status == 303 && location == receipt, || {
            format!("a used ticket → {} {location}", own.status)
        })?;
        let other = self.chloe.send(&with_cookies_of(&self.chloe, &ticket))?;
        must(other.status == 410, || format!("in another browser → {}", other.status))?;
        let claims = self.arrived();
        must(claims == 1, || format!("the claim is in the ledger {claims} times"))?;
        Ok("the same ticket again → 303 to the receipt; in another browser → 410".to_owned())
    }

    pub(super) fn send_photo(&mut self) -> Seen {
        let receipt = self.receipt(1)?;
        let sent = press_send(&mut self.amina, &receipt)?;
        let hash = digest::hex(&digest::sha256(&photo()));
        let claims = self.stage.ledger.all();
        let papers: Vec<_> = claims
            .iter()
            .filter(|claim| claim.details.name == "Amina")
            .flat_map(|claim| &claim.papers)
            .collect();
        must(papers.len() == 1 && papers[0].sha256 == hash, || {
            format!("{}: {papers:?}, wanted once: {hash}", arrows(&sent.result))
        })?;
        let shown = sent.result.answer.text().contains(&hash);
        must(shown, || format!("{} does not show the hash", sent.result.at))?;
        Ok(format!("{}\nSHA-256 {hash}", arrows(&sent.result)))
    }

    pub(super) fn discard(&mut self) -> Seen {
        let receipt = self.receipt(2)?;
        let page = self.chloe.open(&receipt)?;
        self.chloe.submit(&page, &form_on(&page, "/discard")?)?;
        let after = self.chloe.open(&receipt)?;
        must(after.answer.status == 410 && !after.answer.text().contains("CANARY"), || {
            format!("{receipt} → {}", after.answer.status)
        })?;
        let copy = self.chloe.open(&format!("{receipt}/data"))?;
        must(matches!(copy.answer.status, 404 | 410), || {
            format!("{receipt}/data → {}", copy.answer.status)
        })?;
        let status = self.operator.asks("/api/v1/status")?;
        let store = &status["store"];
        must(store["submissions"]["discarded"] == 1, || format!("status says {store}"))?;
        Ok(format!("{receipt} → 410 “{}”\nstatus: {store}", element(&after.answer.text(), "h1")))
    }

    pub(super) fn history(&mut self) -> Seen {
        let history = self.operator.asks("/api/v1/history")?.to_string();
        for word in ["database upgrade", crate::cli::demo::stage::OPERATOR] {
            must(history.contains(word), || format!("“{word}” is not in {history}"))?;
        }
        Ok(format!("$ intermission history\n{}", self.operator.types(&["history"])?))
    }

    /// How often Amina's claim is in the application's ledger, word for word.
    fn arrived(&self) -> usize {
        self.stage.ledger.all().iter().filter(|claim| claim.details.story == STORY).count()
    }

    fn sent(&self) -> Result<&Sent, Broken> {
        self.sent.as_ref().ok_or_else(|| Broken::Seen("nothing was sent".to_owned()))
    }
}

/// Presses Send on a receipt and goes where it leads.
fn press_send(visitor: &mut Visitor, receipt: &str) -> Result<Sent, Broken> {
    let page = visitor.open(receipt)?;
    let form = form_on(&page, "/resume")?;
    let result = visitor.submit(&page, &form)?;
    let target = result.hops.first().map_or(String::new(), |(_, target)| target.clone());
    let ticket = visitor.post_to(&target, &page.at, &form, Sender::SameOrigin);
    Ok(Sent { ticket, result })
}

/// The same request with the cookies of `visitor`.
fn with_cookies_of(visitor: &Visitor, ticket: &Request) -> Request {
    let mut ticket = ticket.clone();
    ticket.take("cookie");
    match visitor.cookies_for(&ticket.target) {
        Some(cookies) => ticket.field("cookie", &cookies),
        None => ticket,
    }
}

/// Where a press led, hop by hop.
fn arrows(page: &Page) -> String {
    let hops = page.hops.iter().map(|(status, target)| format!("→ {status} {target} "));
    format!("Send {}→ {}", hops.collect::<String>(), page.answer.status)
}
