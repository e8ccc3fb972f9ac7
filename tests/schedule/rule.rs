//! Recurrence rules: what is read, and what is refused by name.

use intermission::window::schedule::Rule;

#[test]
fn the_parts_that_maintenances_need_are_read() {
    for rule in [
        "FREQ=DAILY",
        "RRULE:FREQ=WEEKLY;BYDAY=SU",
        "freq=weekly;interval=2;byday=mo,tu;wkst=su",
        "FREQ=MONTHLY;BYDAY=1SU;COUNT=12",
        "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271231T235959Z",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=-1;UNTIL=20301231",
    ] {
        assert!(Rule::parse(rule).is_ok(), "{rule}: {:?}", Rule::parse(rule));
    }
}

#[test]
fn what_is_outside_is_refused_by_name() {
    for (rule, part) in [
        ("", "FREQ"),
        ("BYDAY=MO", "FREQ"),
        ("FREQ=HOURLY", "HOURLY"),
        ("FREQ=WEEKLY;BYHOUR=3", "BYHOUR"),
        ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO"),
        ("FREQ=YEARLY;BYYEARDAY=100", "BYYEARDAY"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"),
        ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=XMO", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=é", "BYDAY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20270101", "COUNT"),
        ("FREQ=DAILY;UNTIL=20270101T000000", "UNTIL"),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ"),
        ("FREQ=DAILY;WKST=XX", "WKST"),
        ("FREQ=DAILY;X-MOON=FULL", "X-MOON"),
        ("FREQ", "FREQ"),
    ] {
        let wrong = Rule::parse(rule).expect_err(rule);
        assert!(wrong.iter().any(|(what, _)| what.contains(part)), "{rule}: {wrong:?}");
    }
    // Several at once.
    let wrong = Rule::parse("FREQ=HOURLY;BYHOUR=1;COUNT=0").expect_err("three faults");
    assert_eq!(wrong.len(), 3, "{wrong:?}");
}

#[test]
fn no_text_makes_the_reader_break() {
    let parts = ["FREQ=", "DAILY", ";", "=", "BYDAY=", "1", "-", "MO", ",", "é", "UNTIL=", "9"];
    let mut seed = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text += parts[(seed >> 33) as usize % parts.len()];
        }
        let _ = Rule::parse(&text);
    }
}
