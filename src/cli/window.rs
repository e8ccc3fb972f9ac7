//! `intermission window`: what an operator can do to one window.

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::client::{self, Client};
use super::extend::Promise;
use super::shown::WindowShown;
use super::wait::{Wait, WaitEnd};
use super::{Fault, Reach, table, text};
use crate::clock::Clock;

#[derive(Args)]
pub(super) struct Window {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell which windows are planned and in force.
    List(List),
    /// Begin a planned or stalled window now.
    Start(Act<Start>),
    /// Promise visitors another end.
    Extend(Act<Extend>),
    /// End a window: verified and ramped, if it is to be.
    End(Act<End>),
    /// Cancel a window that has not begun.
    Cancel(Act<Cancel>),
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    reach: Reach,
}

/// One window, and what is done to it.
#[derive(Args)]
struct Act<T: Args> {
    /// The window's id.
    #[arg(value_name = "ID")]
    window: String,
    #[command(flatten)]
    what: T,
    #[command(flatten)]
    reach: Reach,
}

/// `start`
#[derive(Args)]
pub(super) struct Start {
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

/// `extend`
#[derive(Args)]
pub(super) struct Extend {
    #[command(flatten)]
    promise: Promise,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

/// `end`
#[derive(Args)]
pub(super) struct End {
    /// Reopen without looking whether the application is well.
    #[arg(long)]
    skip_checks: bool,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    wait: WaitEnd,
}

/// `cancel`
#[derive(Args)]
pub(super) struct Cancel {
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(super) reason: String,
}

impl Window {
    pub(super) fn run(self) -> Result<(), Fault> {
        match self.command {
            Command::List(List { reach }) => {
                let answer = Client::new(&reach)?.all("/api/v1/windows?state=live")?;
                table::print(reach.json, &answer, |answer| {
                    let windows: Vec<WindowShown> = client::read(table::items(answer, "windows"))?;
                    Ok(list(&windows))
                })
            }
            Command::Start(Act { window, what, reach }) => {
                what.run(&Client::new(&reach)?, &window, reach.json)
            }
            Command::Extend(Act { window, what, reach }) => {
                what.run(&Client::new(&reach)?, &window, reach.json)
            }
            Command::End(Act { window, what, reach }) => {
                what.run(&Client::new(&reach)?, &window, reach.json)
            }
            Command::Cancel(Act { window, what, reach }) => {
                what.run(&Client::new(&reach)?, &window, reach.json)
            }
        }
    }
}

impl Start {
    pub(super) fn run(&self, client: &Client, window: &str, json: bool) -> Result<(), Fault> {
        let answer = act(client, window, "start", &json!({ "reason": self.reason }))?;
        let waits = self.wait.wait_drained;
        tell(json && !waits, json && waits, &answer, |shown| format!("closed: {}", shown.place()))?;
        if waits { self.wait.drained(client, window, json) } else { Ok(()) }
    }
}

impl Extend {
    pub(super) fn run(&self, client: &Client, window: &str, json: bool) -> Result<(), Fault> {
        let (clock, zone) = (Clock::System, TimeZone::system());
        let mut body = self.promise.json(&clock, &zone)?;
        body["reason"] = json!(self.reason);
        let answer = act(client, window, "extend", &body)?;
        tell(json, false, &answer, |shown| {
            let until = text::until(shown.promised_end, clock.now(), &zone);
            format!("{} is back: {until}", shown.place())
        })
    }
}

impl End {
    pub(super) fn run(&self, client: &Client, window: &str, json: bool) -> Result<(), Fault> {
        let mut body = json!({ "reason": self.reason });
        if self.skip_checks {
            body["skip_checks"] = json!(true);
        }
        let answer = act(client, window, "end", &body)?;
        let waits = self.wait.wait;
        tell(json && !waits, json && waits, &answer, |shown| {
            let place = shown.place();
            match shown.state.as_str() {
                "ended" => format!("reopened: {place} (window {})", shown.id),
                "verifying" => format!("{place} is being verified; visitors still read the page"),
                "reopening" => format!("{place} reopens little by little"),
                state => format!("{place} is {state}"),
            }
        })?;
        if waits { self.wait.ended(client, window, json) } else { Ok(()) }
    }
}

impl Cancel {
    pub(super) fn run(&self, client: &Client, window: &str, json: bool) -> Result<(), Fault> {
        let answer = act(client, window, "cancel", &json!({ "reason": self.reason }))?;
        tell(json, false, &answer, |shown| format!("cancelled: {}", shown.place()))
    }
}

fn act(client: &Client, window: &str, action: &str, body: &Value) -> Result<Value, Fault> {
    client.post(&format!("/api/v1/windows/{}/{action}", text::segment(window)?), body)
}

/// Prints the answer as JSON, as words, or not at all because something follows.
fn tell(
    as_json: bool,
    silent: bool,
    answer: &Value,
    words: impl FnOnce(&WindowShown) -> String,
) -> Result<(), Fault> {
    if silent {
        return Ok(());
    }
    table::print(as_json, answer, |answer| {
        let shown: WindowShown = client::read(answer["window"].clone())?;
        Ok(format!("{}\n", words(&shown)))
    })
}

/// Windows with their ids, which the other commands take.
pub(super) fn list(windows: &[WindowShown]) -> String {
    let (now, zone) = (Clock::System.now(), TimeZone::system());
    let instant = |at: Option<_>| at.map(|at| text::instant(at, now, &zone)).unwrap_or_default();
    let mut windows: Vec<&WindowShown> = windows.iter().collect();
    windows.sort_by_key(|window| window.starts());
    let rows = windows.iter().map(|window| {
        // A rehearsal's windows have no names yet.
        let id = Some(&window.id).filter(|id| id.bytes().any(|byte| byte != b'0'));
        [
            format!("{}\n{}", window.part(), id.map(String::as_str).unwrap_or_default()),
            window.place(),
            format!("{},\n{}", window.mode, window.state),
            instant(window.starts()),
            instant(window.ended.or(window.promised_end)),
        ]
    });
    table::of(["window", "where", "is", "begins", "back"], rows, "no windows")
}
