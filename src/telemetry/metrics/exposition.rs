//! The metrics as Prometheus reads them. [`NAMES`] is all of them; a test compares it with this
//! module's README.

use std::sync::Arc;
use std::time::Duration;

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType, Quantile,
    Summary,
};

use super::held::{self, HELD, HELD_TOTAL};
use super::pages::{self, PAGES};
use super::servers::{self, CHECKS, SERVERS, STALE};
use super::windows::{
    self, ANNOUNCED, CLOSED_CELLS, DRIFT, FAILED, GATE, MAINTENANCE, OVERRUN, RAMP, UNPROMISED,
    WINDOWS,
};
use super::{Metrics, Reload, Spread, StoreFigures, Sums, Told, read};
use crate::telemetry::end::End;
use crate::telemetry::handshake::Handshake;
use crate::telemetry::shard::{BUCKETS_US, CLASSES, Goaway, VERDICTS, WorkerCells, lock};

/// One metric: what it is called and what it tells.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells, in which unit.
    pub help: &'static str,
    kind: MetricType,
}

impl Named {
    /// `counter`, `gauge`, `histogram` or `summary`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            MetricType::COUNTER => "counter",
            MetricType::HISTOGRAM => "histogram",
            MetricType::SUMMARY => "summary",
            MetricType::GAUGE | MetricType::UNTYPED => "gauge",
        }
    }
}

pub(super) const fn counter(
    name: &'static str,
    labels: &'static [&str],
    help: &'static str,
) -> Named {
    Named { name, labels, help, kind: MetricType::COUNTER }
}

pub(super) const fn gauge(
    name: &'static str,
    labels: &'static [&str],
    help: &'static str,
) -> Named {
    Named { name, labels, help, kind: MetricType::GAUGE }
}

const fn histogram(name: &'static str, labels: &'static [&str], help: &'static str) -> Named {
    Named { name, labels, help, kind: MetricType::HISTOGRAM }
}

const fn summary(name: &'static str, labels: &'static [&str], help: &'static str) -> Named {
    Named { name, labels, help, kind: MetricType::SUMMARY }
}

const REQUESTS: Named = counter(
    "intermission_requests_total",
    &["route", "verdict", "status"],
    "Requests that ended, by what was decided and by the class of the answer's status.",
);
const DURATION: Named = histogram(
    "intermission_request_duration_seconds",
    &["route"],
    "From a request's first byte to its end, in seconds.",
);
const FIRST_BYTE: Named = histogram(
    "intermission_upstream_first_byte_seconds",
    &["route"],
    "From sending a request to the upstream until the head of its answer, in seconds.",
);
const CONNECT: Named = histogram(
    "intermission_upstream_connect_seconds",
    &["route"],
    "To connect to a server, where no pooled connection was used, in seconds.",
);
const BYTES: Named = counter(
    "intermission_body_bytes_total",
    &["route", "direction"],
    "Bytes of request bodies (in) and of answer bodies (out).",
);
const IN_FLIGHT: Named =
    gauge("intermission_in_flight", &["route", "region"], "Requests that began and did not end.");
const ENDS: Named = counter(
    "intermission_ends_total",
    &["end"],
    "Requests by their end code: who ended them, in which phase, why.",
);
const CONNECTIONS: Named =
    gauge("intermission_connections", &[], "Client connections that are open.");
const CONNECTIONS_TOTAL: Named =
    counter("intermission_connections_total", &[], "Client connections that were accepted.");
const HANDSHAKES: Named = counter(
    "intermission_tls_handshakes_total",
    &["outcome", "version"],
    "TLS handshakes with clients: full, resumed, or why there was no session.",
);
const CERTIFICATE_EXPIRY: Named = gauge(
    "intermission_tls_certificate_expiry_timestamp_seconds",
    &["name"],
    "When a certificate ends to be valid, in seconds since the Unix epoch, by its first name.",
);
const H2_CONNECTIONS: Named =
    counter("intermission_h2_connections_total", &[], "Client connections that spoke HTTP/2.");
const H2_STREAMS: Named =
    counter("intermission_h2_streams_total", &[], "Streams that clients opened.");
const H2_RESETS: Named = counter(
    "intermission_h2_resets_total",
    &["direction"],
    "Streams that were reset by clients (in) and by us (out).",
);
const H2_GOAWAYS: Named = counter(
    "intermission_h2_goaways_total",
    &["reason"],
    "Connections that were told to go away: stop, idle, spent (old, or enough requests), settings (not acknowledged), calm (too many control frames or resets), error.",
);
const UPSTREAM_CONNECTIONS: Named = counter(
    "intermission_upstream_connections_total",
    &["kind"],
    "Connections to servers that were made (connect), used again (reuse) or not made (fail).",
);
const RETRIES: Named = counter(
    "intermission_upstream_retries_total",
    &[],
    "Idempotent requests that were sent again because their connection broke.",
);
const EJECTIONS: Named = counter(
    "intermission_upstream_ejections_total",
    &[],
    "How often a worker began to pass a server over because it failed.",
);
const BYPASSED: Named = counter(
    "intermission_bypassed_requests_total",
    &[],
    "Requests that were let into a closed place by a bypass.",
);
const QUEUED: Named = counter(
    "intermission_upstream_queued_total",
    &[],
    "Requests that had to wait because every server was as busy as it may be.",
);
const GENERATION: Named = gauge(
    "intermission_snapshot_generation",
    &[],
    "The snapshot in force, counted from 1 since the process began.",
);
const RELOADS: Named = counter(
    "intermission_reload_total",
    &["result"],
    "Reloads of the config: done, or failed with the old config staying in force.",
);
const RELOADED_AT: Named = gauge(
    "intermission_reload_last_success_timestamp_seconds",
    &[],
    "When a reload was last done, in seconds since the Unix epoch.",
);
const SUBMISSIONS: Named =
    gauge("intermission_submissions", &["state"], "Submissions in the store by state.");
const STORE_BYTES: Named =
    gauge("intermission_store_bytes", &[], "Sealed bytes of submissions in the store.");
const STORE_COMMITS: Named = summary(
    "intermission_store_commit_seconds",
    &[],
    "How long the store's commits took until they were durable, in seconds; half, 99 of 100.",
);
const STORE_FAILURES: Named =
    counter("intermission_store_failures_total", &[], "Reads and writes of the store that failed.");
const STORE_FREE: Named =
    gauge("intermission_store_free_bytes", &[], "Bytes that are free on the store's file system.");
const STORE_FULL: Named =
    gauge("intermission_store_full", &[], "1 while so few are free that no form is kept.");
const ACCESS_DROPPED: Named = counter(
    "intermission_access_lines_dropped_total",
    &[],
    "Access lines that were not written because the writer was behind or writing failed.",
);
const BUILD: Named = gauge("intermission_build_info", &["version"], "Always 1.");

/// Every metric, in the order of the README.
pub const NAMES: &[Named] = &[
    REQUESTS,
    DURATION,
    FIRST_BYTE,
    CONNECT,
    BYTES,
    IN_FLIGHT,
    ENDS,
    CONNECTIONS,
    CONNECTIONS_TOTAL,
    HANDSHAKES,
    CERTIFICATE_EXPIRY,
    H2_CONNECTIONS,
    H2_STREAMS,
    H2_RESETS,
    H2_GOAWAYS,
    UPSTREAM_CONNECTIONS,
    RETRIES,
    EJECTIONS,
    QUEUED,
    BYPASSED,
    PAGES,
    SERVERS,
    CHECKS,
    STALE,
    HELD,
    HELD_TOTAL,
    GENERATION,
    WINDOWS,
    CLOSED_CELLS,
    MAINTENANCE,
    DRIFT,
    ANNOUNCED,
    OVERRUN,
    UNPROMISED,
    GATE,
    FAILED,
    RAMP,
    RELOADS,
    RELOADED_AT,
    SUBMISSIONS,
    STORE_BYTES,
    STORE_COMMITS,
    STORE_FAILURES,
    STORE_FREE,
    STORE_FULL,
    ACCESS_DROPPED,
    BUILD,
];

/// The `route` of requests that met none.
const NO_ROUTE: &str = "";

impl Metrics {
    /// Everything, in the text format.
    pub fn render(&self) -> String {
        let mut page = Page(Vec::new());
        self.requests(&mut page);
        self.workers(&mut page);
        let told = lock(&self.0.told).clone();
        control(&told, &mut page);
        page.add(BUILD, [number(&[("version", env!("CARGO_PKG_VERSION"))], 1)]);
        TextEncoder::new().encode_to_string(&page.0).unwrap_or_else(|fault| {
            tracing::error!(%fault, "the metrics cannot be written");
            String::new()
        })
    }

    fn requests(&self, page: &mut Page) {
        let mut sums: Vec<(Arc<str>, Sums)> = self.sums().into_iter().collect();
        sums.push((NO_ROUTE.into(), self.unrouted()));
        sums.retain(|(_, sums)| sums.duration.count() > 0);
        sums.sort_by(|(a, _), (b, _)| a.cmp(b));
        page.add(REQUESTS, sums.iter().flat_map(|(route, sums)| verdicts(route, sums)));
        page.add(DURATION, sums.iter().map(|(r, sums)| spread(&[("route", r)], &sums.duration)));
        let sent = sums.iter().filter(|(_, sums)| sums.first_byte.count() > 0);
        page.add(FIRST_BYTE, sent.map(|(r, sums)| spread(&[("route", r)], &sums.first_byte)));
        let connected = sums.iter().filter(|(_, sums)| sums.connect.count() > 0);
        page.add(CONNECT, connected.map(|(r, sums)| spread(&[("route", r)], &sums.connect)));
        let directions = |(route, sums): &(Arc<str>, Sums)| {
            [("in", sums.bytes_in), ("out", sums.bytes_out)]
                .map(|(to, bytes)| number(&[("route", route), ("direction", to)], bytes))
        };
        page.add(BYTES, sums.iter().flat_map(directions));
        let in_flight = self.in_flight();
        let labels = |count: &super::InFlightCount| {
            number(&[("route", &count.route), ("region", &count.region)], count.count)
        };
        page.add(IN_FLIGHT, in_flight.iter().map(labels));
    }

    fn workers(&self, page: &mut Page) {
        let workers = lock(&self.0.registry.workers).clone();
        let sum = |of: fn(&WorkerCells) -> &_| workers.iter().map(|worker| read(of(worker))).sum();
        let ended = |end: End| workers.iter().map(|worker| read(&worker.ends[end as usize])).sum();
        page.add(ENDS, End::ALL.map(|end| number(&[("end", end.code())], ended(end))));
        page.add(CONNECTIONS, [number(&[], self.connections())]);
        page.add(CONNECTIONS_TOTAL, [number(&[], sum(|worker| &worker.accepted))]);
        let shaken =
            |went| workers.iter().map(|worker| read(&worker.handshakes[went as usize])).sum();
        page.add(HANDSHAKES, Handshake::ALL.map(|went| handshake(went, shaken(went))));
        page.add(H2_CONNECTIONS, [number(&[], sum(|worker| &worker.h2_connections))]);
        page.add(H2_STREAMS, [number(&[], sum(|worker| &worker.h2_streams))]);
        let resets = [("in", sum(|w| &w.h2_resets[0])), ("out", sum(|w| &w.h2_resets[1]))];
        page.add(H2_RESETS, resets.map(|(to, count)| number(&[("direction", to)], count)));
        let told =
            |at: usize| workers.iter().map(|worker| read(&worker.h2_goaways[at])).sum::<u64>();
        let goaways = Goaway::NAMES.iter().enumerate();
        page.add(H2_GOAWAYS, goaways.map(|(at, why)| number(&[("reason", why)], told(at))));
        let kinds = [
            ("connect", sum(|w| &w.connects)),
            ("reuse", sum(|w| &w.reuses)),
            ("fail", sum(|w| &w.connect_failures)),
        ];
        page.add(UPSTREAM_CONNECTIONS, kinds.map(|(kind, count)| number(&[("kind", kind)], count)));
        page.add(RETRIES, [number(&[], sum(|worker| &worker.retries))]);
        page.add(EJECTIONS, [number(&[], sum(|worker| &worker.ejections))]);
        page.add(QUEUED, [number(&[], sum(|worker| &worker.queued))]);
        page.add(BYPASSED, [number(&[], sum(|worker| &worker.bypassed))]);
        pages::expose(&workers, page);
        held::expose(&workers, page);
    }

    fn unrouted(&self) -> Sums {
        let mut sums = Sums::default();
        let workers = lock(&self.0.registry.workers);
        workers.iter().for_each(|worker| sums.add(&worker.unrouted));
        sums
    }
}

fn control(told: &Told, page: &mut Page) {
    servers::expose(&told.servers, page);
    page.add(GENERATION, [number(&[], told.generation)]);
    windows::expose(told, page);
    let expiries = told.certificates.iter();
    page.add(CERTIFICATE_EXPIRY, expiries.map(|(name, secs)| number(&[("name", name)], *secs)));
    let reloads = Reload::NAMES.into_iter().zip(told.reloads);
    page.add(RELOADS, reloads.map(|(result, count)| number(&[("result", result)], count)));
    let reloaded_at = told.reloaded_at.and_then(|at| u64::try_from(at.secs()).ok());
    page.add(RELOADED_AT, reloaded_at.map(|secs| number(&[], secs)));
    page.add(SUBMISSIONS, by_state(&told.store.submissions));
    page.add(STORE_BYTES, [number(&[], told.store.bytes)]);
    page.add(STORE_COMMITS, [commits(&told.store)]);
    page.add(STORE_FAILURES, [number(&[], told.store.failures)]);
    page.add(STORE_FREE, [number(&[], told.store.free_bytes)]);
    page.add(STORE_FULL, [number(&[], told.store.is_full)]);
    let dropped = told.access.as_ref().map(|log| number(&[], log.dropped()));
    page.add(ACCESS_DROPPED, dropped);
}

fn handshake(went: Handshake, count: u64) -> Metric {
    let (outcome, version) = went.labels();
    number(&[("outcome", outcome), ("version", version)], count)
}

fn commits(store: &StoreFigures) -> Metric {
    let quantile = |(at, time): (f64, Duration)| {
        let mut quantile = Quantile::default();
        quantile.set_quantile(at);
        quantile.set_value(time.as_secs_f64());
        quantile
    };
    let quantiles = [(0.5, store.commit_p50), (0.99, store.commit_p99)].map(quantile);
    let mut summary = Summary::default();
    summary.set_quantile(quantiles.into());
    summary.set_sample_count(store.commits);
    summary.set_sample_sum(store.commit_sum.as_secs_f64());
    let mut metric = Metric::default();
    metric.set_summary(summary);
    metric
}

fn by_state(counts: &[(&str, u64)]) -> impl Iterator<Item = Metric> {
    counts.iter().map(|(state, count)| number(&[("state", state)], *count))
}

/// The cells that ever counted; a route has 48, of which it uses a few.
fn verdicts(route: &str, sums: &Sums) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for (verdict, classes) in VERDICTS.iter().zip(&sums.requests) {
        for (class, count) in CLASSES.iter().zip(classes).filter(|(_, count)| **count > 0) {
            let labels = [("route", route), ("verdict", verdict), ("status", class)];
            metrics.push(number(&labels, *count));
        }
    }
    metrics
}

/// What is exposed so far.
pub(super) struct Page(Vec<MetricFamily>);

impl Page {
    /// Adds a metric; one that has no values yet is left out, as the format wants it.
    pub(super) fn add(&mut self, named: Named, metrics: impl IntoIterator<Item = Metric>) {
        let metrics: Vec<Metric> = metrics.into_iter().collect();
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(named.name.to_owned());
        family.set_help(named.help.to_owned());
        family.set_field_type(named.kind);
        family.set_metric(metrics);
        self.0.push(family);
    }
}

/// A value that is a counter or a gauge, as its family says.
pub(super) fn number(labels: &[(&str, &str)], value: u64) -> Metric {
    let mut metric = Metric::from_label(pairs(labels));
    let mut counter = Counter::default();
    counter.set_value(value as f64);
    metric.set_counter(counter);
    let mut gauge = Gauge::default();
    gauge.set_value(value as f64);
    metric.set_gauge(gauge);
    metric
}

fn spread(labels: &[(&str, &str)], spread: &Spread) -> Metric {
    let mut below = 0;
    let buckets = BUCKETS_US.iter().zip(spread.buckets).map(|(bound, count)| {
        below += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound as f64 / 1e6);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(spread.count());
    histogram.set_sample_sum(spread.sum_us as f64 / 1e6);
    let mut metric = Metric::from_label(pairs(labels));
    metric.set_histogram(histogram);
    metric
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}
