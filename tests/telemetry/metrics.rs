//! Counters over workers, configs and reloads, and what Prometheus reads of them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use intermission::clock::Wall;
use intermission::decide::verdict::{NotKept, Verdict, Wants};
use intermission::telemetry::end::End;
use intermission::telemetry::handshake::Handshake;
use intermission::telemetry::metrics::{
    InFlightCount, Metrics, NAMES, Reload, ServerCounts, StoreFigures, WindowFigures,
};
use intermission::telemetry::shard::{Ended, Shard, Table, VERDICTS};

fn table(shard: &Shard, routes: &[&str], regions: &[&str]) -> Rc<Table> {
    let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<_>>();
    shard.table(names(routes).into_iter(), names(regions).into_iter())
}

fn ended(verdict: Verdict, status: u16) -> Ended {
    Ended {
        verdict,
        status,
        total: Duration::from_millis(3),
        connect: Some(Duration::from_micros(200)),
        first_byte: Some(Duration::from_micros(400)),
        bytes_in: 10,
        bytes_out: 100,
        end: End::Done,
    }
}

fn request(table: &Rc<Table>, route: usize, region: usize, ended: &Ended) {
    let _in_flight = table.begin(route, region);
    table.count(route, region, ended);
}

/// The value of a series, as its line begins.
fn value(text: &str, series: &str) -> Option<f64> {
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|r| r.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
}

fn in_flight(metrics: &Metrics) -> Vec<(String, String, u64)> {
    let told = |c: InFlightCount| (c.route.to_string(), c.region.to_string(), c.count);
    metrics.in_flight().into_iter().map(told).collect()
}

#[test]
fn requests_count_by_route_verdict_and_class_over_all_workers() {
    let metrics = Metrics::default();
    for _ in 0..2 {
        let shard = metrics.shard();
        let table = table(&shard, &["claims", "shop"], &["eu", "apac"]);
        request(&table, 0, 1, &ended(Verdict::Forward, 204));
        request(&table, 0, 0, &ended(Verdict::Page(Wants::Html, Some(NotKept::Size)), 503));
        shard.unrouted(&Ended { end: End::ProxyRouteUnknown, ..ended(Verdict::Forward, 404) });
    }
    let text = metrics.render();
    let count = |series: &str| value(&text, series);
    let requests = r#"intermission_requests_total{route="claims",verdict="forward",status="2xx"}"#;
    assert_eq!(count(requests), Some(2.0), "{text}");
    let page = r#"intermission_requests_total{route="claims",verdict="page",status="5xx"}"#;
    assert_eq!(count(page), Some(2.0), "{text}");
    let unrouted = r#"intermission_requests_total{route="",verdict="forward",status="4xx"}"#;
    assert_eq!(count(unrouted), Some(2.0), "{text}");
    assert_eq!(count(r#"intermission_ends_total{end="done"}"#), Some(4.0));
    assert_eq!(count(r#"intermission_ends_total{end="proxy/route/unknown"}"#), Some(2.0));
    let bytes = r#"intermission_body_bytes_total{route="claims",direction="out"}"#;
    assert_eq!(count(bytes), Some(400.0));
    assert!(!text.contains(r#"route="shop""#), "a route that was not met makes no series");
}

#[test]
fn times_fall_into_cumulative_buckets() {
    let metrics = Metrics::default();
    let shard = metrics.shard();
    let table = table(&shard, &["claims"], &["eu"]);
    for micros in [500, 501, 61_000_000] {
        let took = Ended { total: Duration::from_micros(micros), ..ended(Verdict::Forward, 200) };
        request(&table, 0, 0, &took);
    }
    let text = metrics.render();
    let name = "intermission_request_duration_seconds";
    let bucket = |le: &str| value(&text, &format!(r#"{name}_bucket{{route="claims",le="{le}"}}"#));
    assert_eq!(bucket("0.0005"), Some(1.0), "a bound belongs to its bucket: {text}");
    assert_eq!((bucket("0.001"), bucket("60"), bucket("+Inf")), (Some(2.0), Some(2.0), Some(3.0)));
    assert_eq!(value(&text, &format!(r#"{name}_count{{route="claims"}}"#)), Some(3.0));
    let sum = value(&text, &format!(r#"{name}_sum{{route="claims"}}"#)).expect("a sum");
    assert!((sum - 61.001_001).abs() < 1e-9, "{sum}");
}

#[test]
fn a_request_in_flight_is_not_forgotten_by_a_reload_and_no_count_goes_down() {
    let metrics = Metrics::default();
    let shard = metrics.shard();
    let before = table(&shard, &["claims", "shop"], &["eu", "apac"]);
    let slow = before.begin(1, 1);
    request(&before, 1, 1, &ended(Verdict::Forward, 200));
    let old = before;
    let after = table(&shard, &["shop"], &["eu", "apac"]);
    let fast = after.begin(0, 1);
    assert_eq!(in_flight(&metrics), [("shop".to_owned(), "apac".to_owned(), 2)]);
    let series = r#"intermission_requests_total{route="shop",verdict="forward",status="2xx"}"#;
    assert_eq!(value(&metrics.render(), series), Some(1.0));
    old.count(1, 0, &ended(Verdict::Forward, 200));
    drop(old);
    drop(slow);
    assert_eq!(in_flight(&metrics), [("shop".to_owned(), "apac".to_owned(), 1)]);
    assert_eq!(value(&metrics.render(), series), Some(2.0), "the former table is folded in");
    after.count(0, 0, &ended(Verdict::Forward, 200));
    assert_eq!(value(&metrics.render(), series), Some(3.0), "and counted once");
    drop(fast);
    assert_eq!(in_flight(&metrics), []);
}

#[test]
fn counts_read_while_workers_count_are_whole_in_the_end() {
    const EACH: u64 = 20_000;
    let metrics = Metrics::default();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let shard = metrics.shard();
            std::thread::spawn(move || {
                for round in 0..4 {
                    let table = table(&shard, &["claims"], &["eu"]);
                    for _ in 0..EACH / 4 {
                        request(&table, 0, 0, &ended(Verdict::Forward, 200));
                    }
                    assert!(round < 4);
                }
            })
        })
        .collect();
    let series = r#"intermission_requests_total{route="claims",verdict="forward",status="2xx"}"#;
    let mut seen = 0.0;
    while !workers.iter().all(|worker| worker.is_finished()) {
        let now = value(&metrics.render(), series).unwrap_or_default();
        assert!(now >= seen, "{now} after {seen}");
        seen = now;
    }
    workers.into_iter().for_each(|worker| worker.join().expect("a worker that counts"));
    assert_eq!(value(&metrics.render(), series), Some((2 * EACH) as f64));
}

#[test]
fn every_metric_is_exposed_once_something_happened() {
    let metrics = Metrics::default();
    let shard = metrics.shard();
    let table = table(&shard, &["claims"], &["eu"]);
    let _open = table.begin(0, 0);
    table.count(0, 0, &ended(Verdict::Forward, 200));
    shard.connection_opened();
    shard.connection_opened();
    shard.connection_closed();
    shard.held_began();
    shard.upstream_connected();
    shard.upstream_reused();
    shard.handshake(Handshake::Resumed13);
    // Two of one name: what ends first is what somebody must act on.
    let ends = [5_000, 4_000].map(|millis| ("site.test".to_owned(), Wall::from_millis(millis)));
    metrics.certificates(ends.into_iter());
    metrics.generation(3);
    metrics.reload(Reload::Failed, Wall::from_millis(1_000));
    metrics.reload(Reload::Done, Wall::from_millis(2_000));
    metrics.windows(WindowFigures {
        states: vec![("closed", [1, 0, 0])],
        closed_cells: 4,
        maintenances: vec![("m".to_owned(), "underway")],
        ramp: Some(40),
        ..WindowFigures::default()
    });
    let counts = ServerCounts { ready: 2, maint: 1, ..ServerCounts::default() };
    metrics.servers(vec![("app".into(), counts)]);
    metrics.health_checked(&"app".into(), false);
    metrics.name_stale(true);
    metrics.store(StoreFigures {
        submissions: vec![("held", 5)],
        bytes: 6,
        commits: 1,
        commit_sum: Duration::from_millis(1),
        failures: 1,
        ..StoreFigures::default()
    });
    let off = intermission::telemetry::access::LogTarget::Off;
    let format = intermission::telemetry::access::AccessFormat::Json;
    let started = intermission::telemetry::access::AccessLog::start(off, format);
    metrics.watch_access(&started.expect("nothing to open").0);
    let text = metrics.render();
    for metric in NAMES {
        let kind = format!("# TYPE {} {}\n", metric.name, metric.kind());
        assert!(text.contains(&kind), "{kind}{text}");
    }
    for (series, wanted) in [
        ("intermission_connections", 1.0),
        ("intermission_connections_total", 2.0),
        (r#"intermission_upstream_connections_total{kind="reuse"}"#, 1.0),
        (r#"intermission_tls_handshakes_total{outcome="resumed",version="1.3"}"#, 1.0),
        (r#"intermission_tls_certificate_expiry_timestamp_seconds{name="site.test"}"#, 4.0),
        (r#"intermission_upstream_servers{upstream="app",state="ready"}"#, 2.0),
        (r#"intermission_health_checks_total{upstream="app",result="bad"}"#, 1.0),
        ("intermission_upstream_names_stale", 1.0),
        ("intermission_snapshot_generation", 3.0),
        (r#"intermission_reload_total{result="failed"}"#, 1.0),
        ("intermission_reload_last_success_timestamp_seconds", 2.0),
        (r#"intermission_windows{state="closed",kind="switch"}"#, 1.0),
        ("intermission_closed_cells", 4.0),
        (r#"intermission_submissions{state="held"}"#, 5.0),
        ("intermission_store_bytes", 6.0),
        ("intermission_store_commit_seconds_count", 1.0),
        ("intermission_store_failures_total", 1.0),
        (r#"intermission_in_flight{route="claims",region="eu"}"#, 1.0),
    ] {
        assert_eq!(value(&text, series), Some(wanted), "{series}");
    }
}

#[test]
fn verdicts_keep_the_names_that_they_have_in_lines() {
    use intermission::decide::verdict::{FormKind, Leads, Refusal};
    let all = [
        Verdict::Own,
        Verdict::Probe,
        Verdict::Forward,
        Verdict::Resume,
        Verdict::Capture(FormKind::Plain),
        Verdict::Page(Wants::Text, None),
        Verdict::Refuse(Refusal::UnknownRoute),
        Verdict::Redirect(Leads::Elsewhere),
        Verdict::Hold,
    ];
    assert_eq!(all.map(Verdict::name), VERDICTS);
    let metrics = Metrics::default();
    let shard = metrics.shard();
    all.iter().for_each(|verdict| shard.unrouted(&ended(*verdict, 200)));
    let text = metrics.render();
    for name in VERDICTS {
        let series =
            format!(r#"intermission_requests_total{{route="",verdict="{name}",status="2xx"}}"#);
        assert_eq!(value(&text, &series), Some(1.0), "{series}");
    }
}

#[test]
fn end_codes_count_in_the_order_of_the_dictionary() {
    // `End as usize` indexes the cells; `End::ALL` names them.
    for (at, end) in End::ALL.iter().enumerate() {
        assert_eq!(*end as usize, at, "{end:?}");
    }
}
