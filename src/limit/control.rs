//! Bounds of the control plane, of pages and of what is told.

use std::time::Duration;

// ---- certificates by ACME ------------------------------------------------------------------

/// Answers that prove to a CA who we are. Over it: the rest is not answered.
pub const ACME_PROOFS_MAX: usize = 1_000;
/// One request to the CA. Over it: the order is given up, and tried again later.
pub const ACME_REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// How long a CA may take to look at proofs, or to sign. Over it: as above.
pub const ACME_PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of one answer of the CA. Over it: as above.
pub const ACME_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a token that names what is to be proved. Over it: as above.
pub const ACME_TOKEN_BYTES_MAX: usize = 256;
/// How often certificates are looked at for whether their time is nearly over.
pub const ACME_LOOK_EVERY: Duration = Duration::from_secs(3600);
/// From a failed order to the next one for the same domain; doubled each time.
pub const ACME_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// The longest such time, and that between two certificates of one domain.
pub const ACME_AGAIN_AFTER_MAX: Duration = Duration::from_secs(6 * 3600);

// ---- control -------------------------------------------------------------------------------

/// Bytes of an admin request's body. Over it: 413.
pub const ADMIN_BODY_BYTES_MAX: usize = 1024 * 1024;
/// An admin request's head. Over it: connection closed.
pub const ADMIN_HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// What waits for a second operator at once. Over it: 409.
pub const APPROVALS_WAITING_MAX: usize = 100;
/// How long each of them waits. Over it: forgotten, undone.
pub const APPROVAL_LIFE: Duration = Duration::from_secs(3600);
/// The longest span in which refused tokens are counted: it doubles from a minute on each time
/// that the next bound is met in it.
pub const ADMIN_REFUSALS_SPAN_MAX: Duration = Duration::from_secs(3600);
/// Refused tokens of one address per minute. Over it: 429.
pub const ADMIN_REFUSALS_PER_MINUTE_MAX: u32 = 10;
/// Events waiting for the reconciler. Full: the admin API answers 503.
pub const EVENTS_QUEUED_MAX: usize = 1_024;
/// Commands the reconciler takes from its queue at once: one publish for all of them.
pub const COMMANDS_PER_BATCH_MAX: usize = 256;
/// How long the reconciler sleeps at most: within this it notices a jump of the wall clock.
pub const CLOCK_LOOK_EVERY: Duration = Duration::from_secs(1);
/// Connections to the admin listener. Over it: a new one waits to be accepted.
pub const ADMIN_CONNECTIONS_MAX: usize = 256;
/// A connection to the admin listener. Over it: closed after the answer under way, or cut if the
/// caller does not take that.
pub const ADMIN_CONNECTION_LIFE: Duration = Duration::from_secs(300);
/// An admin request's body, whole. Over it: 408.
pub const ADMIN_BODY_DEADLINE: Duration = Duration::from_secs(20);
/// Addresses whose refused tokens are counted. Over it: the longest silent one is forgotten.
pub const ADMIN_REFUSED_ADDRESSES_MAX: usize = 1_024;
/// Rows of one page of windows or history. Over it: 422.
pub const ADMIN_ROWS_MAX: u32 = 1_000;
/// Tokens made through the admin API that are kept. Over it: the oldest expired one is forgotten;
/// 409 if none has expired.
pub const TOKENS_KEPT_MAX: u32 = 1_000;
/// Bypasses that are kept. Over it: as above.
pub const BYPASSES_KEPT_MAX: u32 = 1_000;
/// Entries of the audit that are kept. Over it: the oldest is forgotten.
pub const AUDIT_KEPT_MAX: u32 = 1_000_000;
/// Bytes of what was there before, and of what was answered, in one entry of the audit. Over it:
/// only the size is kept.
pub const AUDIT_VALUE_BYTES_MAX: usize = 16 * 1024;
/// Answers to creations that are kept for their `Idempotency-Key`. Over it: the oldest is
/// forgotten.
pub const REPLIES_KEPT_MAX: u32 = 10_000;
/// How long such an answer is kept.
pub const REPLY_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Bytes of an `Idempotency-Key`. Over it: 422.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// Who listens to the admin API's events at once. Over it: 503.
pub const EVENT_SUBSCRIBERS_MAX: usize = 64;
/// Events that wait for a subscriber to take them. Full: the feed waits.
pub const EVENTS_AHEAD_MAX: usize = 64;
/// How long it waits. Over it: the subscriber is cut, and may come back with the last id.
pub const EVENTS_TAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Entries of the history that are read at once for a subscriber.
pub const EVENTS_AT_ONCE: u32 = 200;
/// From one sign of life to the next while nothing happens.
pub const EVENTS_BEAT_EVERY: Duration = Duration::from_secs(15);
/// How long a subscriber that was cut off is asked to wait before coming back.
pub const SUBSCRIBER_RETRY: Duration = Duration::from_secs(2);
/// Minutes of traffic that a rehearsal looks back on.
pub const HOUR_MINUTES: usize = 60;
/// From one look at what came to the next.
pub const HOUR_LOOK_EVERY: Duration = Duration::from_secs(60);
/// Places whose requests are kept one by one for each of those minutes. Over it: the quietest
/// count in the total only.
pub const HOUR_PLACES_MAX: usize = 10_000;
/// The share of the last hour's requests, in percent, above which people are asked whether they
/// mean it (`admin.confirm_share`).
pub const CONFIRM_SHARE: u8 = 50;
/// Requests without which that share says nothing in the first minute after a start.
pub const CONFIRM_REQUESTS_MIN: u64 = 20;
/// The longest life of a bypass. Over it: 422.
pub const BYPASS_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Client networks of one bypass. Over it: 422.
pub const BYPASS_NETWORKS_MAX: usize = 100;
/// The longest drain that can be ordered. Over it: 422.
pub const WINDOW_DRAIN_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often the store's census is taken for metrics.
pub const CENSUS_EVERY: Duration = Duration::from_secs(5);
/// A difference between the wall clock and the monotonic one, from one look to the next, that
/// counts as a jump of the former.
pub const CLOCK_JUMP: Duration = Duration::from_secs(60);
/// How long the wall clock must have run evenly before anything is erased by it: at the start of
/// a machine, and after a step, it is often wrong until it has been set.
pub const CLOCK_SETTLES: Duration = Duration::from_secs(10 * 60);
/// How long a jump of the wall clock must have stood before windows begin and end by it: long
/// enough for a clock that was set wrong to be set right, short against a window.
pub const WINDOW_CLOCK_SETTLES: Duration = Duration::from_secs(5 * 60);
/// After a panic of the reconciler, before it begins anew from the store.
pub const CONTROL_BEGINS_ANEW_AFTER: Duration = Duration::from_secs(1);
/// Updates of one maintenance. Over it: refused with 409.
pub const MAINTENANCE_UPDATES_MAX: usize = 200;
/// How often the vault's retention runs.
pub const VAULT_SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Windows that are not over, planned ones too. Over it: a switch or a plan is refused with 409.
pub const WINDOWS_IN_FORCE_MAX: usize = 10_000;
/// Hard limits of different windows that one cell is opened by step by step while control is dead.
/// Over it: the last of the others opens it.
pub const LAPSES_PER_CELL_MAX: usize = 8;
/// Default time for requests in flight to finish after a scope closes (`window.drain`).
pub const WINDOW_DRAIN: Duration = Duration::from_secs(30);
/// How late a planned window may still begin by itself (`start_within`). Over it: stalled.
pub const WINDOW_START_WITHIN: Duration = Duration::from_secs(3600);
/// A window that begins so much late keeps its length: its promised end moves with it.
pub const WINDOW_LATE: Duration = Duration::from_secs(60);
/// Secrets of one request that are tried. Over it: the others are not looked at.
pub const BYPASSES_TRIED_MAX: usize = 4;
/// How long an admission is good for after the ramp should have ended: it may be late.
pub const ADMISSION_OUTLASTS: Duration = Duration::from_secs(3600);
/// Ramps by number that are counted at once. Over it: the count of the oldest begins anew.
pub const RAMPS_AT_ONCE_MAX: usize = 16;
/// Client addresses that one ramp by number remembers. Over it: who is let in stays in by its
/// cookie alone.
pub const ADMITTED_ADDRESSES_MAX: usize = 65_536;
/// When who is not let in by number is told to try again, at the earliest.
pub const RAMP_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Over which time more those tries are spread.
pub const RAMP_AGAIN_SPREAD: Duration = Duration::from_secs(50);
/// Event streams of visitors on one worker (`/.intermission/v1/events`). Over it: 503.
pub const EVENT_STREAMS_MAX: usize = 1_000;
/// How long such a stream lasts; its client comes back by itself.
pub const EVENT_STREAM_AGE: Duration = Duration::from_secs(600);
/// How long nothing is said on it. Over it: a comment, so that who is between does not give up.
pub const EVENTS_HEARTBEAT: Duration = Duration::from_secs(15);
/// Planned windows that one cell announces at a time, the earliest first. Over it: the others are
/// announced when those before them have begun.
pub const ANNOUNCED_PER_CELL_MAX: usize = 8;
/// From the start of one round of a verification to that of the next (`every`).
pub const VERIFY_EVERY: Duration = Duration::from_secs(5);
/// How long a verification may take (`within`). Over it: failed, `overrun`.
pub const VERIFY_WITHIN: Duration = Duration::from_secs(300);
/// One probe of a verification, whole (`within`). Over it: failed.
pub const PROBE_WITHIN: Duration = Duration::from_secs(5);
/// Maintenances that metrics tell of, each in a series of its own. Over it: the others are left
/// out there.
pub const MAINTENANCES_EXPOSED_MAX: usize = 100;
/// How long before its time is over a verification is told to have failed, at most; and at most
/// a tenth of that time.
pub const VERIFY_TOLD_AHEAD: Duration = Duration::from_secs(1);
/// How often what windows did to visitors is stored, besides at each change of a window.
pub const TALLY_EVERY: Duration = Duration::from_secs(60);
/// Probes under way at once, of all windows. Over it: the others wait, and their time does not run.
pub const PROBES_UNDER_WAY_MAX: usize = 64;
/// Bytes of an answer to a probe that are looked into (`contains`). What follows is taken unseen.
pub const PROBE_BODY_BYTES_MAX: usize = 64 * 1024;
/// Faults of one round that are told; the others are counted.
pub const VERIFY_FAULTS_TOLD_MAX: usize = 10;
/// From one look at a ramp to the next where no verification says otherwise (`every`), at most;
/// a short ramp is looked at ten times.
pub const RAMP_LOOK_EVERY: Duration = Duration::from_secs(5);
/// The shortest such time.
pub const RAMP_LOOK_EVERY_MIN: Duration = Duration::from_millis(200);
/// Looks at a ramp in a row that find it unwell. At it: the ramp failed, and its scope is closed.
pub const RAMP_BAD_LOOKS: u32 = 2;
/// Forwarded requests of a ramp without which the share of failures says nothing.
pub const RAMP_REQUESTS_MIN: u64 = 20;
/// Failed ones of a hundred forwarded requests. Over it: the look finds the ramp unwell.
pub const RAMP_FAILURES_PERCENT: u64 = 10;
/// Requests that wait for a window of mode `hold` at once, on a node (`most`). Over it: the page.
pub const HELD_REQUESTS_MAX: u32 = 1_000;
/// How long each of them waits (`longest`). Over it: the page.
pub const HELD_LONGEST: Duration = Duration::from_secs(30);
/// Over how many sweeps those that waited are let go on when their place opens, on each worker.
pub const HELD_SWEEPS: usize = 8;
/// So many of them are let go on with each sweep in any case.
pub const HELD_CALLED_AT_LEAST: usize = 8;
/// Over which time streams and tunnels of a closed place end after its drain deadline, each at a
/// moment of its own, so that their clients do not return all at once (`window.spread`).
pub const WINDOW_SPREAD: Duration = Duration::from_secs(10);
/// How long one of them may take to come to a boundary and to take leave. Over it: cut.
pub const LEAVE: Duration = Duration::from_secs(2);
/// When an event stream's client is told to come back if nobody knows the window's end, at least;
/// up to twice that.
pub const EVENTS_RETRY: Duration = Duration::from_secs(15);
/// The same when the node stops: another one is there, or soon will be.
pub const EVENTS_RETRY_STOP: Duration = Duration::from_secs(1);
/// How often a draining window's requests in flight are counted.
pub const DRAIN_COUNT_EVERY: Duration = Duration::from_millis(100);
/// Quiet time after a change of a watched file before it is read.
pub const WATCH_QUIET: Duration = Duration::from_millis(250);
/// How often a watched file is read whether or not a change was told.
pub const WATCH_POLL: Duration = Duration::from_secs(10);
/// Certificates, keys and CAs that are watched. Over it: a change of the others is seen with the
/// next change of the config.
pub const WATCHED_FILES_MAX: usize = 10_000;
/// Characters of an operator's text (reason, message). Over it: 422.
pub const OPERATOR_TEXT_CHARS_MAX: usize = 2_000;

// ---- pages ---------------------------------------------------------------------------------

/// Instructions of the template engine for one page. Over it: the built-in page is sent.
pub const TEMPLATE_STEPS_MAX: u64 = 500_000;
/// Updates of a maintenance that a closed page tells, the newest.
pub const PAGE_UPDATES_MAX: usize = 3;
/// Bytes of one of an operator's page files. Over it: `check` refuses it.
pub const TEMPLATE_BYTES_MAX: u64 = 256 * 1024;

// ---- telemetry -----------------------------------------------------------------------------

/// Bytes of access lines a worker gathers before it hands them to the writer.
pub const ACCESS_BUFFER_BYTES: usize = 32 * 1024;
/// How long an access line may wait in that buffer.
pub const ACCESS_FLUSH_EVERY: Duration = Duration::from_millis(250);
/// Buffers waiting for the access writer. Full: lines are dropped and counted.
pub const ACCESS_QUEUE_MAX: usize = 256;
/// How long stopping waits for the access writer. Over it: queued lines are lost, and it is said.
pub const ACCESS_STOP_WAIT: Duration = Duration::from_secs(2);
