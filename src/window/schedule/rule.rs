//! Recurrence rules (RFC 5545 §3.3.10): the parts that maintenances need, and a word about each
//! part that is not read.

use jiff::civil::{Date, Weekday};

use crate::clock::Wall;
use crate::limit;

/// A recurrence rule. Lists are sorted, each value once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub(super) freq: Freq,
    /// Every how many of them.
    pub(super) interval: u32,
    /// How often in all.
    pub(super) count: Option<u32>,
    pub(super) until: Option<Until>,
    pub(super) by_day: Vec<ByDay>,
    /// Counted from the end if negative.
    pub(super) by_month_day: Vec<i32>,
    pub(super) by_month: Vec<i32>,
    /// Which of a period's days, counted from the end if negative.
    pub(super) by_set_pos: Vec<i32>,
    pub(super) week_start: Weekday,
}

/// What repeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Freq {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// The last instant or day, itself included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Until {
    At(Wall),
    Day(Date),
}

/// Every such weekday of a period, or the first, the last …
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ByDay {
    pub(super) nth: Option<i32>,
    pub(super) weekday: Weekday,
}

/// What is wrong with a rule, and how to mend it.
pub type Wrong = (String, String);

impl Rule {
    /// Reads a rule, with or without `RRULE:` in front. Everything that is wrong is told.
    pub fn parse(text: &str) -> Result<Self, Vec<Wrong>> {
        if text.chars().count() > limit::RULE_CHARS_MAX {
            let help = format!("{} characters are possible", limit::RULE_CHARS_MAX);
            return Err(vec![("the rule is too long".to_owned(), help)]);
        }
        let text = text.trim().to_ascii_uppercase();
        let text = text.strip_prefix("RRULE:").unwrap_or(&text);
        let mut parts = Parts::default();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            parts.take(part);
        }
        parts.into_rule()
    }
}

/// Parts as they are read.
#[derive(Default)]
struct Parts {
    seen: Vec<String>,
    wrong: Vec<Wrong>,
    freq: Option<Freq>,
    interval: Option<u32>,
    count: Option<u32>,
    until: Option<Until>,
    by_day: Vec<ByDay>,
    by_month_day: Vec<i32>,
    by_month: Vec<i32>,
    by_set_pos: Vec<i32>,
    week_start: Option<Weekday>,
}

impl Parts {
    fn wrong(&mut self, what: String, help: &str) {
        self.wrong.push((what, help.to_owned()));
    }

    fn take(&mut self, part: &str) {
        let Some((name, value)) = part.split_once('=') else {
            self.wrong(format!("{part:?} is no part of a rule"), "write \"FREQ=WEEKLY;BYDAY=SU\"");
            return;
        };
        if self.seen.iter().any(|seen| seen == name) {
            self.wrong(format!("{name} is there twice"), "leave one of the two out");
            return;
        }
        self.seen.push(name.to_owned());
        match name {
            "FREQ" => self.freq(value),
            "INTERVAL" => self.interval = self.number(name, value, 1, 10_000),
            "COUNT" => self.count = self.number(name, value, 1, 1_000_000_000),
            "UNTIL" => self.until(value),
            "BYDAY" => self.by_day(value),
            "BYMONTHDAY" => self.by_month_day = self.list(name, value, 1, 31, true),
            "BYMONTH" => self.by_month = self.list(name, value, 1, 12, false),
            "BYSETPOS" => self.by_set_pos = self.list(name, value, 1, 366, true),
            "WKST" => {
                self.week_start = weekday(value);
                if self.week_start.is_none() {
                    self.wrong(format!("WKST={value} is no weekday"), "write WKST=MO");
                }
            }
            "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                let help = "the time of day is that of the first occurrence";
                self.wrong(format!("{name} is not possible"), help);
            }
            "BYYEARDAY" | "BYWEEKNO" => {
                let help = "say it with BYMONTH, BYMONTHDAY and BYDAY";
                self.wrong(format!("{name} is not possible"), help);
            }
            _ => {
                let help = "there are FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYMONTH, \
                            BYSETPOS and WKST";
                self.wrong(format!("{name} is no part of a rule"), help);
            }
        }
    }

    fn freq(&mut self, value: &str) {
        self.freq = match value {
            "DAILY" => Some(Freq::Daily),
            "WEEKLY" => Some(Freq::Weekly),
            "MONTHLY" => Some(Freq::Monthly),
            "YEARLY" => Some(Freq::Yearly),
            _ => {
                let help = "there are DAILY, WEEKLY, MONTHLY and YEARLY";
                self.wrong(format!("FREQ={value} is not possible"), help);
                None
            }
        };
    }

    fn number(&mut self, name: &str, value: &str, least: u32, most: u32) -> Option<u32> {
        let number = value.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let help = format!("write a number from {least} to {most}");
            self.wrong(format!("{name}={value} is not possible"), &help);
        }
        number
    }

    fn until(&mut self, value: &str) {
        let stamp = || jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", value).ok()?.to_datetime().ok();
        let day = || jiff::fmt::strtime::parse("%Y%m%d", value).ok()?.to_date().ok();
        let at = stamp().and_then(|local| local.to_zoned(jiff::tz::TimeZone::UTC).ok());
        self.until = match (at, day()) {
            (Some(at), _) => Some(Until::At(Wall::from_millis(at.timestamp().as_millisecond()))),
            (None, Some(day)) => Some(Until::Day(day)),
            (None, None) => {
                let help = "write an instant in UTC, \"20261231T235959Z\", or a day, \"20261231\"";
                self.wrong(format!("UNTIL={value} is not possible"), help);
                None
            }
        };
    }

    fn list(&mut self, name: &str, value: &str, low: i32, high: i32, ends: bool) -> Vec<i32> {
        let mut list = Vec::new();
        for item in value.split(',') {
            let fits = |number: &i32| {
                let far = if ends { number.unsigned_abs() } else { number.max(&0).unsigned_abs() };
                (low.unsigned_abs()..=high.unsigned_abs()).contains(&far)
            };
            match item.parse::<i32>().ok().filter(fits) {
                Some(number) => list.push(number),
                None => {
                    let from_end = if ends { ", or the same below 0 from the end" } else { "" };
                    let help = format!("write numbers from {low} to {high}{from_end}");
                    self.wrong(format!("{name}={item} is not possible"), &help);
                }
            }
        }
        list.sort_unstable();
        list.dedup();
        list
    }

    fn by_day(&mut self, value: &str) {
        for item in value.split(',') {
            let (nth, day) =
                item.split_at_checked(item.len().saturating_sub(2)).unwrap_or_default();
            let number = nth.parse::<i32>().ok().filter(|nth| (1..=53).contains(&nth.abs()));
            match (weekday(day), number) {
                (Some(weekday), nth) if nth.is_some() || item.len() == 2 => {
                    self.by_day.push(ByDay { nth, weekday });
                }
                (Some(_), _) | (None, _) => {
                    let help = "write MO, TU, WE, TH, FR, SA, SU, or 1SU, -1FR for first and last";
                    self.wrong(format!("BYDAY={item} is not possible"), help);
                }
            }
        }
    }

    fn into_rule(mut self) -> Result<Rule, Vec<Wrong>> {
        if self.freq.is_none() && !self.seen.iter().any(|seen| seen == "FREQ") {
            self.wrong("FREQ is missing".to_owned(), "write \"FREQ=WEEKLY;BYDAY=SU\"");
        }
        if self.count.is_some() && self.until.is_some() {
            let what = "COUNT and UNTIL are both there".to_owned();
            self.wrong(what, "leave one of the two out");
        }
        let whole = matches!(self.freq, Some(Freq::Daily | Freq::Weekly));
        if whole && self.by_day.iter().any(|day| day.nth.is_some()) {
            let what = "BYDAY counts weekdays, which only months and years have several of";
            self.wrong(what.to_owned(), "say FREQ=MONTHLY, or BYDAY without numbers");
        }
        if self.freq == Some(Freq::Weekly) && !self.by_month_day.is_empty() {
            let what = "BYMONTHDAY is not possible with FREQ=WEEKLY".to_owned();
            self.wrong(what, "say FREQ=MONTHLY or FREQ=DAILY");
        }
        let none =
            self.by_day.is_empty() && self.by_month_day.is_empty() && self.by_month.is_empty();
        if !self.by_set_pos.is_empty() && none {
            let what = "BYSETPOS chooses from nothing".to_owned();
            self.wrong(what, "say from what: BYDAY=MO,TU,WE,TH,FR");
        }
        let Some(freq) = self.freq.filter(|_| self.wrong.is_empty()) else {
            return Err(self.wrong);
        };
        Ok(Rule {
            freq,
            interval: self.interval.unwrap_or(1),
            count: self.count,
            until: self.until,
            by_day: self.by_day,
            by_month_day: self.by_month_day,
            by_month: self.by_month,
            by_set_pos: self.by_set_pos,
            week_start: self.week_start.unwrap_or(Weekday::Monday),
        })
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}
