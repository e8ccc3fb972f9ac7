//! Every bound in the house: its name, unit, default, and what happens when it is met.
//!
//! The defaults follow the comparison of nginx, HAProxy, Envoy and the CIS benchmark in which each
//! row was weighed; a value that an operator may set is marked with its config key.

use std::time::Duration;

// ---- heads ---------------------------------------------------------------------------------

/// Bytes of one request head, request line included (`limits.head_bytes`). Over it: 431,
/// connection closed.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Header fields in one head (`limits.head_fields`). Over it: 431, connection closed.
pub const HEAD_FIELDS_MAX: usize = 100;
/// Bytes of one request target (`limits.target_bytes`). Over it: 414.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a host without its port, as in the domain name system. Over it: 400.
pub const HOST_BYTES_MAX: usize = 253;
/// Bytes of extensions on one chunk-size line. Over it: 400, connection closed.
pub const CHUNK_LINE_BYTES_MAX: usize = 256;
/// Bytes of one trailer section. Over it: 400, connection closed.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;

// ---- time on a connection ------------------------------------------------------------------

/// From a head's first byte to its last (`timeouts.head`). Over it: 408, connection closed.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// Between two requests of a connection (`timeouts.keep_alive`). Over it: closed without an answer.
pub const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);
/// Between two pieces of a request body (`timeouts.body`). Over it: 408, connection closed.
pub const BODY_IDLE: Duration = Duration::from_secs(20);
/// Without progress while writing an answer (`timeouts.write`). Over it: connection closed.
pub const WRITE_STALL: Duration = Duration::from_secs(30);
/// A whole captured body. Over it: 503, nothing kept.
pub const CAPTURE_DEADLINE: Duration = Duration::from_secs(60);
/// A tunnel (WebSocket) without a byte either way (`timeouts.tunnel`). Over it: both sides closed.
pub const TUNNEL_IDLE: Duration = Duration::from_secs(3600);
/// An answer for a client that has ended its side (`timeouts.half_closed`): it may be waiting for
/// the answer (RFC 9112 §9.6), or gone. Over it: taken for gone.
pub const HALF_CLOSED: Duration = Duration::from_secs(5);
/// A connection's age (`timeouts.connection_age`), a tenth more or less so that those that came
/// together don't go together. Over it: closed after the answer under way.
pub const CONNECTION_AGE: Duration = Duration::from_secs(3600);
/// Bytes a second that a client must send of a body, or take of an answer, on the whole
/// (`limits.body_rate`); 0 is none. Under it: 408, or the answer is cut.
pub const BODY_RATE_MIN: u64 = 500;
/// How long a client may be below that before it counts (`timeouts.slow`).
pub const BODY_RATE_GRACE: Duration = Duration::from_secs(10);
/// How far ahead of it a client may get by having been fast before.
pub const BODY_RATE_CREDIT: Duration = Duration::from_secs(60);
/// Bytes of a tunnel that are read at once.
pub const TUNNEL_PIECE_BYTES: usize = 16 * 1024;
/// How often deadlines are looked at: the precision of every bound above.
pub const DEADLINE_SWEEP: Duration = Duration::from_millis(250);
/// An unread request body after an answer of our own. Over it: connection closed.
pub const LINGER: Duration = Duration::from_secs(2);
/// Bytes of an unread request body that are drained after an answer of our own, so that the client
/// sees the answer instead of a reset. Over it: connection closed.
pub const LINGER_BYTES_MAX: u64 = 256 * 1024;
/// From the end of the lame duck until connections are cut (`stop.deadline`).
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(30);
/// From the signal to stop until no connection is taken any more (`stop.lame_duck`): balancers are
/// told by `/ready`, and need so long to look.
pub const LAME_DUCK: Duration = Duration::ZERO;
/// How long a stopping node waits for the next request of an idle HTTP/1.1 connection, which may
/// be on its way. Over it: closed without an answer.
pub const STOP_IDLE: Duration = Duration::from_secs(1);

// ---- one process after another -------------------------------------------------------------

/// For the other process's next word when sockets are handed over. Over it: both go on as if
/// nothing had been asked.
pub const HANDOVER_STEP: Duration = Duration::from_secs(60);
/// For captures and sends under way before the store is handed over. Over it: they fail as with a
/// broken store, and visitors are told so.
pub const HANDOVER_PROMISES: Duration = Duration::from_secs(3);
/// Between two looks at those.
pub const HANDOVER_LOOK_EVERY: Duration = Duration::from_millis(10);
/// Attempts to open the store again after a handover that failed. After them: the process ends.
pub const HANDOVER_ATTEMPTS_MAX: u32 = 40;
/// Between two of them.
pub const HANDOVER_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Sockets handed over in one message; the system takes 253.
pub const HANDOVER_SOCKETS_MAX: usize = 64;
/// Bytes of the list of the sockets that are handed over. Over it: refused.
pub const HANDOVER_LIST_BYTES_MAX: usize = 256 * 1024;

// ---- TLS and HTTP/2 ------------------------------------------------------------------------

/// A TLS handshake (`timeouts.handshake`). Over it: connection closed.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// TLS handshakes under way on one worker. Over it: a new connection is closed at once.
pub const TLS_HANDSHAKES_MAX: usize = 2_048;
/// Bytes that are taken of a client after its handshake failed, so that it can read why. Over it:
/// connection closed.
pub const TLS_REFUSED_BYTES_MAX: usize = 64 * 1024;
/// Between two looks at a connection that has sent a part of HTTP/2's preface.
pub const PREFACE_LOOK_EVERY: Duration = Duration::from_millis(20);
/// Streams of one HTTP/2 connection at once. Over it: the stream is refused.
pub const H2_STREAMS_MAX: u32 = 100;
/// Bytes of one HTTP/2 request's fields, as RFC 9113 §6.5.2 counts them. Over it: 431.
pub const H2_HEADER_LIST_MAX: u32 = 32 * 1024;
/// Bytes that a client may send on one stream before we take them.
pub const H2_STREAM_WINDOW: u32 = 256 * 1024;
/// Bytes that a client may send on one connection before we take them.
pub const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of one stream's answer that wait for the client's window.
pub const H2_SEND_BUFFER: usize = 32 * 1024;
/// Resets that a connection's own faulty frames may cause. Over it: GOAWAY, connection closed.
pub const H2_LOCAL_RESETS_MAX: usize = 100;
/// Streams that we reset and whose late frames are passed over. Over it: the oldest is forgotten.
pub const H2_REMEMBERED_RESETS_MAX: usize = 200;
/// How long they are.
pub const H2_RESET_REMEMBERED: Duration = Duration::from_secs(30);
/// PING, SETTINGS, PRIORITY, WINDOW_UPDATE and unknown frames of a client at once. Over it: GOAWAY,
/// connection closed.
pub const H2_CONTROL_FRAMES_MAX: u32 = 1_000;
/// How many more it may send each second.
pub const H2_CONTROL_FRAMES_PER_SECOND: u32 = 10;
/// How many more it may send for each frame of an answer.
pub const H2_CONTROL_FRAMES_PER_ANSWER_FRAME: u32 = 10;
/// Streams that a client may reset at once. Over it: GOAWAY, connection closed.
pub const H2_RESETS_MAX: u32 = 500;
/// How many more it may reset each second.
pub const H2_RESETS_PER_SECOND: u32 = 50;
/// Requests on one HTTP/2 connection, whose streams have to share it. Over it: GOAWAY; those under
/// way finish.
pub const H2_REQUESTS_MAX: u64 = 1_000_000;
/// Between two PINGs of ours on a silent connection.
pub const H2_PING_EVERY: Duration = Duration::from_secs(30);
/// For the answer to one. Over it: connection closed.
pub const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);

// ---- upstream ------------------------------------------------------------------------------

/// To connect to a server (`upstream.connect_timeout`). Over it: next server, then 502.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the request's last byte to the answer's head (`route.answer_timeout`). Over it: 504.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two pieces of an answer (`route.idle_timeout`). Over it: the answer is cut.
pub const ANSWER_IDLE: Duration = Duration::from_secs(60);
/// An idle pooled connection; below the keep-alive of common servers. Over it: closed.
pub const POOL_IDLE: Duration = Duration::from_secs(30);
/// Idle connections kept per worker and server. Over it: the connection closes after its answer.
pub const POOL_IDLE_MAX: usize = 256;
/// Interim answers (1xx) to one request. Over it: 502, connection dropped.
pub const INTERIM_ANSWERS_MAX: u32 = 32;
/// Between two looks at a server's health (`upstream.health.interval`), give or take a tenth.
pub const HEALTH_EVERY: Duration = Duration::from_secs(5);
/// A check of a server (`upstream.health.timeout`). Over it: the check failed.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// Good checks in a row until an unhealthy server is healthy (`upstream.health.rise`).
pub const HEALTH_RISE: u32 = 2;
/// Bad ones in a row until a healthy server is unhealthy (`upstream.health.fall`).
pub const HEALTH_FALL: u32 = 3;
/// The most that either may be set to.
pub const HEALTH_ROW_MAX: u32 = 100;
/// Checks under way at once. Over it: further ones wait for their turn.
pub const HEALTH_CHECKS_MAX: usize = 64;
/// Between two look-ups of a server's name (`upstream.resolve_every`), give or take a tenth.
pub const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// Addresses of one name. Over it: the first ones are used.
pub const ADDRESSES_PER_NAME_MAX: usize = 64;
/// Attempts at one request, the first included; each further one only if nothing was sent.
pub const ATTEMPTS_MAX: usize = 3;
/// Requests that wait for a server with a free place, per upstream and node
/// (`upstream.queue_max`). Over it: 503.
pub const QUEUE_MAX: usize = 1_000;
/// How long one waits (`upstream.queue_timeout`). Over it: 503.
pub const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
/// What `Retry-After` says to a client when no server had a place for its request.
pub const RETRY_AFTER_BUSY: Duration = Duration::from_secs(2);
/// Failures of a server in a row, as one worker sees them (`upstream.ejection.failures`). From then
/// on it is passed over.
pub const EJECTION_FAILURES: u32 = 5;
/// How long a server is passed over the first time (`upstream.ejection.time`); twice as long each
/// further time.
pub const EJECTION_TIME: Duration = Duration::from_secs(10);
/// How long it is passed over at most.
pub const EJECTION_TIME_MAX: Duration = Duration::from_secs(300);
/// Percent of an upstream's servers that are passed over at once (`upstream.ejection.share_max`).
/// Over it: the next one that fails is asked all the same.
pub const EJECTION_SHARE_MAX: u32 = 50;
/// Percent of its share with which a server starts that came back (`upstream.slow_start`).
pub const SLOW_START_FROM: u64 = 10;
/// Requests that are sent again after they may have reached a server, in percent of all requests of
/// a worker to an upstream. Over it: 502.
pub const RETRY_SHARE: u32 = 20;
/// Such requests per second that are sent again however few requests there are.
pub const RETRY_FLOOR: u32 = 3;
/// Such retries that can be saved up. Over it: they are lost.
pub const RETRY_SAVED_MAX: u32 = 100;
/// An idle connection older than this may have been closed by its server unseen: what is sent on it
/// is kept to be sent again.
pub const POOL_DOUBTED: Duration = Duration::from_secs(1);
/// Streams at once on one HTTP/2 connection to a server, if it does not allow fewer. Over it:
/// another connection.
pub const H2_UPSTREAM_STREAMS_MAX: usize = 100;
/// Bytes that a server may send on one stream before its client took them.
pub const H2_UPSTREAM_STREAM_WINDOW: u32 = 256 * 1024;
/// Bytes that a server may send on one connection: as much as all streams, so that clients who take
/// nothing never stop the others'.
pub const H2_UPSTREAM_CONNECTION_WINDOW: u32 = 101 * 256 * 1024;
/// Streams that were cancelled and may still be answered: such answers are ignored.
pub const H2_UPSTREAM_RESETS_MAX: usize = 1_024;
/// Between two PINGs to a server that is being asked and silent.
pub const H2_UPSTREAM_PING_EVERY: Duration = Duration::from_secs(20);
/// For the answer to one. Over it: the connection's requests have failed.
pub const H2_UPSTREAM_PING_TIMEOUT: Duration = Duration::from_secs(20);

// ---- compression ---------------------------------------------------------------------------

/// Bytes of the smallest body that is compressed (`compression.bytes_min`); a body of unknown
/// length is taken for a larger one.
pub const COMPRESSION_BYTES_MIN: u64 = 1024;
/// The largest such bound that a config may set. Over it: refused by `check`.
pub const COMPRESSION_BYTES_MIN_CEILING: u64 = 1024 * 1024;
/// Bytes of a body that are compressed at once, before other requests of the worker have a turn: a
/// millisecond at the slowest.
pub const COMPRESSION_TURN_BYTES: usize = 32 * 1024;
/// Bytes that an encoder is given at a time, and room for what comes of them.
pub const COMPRESSION_ROOM: usize = 16 * 1024;
/// How far back an encoder looks, as a power of two of bytes: what it holds grows with it.
pub const COMPRESSION_WINDOW_LOG: u32 = 18;
/// The level of zstd: 139 MB of source code per second of a busy core, to 28 % of its size.
pub const COMPRESSION_ZSTD_LEVEL: i32 = 3;
/// The quality of brotli: 42 MB per second of the same, to 28 %.
pub const COMPRESSION_BROTLI_QUALITY: i32 = 4;
/// The level of gzip: 33 MB per second of the same, to 28 %.
pub const COMPRESSION_GZIP_LEVEL: i32 = 5;

// ---- connections ---------------------------------------------------------------------------

/// Attempts to bind an address that is in use. After them: the start fails.
pub const BIND_ATTEMPTS_MAX: u32 = 11;
/// Between two of them.
pub const BIND_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Client connections per node (`limits.connections`), never more than half of the file limit.
/// Over it: a bare 503 in the clear, closed at once under TLS.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Client connections from one address, or one /64 of IPv6 (`limits.connections_per_address`);
/// trusted peers have no such bound. Over it: as above.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 100;
/// Parts that the count of connections by address is held in, so that workers seldom meet there.
pub const ADDRESS_SHARDS: usize = 16;
/// Requests under way per node (`limits.requests`), each worker having an equal share. Over it: 503
/// with `Retry-After`.
pub const REQUESTS_MAX: usize = 10_000;
/// Requests on one connection of HTTP/1.1 (`limits.requests_per_connection`). After them: closed.
pub const REQUESTS_PER_CONNECTION_MAX: u64 = 1_000;
/// A connection without a request gives its buffers back after this.
pub const PARKED_AFTER: Duration = Duration::from_millis(200);
/// Refused connections that are told so at once, per worker. More are closed without a word.
pub const FAREWELLS_MAX: usize = 64;
/// File descriptors that connections leave for the admin listener, the store and the log. Under
/// it: a new connection is closed at once.
pub const FILES_RESERVED: u64 = 64;
/// Between two attempts to accept where the system has run out of something.
pub const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(20);

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

// ---- vault ---------------------------------------------------------------------------------

/// A captured `application/x-www-form-urlencoded` or `text/plain` body (`forms.body_bytes_max`).
/// Over it: 503, "not kept: too large".
pub const FORM_BYTES_MAX: u64 = 1024 * 1024;
/// A captured `multipart/form-data` body (`forms.upload_bytes_max`). Over it: as above.
pub const UPLOAD_BYTES_MAX: u64 = 25 * 1024 * 1024;
/// Fields, or parts, of one captured form. Over it: "not kept: too large".
pub const FORM_FIELDS_MAX: usize = 1_000;
/// Bytes of the names of all fields and files of one captured form, which its receipt lists. Over
/// it: as above.
pub const FORM_NAMES_BYTES_MAX: usize = 128 * 1024;
/// Plaintext bytes of one sealed frame.
pub const FRAME_BYTES: usize = 64 * 1024;
/// Live submissions of one browser. Over it: 503, "not kept: quota".
pub const SUBMISSIONS_PER_BROWSER_MAX: u32 = 20;
/// Sealed bytes of one browser. Over it: as above.
pub const BYTES_PER_BROWSER_MAX: u64 = 50 * 1024 * 1024;
/// Sealed bytes of one node (`store.bytes_max`). Over it: 503, "not kept: full".
pub const BYTES_PER_NODE_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// Captures under way on one worker. Over it: 503, "not kept: busy".
pub const CAPTURES_UNDER_WAY_MAX: usize = 4_096;
/// From arming to the ticket's arrival. Over it: back to held; nothing was sent.
pub const TICKET_LIFE: Duration = Duration::from_secs(120);
/// Sends of one submission. Over it: only copy is offered.
pub const SENDS_MAX: u32 = 5;
/// From the first byte to the application until its outcome is known, however slow the
/// application. Over it: unknown.
pub const SENDING_MAX: Duration = Duration::from_secs(3600);
/// A submission's life after it was captured (`forms.life`), and the cookie's that opens it.
pub const SUBMISSION_LIFE: Duration = Duration::from_secs(48 * 3600);
/// How long an accepted submission can still be copied before it is erased.
pub const ACCEPTED_GRACE: Duration = Duration::from_secs(15 * 60);
/// A tombstone: id, times, state, size; no content.
pub const TOMBSTONE_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long before a submission's life ends it is looked at: while its window is still in force it
/// is prolonged, so that nothing runs out that could not have been sent.
pub const PROLONG_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// A submission's life, however long the window over it is promised to last. Over it: expired.
pub const SUBMISSION_LIFE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Two posts of the same bytes to the same place by one browser within this are one submission.
pub const SAME_SUBMISSION: Duration = Duration::from_secs(600);
/// Bytes of one field's name, or of one part's head. Over it: "not kept: broken".
pub const FIELD_NAME_BYTES_MAX: usize = 8 * 1024;
/// Bytes of one value that the receipt shows. Over it: cut, and the receipt says so.
pub const SHOWN_VALUE_BYTES_MAX: usize = 2 * 1024;
/// Bytes of all values that the receipt shows. Over it: names and sizes only.
pub const SHOWN_FORM_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a CSRF field's value that are compared with the live form's. Over it: replaced.
pub const TOKEN_VALUE_BYTES_MAX: usize = 8 * 1024;
/// Sealed frames read at once while a body is sent on: the memory that a send holds.
pub const FRAMES_READ_MAX: u32 = 4;
/// Bodies of more than one frame that are being received, or wait for the sweep because their
/// client vanished. Over it: "not kept: quota", so that no frame is ever left without its sweep.
pub const ABANDONED_MAX: usize = 8_192;
/// Submissions that one sweep looks at. More wait for the next.
pub const SWEEP_MAX: u32 = 1_000;
/// Bytes of a live form page that are read for a fresh CSRF token. Over it: "no fresh token".
pub const LIVE_FORM_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How many changes old a receipt's page may be and still be known for one of ours. Over it: 403.
pub const PAGE_VERSIONS_BACK_MAX: u64 = 32;
/// Bytes of a ticket request's body: a ticket, a page token and a mode fit four times over.
pub const TICKET_BODY_BYTES_MAX: u64 = 1024;

// ---- store ---------------------------------------------------------------------------------

/// Jobs waiting for the store's writer. Full: the producer waits, and with it the client's upload.
pub const STORE_QUEUE_MAX: usize = 1_024;
/// Jobs in one commit. More wait for the next.
pub const STORE_BATCH_MAX: usize = 256;
/// Free bytes of the store's file system, or an eighth of it where that is less. Below it nothing
/// more is kept ("not kept: full"), so that windows can still be switched and content be erased.
pub const STORE_RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Pages in the write-ahead log. From here on the writer moves them into the main file.
pub const STORE_WAL_PAGES: u64 = 1_000;
/// Bytes the write-ahead log may keep on disk once its pages were moved.
pub const STORE_WAL_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Quiet time after which the writer empties the write-ahead log.
pub const STORE_IDLE: Duration = Duration::from_secs(1);
/// How long erased content may stay in the write-ahead log of a store that is never quiet.
pub const STORE_WAL_EMPTIED_EVERY: Duration = Duration::from_secs(60);
/// Waiting for another program that reads or writes the store's file. Over it: an error.
pub const STORE_BUSY: Duration = Duration::from_secs(5);
/// Waiting for readers before the write-ahead log is emptied. Over it: next time.
pub const STORE_BUSY_IDLE: Duration = Duration::from_millis(100);
/// KiB of pages that the writer holds in memory.
pub const STORE_CACHE_KIB: i64 = 32 * 1024;
/// Bytes of the main file up to which it is checked whole at the start; above, the sealed frames
/// are left out, since each proves itself when it is opened.
pub const STORE_CHECKED_WHOLE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Submissions in one browser's list, those with content first. Over it: the oldest are left out.
pub const SUBMISSIONS_LISTED_MAX: u32 = 200;

// ---- control -------------------------------------------------------------------------------

/// Bytes of an admin request's body. Over it: 413.
pub const ADMIN_BODY_BYTES_MAX: usize = 1024 * 1024;
/// An admin request's head. Over it: connection closed.
pub const ADMIN_HEAD_DEADLINE: Duration = Duration::from_secs(10);
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
/// How often the vault's retention runs.
pub const VAULT_SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Windows in force at once. Over it: the switch is refused with 409.
pub const WINDOWS_IN_FORCE_MAX: usize = 10_000;
/// Default time for requests in flight to finish after a scope closes (`window.drain`).
pub const WINDOW_DRAIN: Duration = Duration::from_secs(30);
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

// ---- config --------------------------------------------------------------------------------

/// Bytes of a config file. Over it: refused.
pub const CONFIG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Syntax errors of one config file that are told. Over it: the rest is told once these are mended.
pub const SYNTAX_PROBLEMS_MAX: usize = 20;
/// Characters of a name (route, region, upstream, token, node). Over it: refused by `check`.
pub const NAME_CHARS_MAX: usize = 64;
/// Regions of one config, the width of a region's index. Over it: refused by `check`.
pub const REGIONS_MAX: usize = 1_000;
/// Threads that look up server names while a config is compiled. More names wait.
pub const RESOLVERS_MAX: usize = 16;
/// The shortest timeout that a config may set. Under it: refused by `check`.
pub const TIMEOUT_FLOOR: Duration = Duration::from_millis(10);
/// The longest timeout that a config may set. Over it: refused by `check`.
pub const TIMEOUT_CEILING: Duration = Duration::from_secs(24 * 3600);
/// The shortest life of a submission that a config may set. Under it: refused by `check`.
pub const SUBMISSION_LIFE_FLOOR: Duration = Duration::from_secs(60);
/// The largest body that a config may promise to keep: with its seals it still fits into
/// [`BYTES_PER_BROWSER_MAX`]. Over it: refused by `check`.
pub const KEPT_BYTES_CEILING: u64 = 48 * 1024 * 1024;
/// The most worker threads that a config may ask for. Over it: refused by `check`.
pub const WORKERS_CEILING: u64 = 1_024;
/// The largest weight of a server that a config may set. Over it: refused by `check`.
pub const WEIGHT_CEILING: u64 = 256;
/// The longest queue for servers that a config may set. Over it: refused by `check`.
pub const QUEUE_CEILING: u64 = 100_000;
/// The most client connections that a config may allow. Over it: refused by `check`.
pub const CONNECTIONS_CEILING: usize = 1_000_000;
/// The most requests on one connection that a config may allow. Over it: refused by `check`.
pub const REQUESTS_CEILING: u64 = 1_000_000_000;
/// The smallest head or target that a config may ask for. Under it: refused by `check`.
pub const HEAD_BYTES_FLOOR: usize = 1024;
/// The largest head or target that a config may allow. Over it: refused by `check`.
pub const HEAD_BYTES_CEILING: usize = 256 * 1024;
/// The fewest fields of a head that a config may ask for. Under it: refused by `check`.
pub const HEAD_FIELDS_FLOOR: usize = 16;
/// The most fields of a head that a config may allow. Over it: refused by `check`.
pub const HEAD_FIELDS_CEILING: usize = 1_000;
/// The highest least rate that a config may ask for. Over it: refused by `check`.
pub const BODY_RATE_CEILING: u64 = 1024 * 1024;
