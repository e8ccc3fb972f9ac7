//! Series on a wall clock: daylight saving, exceptions, bounds, and the next occurrence.

use intermission::clock::Wall;
use intermission::limit;
use intermission::window::draft::{Given, Past};
use intermission::window::maintenance::Recurrence;
use intermission::window::schedule::{
    Blackout, Series, next_occurrence, occurrence_after, preview,
};
use intermission::window::scope::Selection;

use super::{at, compiled, draft, faults, fields, given, noon};

fn series(rule: &str, zone: &str, first: &str, except: &[&str]) -> Series {
    let except = except.iter().map(|&day| day.to_owned()).collect();
    let recurrence = Recurrence { rule: rule.to_owned(), zone: zone.to_owned(), except, at: None };
    Series::of(&recurrence, at(first), "recurrence").unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn texts(series: &Series, from: &str, count: usize) -> Vec<String> {
    series.from(at(from)).take(count).map(|at| at.to_string()).collect()
}

#[test]
fn the_wall_clock_stays_when_the_clocks_change() {
    // Sundays at 02:30 in New York: on 2027-03-14 the clock goes from 02:00 to 03:00.
    let sundays = series("FREQ=WEEKLY", "America/New_York", "2027-02-28T07:30:00Z", &[]);
    let wanted = [
        "2027-02-28T07:30:00Z",
        "2027-03-07T07:30:00Z",
        // There is no 02:30: by the offset before, which shows as 03:30 (RFC 5545 §3.3.5).
        "2027-03-14T07:30:00Z",
        "2027-03-21T06:30:00Z",
    ];
    assert_eq!(texts(&sundays, "2027-02-01T00:00:00Z", 4), wanted);
    // On 2027-11-07 01:30 comes twice: the first counts.
    let autumn = series("FREQ=WEEKLY", "America/New_York", "2027-10-31T05:30:00Z", &[]);
    let wanted = ["2027-10-31T05:30:00Z", "2027-11-07T05:30:00Z", "2027-11-14T06:30:00Z"];
    assert_eq!(texts(&autumn, "2027-10-01T00:00:00Z", 3), wanted);
}

#[test]
fn months_without_the_day_are_passed_over() {
    let last = series("FREQ=MONTHLY", "UTC", "2027-01-31T10:00:00Z", &[]);
    let days = texts(&last, "2027-01-01T00:00:00Z", 4);
    assert_eq!(days.map_days(), ["2027-01-31", "2027-03-31", "2027-05-31", "2027-07-31"]);
    let leap = series("FREQ=YEARLY", "UTC", "2028-02-29T10:00:00Z", &[]);
    assert_eq!(texts(&leap, "2028-03-01T00:00:00Z", 2).map_days(), ["2032-02-29", "2036-02-29"]);
}

trait Days {
    fn map_days(&self) -> Vec<&str>;
}

impl Days for Vec<String> {
    fn map_days(&self) -> Vec<&str> {
        self.iter().map(|text| &text[..10]).collect()
    }
}

#[test]
fn what_is_excepted_counts_all_the_same() {
    let rule = "FREQ=WEEKLY;COUNT=3";
    let three = series(rule, "UTC", "2026-12-18T10:00:00Z", &["2026-12-25"]);
    let days = texts(&three, "2026-01-01T00:00:00Z", 9);
    assert_eq!(days.map_days(), ["2026-12-18", "2027-01-01"]);
}

#[test]
fn the_last_instant_and_the_last_day_are_included() {
    let until = |until: &str| {
        let rule = format!("FREQ=DAILY;UNTIL={until}");
        texts(&series(&rule, "UTC", "2026-12-01T10:00:00Z", &[]), "2026-01-01T00:00:00Z", 9).len()
    };
    assert_eq!(until("20261203T100000Z"), 3);
    assert_eq!(until("20261203T095959Z"), 2);
    assert_eq!(until("20261203"), 3);
}

#[test]
fn a_rule_that_never_matches_and_one_that_never_ends_cost_a_stated_number_of_days() {
    let bound = limit::RECURRENCE_DAYS_MAX + 366;
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=5MO;BYMONTHDAY=1",
        "FREQ=DAILY;COUNT=1000000",
    ] {
        let series = series(rule, "UTC", "2026-11-29T16:00:00Z", &[]);
        let mut occurrences = series.from(at("2026-11-29T16:00:00Z"));
        let count = occurrences.by_ref().count();
        assert!(occurrences.looked() <= bound, "{rule}: {}", occurrences.looked());
        assert_eq!(count == 0, !rule.contains("COUNT"), "{rule}: {count}");
    }
    // Far ahead it is not counted from the beginning.
    let daily = series("FREQ=DAILY;INTERVAL=3", "UTC", "2000-01-01T00:00:00Z", &[]);
    let mut far = daily.from(at("2900-01-01T00:00:00Z"));
    assert!(far.next().is_some() && far.looked() < 10, "{}", far.looked());
    // At the end of time there is none, and nothing breaks.
    assert_eq!(daily.next_after(Wall::from_millis(i64::MAX)), None);
}

const PHASES: &str = r#"
[[phase]]
reopen = "auto"
starts = "2027-03-21T01:00"
ends = "2027-03-21T04:00"
[[phase]]
reopen = "auto"
starts = "2027-03-22T23:30"
lasts = "1h"
"#;

#[test]
fn every_phase_moves_by_days_on_the_wall_clock() {
    let head = "title = \"x\"\nzone = \"Europe/Paris\"\nrecurrence = { rule = \"FREQ=WEEKLY\" }\n";
    let first = compiled(&format!("{head}{PHASES}"));
    let mut first = first.maintenance;
    first.by = "ops".to_owned();
    let now = Given { now: at("2027-03-23T00:00:00Z"), ..given() };
    let coming = next_occurrence(&first, &now, &[]).expect("sound").expect("it comes again");
    let [(_, one), (_, two)] = &coming.compiled.phases[..] else { panic!("two phases") };
    // A week later the clock goes from 02:00 to 03:00: still from one to four on the wall.
    assert_eq!(one.plan.starts, at("2027-03-28T00:00:00Z"));
    assert_eq!(one.promised_end, Some(at("2027-03-28T02:00:00Z")), "two hours, not three");
    assert_eq!(two.plan.starts, at("2027-03-29T21:30:00Z"), "an hour earlier in UTC");
    let next = &coming.compiled.maintenance;
    assert_eq!((next.series, next.by.as_str()), (Some(first.id), "ops"));
    assert_eq!(next.recurrence.as_ref().and_then(|r| r.at), Some(one.plan.starts));
    // And so on from there: the rule is counted from the beginning of the series.
    let later = Given { now: at("2027-04-02T00:00:00Z"), ..now };
    let coming = next_occurrence(next, &later, &[]).expect("sound").expect("again");
    assert_eq!(coming.compiled.phases[0].1.plan.starts, at("2027-04-03T23:00:00Z"));
}

#[test]
fn an_occurrence_that_was_put_forward_does_not_come_twice() {
    let head = "title = \"x\"\nrecurrence = { rule = \"FREQ=WEEKLY\" }\n[[phase]]\nstarts = \"2026-11-29T16:00:00Z\"\n";
    let maintenance = compiled(head).maintenance;
    // It was begun and ended a day early; the next is a week after its own time.
    let early = Given { now: at("2026-11-28T20:00:00Z"), ..given() };
    let coming = next_occurrence(&maintenance, &early, &[]).expect("sound").expect("again");
    assert_eq!(coming.compiled.phases[0].1.plan.starts, at("2026-12-06T16:00:00Z"));
    // One that took three weeks is not made up for.
    let late = Given { now: at("2026-12-21T00:00:00Z"), ..given() };
    let coming = next_occurrence(&maintenance, &late, &[]).expect("sound").expect("again");
    assert_eq!(coming.compiled.phases[0].1.plan.starts, at("2026-12-27T16:00:00Z"));
}

#[test]
fn what_does_not_recur_or_is_over_comes_no_more() {
    let once =
        compiled("title = \"x\"\n[[phase]]\nstarts = \"2026-11-29T16:00:00Z\"\n").maintenance;
    assert_eq!(next_occurrence(&once, &given(), &[]), Ok(None));
    let twice = "title = \"x\"\nrecurrence = { rule = \"FREQ=WEEKLY;COUNT=2\" }\n[[phase]]\nstarts = \"2026-11-29T16:00:00Z\"\n";
    let twice = compiled(twice).maintenance;
    let second = next_occurrence(&twice, &given(), &[]).expect("sound").expect("the second");
    assert_eq!(next_occurrence(&second.compiled.maintenance, &given(), &[]), Ok(None));
}

#[test]
fn occurrences_in_blackouts_are_passed_over_and_told() {
    let text = "title = \"x\"\nrecurrence = { rule = \"FREQ=WEEKLY\" }\n[[phase]]\nstarts = \"2026-12-13T16:00:00Z\"\nlasts = \"1h\"\n";
    let blackout = Blackout {
        name: "year-end".to_owned(),
        from: at("2026-12-19T00:00:00Z"),
        to: at("2027-01-03T16:00:00Z"),
        regions: Selection::All,
        series: None,
    };
    let blackouts = [blackout];
    let after = at("2026-12-13T16:00:00Z");
    let coming = occurrence_after(&draft(text), after, &given(), &blackouts);
    let coming = coming.expect("sound").expect("it comes again");
    // That of 2027-01-03 begins at the instant at which the blackout is over.
    assert_eq!(coming.compiled.phases[0].1.plan.starts, at("2027-01-03T16:00:00Z"));
    let skipped: Vec<_> =
        coming.skipped.iter().map(|(at, name)| (at.to_string(), &**name)).collect();
    let wanted = ["2026-12-20T16:00:00Z", "2026-12-27T16:00:00Z"];
    assert_eq!(skipped, wanted.map(|at| (at.to_owned(), "year-end")));
    let shown = preview(&draft(text), 4, &given(), &blackouts).expect("sound");
    let marked: Vec<_> = shown.iter().map(|one| one.blackout.is_some()).collect();
    assert_eq!(marked, [false, true, true, false]);
    assert_eq!(shown[0].phases[0].local_starts, "2026-12-13T16:00:00+00:00");
    // Unless the document insists.
    let insists = draft(&format!("despite_blackout = true\n{text}"));
    let coming = occurrence_after(&insists, after, &given(), &blackouts).expect("sound");
    let starts = coming.expect("it comes").compiled.phases[0].1.plan.starts;
    assert_eq!(starts, at("2026-12-20T16:00:00Z"));
}

#[test]
fn a_first_phase_beside_the_rule_is_a_fault_that_names_the_next_day_of_it() {
    let text = "title = \"x\"\nrecurrence = { rule = \"FREQ=MONTHLY;BYDAY=1SU\", zone = \"Moon/Sea\", except = [\"soon\"] }\n[[phase]]\nstarts = \"2026-11-29T16:00:00Z\"\n";
    assert_eq!(fields(&faults(text)), ["recurrence.zone", "recurrence.except[0]"]);
    let text = text.replace("Moon/Sea", "UTC").replace("\"soon\"", "");
    let told = faults(&text);
    assert_eq!(fields(&told), ["recurrence.rule"]);
    assert!(told[0].help.contains("2026-12-06"), "{told:?}");
}

#[test]
fn a_preview_is_bounded_by_what_is_asked_for_and_by_the_limit() {
    let text = "title = \"x\"\nrecurrence = { rule = \"FREQ=DAILY\" }\n[[phase]]\nstarts = \"2026-11-29T16:00:00Z\"\n";
    let given = Given { now: noon(), past: Past::Allowed, ..given() };
    let count = |count| preview(&draft(text), count, &given, &[]).expect("sound").len();
    assert_eq!((count(3), count(usize::MAX)), (3, limit::PREVIEW_OCCURRENCES_MAX));
}
