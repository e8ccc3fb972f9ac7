//! A rule in its zone, without its exceptions: the instants of a series.

use std::collections::BTreeSet;
use std::collections::VecDeque;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::days::Days;
use super::rule::{Rule, Until};
use crate::clock::Wall;
use crate::limit;
use crate::window::draft::{Fault, read_zone, resolve};
use crate::window::maintenance::Recurrence;

/// The instants at which something recurs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    rule: Rule,
    zone: TimeZone,
    /// The first occurrence, on the wall clock of the zone.
    start: DateTime,
    except: BTreeSet<Date>,
}

impl Series {
    /// The series whose first occurrence is at `first`. Faults are told by `field`.
    pub fn of(recurrence: &Recurrence, first: Wall, field: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let rule = Rule::parse(&recurrence.rule).map_err(|wrong| {
            let field = format!("{field}.rule");
            faults.extend(wrong.into_iter().map(|(what, help)| Fault::new(&field, what, help)));
        });
        let zone = read_zone(&recurrence.zone);
        if zone.is_none() {
            let what = format!("there is no zone {:?}", recurrence.zone);
            let help = "write a name of the IANA time zone database: \"Europe/Paris\"";
            faults.push(Fault::new(format!("{field}.zone"), what, help));
        }
        let except = excepted(&recurrence.except, field, &mut faults);
        match (rule, zone) {
            (Ok(rule), Some(zone)) if faults.is_empty() => {
                let start = zone.to_datetime(first.timestamp());
                Ok(Self { rule, zone, start, except })
            }
            (Ok(_) | Err(()), _) => Err(faults),
        }
    }

    /// The first occurrence after `after`.
    pub fn next_after(&self, after: Wall) -> Option<Wall> {
        self.from(Wall::from_millis(after.millis().saturating_add(1))).next()
    }

    /// The occurrences at `from` and later, in their order.
    pub fn from(&self, from: Wall) -> Occurrences<'_> {
        let days = Days::new(&self.rule, self.start.date());
        let first = days.first_period();
        // A rule that counts is counted from its beginning; another one is gone into near `from`.
        let near = self.zone.to_datetime(from.timestamp()).date();
        let steps = if self.rule.count.is_some() { 0 } else { days.steps_before(near) };
        let period = first.and_then(|first| days.later(first, steps));
        let ready = VecDeque::new();
        Occurrences { series: self, days, from, first, steps, period, ready, counted: 0, looked: 0 }
    }

    /// The wall clock of the zone at `at`.
    pub fn local(&self, at: Wall) -> DateTime {
        self.zone.to_datetime(at.timestamp())
    }

    /// `at` moved by whole days on the wall clock of the zone, whatever they have of hours.
    pub fn moved(&self, at: Wall, days: i32) -> Option<Wall> {
        let span = jiff::Span::new().try_days(days).ok()?;
        resolve(self.local(at).checked_add(span).ok()?, &self.zone)
    }

    /// From the day of the first occurrence to that of `at`, on the wall clock.
    pub fn days_to(&self, at: Wall) -> i32 {
        let to = self.local(at).date();
        self.start.date().until(to).map_or(0, |span| span.get_days())
    }
}

fn excepted(typed: &[String], field: &str, faults: &mut Vec<Fault>) -> BTreeSet<Date> {
    if typed.len() > limit::EXCEPTED_DAYS_MAX {
        let what = format!("{} days", typed.len());
        let help = format!("{} are possible; or end the rule with UNTIL", limit::EXCEPTED_DAYS_MAX);
        faults.push(Fault::new(format!("{field}.except"), what, help));
    }
    let mut days = BTreeSet::new();
    for (at, text) in typed.iter().enumerate().take(limit::EXCEPTED_DAYS_MAX) {
        match text.trim().parse::<Date>() {
            Ok(day) => {
                days.insert(day);
            }
            Err(_) => {
                let field = format!("{field}.except[{at}]");
                let what = format!("{text:?} is not a day");
                faults.push(Fault::new(field, what, "write it as \"2026-12-25\""));
            }
        }
    }
    days
}

/// Occurrences, one after the other. Ends after [`limit::RECURRENCE_DAYS_MAX`] days that were
/// looked at, so that a rule that never matches costs no more than that.
pub struct Occurrences<'a> {
    series: &'a Series,
    days: Days<'a>,
    from: Wall,
    first: Option<Date>,
    /// Steps of the interval from the first period to the next one.
    steps: i64,
    /// The next period; none at the end of time or of the rule.
    period: Option<Date>,
    /// Days of the periods before, not yet told.
    ready: VecDeque<Date>,
    counted: u32,
    looked: u32,
}

impl Occurrences<'_> {
    /// How many days were looked at so far.
    pub fn looked(&self) -> u32 {
        self.looked
    }

    fn look(&mut self) -> Option<()> {
        if self.looked >= limit::RECURRENCE_DAYS_MAX {
            return None;
        }
        let period = self.period?;
        let (days, looked) = self.days.of(period);
        self.looked += looked;
        self.steps += 1;
        // From the first period on: months of unequal length do not add up.
        self.period = self.first.and_then(|first| self.days.later(first, self.steps));
        let start = self.series.start.date();
        self.ready.extend(days.into_iter().filter(|day| *day >= start));
        Some(())
    }

    fn is_over(&mut self, day: Date, at: Wall) -> bool {
        let rule = &self.series.rule;
        let past = match rule.until {
            Some(Until::At(until)) => at > until,
            Some(Until::Day(until)) => day > until,
            None => false,
        };
        let over = past || rule.count.is_some_and(|count| self.counted >= count);
        if over {
            self.period = None;
            self.ready.clear();
        }
        over
    }
}

impl Iterator for Occurrences<'_> {
    type Item = Wall;

    fn next(&mut self) -> Option<Wall> {
        loop {
            let Some(day) = self.ready.pop_front() else {
                self.look()?;
                continue;
            };
            let local = day.to_datetime(self.series.start.time());
            let at = resolve(local, &self.series.zone)?;
            if self.is_over(day, at) {
                return None;
            }
            // What is excepted was counted all the same (RFC 5545 §3.8.5.1).
            self.counted += 1;
            if at >= self.from && !self.series.except.contains(&day) {
                return Some(at);
            }
        }
    }
}
