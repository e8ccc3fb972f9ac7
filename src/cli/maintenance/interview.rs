//! A plan by questions, for who has no file at hand.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::cli::confirm::{agreed, asked};
use crate::cli::{Fault, text};
use crate::clock::Clock;

/// Asks for a title and for one phase after another.
pub(super) fn plan() -> Result<Value, Fault> {
    let title = needed("What is it called, in a few words?")?;
    let reason = needed("Why? Visitors read it.")?;
    let mut plan = json!({ "title": title, "texts": { "reason": reason } });
    optional(&mut plan, "owner", "Who answers for it?")?;
    let announce = list("How long ahead is it announced, such as 7d, 24h?")?;
    if !announce.is_empty() {
        plan["announce"] = json!(announce);
    }
    let mut phases = Vec::new();
    loop {
        phases.push(phase(phases.len() + 1)?);
        if !agreed("Another phase after this one?")? {
            break;
        }
    }
    plan["phase"] = Value::Array(phases);
    Ok(plan)
}

fn phase(number: usize) -> Result<Value, Fault> {
    let mut phase = json!({});
    optional(&mut phase, "name", &format!("Phase {number}: what is it called?"))?;
    for (member, question) in
        [("routes", "Which routes? (all)"), ("regions", "Which regions? (all)")]
    {
        let names = list(question)?;
        if !names.is_empty() && names != ["all"] {
            phase[member] = json!(names);
        }
    }
    optional(&mut phase, "mode", "What happens to requests: page, read_only or hold? (page)")?;
    let (clock, zone) = (Clock::System, TimeZone::system());
    phase["starts"] = loop {
        let said = needed("When does it begin: 16:00, or 2026-11-29T16:00:00Z?")?;
        match text::parse_until(&said, &clock, &zone) {
            Ok(at) => break json!(at),
            Err(fault) => anstream::eprintln!("{fault}"),
        }
    };
    phase["lasts"] = json!(needed("How long does it last, such as 4h?")?);
    optional(&mut phase, "disruption", "How much of it will visitors feel, such as 15m? (all)")?;
    if agreed("Does it reopen by itself at its end?")? {
        phase["reopen"] = json!("auto");
    }
    let probe = asked("Which path must answer 200 before it reopens, such as /health? (none)")?;
    if !probe.is_empty() {
        phase["verification"] = json!({ "probes": [{ "path": probe }] });
    }
    let over = asked("Over which time are visitors let in again, such as 10m? (at once)")?;
    if !over.is_empty() {
        phase["ramp"] = json!({ "over": over });
    }
    Ok(phase)
}

fn needed(question: &str) -> Result<String, Fault> {
    loop {
        let said = asked(question)?;
        if !said.is_empty() {
            return Ok(said);
        }
    }
}

fn optional(into: &mut Value, member: &str, question: &str) -> Result<(), Fault> {
    let said = asked(question)?;
    if !said.is_empty() {
        into[member] = json!(said);
    }
    Ok(())
}

fn list(question: &str) -> Result<Vec<String>, Fault> {
    let said = asked(question)?;
    let parts = said.split(',').map(str::trim).filter(|part| !part.is_empty());
    Ok(parts.map(str::to_owned).collect())
}
