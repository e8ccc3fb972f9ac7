//! From the document to orders: every instant and duration read, every fault told.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::fault::{Fault, Found};
use super::when::{Reading, read_instant, read_zone};
use super::{Draft, DraftHold, DraftPhase, check, duration, texts, verify};
use crate::clock::Wall;
use crate::id::Id;
use crate::limit;
use crate::window::event::{Order, Texts};
use crate::window::maintenance::{Announce, Kind, Maintenance, Source};
use crate::window::plan::{Hold, Plan, Reopen};
use crate::window::schedule;
use crate::window::scope::Scope;

/// What a document is read under.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Given {
    /// The time now.
    pub now: Wall,
    /// How long requests in flight may take to finish where the document says nothing.
    pub drain: Duration,
    /// What of instants that have passed.
    pub past: Past,
}

/// Whether a window may begin in the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Past {
    /// It is a fault: somebody plans it now.
    Refused,
    /// It was planned long ago, or is read again.
    Allowed,
}

/// What a document says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compiled {
    /// What its windows have in common. Id, version, windows and author are the reconciler's.
    pub maintenance: Maintenance,
    /// The phases, by name.
    pub phases: Vec<(String, Order)>,
    /// What may not be meant, and holds all the same.
    pub warnings: Vec<Fault>,
}

impl Draft {
    /// Reads everything, and tells everything that is wrong at once. Whether regions and routes
    /// exist is asked of [`super::Names`], and what else is planned of `schedule::conflict`.
    pub fn compile(&self, given: &Given) -> Result<Compiled, Vec<Fault>> {
        let mut found = Found::default();
        check::document(self, &mut found);
        let zone = zone(&self.zone, &mut found);
        let announce = announce(&self.announce, &mut found);
        let visible = texts::with_title(&self.texts, &self.title);
        let mut reader = Reader { draft: self, given, zone, texts: visible, found };
        let phases: Vec<_> = (0..self.phases.len())
            .take(limit::PHASES_MAX)
            .map(|at| (self.phases[at].name.clone(), reader.phase(at)))
            .collect();
        let Reader { zone, mut found, .. } = reader;
        let orders: Vec<&Order> = phases.iter().map(|(_, order)| order).collect();
        check::gates(&orders, &mut found);
        let first = orders.first().map(|order| order.plan.starts).filter(|_| found.is_sound());
        let recurrence = self.recurrence.as_ref();
        let recurrence = recurrence.filter(|_| zone.is_some());
        let recurrence = recurrence
            .and_then(|typed| schedule::read(typed, &self.zone, first, &mut found.faults));
        if !found.faults.is_empty() {
            return Err(found.faults);
        }
        let maintenance = Maintenance {
            id: Id::from_bytes([0; 20]),
            version: 0,
            title: self.title.trim().to_owned(),
            kind: self.kind,
            severity: self.severity,
            owner: self.owner.clone(),
            texts: self.texts.clone(),
            windows: Vec::new(),
            announce,
            recurrence,
            series: None,
            source: Source::Operator,
            updates: Vec::new(),
            aftermath: None,
            document: Some(Box::new(self.kept(given.drain))),
            created: given.now,
            by: String::new(),
        };
        Ok(Compiled { maintenance, phases, warnings: found.warnings })
    }

    /// As it is kept. Of one that comes again the drain is written out, so that later occurrences
    /// drain as the first did.
    fn kept(&self, drain: Duration) -> Self {
        let mut kept = self.clone();
        if kept.recurrence.is_some() {
            for phase in &mut kept.phases {
                phase.drain.get_or_insert_with(|| duration::show(drain));
            }
        }
        kept
    }
}

fn zone(name: &str, found: &mut Found) -> Option<TimeZone> {
    let zone = read_zone(name);
    if zone.is_none() {
        let help = "write a name of the IANA time zone database: \"Europe/Paris\", \"UTC\"";
        found.fault("zone", format!("there is no zone {name:?}"), help);
    }
    zone
}

fn announce(typed: &[String], found: &mut Found) -> Vec<Announce> {
    let bounds = Duration::from_secs(60)..=limit::ANNOUNCE_AHEAD_MAX;
    let read = |(at, text): (usize, &String)| {
        duration::read(&format!("announce[{at}]"), text, bounds.clone(), found).map(Announce)
    };
    let mut ahead: Vec<_> =
        typed.iter().take(limit::ANNOUNCES_MAX).enumerate().filter_map(read).collect();
    ahead.sort_unstable();
    ahead.dedup();
    ahead.reverse();
    ahead
}

/// What phases are read with.
struct Reader<'a> {
    draft: &'a Draft,
    given: &'a Given,
    /// None, after a fault, if there is no such zone.
    zone: Option<TimeZone>,
    texts: Texts,
    found: Found,
}

impl Reader<'_> {
    fn phase(&mut self, at: usize) -> Order {
        let draft = self.draft;
        let phase = &draft.phases[at];
        let field = |name: &str| format!("phases[{at}].{name}");
        check::phase(at, phase, &mut self.found);
        let starts = self.starts(phase, &field("starts"));
        let promised_end = self.end(phase, starts, at);
        let length = promised_end.zip(starts).map(|(end, starts)| end.since(starts));
        let plan = self.plan(phase, starts.unwrap_or(self.given.now), length, &field);
        let texts = match &phase.texts {
            Some(own) => {
                texts::check(&field("texts"), own, &mut self.found);
                texts::over(own, &self.texts)
            }
            None => self.texts.clone(),
        };
        let (regions, routes) = (phase.regions.clone(), phase.routes.clone());
        let scope = Scope { regions, routes, methods: phase.methods.clone() };
        Order { scope, mode: phase.mode, texts, promised_end, plan }
    }

    fn starts(&mut self, phase: &DraftPhase, field: &str) -> Option<Wall> {
        let Some(typed) = &phase.starts else {
            if self.draft.kind == Kind::Emergency {
                return Some(self.given.now);
            }
            let help = "say when it begins: \"2026-11-29T16:00:00Z\", or \"2026-11-29T16:00\" in \
                        the document's zone; an emergency begins now without";
            self.found.fault(field, "it is missing", help);
            return None;
        };
        let starts = self.instant(field, typed)?;
        if self.given.past == Past::Allowed {
            return Some(starts);
        }
        let now = self.given.now;
        if now.since(starts) > limit::START_SLACK {
            let what = format!("{starts} has passed; it is {now}");
            self.found.fault(field, what, "name an instant to come");
            return None;
        }
        if starts.since(now) > limit::PLAN_AHEAD_MAX {
            let what = format!("{starts} is more than five years ahead");
            self.found.fault(field, what, "is the year right?");
            return None;
        }
        Some(starts)
    }

    fn end(&mut self, phase: &DraftPhase, starts: Option<Wall>, at: usize) -> Option<Wall> {
        let field = format!("phases[{at}].ends");
        match (&phase.ends, &phase.lasts) {
            (Some(_), Some(_)) => {
                let what = "both `ends` and `lasts` are there";
                self.found.fault(&field, what, "leave one of the two out");
                None
            }
            (Some(typed), None) => {
                let end = self.instant(&field, typed)?;
                let starts = starts?;
                if end <= starts {
                    let what = format!("it ends at {end}, before it begins at {starts}");
                    let help = "name a later instant, or a length: lasts = \"4h\"";
                    self.found.fault(&field, what, help);
                } else if end.since(starts) > limit::WINDOW_LENGTH_MAX {
                    let what = format!("it ends at {end}, more than a year after it begins");
                    self.found.fault(&field, what, "is the year right?");
                }
                Some(end)
            }
            (None, Some(typed)) => {
                let bounds = Duration::from_secs(1)..=limit::WINDOW_LENGTH_MAX;
                let field = format!("phases[{at}].lasts");
                let length = duration::read(&field, typed, bounds, &mut self.found)?;
                Some(starts?.plus(length))
            }
            (None, None) => None,
        }
    }

    fn instant(&mut self, field: &str, typed: &str) -> Option<Wall> {
        let zone = self.zone.as_ref()?;
        let (what, help) = match read_instant(typed, zone) {
            Reading::At(at) => return Some(at),
            Reading::Skipped(before, after) => (
                format!("{typed:?} does not exist: the clock is put forward over it"),
                format!("write {before:?} or {after:?}, or a time that the clock shows"),
            ),
            Reading::Twice(first, second) => (
                format!("{typed:?} comes twice: the clock is put back over it"),
                format!("write {first:?} for the first, {second:?} for the second"),
            ),
            Reading::Unreadable => (
                format!("{typed:?} is not an instant"),
                "write \"2026-11-29T16:00:00Z\", or \"2026-11-29T16:00\" in the document's zone"
                    .to_owned(),
            ),
        };
        self.found.fault(field, what, help);
        None
    }

    fn plan(
        &mut self,
        phase: &DraftPhase,
        starts: Wall,
        length: Option<Duration>,
        field: &dyn Fn(&str) -> String,
    ) -> Plan {
        let found = &mut self.found;
        let mut span = |name: &str, text: &Option<String>, least: Duration, most: Duration| {
            duration::optional(&field(name), text.as_ref(), least..=most, found)
        };
        let second = Duration::from_secs(1);
        let start_within = span(
            "start_within",
            &phase.start_within,
            Duration::ZERO,
            limit::WINDOW_START_WITHIN_MAX,
        );
        let drain = span("drain", &phase.drain, Duration::ZERO, limit::WINDOW_DRAIN_MAX);
        let disruption = span("disruption", &phase.disruption, second, limit::WINDOW_LENGTH_MAX);
        let hard_limit = span("hard_limit", &phase.hard_limit, second, limit::WINDOW_LENGTH_MAX);
        let verification = phase.verification.as_ref();
        let verification =
            verification.map(|typed| verify::verification(&field("verification"), typed, found));
        let ramp = phase.ramp.as_ref();
        let ramp = ramp.and_then(|typed| verify::ramp(&field("ramp"), typed, found));
        let reopen = reopen(phase, length.is_some(), verification.is_some());
        let hold =
            phase.hold.as_ref().map_or_else(Hold::default, |typed| hold(typed, field, found));
        let plan = Plan {
            starts,
            start_within: start_within.unwrap_or(limit::WINDOW_START_WITHIN),
            disruption,
            drain: drain.unwrap_or(self.given.drain),
            drain_action: phase.drain_action.unwrap_or_default(),
            reopen,
            verification,
            ramp,
            hard_limit,
            hold,
            allow: phase.allow.clone(),
        };
        check::course(phase, &plan, length, field, &mut self.found);
        plan
    }
}

/// Where nobody says, what is verified reopens at its promised end, and all else waits for an
/// operator: nothing reopens half-upgraded because a clock said so.
fn reopen(phase: &DraftPhase, ends: bool, verified: bool) -> Reopen {
    phase.reopen.unwrap_or(if ends && verified { Reopen::Auto } else { Reopen::Manual })
}

fn hold(typed: &DraftHold, field: &dyn Fn(&str) -> String, found: &mut Found) -> Hold {
    let least = Duration::from_millis(100);
    let longest = typed.longest.as_ref();
    let longest =
        duration::optional(&field("hold.longest"), longest, least..=limit::HELD_LONGEST_MAX, found);
    let most = typed.most.unwrap_or(limit::HELD_REQUESTS_MAX);
    if !(1..=limit::HELD_REQUESTS_CEILING).contains(&most) {
        let help = format!("from 1 to {} is possible", limit::HELD_REQUESTS_CEILING);
        found.fault(&field("hold.most"), "it is out of range", help);
    }
    Hold { most, longest: longest.unwrap_or(limit::HELD_LONGEST) }
}
