//! The days of a rule, period by period. A period is a day, week, month or year; its days are
//! looked at one by one, which is what bounds the work and what can be counted.

use jiff::civil::Date;
use jiff::{Span, ToSpan};

use super::rule::{ByDay, Freq, Rule};

/// A rule together with the day it begins on, from which it takes what it does not say.
pub(super) struct Days<'a> {
    rule: &'a Rule,
    start: Date,
}

impl<'a> Days<'a> {
    pub(super) fn new(rule: &'a Rule, start: Date) -> Self {
        Self { rule, start }
    }

    /// The first day of the period that the rule begins in.
    pub(super) fn first_period(&self) -> Option<Date> {
        match self.rule.freq {
            Freq::Daily => Some(self.start),
            Freq::Weekly => {
                let into = self.start.weekday().since(self.rule.week_start);
                self.start.checked_sub(i64::from(into).days()).ok()
            }
            Freq::Monthly => Some(self.start.first_of_month()),
            Freq::Yearly => Some(self.start.first_of_year()),
        }
    }

    /// The period that comes `steps` after one, by the rule's interval; none at the end of time.
    pub(super) fn later(&self, period: Date, steps: i64) -> Option<Date> {
        let count = i64::from(self.rule.interval).checked_mul(steps)?;
        let span = Span::new();
        let span = match self.rule.freq {
            Freq::Daily => span.try_days(count),
            Freq::Weekly => span.try_weeks(count),
            Freq::Monthly => span.try_months(count),
            Freq::Yearly => span.try_years(count),
        };
        period.checked_add(span.ok()?).ok()
    }

    /// How many steps of the interval lie between the first period and `day` at least.
    pub(super) fn steps_before(&self, day: Date) -> i64 {
        let Some(first) = self.first_period().filter(|first| *first < day) else { return 0 };
        let days = i64::from(first.until(day).map_or(0, |span| span.get_days()));
        let years = i64::from(day.year() - first.year());
        let units = match self.rule.freq {
            Freq::Daily => days,
            Freq::Weekly => days / 7,
            Freq::Monthly => years * 12 + i64::from(day.month()) - i64::from(first.month()),
            Freq::Yearly => years,
        };
        (units / i64::from(self.rule.interval) - 1).max(0)
    }

    /// The days of the rule in the period that begins at `period`, in their order, and how many
    /// days were looked at. The days before the rule's beginning are among them.
    pub(super) fn of(&self, period: Date) -> (Vec<Date>, u32) {
        let length = match self.rule.freq {
            Freq::Daily => 1,
            Freq::Weekly => 7,
            Freq::Monthly => i32::from(period.days_in_month()),
            Freq::Yearly => i32::from(period.days_in_year()),
        };
        let all = (0..length).map_while(|at| period.checked_add(i64::from(at).days()).ok());
        let days: Vec<Date> = all.filter(|day| self.fits(*day)).collect();
        (self.chosen(days), length.unsigned_abs())
    }

    fn chosen(&self, days: Vec<Date>) -> Vec<Date> {
        if self.rule.by_set_pos.is_empty() {
            return days;
        }
        let at = |position: &i32| usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
        let place = |position: &i32| match *position > 0 {
            true => days.get(at(position) - 1),
            false => days.len().checked_sub(at(position)).and_then(|index| days.get(index)),
        };
        let mut chosen: Vec<Date> =
            self.rule.by_set_pos.iter().filter_map(place).copied().collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn fits(&self, day: Date) -> bool {
        self.fits_month(day) && self.fits_month_day(day) && self.fits_weekday(day)
    }

    fn fits_month(&self, day: Date) -> bool {
        let months = &self.rule.by_month;
        match months.is_empty() {
            false => months.contains(&i32::from(day.month())),
            // A year in which nothing else is said has one such day.
            true => {
                let bare = self.rule.by_month_day.is_empty() && self.rule.by_day.is_empty();
                !(self.rule.freq == Freq::Yearly && bare) || day.month() == self.start.month()
            }
        }
    }

    fn fits_month_day(&self, day: Date) -> bool {
        let days = &self.rule.by_month_day;
        if days.is_empty() {
            let months = matches!(self.rule.freq, Freq::Monthly | Freq::Yearly);
            return !(months && self.rule.by_day.is_empty()) || day.day() == self.start.day();
        }
        let (at, length) = (i32::from(day.day()), i32::from(day.days_in_month()));
        days.contains(&at) || days.contains(&(at - length - 1))
    }

    fn fits_weekday(&self, day: Date) -> bool {
        if self.rule.by_day.is_empty() {
            let weeks = self.rule.freq == Freq::Weekly;
            return !weeks || day.weekday() == self.start.weekday();
        }
        self.rule.by_day.iter().any(|by| by.weekday == day.weekday() && self.is_nth(by, day))
    }

    /// Whether `day` is the one that is counted: in its month, or in its year if the rule goes by
    /// years and names no months.
    fn is_nth(&self, by: &ByDay, day: Date) -> bool {
        let Some(nth) = by.nth else { return true };
        let of_year = self.rule.freq == Freq::Yearly && self.rule.by_month.is_empty();
        let (at, length) = match of_year {
            true => (i32::from(day.day_of_year()), i32::from(day.days_in_year())),
            false => (i32::from(day.day()), i32::from(day.days_in_month())),
        };
        let place = if nth > 0 { (at - 1) / 7 + 1 } else { -((length - at) / 7 + 1) };
        place == nth
    }
}
