//! What windows did to visitors: per window and worker a few counters and a sketch, with one
//! writer each, and readers that may look at any time.
//!
//! A worker makes the cells of a window when it first answers for it, which takes a lock; from
//! then on it writes memory of its own. Who reads adds the workers' cells up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::shard::{bump, lock};
use crate::addr::ClientAddr;
use crate::clock::Wall;
use crate::decide::verdict::{Verdict, Wants};
use crate::digest;
use crate::id::Id;
use crate::window::tally::{Pages, REGISTERS, Sketch, Tally, place_of};

/// What is counted, in the order of the cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Count {
    Html,
    Problem,
    Text,
    Grpc,
    WebSocket,
    Held,
    Released,
    Captured,
    NotKept,
}

const COUNTS: usize = Count::NotKept as usize + 1;

/// How a request that waited was let go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    /// On to the application.
    Released,
    /// It was answered as closed, or its client was gone.
    InVain,
}

/// The tallies of one worker. INVARIANT: each cell has one writer.
pub(super) struct Tallies {
    cells: RefCell<HashMap<Id, Arc<Cells>>>,
    board: Arc<Board>,
}

/// The cells of every worker, by window.
pub(super) struct Board {
    windows: Mutex<HashMap<Id, Vec<Arc<Cells>>>>,
    /// Keys the hashes of visitors, so that a stored sketch does not tell whether a certain
    /// address was there to somebody who has the store alone.
    seed: AtomicU64,
}

/// What one worker counted for one window.
struct Cells {
    counts: [AtomicU64; COUNTS],
    /// Milliseconds; none is the greatest and the least.
    first: AtomicI64,
    last: AtomicI64,
    registers: Box<[AtomicU8]>,
}

impl Default for Board {
    fn default() -> Self {
        let seed = AtomicU64::new(u64::from_be_bytes(digest::random()));
        Self { windows: Mutex::default(), seed }
    }
}

impl Board {
    /// Hashes visitors by this from now on: the same in every process that adds to a tally.
    pub(super) fn seed(&self, seed: u64) {
        self.seed.store(seed, Ordering::Relaxed);
    }

    /// What this process counted, over all workers.
    pub(super) fn sums(&self) -> HashMap<Id, Tally> {
        let windows = lock(&self.windows);
        let sum = |cells: &Vec<Arc<Cells>>| {
            cells.iter().fold(Tally::default(), |mut sum, cells| {
                sum.add(&cells.read());
                sum
            })
        };
        windows.iter().map(|(id, cells)| (*id, sum(cells))).collect()
    }

    /// Forgets a window that is over.
    pub(super) fn forget(&self, window: Id) {
        lock(&self.windows).remove(&window);
    }
}

impl Tallies {
    pub(super) fn new(board: &Arc<Board>) -> Self {
        Self { cells: RefCell::default(), board: Arc::clone(board) }
    }

    /// A request that this window governed has ended so. What was forwarded is not its business.
    pub(super) fn count(
        &self,
        window: Id,
        (verdict, status): (Verdict, u16),
        client: ClientAddr,
        at: Wall,
    ) {
        let count = match verdict {
            Verdict::Page(wants, _) => kind_of(wants),
            Verdict::Capture(_) if (300..400).contains(&status) => Count::Captured,
            Verdict::Accept(_) if status == 202 => Count::Captured,
            Verdict::Capture(_) | Verdict::Accept(_) => Count::NotKept,
            Verdict::Own
            | Verdict::Probe
            | Verdict::Forward
            | Verdict::Hold
            | Verdict::Resume
            | Verdict::Refuse(_)
            | Verdict::Redirect(_) => return,
        };
        self.with(window, |cells| {
            cells.raise(count);
            if let Verdict::Page(_, Some(_)) = verdict {
                cells.raise(Count::NotKept);
            }
            cells.met(self.hash_of(client), at);
        });
    }

    /// A request that waited for this window waits no more.
    pub(super) fn waited(&self, window: Id, went: Waited) {
        self.with(window, |cells| {
            cells.raise(Count::Held);
            if went == Waited::Released {
                cells.raise(Count::Released);
            }
        });
    }

    fn with(&self, window: Id, change: impl FnOnce(&Cells)) {
        let mut known = self.cells.borrow_mut();
        if let Some(cells) = known.get(&window) {
            return change(cells);
        }
        // Those that only this worker still holds are of windows that are over.
        known.retain(|_, cells| Arc::strong_count(cells) > 1);
        let cells = Arc::new(Cells::default());
        lock(&self.board.windows).entry(window).or_default().push(Arc::clone(&cells));
        change(&cells);
        known.insert(window, cells);
    }

    /// One address is one visitor; of IPv6 the network that one household has.
    fn hash_of(&self, ClientAddr(client): ClientAddr) -> u64 {
        let seed = self.board.seed.load(Ordering::Relaxed);
        let mut hasher = foldhash::quality::FixedState::with_seed(seed).build_hasher();
        match client {
            IpAddr::V4(address) => address.octets().hash(&mut hasher),
            IpAddr::V6(address) => address.octets()[..8].hash(&mut hasher),
        }
        hasher.finish()
    }
}

fn kind_of(wants: Wants) -> Count {
    match wants {
        Wants::Html => Count::Html,
        Wants::Problem => Count::Problem,
        Wants::Grpc => Count::Grpc,
        Wants::WebSocket => Count::WebSocket,
        Wants::EventStream | Wants::Text => Count::Text,
    }
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            counts: Default::default(),
            first: AtomicI64::new(i64::MAX),
            last: AtomicI64::new(i64::MIN),
            registers: (0..REGISTERS).map(|_| AtomicU8::new(0)).collect(),
        }
    }
}

impl Cells {
    fn raise(&self, count: Count) {
        bump(&self.counts[count as usize], 1);
    }

    fn met(&self, hash: u64, at: Wall) {
        let (register, rank) = place_of(hash);
        let register = &self.registers[register];
        register.store(rank.max(register.load(Ordering::Relaxed)), Ordering::Relaxed);
        let at = at.millis();
        self.first.store(at.min(self.first.load(Ordering::Relaxed)), Ordering::Relaxed);
        self.last.store(at.max(self.last.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    fn read(&self) -> Tally {
        let count = |count: Count| self.counts[count as usize].load(Ordering::Relaxed);
        let at = |cell: &AtomicI64, none: i64| {
            Some(cell.load(Ordering::Relaxed)).filter(|at| *at != none).map(Wall::from_millis)
        };
        Tally {
            pages: Pages {
                html: count(Count::Html),
                problem: count(Count::Problem),
                text: count(Count::Text),
                grpc: count(Count::Grpc),
                websocket: count(Count::WebSocket),
            },
            held: count(Count::Held),
            released: count(Count::Released),
            captured: count(Count::Captured),
            not_kept: count(Count::NotKept),
            visitors: Sketch::of(self.registers.iter().map(|cell| cell.load(Ordering::Relaxed))),
            first: at(&self.first, i64::MAX),
            last: at(&self.last, i64::MIN),
        }
    }
}
