//! Access lines as they stand in a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use intermission::addr::{ClientAddr, ServerAddr};
use intermission::clock::Wall;
use intermission::limit;
use intermission::telemetry::access::{AccessFormat, AccessLog, AccessWriter, LogTarget, Record};
use intermission::telemetry::end::End;
use proptest::prelude::*;

use crate::support::eventually;

fn record<'a>() -> Record<'a> {
    Record {
        at: Wall::from_millis(1_795_262_400_042),
        client: ClientAddr([203, 0, 113, 9].into()),
        protocol: "h1",
        method: "POST",
        host: "claims.example",
        target: "/claims/new?name=Ann",
        status: 303,
        route: Some("claims"),
        region: Some("apac"),
        verdict: "capture",
        bypass: Some("01jd8m2x"),
        generation: 7,
        total: Duration::from_micros(1_234_567),
        upstream: Some(ServerAddr(([10, 0, 0, 1], 9000).into())),
        connect: Some(Duration::from_micros(85)),
        first_byte: None,
        held: None,
        bytes_in: 2_048,
        bytes_out: 0,
        trace: Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
        end: End::Done,
        request: 0xfeed,
    }
}

fn start(path: &Path, format: AccessFormat) -> (AccessLog, AccessWriter) {
    AccessLog::start(LogTarget::File(path.to_owned()), format).expect("a writable folder")
}

/// What one record looks like.
fn line(format: AccessFormat, record: &Record<'_>) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("access.log");
    let (log, writer) = start(&path, format);
    log.lines().record(record);
    writer.stop();
    fs::read_to_string(path).expect("a log of valid UTF-8")
}

#[test]
fn a_json_line_tells_all_but_the_query() {
    assert_eq!(
        line(AccessFormat::Json, &record()),
        concat!(
            r#"{"at":"2026-11-21T12:00:00.042Z","request":"000000000000feed","#,
            r#""client":"203.0.113.9","protocol":"h1","method":"POST","host":"claims.example","#,
            r#""path":"/claims/new","status":303,"route":"claims","region":"apac","#,
            r#""verdict":"capture","bypass":"01jd8m2x","generation":7,"total_us":1234567,"#,
            r#""upstream":"10.0.0.1:9000","connect_us":85,"bytes_in":2048,"bytes_out":0,"#,
            r#""trace":"4bf92f3577b34da6a3ce929d0e0e4736","#,
            r#""end":"done"}"#,
            "\n"
        )
    );
}

#[test]
fn a_logfmt_line_quotes_what_needs_it_and_leaves_out_what_is_not_there() {
    let shown = Record {
        host: "",
        target: "/a b=\"c\"\n",
        route: None,
        region: None,
        upstream: None,
        connect: None,
        trace: None,
        status: 0,
        end: End::ClientHeadMalformed,
        client: ClientAddr("2001:db8::1".parse().expect("an address")),
        ..record()
    };
    assert_eq!(
        line(AccessFormat::Logfmt, &shown),
        concat!(
            "at=2026-11-21T12:00:00.042Z request=000000000000feed client=2001:db8::1 protocol=h1 ",
            r#"method=POST host="" path="/a b=\"c\"\u000a" status=0 verdict=capture bypass=01jd8m2x "#,
            "generation=7 total_us=1234567 bytes_in=2048 bytes_out=0 end=client/head/malformed\n"
        )
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_a_client_sends_stays_inside_its_value(method in ".{0,20}", path in "[^?#]{0,80}") {
        let hostile = Record { method: &method, target: &path, host: &path, ..record() };
        let json = line(AccessFormat::Json, &hostile);
        let printable = |line: &str| line.trim_end().bytes().all(|b| (0x20..0x7f).contains(&b));
        prop_assert!(printable(&json), "{}", json);
        let read: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
        prop_assert_eq!(&read["method"], &method);
        prop_assert_eq!(&read["host"], &path);
        let logfmt = line(AccessFormat::Logfmt, &hostile);
        prop_assert!(printable(&logfmt));
        prop_assert_eq!(logfmt.matches(" status=303 route=claims").count(), 1);
    }
}

#[test]
fn the_fields_stand_in_the_documented_order() {
    let span = Some(Duration::from_millis(1));
    let full = Record { first_byte: span, held: span, ..record() };
    let text = line(AccessFormat::Logfmt, &full);
    let names: Vec<_> = text.split(' ').filter_map(|pair| pair.split('=').next()).collect();
    assert_eq!(names, intermission::telemetry::access::FIELDS);
}

#[test]
fn a_moved_file_is_opened_again_and_only_the_group_may_read_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let (log, writer) = start(&path, AccessFormat::Json);
    let lines = log.lines();
    lines.record(&Record { status: 411, ..record() });
    lines.flush();
    eventually("the first line", || {
        fs::read_to_string(&path).ok().filter(|text| text.contains("411"))
    });
    fs::rename(&path, &moved).expect("the same folder");
    log.reopen();
    eventually("a new file", || path.exists().then_some(()));
    lines.record(&Record { status: 412, ..record() });
    drop(lines);
    writer.stop();
    let text = |path| fs::read_to_string(path).expect("a log");
    assert!(text(&moved).contains("411") && !text(&moved).contains("412"));
    assert!(text(&path).contains("412") && !text(&path).contains("411"));
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o137, 0, "at most 0640: {mode:o}");
}

#[test]
fn a_writer_that_is_behind_costs_lines_not_time_and_they_are_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "coreutils has mkfifo");
    // Held open for reading and never read: after 64 KiB the writer stands still.
    let reader = fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("a pipe");
    let (log, writer) = start(&pipe, AccessFormat::Json);
    let lines = log.lines();
    let record = record();
    let (room, size) = ((limit::ACCESS_QUEUE_MAX + 8) * limit::ACCESS_BUFFER_BYTES, 300);
    for _ in 0..2 * room / size {
        lines.record(&record);
    }
    assert!(log.dropped() > 0, "more was recorded than the queue holds");
    drop(reader);
    drop(lines);
    writer.stop();
}

#[test]
fn a_failed_write_is_counted_and_later_lines_stand_alone() {
    let (log, writer) = start(Path::new("/dev/full"), AccessFormat::Json);
    let lines = log.lines();
    lines.record(&record());
    lines.record(&record());
    drop(lines);
    writer.stop();
    assert_eq!((log.dropped(), log.failures()), (2, 1));
}

#[test]
fn a_log_that_is_off_makes_nothing() {
    let (log, writer) =
        AccessLog::start(LogTarget::Off, AccessFormat::Json).expect("nothing to open");
    log.lines().record(&record());
    writer.stop();
    assert_eq!(log.dropped(), 0);
}

#[test]
fn a_target_that_cannot_be_opened_is_refused_at_the_start() {
    let nowhere = LogTarget::File("/nonexistent/access.log".into());
    assert!(AccessLog::start(nowhere, AccessFormat::Json).is_err());
}
