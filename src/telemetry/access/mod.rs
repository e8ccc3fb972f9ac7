//! Access lines: one wide line per request, made by the worker, written by a thread of their own.
//!
//! A worker appends lines to a buffer that only it touches and hands it over when it is full or
//! when its sweep says so. If the writer is behind, lines are dropped and counted: a slow disk
//! must not make a request wait. What a client sent is escaped, queries are left out, and the ids
//! of submissions are shortened, so that a log is no key to anything.

mod writer;

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

pub use writer::AccessWriter;
use writer::{Batch, Counts, Message};

use super::end::End;
use super::text::{self, Stamp};
use crate::addr::{ClientAddr, ServerAddr};
use crate::clock::Wall;
use crate::limit;

/// Where access lines go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// A file, opened again on SIGHUP.
    File(PathBuf),
}

/// How an access line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessFormat {
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Logfmt,
}

/// The fields of a line, in their order. A field without a value is left out.
pub const FIELDS: [&str; 22] = [
    "at",
    "request",
    "client",
    "protocol",
    "method",
    "host",
    "path",
    "status",
    "route",
    "region",
    "verdict",
    "bypass",
    "generation",
    "total_us",
    "upstream",
    "connect_us",
    "first_byte_us",
    "held_us",
    "bytes_in",
    "bytes_out",
    "trace",
    "end",
];

/// What a line tells of one request.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When its head began to arrive.
    pub at: Wall,
    /// Whom it is for.
    pub client: ClientAddr,
    /// `h1` or `h2`: what it was asked in.
    pub protocol: &'static str,
    /// The method.
    pub method: &'a str,
    /// The host, canonical; empty if there was none.
    pub host: &'a str,
    /// The path as it was sent. A query, should there be one, is left out.
    pub target: &'a str,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The route's name.
    pub route: Option<&'a str>,
    /// The region's name.
    pub region: Option<&'a str>,
    /// What was decided, by `Verdict::name`.
    pub verdict: &'static str,
    /// The bypass by which it was let in: its id, or `verification`.
    pub bypass: Option<&'a str>,
    /// The snapshot it was decided by.
    pub generation: u64,
    /// From the head's first byte to the end.
    pub total: Duration,
    /// The server it went to.
    pub upstream: Option<ServerAddr>,
    /// How long connecting to it took; none if a connection was there.
    pub connect: Option<Duration>,
    /// From sending to the upstream until its answer's head.
    pub first_byte: Option<Duration>,
    /// How long it waited for a window to end.
    pub held: Option<Duration>,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// The trace it belongs to.
    pub trace: Option<u128>,
    /// Who ended it, in which phase, why.
    pub end: End,
    /// Its number, as in `X-Request-Id`.
    pub request: u64,
}

/// The access log: gives each worker its [`Lines`].
#[derive(Clone)]
pub struct AccessLog {
    format: AccessFormat,
    counts: Arc<Counts>,
    /// None if the log is off.
    queue: Option<SyncSender<Message>>,
}

impl AccessLog {
    /// Opens the target and starts the writer's thread.
    pub fn start(target: LogTarget, format: AccessFormat) -> io::Result<(Self, AccessWriter)> {
        let counts = Arc::new(Counts::default());
        let (queue, writer) = AccessWriter::start(target, &counts)?;
        Ok((Self { format, counts, queue }, writer))
    }

    /// The lines of one worker.
    pub fn lines(&self) -> Lines {
        let (spare_in, spare_out) = sync_channel(SPARES);
        let pen = Pen { bytes: Vec::new(), count: 0, stamp: Stamp::default() };
        Lines { log: self.clone(), pen: RefCell::new(pen), spare_in, spare_out }
    }

    /// Has the file opened again under its name, after somebody moved it away.
    pub fn reopen(&self) {
        self.counts.reopen.store(true, Ordering::Release);
        // A full queue wakes the writer just as well.
        let _ = self.queue.as_ref().map(|queue| queue.try_send(Message::Wake));
    }

    /// Lines that were not written: the writer was behind, or writing failed.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Writes and opens that failed.
    pub fn failures(&self) -> u64 {
        self.counts.failures.load(Ordering::Relaxed)
    }
}

/// Emptied buffers that wait for their worker. Full: the buffer is freed.
const SPARES: usize = 4;

/// The lines of one worker. Never blocks, never awaits, takes no lock.
pub struct Lines {
    log: AccessLog,
    pen: RefCell<Pen>,
    spare_in: SyncSender<Vec<u8>>,
    spare_out: Receiver<Vec<u8>>,
}

struct Pen {
    bytes: Vec<u8>,
    count: u64,
    stamp: Stamp,
}

impl Lines {
    /// Adds one line.
    pub fn record(&self, record: &Record<'_>) {
        if self.log.queue.is_none() {
            return;
        }
        let mut pen = self.pen.borrow_mut();
        match self.log.format {
            AccessFormat::Json => pen.json(record),
            AccessFormat::Logfmt => pen.logfmt(record),
        }
        pen.count += 1;
        if pen.bytes.len() >= limit::ACCESS_BUFFER_BYTES {
            self.hand_over(&mut pen);
        }
    }

    /// Hands what there is to the writer. A worker's sweep calls this every
    /// [`limit::ACCESS_FLUSH_EVERY`].
    pub fn flush(&self) {
        self.hand_over(&mut self.pen.borrow_mut());
    }

    fn hand_over(&self, pen: &mut Pen) {
        let Some(queue) = self.log.queue.as_ref().filter(|_| pen.count > 0) else { return };
        let fresh = || Vec::with_capacity(limit::ACCESS_BUFFER_BYTES + 1024);
        let next = self.spare_out.try_recv().unwrap_or_else(|_| fresh());
        let bytes = std::mem::replace(&mut pen.bytes, next);
        let lines = std::mem::take(&mut pen.count);
        let batch = Batch { bytes, lines, home: self.spare_in.clone() };
        let unsent = match queue.try_send(Message::Lines(batch)) {
            Ok(()) => return,
            Err(TrySendError::Full(unsent) | TrySendError::Disconnected(unsent)) => unsent,
        };
        self.log.counts.dropped.fetch_add(lines, Ordering::Relaxed);
        if let Message::Lines(Batch { mut bytes, .. }) = unsent {
            bytes.clear();
            pen.bytes = bytes;
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Pen {
    fn json(&mut self, record: &Record<'_>) {
        let Self { bytes, stamp, .. } = self;
        bytes.extend_from_slice(b"{\"at\":\"");
        stamp.write(bytes, record.at);
        bytes.extend_from_slice(b"\",\"request\":\"");
        text::hex16(bytes, record.request);
        bytes.extend_from_slice(b"\",\"client\":\"");
        text::address(bytes, record.client.0);
        bytes.push(b'"');
        let mut line = JsonLine(bytes);
        write_fields(&mut line, record);
        bytes.extend_from_slice(b"}\n");
    }

    fn logfmt(&mut self, record: &Record<'_>) {
        let Self { bytes, stamp, .. } = self;
        bytes.extend_from_slice(b"at=");
        stamp.write(bytes, record.at);
        bytes.extend_from_slice(b" request=");
        text::hex16(bytes, record.request);
        bytes.extend_from_slice(b" client=");
        text::address(bytes, record.client.0);
        let mut line = LogfmtLine(bytes);
        write_fields(&mut line, record);
        bytes.push(b'\n');
    }
}

/// What stands before a value, in each form of a line; in JSON with the quote that opens a text.
/// Written out whole, since a line is put together faster from fewer pieces.
#[derive(Clone, Copy)]
struct Key {
    json: &'static str,
    logfmt: &'static str,
}

const fn key(json: &'static str, logfmt: &'static str) -> Key {
    Key { json, logfmt }
}

const PROTOCOL: Key = key(r#","protocol":""#, " protocol=");
const METHOD: Key = key(r#","method":""#, " method=");
const HOST: Key = key(r#","host":""#, " host=");
const PATH: Key = key(r#","path":""#, " path=");
const STATUS: Key = key(r#","status":"#, " status=");
const ROUTE: Key = key(r#","route":""#, " route=");
const REGION: Key = key(r#","region":""#, " region=");
const VERDICT: Key = key(r#","verdict":""#, " verdict=");
const BYPASS: Key = key(r#","bypass":""#, " bypass=");
const GENERATION: Key = key(r#","generation":"#, " generation=");
const TOTAL: Key = key(r#","total_us":"#, " total_us=");
const UPSTREAM: Key = key(r#","upstream":""#, " upstream=");
const CONNECT: Key = key(r#","connect_us":"#, " connect_us=");
const FIRST_BYTE: Key = key(r#","first_byte_us":"#, " first_byte_us=");
const HELD: Key = key(r#","held_us":"#, " held_us=");
const BYTES_IN: Key = key(r#","bytes_in":"#, " bytes_in=");
const BYTES_OUT: Key = key(r#","bytes_out":"#, " bytes_out=");
const TRACE: Key = key(r#","trace":""#, " trace=");
const END: Key = key(r#","end":""#, " end=");

/// One of the two forms of a line.
trait Line {
    fn text(&mut self, key: Key, value: &str);
    fn number(&mut self, key: Key, value: u64);
    /// A text that needs no escape, whatever it is.
    fn plain(&mut self, key: Key, write: impl FnOnce(&mut Vec<u8>));
}

fn write_fields(line: &mut impl Line, record: &Record<'_>) {
    line.plain(PROTOCOL, |to| to.extend_from_slice(record.protocol.as_bytes()));
    line.text(METHOD, record.method);
    line.text(HOST, record.host);
    line.text(PATH, &shown(record.target));
    line.number(STATUS, u64::from(record.status));
    record.route.into_iter().for_each(|route| line.text(ROUTE, route));
    record.region.into_iter().for_each(|region| line.text(REGION, region));
    line.plain(VERDICT, |to| to.extend_from_slice(record.verdict.as_bytes()));
    record.bypass.into_iter().for_each(|bypass| line.text(BYPASS, bypass));
    line.number(GENERATION, record.generation);
    line.number(TOTAL, micros(record.total));
    if let Some(ServerAddr(server)) = record.upstream {
        line.plain(UPSTREAM, |to| text::socket(to, server));
    }
    record.connect.into_iter().for_each(|took| line.number(CONNECT, micros(took)));
    record.first_byte.into_iter().for_each(|took| line.number(FIRST_BYTE, micros(took)));
    record.held.into_iter().for_each(|took| line.number(HELD, micros(took)));
    line.number(BYTES_IN, record.bytes_in);
    line.number(BYTES_OUT, record.bytes_out);
    if let Some(trace) = record.trace {
        line.plain(TRACE, |to| {
            text::hex16(to, (trace >> 64) as u64);
            text::hex16(to, trace as u64);
        });
    }
    line.plain(END, |to| to.extend_from_slice(record.end.code().as_bytes()));
}

struct JsonLine<'a>(&'a mut Vec<u8>);

impl Line for JsonLine<'_> {
    #[inline]
    fn text(&mut self, key: Key, value: &str) {
        self.plain(key, |to| text::quoted(to, value));
    }

    #[inline]
    fn number(&mut self, key: Key, value: u64) {
        self.0.extend_from_slice(key.json.as_bytes());
        text::number(self.0, value);
    }

    #[inline]
    fn plain(&mut self, key: Key, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.extend_from_slice(key.json.as_bytes());
        write(self.0);
        self.0.push(b'"');
    }
}

struct LogfmtLine<'a>(&'a mut Vec<u8>);

impl Line for LogfmtLine<'_> {
    #[inline]
    fn text(&mut self, key: Key, value: &str) {
        self.plain(key, |to| {
            if text::bare(value) {
                to.extend_from_slice(value.as_bytes());
            } else {
                to.push(b'"');
                text::quoted(to, value);
                to.push(b'"');
            }
        });
    }

    #[inline]
    fn number(&mut self, key: Key, value: u64) {
        self.plain(key, |to| text::number(to, value));
    }

    #[inline]
    fn plain(&mut self, key: Key, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.extend_from_slice(key.logfmt.as_bytes());
        write(self.0);
    }
}

/// Below this path, ids of submissions and capabilities stand.
const OWN: &str = "/.intermission/";
/// The step before a submission's id.
const BEFORE_ID: &str = "s";
/// Digits of a submission's id that a line shows: enough to find it, too few to be it. Of a
/// capability these are the same digits, and of its secret none.
const ID_DIGITS_SHOWN: usize = 8;
/// A step of so many bytes may open something, wherever it stands.
const SECRET_BYTES_MIN: usize = 24;

/// What a line shows of a target: no query, and of a submission's id, or of what opens one, only
/// the beginning.
fn shown(target: &str) -> Cow<'_, str> {
    let path = target.find(['?', '#']).map_or(target, |at| &target[..at]);
    let Some(below) = path.strip_prefix(OWN) else { return path.into() };
    let mut steps: Vec<&str> = below.split('/').collect();
    let mut names_one = false;
    for step in &mut steps {
        let cut = names_one || step.len() >= SECRET_BYTES_MIN;
        names_one = *step == BEFORE_ID;
        if cut {
            let end = step.char_indices().nth(ID_DIGITS_SHOWN).map_or(step.len(), |(at, _)| at);
            *step = &step[..end];
        }
    }
    [OWN, &steps.join("/")].concat().into()
}

fn micros(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(span.subsec_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_submissions_id_or_a_capability_is_shown() {
        let id = "01jd8m2x9v0000abcdefghjkmnpqrstv";
        for (target, wanted) in [
            (format!("/.intermission/s/{id}/resume?x=1"), "/.intermission/s/01jd8m2x/resume"),
            (format!("/.intermission/s/{id}"), "/.intermission/s/01jd8m2x"),
            ("/.intermission/s/ab".to_owned(), "/.intermission/s/ab"),
            (
                format!("/.intermission/v1/submissions/{id}_-AB"),
                "/.intermission/v1/submissions/01jd8m2x",
            ),
            (
                format!("/.intermission/V1//submissions/{id}/"),
                "/.intermission/V1//submissions/01jd8m2x/",
            ),
            ("/.intermission/v1/state?p=/claims".to_owned(), "/.intermission/v1/state"),
            ("/.intermission/".to_owned(), "/.intermission/"),
            ("/claims?name=ann#x".to_owned(), "/claims"),
            ("/s/0123456789".to_owned(), "/s/0123456789"),
            ("/.intermission/s/ééééééééé/x".to_owned(), "/.intermission/s/éééééééé/x"),
        ] {
            assert_eq!(shown(&target), wanted);
        }
    }
}
