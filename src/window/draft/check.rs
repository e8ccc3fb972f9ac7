//! What cannot be, and what is probably not meant, beyond single values.

use std::time::Duration;

use super::fault::{Fault, Found};
use super::{Draft, DraftPhase, duration, texts};
use crate::limit;
use crate::window::event::Order;
use crate::window::plan::{Plan, Reopen};
use crate::window::scope::Selection;
use crate::window::state::Mode;

impl Found {
    /// Whether nothing is wrong so far.
    pub(super) fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// The document as a whole.
pub(super) fn document(draft: &Draft, found: &mut Found) {
    if draft.title.trim().is_empty() {
        found.fault("title", "it is missing", "say in a few words what it is about");
    }
    texts::text("title", &draft.title, limit::TITLE_CHARS_MAX, found);
    texts::text("owner", &draft.owner, limit::TITLE_CHARS_MAX, found);
    texts::check("texts", &draft.texts, found);
    let count = draft.phases.len();
    if count == 0 {
        found.fault("phases", "there is none", "say at least once what closes, and when");
    }
    if count > limit::PHASES_MAX {
        let help = format!("{} are possible", limit::PHASES_MAX);
        found.fault("phases", format!("{count} phases"), help);
    }
    if draft.announce.len() > limit::ANNOUNCES_MAX {
        let what = format!("{} times ahead", draft.announce.len());
        found.fault("announce", what, format!("{} are possible", limit::ANNOUNCES_MAX));
    }
}

/// What a phase says without its times.
pub(super) fn phase(at: usize, phase: &DraftPhase, found: &mut Found) {
    let field = |name: &str| format!("phases[{at}].{name}");
    texts::text(&field("name"), &phase.name, limit::TITLE_CHARS_MAX, found);
    for method in phase.methods.names() {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        if method.is_empty() || method.len() > 32 || !method.bytes().all(fits) {
            let what = format!("{method:?} is not a method");
            found.fault(&field("methods"), what, "write it in capitals: \"POST\"");
        }
    }
    if phase.allow.len() > limit::ALLOWED_PATHS_MAX {
        let help = format!("{} are possible", limit::ALLOWED_PATHS_MAX);
        found.fault(&field("allow"), format!("{} paths", phase.allow.len()), help);
    }
    for (path_at, path) in phase.allow.iter().enumerate().take(limit::ALLOWED_PATHS_MAX) {
        let field = format!("phases[{at}].allow[{path_at}]");
        if let Some(why) = no_path(path) {
            let help = "write \"/login\", or \"/account/*\" for everything below";
            found.fault(&field, format!("{path:?} {why}"), help);
        }
    }
    if !phase.allow.is_empty() && phase.mode != Mode::ReadOnly {
        let what = format!("it means nothing in mode `{}`", phase.mode.name());
        found.warn(&field("allow"), what, "say mode = \"read_only\", or leave it out");
    }
    if phase.hold.is_some() && phase.mode != Mode::Hold {
        let what = format!("it means nothing in mode `{}`", phase.mode.name());
        found.warn(&field("hold"), what, "say mode = \"hold\", or leave it out");
    }
}

fn no_path(path: &str) -> Option<&'static str> {
    let body = path.strip_suffix("/*").unwrap_or(path);
    let fits = |letter: char| !letter.is_control() && !letter.is_whitespace();
    if !path.starts_with('/') {
        Some("does not begin with a slash")
    } else if path.chars().count() > limit::PROBE_TEXT_CHARS_MAX {
        Some("is too long")
    } else if body.contains(['*', '?', '#', '\\']) || !path.chars().all(fits) {
        Some("holds a character that no canonical path has")
    } else if body.contains("//") || body.split('/').any(|part| part == "." || part == "..") {
        Some("is not canonical: it has an empty segment, or one of dots")
    } else {
        None
    }
}

/// The course of a phase that takes `length`.
pub(super) fn course(
    phase: &DraftPhase,
    plan: &Plan,
    length: Option<Duration>,
    field: &dyn Fn(&str) -> String,
    found: &mut Found,
) {
    let show = duration::show;
    let Some(length) = length else {
        if plan.reopen == Reopen::Auto {
            let help = "say when: ends = \"…\" or lasts = \"4h\"";
            found.fault(&field("reopen"), "it reopens by itself, but has no end to do so", help);
        }
        return;
    };
    if plan.disruption.is_some_and(|disruption| disruption > length) {
        let what = format!("it is longer than the phase, which takes {}", show(length));
        found.fault(&field("disruption"), what, "name a part of it, or leave it out");
    }
    if plan.hard_limit.is_some_and(|limit| limit < length) {
        let what = format!("it reopens before the promised end, after {}", show(length));
        found.warn(&field("hard_limit"), what, "a hard limit is for what was forgotten");
    }
    if plan.drain > length {
        let what = format!("draining may take longer than the phase, {}", show(length));
        found.warn(&field("drain"), what, "is one of the two wrong?");
    }
    if phase.mode == Mode::Hold && plan.hold.longest < length {
        let what = format!(
            "it takes {}, but requests wait {} at most: who comes early gets the page",
            show(length),
            show(plan.hold.longest)
        );
        found.warn(&field("hold.longest"), what, "shorten the phase, or say mode = \"page\"");
    }
    if phase.reopen.is_none() && plan.reopen == Reopen::Manual {
        let what = "nothing verifies it, so that it stays closed at its promised end until an \
                    operator ends it";
        found.warn(&field("reopen"), what, "say which is meant: \"auto\" or \"manual\"");
    }
}

/// What phases say of one another: each begins only after the one before has ended.
pub(super) fn gates(orders: &[&Order], found: &mut Found) {
    for (at, pair) in orders.windows(2).enumerate() {
        let (before, order) = (pair[0], pair[1]);
        let field = format!("phases[{}].starts", at + 1);
        let (starts, number) = (order.plan.starts, at + 1);
        if starts < before.plan.starts {
            let what = format!("it begins before phase {number}, which begins first");
            found.fault(&field, what, "write phases in the order of their beginnings");
            continue;
        }
        let Some(end) = before.promised_end.filter(|end| *end > starts) else { continue };
        if order.promised_end.is_some_and(|own| own <= end) {
            let what =
                format!("phase {number} is promised to end at {end}, after this one is over");
            found.fault(&field, what, "let it begin after the one before, or end later");
        } else if starts.plus(order.plan.start_within) < end {
            let what = format!(
                "phase {number} is promised to end at {end}, and this one gives up waiting for it \
                 after {}",
                duration::show(order.plan.start_within)
            );
            found.warn(&field, what, "let it begin later, or give it a longer `start_within`");
        } else {
            let what = format!("phase {number} is promised to end at {end}: this one will wait");
            found.warn(&field, what, "let it begin when that one is over");
        }
    }
}

/// The names that a site has.
#[derive(Clone, Debug, Default)]
pub struct Names<'a> {
    /// Of regions.
    pub regions: Vec<&'a str>,
    /// Of routes.
    pub routes: Vec<&'a str>,
}

impl Names<'_> {
    /// Regions and routes of a document that the site does not have.
    pub fn unknown(&self, draft: &Draft) -> Vec<Fault> {
        let regions: std::collections::BTreeSet<&str> = self.regions.iter().copied().collect();
        let routes: std::collections::BTreeSet<&str> = self.routes.iter().copied().collect();
        let mut faults = Vec::new();
        for (at, phase) in draft.phases.iter().enumerate().take(limit::PHASES_MAX) {
            let mut look = |key: &str, kind: &str, of: &Selection, known: &_| {
                let field = format!("phases[{at}].{key}");
                faults.extend(missing(&field, kind, of, known));
            };
            look("regions", "region", &phase.regions, &regions);
            look("routes", "route", &phase.routes, &routes);
        }
        faults
    }
}

fn missing<'a>(
    field: &'a str,
    kind: &'a str,
    of: &'a Selection,
    known: &'a std::collections::BTreeSet<&str>,
) -> impl Iterator<Item = Fault> + 'a {
    of.names().filter(|name| !known.contains(name)).map(move |name| {
        let likeness = |other: &&&str| strsim::jaro_winkler(name, other);
        let near = known.iter().map(|other| (likeness(&other), *other));
        let near = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.75);
        let help = match near {
            Some((_, near)) => format!("did you mean {near:?}?"),
            None => format!("declare it in the config as [[{kind}]], or name another"),
        };
        Fault::new(field, format!("there is no {kind} {name:?}"), help)
    })
}
