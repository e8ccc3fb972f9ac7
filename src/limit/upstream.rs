//! Bounds towards servers, and of what is made of their answers.

use std::time::Duration;

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

// ---- our script in pages -----------------------------------------------------------------------

/// Bytes of a tag that are kept while it arrives in pieces. Over it: what stands behind them in
/// the tag is not learnt; the page passes all the same.
pub const INJECT_TAG_BYTES_MAX: usize = 4 * 1024;
/// The window of a zstd body that is decoded, as a power of two; RFC 9659 lets HTTP have no more.
/// Over it: the answer is broken off as malformed.
pub const INJECT_ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Forms of one page whose fields are looked at. Over it: the others are not learnt.
pub const LEARNT_FORMS_PER_PAGE_MAX: usize = 200;
/// Secret names, and addresses, of one form. Over it: the others are not learnt.
pub const LEARNT_NAMES_PER_FORM_MAX: usize = 200;
/// Bytes of names and addresses that are read of one page. Over it: no more is learnt of it.
pub const LEARNT_BYTES_PER_PAGE_MAX: usize = 64 * 1024;
/// Forms of which is remembered what they keep secret. Over it: the least recently learnt goes.
pub const LEARNT_FORMS_MAX: usize = 10_000;
/// Bytes of all that. Over it: as above.
pub const LEARNT_BYTES_MAX: usize = 8 * 1024 * 1024;
