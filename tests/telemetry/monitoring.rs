//! The dashboard and the alerting rules speak of metrics that exist, with the labels they have.

use std::collections::BTreeSet;

use intermission::telemetry::end::End;
use intermission::telemetry::metrics::NAMES;

const DASHBOARD: &str = include_str!("../../config/monitoring/grafana.json");
const ALERTS: &str = include_str!("../../config/monitoring/alerts.yaml");
const PAGE: &str = include_str!("../../config/monitoring/README.md");

/// What a scraper and Prometheus add by themselves.
const ADDED: [&str; 3] = ["instance", "le", "quantile"];

/// What is wrong with the metrics that a text names, and how many it names.
fn check(text: &str) -> (Vec<String>, BTreeSet<&'static str>) {
    let (mut wrong, mut named) = (Vec::new(), BTreeSet::new());
    for (at, _) in text.match_indices("intermission_") {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let rest = &text[at..];
        let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        let known = NAMES.iter().find(|metric| match metric.kind() {
            "histogram" => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|part| word.strip_suffix(part) == Some(metric.name)),
            "summary" => {
                let of = |part| word.strip_suffix(part) == Some(metric.name);
                word == metric.name || of("_sum") || of("_count")
            }
            _ => word == metric.name,
        });
        let Some(metric) = known else {
            wrong.push(format!("there is no metric {word}"));
            continue;
        };
        named.insert(metric.name);
        let Some(selectors) = after.strip_prefix('{').and_then(|s| s.split('}').next()) else {
            continue;
        };
        for selector in selectors.split(", ").filter(|selector| selector.contains('=')) {
            let label = selector.split(['=', '!']).next().unwrap_or_default().trim();
            if !metric.labels.contains(&label) && !ADDED.contains(&label) {
                wrong.push(format!("{word} has no label {label}"));
            }
        }
    }
    (wrong, named)
}

#[test]
fn what_is_watched_exists() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut named = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in panels {
        let place = panel["gridPos"].to_string();
        assert!(places.insert(place), "two panels in one place: {panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            let (wrong, names) = check(expression);
            assert_eq!(wrong, [""; 0], "{}: {expression}", panel["title"]);
            assert!(!names.is_empty(), "{expression}");
            let (open, close) = (expression.matches('(').count(), expression.matches(')').count());
            assert_eq!(open, close, "{expression}");
            named.extend(names);
        }
    }
    let (wrong, alerted) = check(ALERTS);
    assert_eq!(wrong, [""; 0]);
    named.extend(alerted);
    let unwatched = NAMES.iter().map(|metric| metric.name).filter(|name| !named.contains(name));
    assert_eq!(unwatched.collect::<Vec<_>>(), [""; 0], "show it on the dashboard");
}

#[test]
fn end_codes_in_the_rules_exist() {
    for part in ALERTS.split("end=\"").skip(1) {
        let code = part.split('"').next().expect("the code");
        assert!(End::ALL.iter().any(|end| end.code() == code), "{code}");
    }
}

#[test]
fn every_alert_is_explained() {
    let alerts: Vec<_> =
        ALERTS.lines().filter_map(|l| l.trim().strip_prefix("- alert: ")).collect();
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(alerts, rows.collect::<Vec<_>>());
    let of = |key: &str| ALERTS.lines().filter(|line| line.trim().starts_with(key)).count();
    let keys = ["expr:", "labels:", "annotations:"].map(of);
    assert_eq!(keys, [alerts.len(); 3], "each has all of it");
}

#[test]
fn what_does_not_exist_is_found() {
    for (text, wrong) in [
        ("rate(intermission_requests_total{route=\"a\"}[5m])", 0),
        ("intermission_request_total", 1),
        ("intermission_requests_total{colour=\"a\"}", 1),
        ("intermission_request_duration_seconds", 1),
        ("intermission_request_duration_seconds_bucket{le=\"1\", route=~\"a|b\"}", 0),
    ] {
        assert_eq!(check(text).0.len(), wrong, "{text}");
    }
}
