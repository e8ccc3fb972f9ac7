//! The story, played unattended: each step is done over real sockets and says what was seen.
//!
//! Amina lives in apac, Ben in eu, Chloe in apac too. The operator types commands. The first step
//! whose promise does not hold ends the walk.

mod closed;
mod kept;
mod operator;
mod phases;
mod reopened;
mod restarted;
mod teller;
mod traffic;

use std::process::ExitCode;

use super::stage::{Ports, Stage, StageError};
use super::visitor::{Fault, Form, Page, Unfinished, Visitor};
use crate::clock::Clock;
use operator::Operator;
use teller::Teller;

/// What Amina types; looked for in every file of the store.
const STORY: &str =
    "CANARY-STORY: the harbour wall broke & the <cellar> stood under water, naïve as I was.";
/// What must never be kept at all.
const PASSPHRASE: &str = "CANARY-PASSPHRASE-correct-horse";
/// What stands in the uploaded file.
const PHOTO_MARK: &[u8] = b"CANARY-PHOTO";

/// Elements that stand within a sentence.
const INLINE: [&str; 5] = ["a", "bdi", "code", "span", "time"];

/// A promise that did not hold, or a step that could not be done.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Seen(String),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// What a step saw, for the reader.
type Seen = Result<String, Broken>;

/// Everybody and everything in the story.
struct Story {
    stage: Stage,
    operator: Operator,
    amina: Visitor,
    ben: Visitor,
    chloe: Visitor,
    /// A request that is under way when claims close.
    slow: Option<Unfinished>,
    /// The pages that were open when claims closed.
    open: Option<OpenPages>,
    /// Addresses of the receipts: Amina's claim, Amina's photograph, Chloe's claim.
    receipts: Vec<String>,
    /// The last press of Send, as it went over the wire, and the page it led to.
    sent: Option<reopened::Sent>,
}

/// Forms that were loaded before the window, filled and not sent yet.
struct OpenPages {
    claim: (Page, Form),
    photo: (Page, Form),
    passphrase: (Page, Form),
    chloe: (Page, Form),
    ben: (Page, Form),
}

/// Plays the story, and the upgrade in phases after it if that is wanted.
pub(super) fn walk(phases: bool) -> Result<ExitCode, StageError> {
    let clock = Clock::System;
    let begun = clock.tick();
    let mut stage = Stage::build(Ports::Free)?;
    stage.start_proxy()?;
    let mut teller = Teller::new();
    let mut story = Story::new(stage);
    let result = story.tell(&mut teller, phases);
    let log = story.stage.log_end();
    drop(story);
    let took = clock.tick().since(begun).as_secs_f32();
    Ok(match result {
        Ok(()) => {
            anstream::println!("\nAll {} promises held, in {took:.1} s.", teller.steps());
            ExitCode::SUCCESS
        }
        Err(broken) => {
            teller.broken(&broken);
            if !log.is_empty() {
                anstream::println!("\nThe proxy's log ends with:\n{log}");
            }
            ExitCode::FAILURE
        }
    })
}

impl Story {
    fn new(stage: Stage) -> Self {
        let port = stage.proxy.port();
        let visitor = |host: &str| Visitor::new(stage.proxy, &format!("{host}:{port}"));
        Self {
            operator: Operator::new(stage.admin, &stage.token),
            amina: visitor("apac.localhost"),
            ben: visitor("eu.localhost"),
            chloe: visitor("apac.localhost"),
            slow: None,
            open: None,
            receipts: Vec::new(),
            sent: None,
            stage,
        }
    }

    fn tell(&mut self, teller: &mut Teller, phases: bool) -> Result<(), Broken> {
        teller.act("Traffic flows");
        teller.step("the portal answers through the proxy in both regions", || self.answers())?;
        teller.step("a whole claim goes through: three forms and a file", || self.whole_claim())?;
        teller.step("visitors fill in forms and do not send them yet", || self.fill_forms())?;

        teller.act("An operator closes claims in apac");
        teller.step("one command closes it", || self.close())?;
        teller.step("a request that was under way is finished", || self.finish_slow())?;
        teller.step("status says what is closed, since when, why, by whom", || self.status())?;
        teller.step("eu goes on, and so does the rest of apac", || self.others_go_on())?;
        teller.step("a visitor reads a page that says when it returns", || self.closed_page())?;
        teller.step("in their own language, right-to-left too", || self.languages())?;
        teller.step("machines get answers made for machines", || self.machines())?;
        teller.step("the load balancer's probe stays green", || self.probe())?;

        teller.act("Nobody loses a form");
        teller.step("Amina sends her claim: saved, and it says not sent", || self.keep_claim())?;
        teller.step("reloading the receipt sends nothing and doubles nothing", || self.reload())?;
        teller.step("pressing the button twice is one submission", || self.press_twice())?;
        teller.step("her photograph is kept too, from another tab", || self.keep_photo())?;
        teller
            .step("Chloe's claim is kept apart, and only she can read it", || self.keep_chloe())?;
        teller.step("a post from another site is not kept", || self.cross_site())?;
        teller.step("a passphrase is not kept, and she is told so", || self.passphrase())?;
        teller.step("the application has seen none of it", || self.nothing_arrived())?;
        teller.step("a copy of the store is unreadable", || self.sealed())?;
        teller.step("the operator sees how many are waiting, not what", || self.census())?;
        teller.step("every request left one line in the access log", || self.access_log())?;

        teller.act("Everything restarts");
        teller.step("the application restarts: open forms go stale", || self.restart_app())?;
        teller.step("the proxy is killed and started: still closed", || self.kill_proxy())?;
        teller.step("the receipts are still there", || self.receipts_survive())?;

        teller.act("Claims reopen");
        teller.step("one command reopens it", || self.reopen())?;
        teller.step("Amina presses Send: her claim arrives, with a fresh token", || self.send())?;
        teller.step("reloading the result adds none", || self.reload_result())?;
        teller.step("a used ticket opens nothing", || self.replay_ticket())?;
        teller.step("the photograph arrives to the byte", || self.send_photo())?;
        teller.step("Chloe changes her mind: hers is erased", || self.discard())?;
        teller.step("the history tells who did what, when and why", || self.history())?;
        if phases { self.upgrade(teller) } else { Ok(()) }
    }

    /// One maintenance in three phases: development, apac, then eu and na together.
    fn upgrade(&mut self, teller: &mut Teller) -> Result<(), Broken> {
        teller.act("An upgrade in three phases");
        teller.step("a rehearsal tells what would close, and plans nothing", || self.rehearse())?;
        teller.step("one command plans all three", || self.plan())?;
        teller.step("development closes at its instant, nothing else does", || self.first())?;
        teller.step("it is extended while it runs: visitors read the new end", || self.extend())?;
        teller.step("apac's time has come, and it waits for development", || self.gate())?;
        teller.step("development reopens by itself, and apac closes", || self.second())?;
        teller.step("apac's verification fails: it stays closed", || self.unverified())?;
        teller.step("the application is mended: apac reopens", || self.verified())?;
        teller.step("eu and na close together", || self.third())?;
        teller.step("they reopen little by little", || self.ramp())?;
        teller.step("the report tells all of it", || self.report())?;
        Ok(())
    }

    fn open_pages(&self) -> Result<&OpenPages, Broken> {
        self.open.as_ref().ok_or_else(|| Broken::Seen("no forms were filled in".to_owned()))
    }
}

/// Holds what must be true against what was seen.
fn must(holds: bool, seen: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::Seen(seen())) }
}

/// The text between tags that a reader sees without a script, on one line.
fn words(html: &str) -> String {
    let mut pieces = html.split('<');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    let mut hidden: Option<&str> = None;
    for piece in pieces {
        let (tag, after) = piece.split_once('>').unwrap_or((piece, ""));
        let mut parts = tag.trim_start_matches('/').split(' ');
        let name = parts.next().unwrap_or_default();
        if hidden.is_none() && parts.any(|attribute| attribute == "hidden") {
            hidden = Some(name);
        } else if hidden == Some(name) && tag.starts_with('/') {
            hidden = None;
        }
        if hidden.is_none() {
            text.push_str(if INLINE.contains(&name) { "" } else { " " });
            text.push_str(after);
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The content of the first `<tag …>`.
fn element(html: &str, tag: &str) -> String {
    let start = html.find(&format!("<{tag}")).and_then(|at| Some(at + html[at..].find('>')? + 1));
    let Some(start) = start else { return String::new() };
    let end = html[start..].find(&format!("</{tag}")).map_or(html.len(), |end| start + end);
    html_escape::decode_html_entities(&words(&html[start..end])).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_is_read_without_a_script() {
        let html = "<p>Dear <bdi>Amina</bdi>,</p><p class=x hidden>not <b>yet</b></p><p>bye</p>";
        assert_eq!(words(html), "Dear Amina, bye");
        assert_eq!(element("<h1 id=a>One &amp; <a href=x>two</a></h1>", "h1"), "One & two");
    }
}
