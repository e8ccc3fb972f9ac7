//! The metrics of the process: what control tells of it, and the sums over all workers' counters.

mod exposition;
mod held;
mod pages;
mod places;
mod servers;
mod windows;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::access::AccessLog;
use super::shard::{
    BUCKETS_US, CLASSES, Counts, Histogram, Registry, Row, Shard, TableCells, VERDICTS, lock,
};
use crate::clock::Wall;

pub use exposition::{NAMES, Named};
pub use places::Forwarded;
pub use servers::ServerCounts;
pub use windows::{WindowFigures, WindowKind};

/// The metrics of the process. Clones are the same metrics.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Shared>);

#[derive(Default)]
struct Shared {
    registry: Arc<Registry>,
    /// Totals of tables that nothing counts in any more, by route.
    retired: Mutex<HashMap<Arc<str>, Sums>>,
    /// The same by route and region.
    retired_places: Mutex<places::Places>,
    told: Mutex<Told>,
}

/// What control tells.
#[derive(Clone, Default)]
struct Told {
    generation: u64,
    windows: WindowFigures,
    /// Declared maintenances that stand otherwise than their files say.
    drift: u64,
    /// Verifications and ramps that failed.
    failed_checks: [u64; 2],
    reloads: [u64; 2],
    reloaded_at: Option<Wall>,
    store: StoreFigures,
    servers: servers::ServerFigures,
    access: Option<AccessLog>,
    /// When each certificate ends to be valid, in seconds since the epoch, by its name.
    certificates: BTreeMap<String, u64>,
}

/// How a reload went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reload {
    /// The new config is in force.
    Done,
    /// It was refused; the old one stays.
    Failed,
}

impl Reload {
    const NAMES: [&str; 2] = ["done", "failed"];
}

/// What a store says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoreFigures {
    /// Submissions by the name of their state.
    pub submissions: Vec<(&'static str, u64)>,
    /// Sealed bytes held.
    pub bytes: u64,
    /// Commits.
    pub commits: u64,
    /// How long all commits took together.
    pub commit_sum: Duration,
    /// What half of the commits did not exceed.
    pub commit_p50: Duration,
    /// What 99 of 100 commits did not exceed.
    pub commit_p99: Duration,
    /// Reads and writes that failed.
    pub failures: u64,
    /// Bytes that are free on the store's file system.
    pub free_bytes: u64,
    /// 1 while so few are free that nothing more is kept.
    pub is_full: u64,
}

/// Requests in flight in one place.
#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub struct InFlightCount {
    /// The route's name.
    pub route: Arc<str>,
    /// The region's name.
    pub region: Arc<str>,
    /// How many, of which some go on for long:
    pub count: u64,
    /// WebSockets and other tunnels,
    pub tunnels: u64,
    /// and answers that go on, such as events.
    pub streams: u64,
}

impl Metrics {
    /// The counters of one worker.
    pub fn shard(&self) -> Shard {
        Shard::new(&self.0.registry)
    }

    /// Requests in flight where there are any, by route and region, over all workers and also
    /// those that began under a former config.
    ///
    /// A worker's count is seen a moment after it was made: zero means "none" only to somebody who
    /// sees it again after the workers have passed a decision.
    pub fn in_flight(&self) -> Vec<InFlightCount> {
        let lasting = |row: &Row, region: usize| row.lasting[region].each_ref().map(read);
        let sums = self.by_place(|row, region| {
            let [tunnels, streams] = lasting(row, region);
            [read(&row.in_flight[region]), tunnels, streams]
        });
        let told = sums.into_iter().map(|((route, region), [count, tunnels, streams])| {
            InFlightCount { route, region, count, tunnels, streams }
        });
        told.collect()
    }

    /// Requests that have begun, by route and region, over all workers and those configs that
    /// something still counts for.
    pub fn begun(&self) -> BTreeMap<(Arc<str>, Arc<str>), u64> {
        let sums = self.by_place(|row, region| [read(&row.begun[region])]);
        sums.into_iter().map(|(place, [count])| (place, count)).collect()
    }

    /// Sums of cells over all tables, where the first of them is not zero.
    fn by_place<const N: usize>(
        &self,
        cells: impl Fn(&Row, usize) -> [u64; N],
    ) -> BTreeMap<(Arc<str>, Arc<str>), [u64; N]> {
        let mut sums = BTreeMap::<_, [u64; N]>::new();
        for table in self.tables() {
            for (route, row) in table.rows() {
                for (at, region) in table.regions.iter().enumerate() {
                    let counts = cells(row, at);
                    if counts[0] > 0 {
                        let place = (Arc::clone(route), Arc::clone(region));
                        let sums = sums.entry(place).or_insert([0; N]);
                        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
                    }
                }
            }
        }
        sums
    }

    /// Client connections open now, over all workers.
    pub fn connections(&self) -> u64 {
        let workers = lock(&self.0.registry.workers);
        let open = workers.iter().map(|worker| {
            // ORDER: closed before accepted, so that a connection that closes in between counts
            // as open rather than as minus one.
            let closed = worker.closed.load(Ordering::Acquire);
            worker.accepted.load(Ordering::Relaxed).saturating_sub(closed)
        });
        open.sum()
    }

    /// How often each worker has swept: one that stays where it was is stuck.
    pub fn beats(&self) -> Vec<u64> {
        lock(&self.0.registry.workers).iter().map(|worker| read(&worker.beats)).collect()
    }

    /// The snapshot in force.
    pub fn generation(&self, generation: u64) {
        lock(&self.0.told).generation = generation;
    }

    /// A reload was tried.
    pub fn reload(&self, went: Reload, now: Wall) {
        let mut told = lock(&self.0.told);
        told.reloads[went as usize] += 1;
        if went == Reload::Done {
            told.reloaded_at = Some(now);
        }
    }

    /// The certificates that visitors are shown: first name, and when it ends to be valid. Of
    /// several with one name, such as for two kinds of keys, the one that ends first is told.
    pub fn certificates(&self, shown: impl Iterator<Item = (String, Wall)>) {
        let mut ends = BTreeMap::new();
        for (name, end) in shown {
            let secs = u64::try_from(end.secs()).unwrap_or_default();
            let first = ends.entry(name).or_insert(secs);
            *first = secs.min(*first);
        }
        lock(&self.0.told).certificates = ends;
    }

    /// What the store says of itself. Its counts may only rise.
    pub fn store(&self, figures: StoreFigures) {
        lock(&self.0.told).store = figures;
    }

    /// The access log whose losses are told.
    pub fn watch_access(&self, log: &AccessLog) {
        lock(&self.0.told).access = Some(log.clone());
    }

    /// The tables that are of use, after those that are not have given their totals to
    /// `retired`: its worker has gone on to another config, and nothing is in flight under it.
    fn tables(&self) -> Vec<Arc<TableCells>> {
        // ORDER: `retired` before `tables`, here and in `sums`: a total is never seen in both.
        let mut retired = lock(&self.0.retired);
        let mut retired_places = lock(&self.0.retired_places);
        let mut tables = lock(&self.0.registry.tables);
        tables.retain_mut(|table| {
            // `get_mut` also makes the last counts of the worker that let go visible here.
            let in_use = Arc::get_mut(table).is_none();
            if !in_use {
                add_rows(&mut retired, table);
                places::add(&mut retired_places, table);
            }
            in_use
        });
        tables.clone()
    }

    /// Totals by route, over all workers and configs.
    fn sums(&self) -> HashMap<Arc<str>, Sums> {
        let tables = self.tables();
        // A table that is retired between the two lines counts in neither: it is asked for by its
        // own reference, which keeps it from being retired meanwhile.
        let mut sums = lock(&self.0.retired).clone();
        tables.iter().for_each(|table| add_rows(&mut sums, table));
        sums
    }
}

fn add_rows(sums: &mut HashMap<Arc<str>, Sums>, table: &TableCells) {
    for (route, row) in table.rows() {
        sums.entry(Arc::clone(route)).or_default().add(&row.counts);
    }
}

/// Totals over requests, at one moment.
#[derive(Clone, Default)]
struct Sums {
    requests: [[u64; CLASSES.len()]; VERDICTS.len()],
    bytes_in: u64,
    bytes_out: u64,
    duration: Spread,
    first_byte: Spread,
    connect: Spread,
}

impl Sums {
    fn add(&mut self, counts: &Counts) {
        for (sums, cells) in self.requests.iter_mut().zip(&counts.requests) {
            sums.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += read(cell));
        }
        self.bytes_in += read(&counts.bytes_in);
        self.bytes_out += read(&counts.bytes_out);
        self.duration.add(&counts.duration);
        self.first_byte.add(&counts.first_byte);
        self.connect.add(&counts.connect);
    }
}

/// A histogram at one moment.
#[derive(Clone, Default)]
struct Spread {
    buckets: [u64; BUCKETS_US.len() + 1],
    sum_us: u64,
}

impl Spread {
    fn add(&mut self, cells: &Histogram) {
        self.buckets.iter_mut().zip(&cells.buckets).for_each(|(sum, cell)| *sum += read(cell));
        self.sum_us += read(&cells.sum_us);
    }

    fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

fn read(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}
