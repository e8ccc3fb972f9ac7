//! Every bound in the house: its name, unit, default, and what happens when it is met.
//!
//! The defaults follow the comparison of nginx, HAProxy, Envoy and the CIS benchmark in which each
//! row was weighed; a value that an operator may set is marked with its config key.

mod control;
mod maintenance;
mod upstream;
mod vault;

use std::time::Duration;

pub use control::*;
pub use maintenance::*;
pub use upstream::*;
pub use vault::*;

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

// ---- probes of load balancers (`listen.probe`) ----------------------------------------------

/// Probes under way at once on one worker. Over it: closed without an answer.
pub const PROBES_AT_ONCE_MAX: usize = 64;
/// Bytes of a probe's head. Over it: closed without an answer.
pub const PROBE_HEAD_BYTES_MAX: usize = 8 * 1024;

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
/// How long a stopping node waits for the first request of an HTTP/1.1 connection. Its client has
/// connected to ask something, and cannot know that a request which meets a closed connection may
/// be sent again, as it can of one that has been answered before. Over it: closed without an
/// answer.
pub const STOP_FRESH: Duration = Duration::from_secs(5);

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

// ---- connections ---------------------------------------------------------------------------

/// Attempts to bind an address that is in use. After them: the start fails.
pub const BIND_ATTEMPTS_MAX: u32 = 11;
/// Between two of them.
pub const BIND_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Client connections per node (`limits.connections`), never more than half of the file limit.
/// Over it: a bare 503 in the clear, closed at once under TLS.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Client connections from one address, or one /64 of IPv6 (`limits.connections_per_address`);
/// trusted peers and balancers have no such bound. Over it: as above. A hundred would turn away an
/// office behind one address; a thousand is a tenth of the node.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 1_000;
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
