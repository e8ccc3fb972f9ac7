//! Counters of one worker: cells with a single writer, so that counting needs no locked
//! instruction, and readers that may look at any time.
//!
//! A [`Shard`] belongs to one worker. For each config it meets, the worker takes a [`Table`], whose
//! cells are by route and region. A table outlives its config as long as a request that began
//! under it is under way; then its totals are folded into those of the process (`metrics`), so
//! that no count goes down and nothing in flight is forgotten by a reload.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::end::End;
use super::handshake::Handshake;
use super::insertion::Insertion;
use super::tally::{Board, Tallies, Waited};
use super::under_way::InFlight;
use crate::addr::ClientAddr;
use crate::clock::Wall;
use crate::decide::verdict::Verdict;
use crate::id::Id;

/// The names of all verdicts, in the order of the cells.
pub const VERDICTS: [&str; 9] =
    ["own", "probe", "forward", "resume", "capture", "page", "refuse", "redirect", "hold"];
/// The status classes, in the order of the cells; `none` is a request without an answer.
pub const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// Upper bounds of the buckets of every histogram, in microseconds.
pub const BUCKETS_US: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Why an HTTP/2 connection was told to go away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goaway {
    /// The process stops.
    Stop,
    /// There was nothing on it for too long.
    Idle,
    /// It has carried as many requests as it may, or is old.
    Spent,
    /// Our SETTINGS were not acknowledged.
    Settings,
    /// It sent more control frames or resets than a client needs.
    Calm,
    /// It broke the protocol.
    Error,
}

impl Goaway {
    /// The names of all reasons, in the order of the cells.
    pub const NAMES: [&str; 6] = ["stop", "idle", "spent", "settings", "calm", "error"];
}

/// What became of a request that was to wait for a window to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// Its place opened, or it would not have to wait any more.
    Called,
    /// It waited as long as it may.
    Late,
    /// There was no seat.
    Full,
    /// Its client went away.
    Gone,
    /// The process stopped.
    Stop,
}

impl Held {
    /// The names of all outcomes, in the order of the cells.
    pub const NAMES: [&str; 5] = ["called", "late", "full", "gone", "stop"];
}

/// How a request went, for counting.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// What was decided.
    pub verdict: Verdict,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// From the head's first byte to the end.
    pub total: Duration,
    /// To connect to a server; none if a pooled connection was used.
    pub connect: Option<Duration>,
    /// From sending to the upstream until its answer's head.
    pub first_byte: Option<Duration>,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Who ended it, in which phase, why.
    pub end: End,
}

/// The counters of one worker. Not `Clone` and not `Sync`: INVARIANT: each cell has one writer.
pub struct Shard {
    worker: Arc<WorkerCells>,
    registry: Arc<Registry>,
    tallies: Tallies,
    one_writer: PhantomData<Cell<()>>,
}

impl Shard {
    pub(super) fn new(registry: &Arc<Registry>) -> Self {
        let worker = Arc::new(WorkerCells::default());
        lock(&registry.workers).push(Arc::clone(&worker));
        let tallies = Tallies::new(&registry.board);
        Self { worker, registry: Arc::clone(registry), tallies, one_writer: PhantomData }
    }

    /// The counters for one config, whose routes and regions are called this, in the order of
    /// their indexes. Takes a lock: once per worker and reload.
    pub fn table(
        &self,
        routes: impl Iterator<Item = Arc<str>>,
        regions: impl Iterator<Item = Arc<str>>,
    ) -> Rc<Table> {
        let cells = Arc::new(TableCells::new(routes.collect(), regions.collect()));
        lock(&self.registry.tables).push(Arc::clone(&cells));
        Rc::new(Table { cells, worker: Arc::clone(&self.worker) })
    }

    /// A request that met no route.
    pub fn unrouted(&self, ended: &Ended) {
        self.worker.unrouted.count(ended);
        bump(&self.worker.ends[ended.end as usize], 1);
    }

    /// A request that this window governed has ended so.
    pub fn governed(&self, window: Id, ended: &Ended, client: ClientAddr, at: Wall) {
        self.tallies.count(window, (ended.verdict, ended.status), client, at);
    }

    /// A request that waited for this window waits no more.
    pub fn waited(&self, window: Id, went: Waited) {
        self.tallies.waited(window, went);
    }

    /// The worker lives: told at every sweep.
    pub fn beat(&self) {
        bump(&self.worker.beats, 1);
    }

    /// A client connection was accepted.
    pub fn connection_opened(&self) {
        bump(&self.worker.accepted, 1);
    }

    /// A client connection is gone.
    pub fn connection_closed(&self) {
        bump(&self.worker.closed, 1);
    }

    /// A TLS handshake with a client ended.
    pub fn handshake(&self, went: Handshake) {
        bump(&self.worker.handshakes[went as usize], 1);
    }

    /// A client connection speaks HTTP/2.
    pub fn h2_opened(&self) {
        bump(&self.worker.h2_connections, 1);
    }

    /// A client opened a stream.
    pub fn h2_stream_opened(&self) {
        bump(&self.worker.h2_streams, 1);
    }

    /// A client reset a stream.
    pub fn h2_reset_received(&self) {
        bump(&self.worker.h2_resets[0], 1);
    }

    /// We reset a stream.
    pub fn h2_reset_sent(&self) {
        bump(&self.worker.h2_resets[1], 1);
    }

    /// A client was told to go away.
    pub fn h2_goaway(&self, reason: Goaway) {
        bump(&self.worker.h2_goaways[reason as usize], 1);
    }

    /// A connection to a server was made.
    pub fn upstream_connected(&self) {
        bump(&self.worker.connects, 1);
    }

    /// A pooled connection to a server was used again.
    pub fn upstream_reused(&self) {
        bump(&self.worker.reuses, 1);
    }

    /// A connection to a server could not be made.
    pub fn upstream_failed(&self) {
        bump(&self.worker.connect_failures, 1);
    }

    /// A request was sent again after it may have reached a server.
    pub fn upstream_retried(&self) {
        bump(&self.worker.retries, 1);
    }

    /// A server is passed over from now on.
    pub fn upstream_ejected(&self) {
        bump(&self.worker.ejections, 1);
    }

    /// What became of a page that our script could go into.
    pub fn page(&self, went: Insertion) {
        bump(&self.worker.pages[went as usize], 1);
    }

    /// A request was let through a closed place by a bypass.
    pub fn bypassed(&self) {
        bump(&self.worker.bypassed, 1);
    }

    /// A request waits for a window to end.
    pub fn held_began(&self) {
        bump(&self.worker.held_began, 1);
    }

    /// It does not wait any more.
    pub fn held_ended(&self, outcome: Held) {
        bump(&self.worker.held[outcome as usize], 1);
    }

    /// A request was to wait and there was no seat.
    pub fn held_not(&self) {
        bump(&self.worker.held[Held::Full as usize], 1);
    }

    /// A request has to wait for a place at a server.
    pub fn upstream_queued(&self) {
        bump(&self.worker.queued, 1);
    }
}

/// The counters of one worker for one config.
pub struct Table {
    pub(super) cells: Arc<TableCells>,
    worker: Arc<WorkerCells>,
}

impl Table {
    /// Counts a request in flight until the guard is dropped.
    pub fn begin(self: &Rc<Self>, route: usize, region: usize) -> InFlight {
        let row = self.cells.row(route);
        bump(&row.in_flight[region], 1);
        bump(&row.begun[region], 1);
        InFlight::at(self, route, region)
    }

    /// Counts how a request at this place went, whether or not it was in flight.
    pub fn count(&self, route: usize, region: usize, ended: &Ended) {
        let row = self.cells.row(route);
        row.counts.count(ended);
        if ended.verdict == Verdict::Forward {
            let [requests, failures] = &row.forwarded[region];
            bump(requests, 1);
            bump(failures, u64::from(ended.status >= 500));
        }
        bump(&self.worker.ends[ended.end as usize], 1);
    }
}

/// Every worker's cells and every table that is still of use.
#[derive(Default)]
pub(super) struct Registry {
    pub(super) workers: Mutex<Vec<Arc<WorkerCells>>>,
    pub(super) tables: Mutex<Vec<Arc<TableCells>>>,
    pub(super) board: Arc<Board>,
}

/// What a worker counts whatever the config is.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct WorkerCells {
    pub(super) accepted: AtomicU64,
    pub(super) closed: AtomicU64,
    pub(super) beats: AtomicU64,
    pub(super) connects: AtomicU64,
    pub(super) reuses: AtomicU64,
    pub(super) connect_failures: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) ejections: AtomicU64,
    pub(super) queued: AtomicU64,
    pub(super) bypassed: AtomicU64,
    pub(super) pages: [AtomicU64; Insertion::NAMES.len()],
    pub(super) held_began: AtomicU64,
    pub(super) held: [AtomicU64; Held::NAMES.len()],
    pub(super) handshakes: [AtomicU64; Handshake::ALL.len()],
    pub(super) h2_connections: AtomicU64,
    pub(super) h2_streams: AtomicU64,
    /// In, out.
    pub(super) h2_resets: [AtomicU64; 2],
    pub(super) h2_goaways: [AtomicU64; Goaway::NAMES.len()],
    pub(super) ends: [AtomicU64; End::ALL.len()],
    pub(super) unrouted: Counts,
}

/// The cells of a [`Table`]: rows are made when their route is first met, so that a reload with
/// thousands of routes costs a worker little.
pub(super) struct TableCells {
    pub(super) routes: Box<[Arc<str>]>,
    pub(super) regions: Box<[Arc<str>]>,
    rows: Box<[OnceLock<Box<Row>>]>,
}

impl TableCells {
    fn new(routes: Box<[Arc<str>]>, regions: Box<[Arc<str>]>) -> Self {
        let rows = routes.iter().map(|_| OnceLock::new()).collect();
        Self { routes, regions, rows }
    }

    pub(super) fn row(&self, route: usize) -> &Row {
        self.rows[route].get_or_init(|| Box::new(Row::new(self.regions.len())))
    }

    /// The routes that were met, and their rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &Row)> {
        self.routes.iter().zip(&self.rows).filter_map(|(name, row)| Some((name, &**row.get()?)))
    }
}

/// What is counted for one route.
pub(super) struct Row {
    pub(super) in_flight: Box<[AtomicU64]>,
    /// What of it goes on for long, by [`Lasts`](super::under_way::Lasts).
    pub(super) lasting: Box<[[AtomicU64; 2]]>,
    /// What was ever in flight.
    pub(super) begun: Box<[AtomicU64]>,
    /// By region: what was forwarded, and failed.
    pub(super) forwarded: Box<[[AtomicU64; 2]]>,
    pub(super) counts: Counts,
}

impl Row {
    fn new(regions: usize) -> Self {
        let zeros = || (0..regions).map(|_| AtomicU64::new(0)).collect();
        let pairs = || (0..regions).map(|_| Default::default()).collect();
        let (in_flight, begun, counts) = (zeros(), zeros(), Counts::default());
        Self { in_flight, lasting: pairs(), begun, forwarded: pairs(), counts }
    }
}

/// Totals over requests.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) requests: [[AtomicU64; CLASSES.len()]; VERDICTS.len()],
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) duration: Histogram,
    pub(super) first_byte: Histogram,
    pub(super) connect: Histogram,
}

impl Counts {
    fn count(&self, ended: &Ended) {
        bump(&self.requests[row_of(ended.verdict)][class_of(ended.status)], 1);
        bump(&self.bytes_in, ended.bytes_in);
        bump(&self.bytes_out, ended.bytes_out);
        self.duration.observe(ended.total);
        if let Some(connect) = ended.connect {
            self.connect.observe(connect);
        }
        if let Some(first_byte) = ended.first_byte {
            self.first_byte.observe(first_byte);
        }
    }
}

/// How often a time was at most each of [`BUCKETS_US`], or more, and the sum of all.
#[derive(Default)]
pub(super) struct Histogram {
    pub(super) buckets: [AtomicU64; BUCKETS_US.len() + 1],
    pub(super) sum_us: AtomicU64,
}

impl Histogram {
    fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        bump(&self.buckets[bucket_of(micros)], 1);
        bump(&self.sum_us, micros);
    }
}

/// Which bucket a time belongs to.
fn bucket_of(micros: u64) -> usize {
    BUCKETS_US.partition_point(|bound| *bound < micros)
}

/// Adds to a cell that only this thread writes.
pub(super) fn bump(cell: &AtomicU64, by: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

fn row_of(verdict: Verdict) -> usize {
    match verdict {
        Verdict::Own => 0,
        Verdict::Probe => 1,
        Verdict::Forward => 2,
        Verdict::Resume => 3,
        Verdict::Capture(_) | Verdict::Accept(_) => 4,
        Verdict::Page(..) => 5,
        Verdict::Refuse(_) => 6,
        Verdict::Redirect(_) => 7,
        Verdict::Hold => 8,
    }
}

fn class_of(status: u16) -> usize {
    match usize::from(status / 100) {
        class @ 1..=5 => class,
        _ => 0,
    }
}

/// The content of a lock that is only held for looks and pushes: a panic cannot leave it half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
