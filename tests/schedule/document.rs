//! The document of a maintenance: what it means, and what is said of one that cannot be meant.

use std::time::Duration;

use intermission::limit;
use intermission::window::draft::{Draft, Names};
use intermission::window::maintenance::{Announce, Kind, Severity};
use intermission::window::plan::{RampBy, Reopen};
use intermission::window::scope::Selection;
use intermission::window::state::Mode;

use super::{at, compiled, draft, faults, fields, given};

const WHOLE: &str = r#"
title = "Database upgrade"
severity = "critical"
owner = "dba"
zone = "Asia/Singapore"
announce = ["24h", "7d", "1d"]
[texts]
reason = "upgrade"
impact = "no claims"
[texts.languages.fr]
reason = "mise à jour"
[[phase]]
name = "development"
regions = ["dev"]
starts = "2026-11-29T16:00:00Z"
ends = "2026-11-29T20:00:00Z"
reopen = "auto"
[[phase]]
name = "production APAC"
regions = ["apac"]
methods = ["POST"]
mode = "read_only"
allow = ["/login", "/account/*"]
starts = "2026-12-01T04:00"
lasts = "2h"
disruption = "15m"
drain = "1m"
start_within = "4h"
hard_limit = "6h"
texts = { impact = "read only", languages = { fr = { impact = "lecture seule" } } }
[phase.verification]
probes = [{ path = "/health", contains = "ok", within = "2s", headers = { x-region = "apac" } }]
successes = 2
every = "3s"
within = "1m"
[phase.ramp]
over = "10m"
by = { per_minute = 500 }
"#;

#[test]
fn a_document_says_what_its_windows_shall_be() {
    let compiled = compiled(WHOLE);
    assert_eq!(compiled.warnings, []);
    let maintenance = &compiled.maintenance;
    assert_eq!(maintenance.title, "Database upgrade");
    assert_eq!((maintenance.kind, maintenance.severity), (Kind::Planned, Severity::Critical));
    // The longest first, and what is the same once.
    let day = Duration::from_secs(24 * 3600);
    assert_eq!(maintenance.announce, [Announce(day * 7), Announce(day)]);
    let [(first, one), (second, two)] = &compiled.phases[..] else { panic!("two phases") };
    assert_eq!((first.as_str(), second.as_str()), ("development", "production APAC"));
    assert_eq!(one.plan.starts, at("2026-11-29T16:00:00Z"));
    assert_eq!(one.plan.drain, Duration::from_secs(30), "the config's");
    assert_eq!(
        (one.texts.title.as_str(), one.texts.impact.as_str()),
        ("Database upgrade", "no claims")
    );
    // On Singapore's wall clock, eight hours ahead.
    assert_eq!(two.plan.starts, at("2026-11-30T20:00:00Z"));
    assert_eq!(two.promised_end, Some(at("2026-11-30T22:00:00Z")));
    assert_eq!((two.mode, two.plan.reopen), (Mode::ReadOnly, Reopen::Auto));
    assert_eq!(two.scope.methods, Selection::of(["POST".to_owned()]));
    assert_eq!(two.plan.disruption, Some(Duration::from_secs(900)));
    // A phase's words over the document's, language by language.
    assert_eq!((two.texts.reason.as_str(), two.texts.impact.as_str()), ("upgrade", "read only"));
    let french = &two.texts.languages["fr"];
    assert_eq!((french.reason.as_str(), french.impact.as_str()), ("mise à jour", "lecture seule"));
    let verification = two.plan.verification.as_ref().expect("a verification");
    assert_eq!((verification.successes, verification.health), (2, true));
    assert_eq!(verification.probes[0].status, 200);
    let ramp = two.plan.ramp.expect("a ramp");
    assert_eq!((ramp.over, ramp.by), (Duration::from_secs(600), RampBy::PerMinute(500)));
}

#[test]
fn a_document_is_the_same_in_json() {
    let draft = draft(WHOLE);
    let json = serde_json::to_string(&draft).expect("JSON");
    assert!(json.contains("\"phases\":["), "{json}");
    assert_eq!(serde_json::from_str::<Draft>(&json).expect("our own"), draft);
    let error = serde_json::from_str::<Draft>(r#"{"title":"x","phasen":[]}"#).expect_err("unknown");
    assert!(error.to_string().contains("phasen"), "{error}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let faults = faults(
        r#"
        zone = "Europe/Atlantis"
        announce = ["soon"]
        [[phase]]
        starts = "2026-11-29T16:00:00Z"
        ends = "2026-11-29T15:00:00Z"
        methods = ["post"]
        allow = ["login", "/a/../b"]
        drain = "2 fortnights"
        "#,
    );
    let wanted = [
        "title",
        "zone",
        "announce[0]",
        "phases[0].methods",
        "phases[0].allow[0]",
        "phases[0].allow[1]",
        "phases[0].drain",
    ];
    assert_eq!(fields(&faults), wanted, "{faults:#?}");
    assert!(faults.iter().all(|fault| !fault.what.is_empty() && !fault.help.is_empty()));
}

/// A document with one phase that says this.
fn with(phase: &str) -> String {
    let starts =
        if phase.contains("starts =") { "" } else { "starts = \"2026-11-29T16:00:00Z\"\n" };
    format!("title = \"x\"\n[[phase]]\n{starts}{phase}\n")
}

#[test]
fn each_fault_names_its_field() {
    let long = format!("ends = \"2026-11-29T20:00:00Z\"\nname = {:?}", "x".repeat(201));
    let probes = format!("verification.probes = [{}]", "{ path = \"/\" },".repeat(21));
    for (phase, field) in [
        ("ends = \"2026-11-29T16:00:00Z\"", "phases[0].ends"),
        ("ends = \"2028-11-29T16:00:00Z\"", "phases[0].ends"),
        ("ends = \"tomorrow\"", "phases[0].ends"),
        ("ends = \"2026-11-29T17:00:00Z\"\nlasts = \"1h\"", "phases[0].ends"),
        ("lasts = \"0s\"", "phases[0].lasts"),
        ("lasts = \"-1h\"", "phases[0].lasts"),
        ("starts = \"2026-11-20T16:00:00Z\"", "phases[0].starts"),
        ("starts = \"2126-11-20T16:00:00Z\"", "phases[0].starts"),
        ("lasts = \"1h\"\ndisruption = \"2h\"", "phases[0].disruption"),
        ("reopen = \"auto\"", "phases[0].reopen"),
        ("verification = { health = false }", "phases[0].verification"),
        ("verification = { successes = 0 }", "phases[0].verification.successes"),
        ("verification = { successes = 9, every = \"1m\" }", "phases[0].verification.within"),
        ("verification.probes = [{ path = \"x\" }]", "phases[0].verification.probes[0].path"),
        (
            "verification.probes = [{ path = \"/\", status = 99 }]",
            "phases[0].verification.probes[0].status",
        ),
        (
            "verification.probes = [{ path = \"/\", headers = { \"a b\" = \"c\" } }]",
            "phases[0].verification.probes[0].headers.a b",
        ),
        (&probes, "phases[0].verification.probes"),
        ("ramp = { over = \"0s\" }", "phases[0].ramp.over"),
        ("ramp = { }", "phases[0].ramp.over"),
        ("ramp = { over = \"1m\", by = { per_minute = 0 } }", "phases[0].ramp.by.per_minute"),
        ("hold = { most = 0 }", "phases[0].hold.most"),
        ("hold = { longest = \"1h\" }", "phases[0].hold.longest"),
        ("texts = { languages = { \"?\" = {} } }", "phases[0].texts.languages.?"),
        (&long, "phases[0].name"),
    ] {
        let faults = faults(&with(phase));
        assert_eq!(fields(&faults), [field], "{phase}: {faults:#?}");
    }
    // The control: what they have in common is sound.
    assert_eq!(fields(&compiled(&with("lasts = \"1h\"\nreopen = \"auto\"")).warnings), [""; 0]);
}

#[test]
fn a_local_time_that_is_skipped_or_comes_twice_is_told_with_both_readings() {
    let starts = |starts: &str| {
        let text = with(&format!("starts = \"{starts}\""));
        format!("zone = \"Europe/Paris\"\n{text}")
    };
    // Paris puts its clocks forward on 2027-03-28 at 02:00, and back on 2027-10-31 at 03:00.
    let skipped = faults(&starts("2027-03-28T02:30"));
    assert_eq!(fields(&skipped), ["phases[0].starts"]);
    assert!(skipped[0].what.contains("does not exist"), "{skipped:?}");
    assert!(skipped[0].help.contains("2027-03-28T02:30:00+01"), "{skipped:?}");
    assert!(skipped[0].help.contains("2027-03-28T02:30:00+02"), "{skipped:?}");
    let twice = faults(&starts("2027-10-31T02:30"));
    assert!(twice[0].what.contains("comes twice"), "{twice:?}");
    assert!(twice[0].help.contains("2027-10-31T02:30:00+02"), "{twice:?}");
    // Either reading is an instant.
    let help = ["2027-10-31T02:30:00+02", "2027-10-31T02:30:00+01"];
    let instants = help.map(|text| compiled(&starts(text)).phases[0].1.plan.starts);
    assert_eq!(instants, [at("2027-10-31T00:30:00Z"), at("2027-10-31T01:30:00Z")]);
    assert_eq!(
        compiled(&starts("2027-03-28T03:00")).phases[0].1.plan.starts,
        at("2027-03-28T01:00:00Z")
    );
}

#[test]
fn phases_that_must_wait_for_one_another_are_told() {
    let phases = |second: &str| {
        let first = "title = \"x\"\n[[phase]]\nreopen = \"auto\"\nstarts = \"2026-11-29T16:00:00Z\"\nlasts = \"4h\"\n";
        format!("{first}[[phase]]\nreopen = \"auto\"\n{second}\n")
    };
    let fine = compiled(&phases("starts = \"2026-11-29T20:00:00Z\"\nlasts = \"1h\""));
    assert_eq!(fine.warnings, []);
    let waits = compiled(&phases("starts = \"2026-11-29T19:30:00Z\"\nlasts = \"2h\""));
    assert_eq!(fields(&waits.warnings), ["phases[1].starts"]);
    assert!(waits.warnings[0].what.contains("will wait"), "{:?}", waits.warnings);
    let stalls = compiled(&phases("starts = \"2026-11-29T17:00:00Z\"\nlasts = \"4h\""));
    assert!(stalls.warnings[0].what.contains("gives up waiting"), "{:?}", stalls.warnings);
    let never = faults(&phases("starts = \"2026-11-29T17:00:00Z\"\nlasts = \"1h\""));
    assert_eq!(fields(&never), ["phases[1].starts"]);
    let backwards = faults(&phases("starts = \"2026-11-29T15:00:00Z\"\nlasts = \"9h\""));
    assert_eq!(fields(&backwards), ["phases[1].starts"]);
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    for (phase, field) in [
        ("lasts = \"1h\"", "phases[0].reopen"),
        ("lasts = \"1h\"\nreopen = \"auto\"\nhard_limit = \"10m\"", "phases[0].hard_limit"),
        ("lasts = \"10s\"\nreopen = \"auto\"", "phases[0].drain"),
        ("lasts = \"10m\"\nreopen = \"auto\"\nmode = \"hold\"", "phases[0].hold.longest"),
        ("allow = [\"/login\"]", "phases[0].allow"),
    ] {
        assert_eq!(fields(&compiled(&with(phase)).warnings), [field], "{phase}");
    }
}

#[test]
fn an_emergency_begins_now_unless_it_says_when() {
    let text = "title = \"x\"\nkind = \"emergency\"\n[[phase]]\n";
    assert_eq!(compiled(text).phases[0].1.plan.starts, given().now);
    assert_eq!(fields(&faults("title = \"x\"\n[[phase]]\n")), ["phases[0].starts"]);
}

#[test]
fn phases_are_bounded() {
    let phase = "[[phase]]\nstarts = \"2026-11-29T16:00:00Z\"\n";
    let text = |count: usize| "title = \"x\"\n".to_owned() + &phase.repeat(count);
    assert_eq!(compiled(&text(limit::PHASES_MAX)).phases.len(), limit::PHASES_MAX);
    assert_eq!(fields(&faults(&text(limit::PHASES_MAX + 1))), ["phases"]);
}

#[test]
fn names_that_the_site_lacks_are_told_with_what_may_be_meant() {
    let names = Names { regions: vec!["apac", "eu"], routes: vec!["claims"] };
    let unknown = names.unknown(&draft(
        "[[phase]]\nregions = [\"apca\", \"eu\"]\nroutes = [\"claims\", \"zzz\"]\n",
    ));
    assert_eq!(fields(&unknown), ["phases[0].regions", "phases[0].routes"]);
    assert!(unknown[0].help.contains("\"apac\""), "{unknown:?}");
}
