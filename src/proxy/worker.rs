//! One worker: a thread, its runtime, its listeners, and everything a request needs without a lock.

use std::cell::{Cell, Ref, RefCell};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use hyper::server::conn::http1;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::accept::accept;
use super::date::DateLine;
use super::deadline::Sweep;
use super::doors::{Doors, Inside};
use super::flight::Cuts;
use super::hold::{Queue as HoldQueue, Seats};
use super::lasting::Register;
use super::learnt::Learnt;
use super::socket::Socket;
use super::tee::Room;
use super::time::Time;
use super::tls::Handshakes;
use super::turnstile::Turnstile;
use super::upstream::{Pool, Way};
use super::{Drain, Parts, Phase, answer, conn, h1, probe};
use crate::clock::{Clock, Tick, Wall};
use crate::digest::{self, Hash};
use crate::limit;
use crate::snapshot::{Limits, Listener, Protocol, Snapshot, UpstreamIx, View};
use crate::telemetry::access::Lines;
use crate::telemetry::shard::{Shard, Table};
use crate::vault::{Promise, Vault};

/// A worker's own things. Shared by its tasks, never by threads.
pub(super) struct Worker {
    view: RefCell<View>,
    current: RefCell<Rc<Current>>,
    pub(super) clock: Clock,
    pub(super) sweep: Rc<Sweep>,
    pub(super) pool: Rc<Pool>,
    pub(super) shard: Shard,
    pub(super) lines: Lines,
    pub(super) vault: Vault,
    /// What pages keep secret.
    pub(super) learnt: Learnt,
    http: RefCell<http1::Builder>,
    pub(super) scratch: RefCell<Scratch>,
    pub(super) handshakes: Handshakes,
    began: Tick,
    pub(super) time: Time,
    number: Cell<u64>,
    jitter: Cell<u64>,
    /// The first half of the ids of traces that begin here.
    pub(super) trace_prefix: u64,
    date: DateLine,
    phase: Cell<Phase>,
    doors: Doors,
    /// What proves that a browser was let in, and gives each address its place in line.
    pub(super) admission_key: Hash,
    workers: usize,
    requests: Cell<usize>,
    farewells: Cell<usize>,
    captures: Cell<usize>,
    /// Whether windows cut off what is in flight.
    pub(super) cuts: Cuts,
    /// Where forms on their way are kept at hand.
    pub(super) room: Rc<Room>,
    /// Visitors who are told of changes as they come.
    pub(super) event_streams: Cell<usize>,
    /// Balancers' probes under way at a listener of their own.
    pub(super) probes: Cell<usize>,
    /// Counts sweeps, so that those can be told.
    swept: watch::Sender<u64>,
    tasks: RefCell<JoinSet<()>>,
    /// What does not end by itself.
    pub(super) lasting: Register,
    /// What waits for a window to end.
    pub(super) held: HoldQueue,
    /// Where a tunnel's bytes are read into, of whichever tunnel reads just now.
    pub(super) piece: RefCell<Box<[u8]>>,
}

/// Where texts are put in canonical form.
#[derive(Default)]
pub(super) struct Scratch {
    pub host: String,
    pub path: String,
}

/// What workers share: how many they are, the doors, and what was learnt of pages.
pub(super) type House = (usize, Doors, Learnt);

/// A snapshot, with this worker's counters for it.
pub(super) struct Current {
    pub snapshot: Arc<Snapshot>,
    pub table: Rc<Table>,
    ways: Rc<Vec<Way>>,
}

impl Current {
    fn new(snapshot: &Arc<Snapshot>, shard: &Shard, pool: &Pool) -> Rc<Self> {
        let site = &snapshot.site;
        let routes = site.rules.iter().map(|rules| Arc::clone(&rules.name));
        let table = shard.table(routes, site.regions.names().map(Arc::from));
        let members = |at| snapshot.roster.members(UpstreamIx(at));
        let ways = (0..).zip(&site.upstreams).map(|(at, upstream)| pool.way(upstream, members(at)));
        let ways = Rc::new(ways.collect());
        Rc::new(Self { snapshot: Arc::clone(snapshot), table, ways })
    }

    /// The way to an upstream.
    pub(super) fn way(&self, upstream: UpstreamIx) -> &Way {
        &self.ways[upstream.0 as usize]
    }
}

impl Worker {
    fn new(parts: &Parts, (workers, doors, learnt): House) -> Rc<Self> {
        let shard = parts.metrics.shard();
        let mut view = parts.live.view();
        let site = &view.snapshot().site;
        let http = RefCell::new(http(&site.limits));
        let sweep = Rc::new(Sweep::new((site.pace, site.limits)));
        let began = parts.clock.tick();
        let pool = Pool::new(Rc::clone(&sweep), began, workers);
        let current = Current::new(view.snapshot(), &shard, &pool);
        Rc::new(Self {
            view: RefCell::new(view),
            doors,
            learnt,
            admission_key: parts.vault.key_for("admission"),
            workers,
            requests: Cell::new(0),
            farewells: Cell::new(0),
            current: RefCell::new(current),
            clock: parts.clock.clone(),
            pool,
            sweep,
            shard,
            lines: parts.access.lines(),
            vault: parts.vault.clone(),
            http,
            scratch: RefCell::default(),
            handshakes: Handshakes::default(),
            began,
            time: Time::new(&parts.clock),
            number: Cell::new(0),
            jitter: Cell::new(u64::from_be_bytes(digest::random()) | 1),
            date: DateLine::default(),
            trace_prefix: u64::from_be_bytes(digest::random()),
            phase: Cell::new(Phase::Serving),
            captures: Cell::new(0),
            cuts: Cuts::default(),
            room: Rc::default(),
            event_streams: Cell::new(0),
            probes: Cell::new(0),
            swept: watch::Sender::new(0),
            tasks: RefCell::default(),
            lasting: Register::default(),
            held: HoldQueue::default(),
            piece: RefCell::new(vec![0; limit::TUNNEL_PIECE_BYTES].into()),
        })
    }

    /// The snapshot to judge a request by. One per decision.
    pub(super) fn current(&self) -> Rc<Current> {
        let mut view = self.view.borrow_mut();
        let snapshot = view.snapshot();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(snapshot, &current.snapshot) {
            let same_site = Arc::ptr_eq(&snapshot.site, &current.snapshot.site);
            if !same_site {
                let site = &snapshot.site;
                self.sweep.set_bounds((site.pace, site.limits));
                self.http.replace(http(&site.limits));
            }
            let same_roster = Arc::ptr_eq(&snapshot.roster, &current.snapshot.roster);
            *current = if same_site && same_roster {
                Rc::new(Current {
                    snapshot: Arc::clone(snapshot),
                    table: Rc::clone(&current.table),
                    ways: Rc::clone(&current.ways),
                })
            } else {
                Current::new(snapshot, &self.shard, &self.pool)
            };
        }
        Rc::clone(&current)
    }

    /// Where requests wait, on this node.
    pub(super) fn seats(&self) -> &Seats {
        self.doors.seats()
    }

    /// What speaks HTTP/1.1.
    pub(super) fn http(&self) -> Ref<'_, http1::Builder> {
        self.http.borrow()
    }

    /// Where visitors are let into a closed place by number.
    pub(super) fn turnstile(&self) -> &Turnstile {
        self.doors.turnstile()
    }

    /// A request has begun.
    pub(super) fn request_begun(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// A request has ended.
    pub(super) fn request_ended(&self) {
        self.requests.set(self.requests.get() - 1);
    }

    /// Whether more requests are under way than may be.
    pub(super) fn is_overloaded(&self) -> bool {
        self.requests.get() > self.sweep.limits().requests.div_ceil(self.workers)
    }

    /// A request's number on this worker, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number.set(self.number.get() + 1);
        self.number.get()
    }

    /// A number for jitter (xorshift64): spread matters there, not secrecy.
    pub(super) fn jitter(&self) -> u64 {
        let mut bits = self.jitter.get();
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        self.jitter.set(bits);
        bits
    }

    /// What requests are judged by, to the precision of the sweep.
    pub(super) fn moment(&self) -> Wall {
        self.time.moment()
    }

    /// The value of `Date` for an answer that leaves now, to the precision of the sweep.
    pub(super) fn date(&self) -> HeaderValue {
        self.date.at(self.time.swept())
    }

    /// Whether connections are to end after their current request.
    pub(super) fn stopping(&self) -> bool {
        self.phase.get() != Phase::Serving
    }

    /// Whether balancers should send nobody here any more.
    pub(super) fn is_leaving(&self) -> bool {
        self.stopping() || self.doors.is_leaving()
    }

    /// How it stops, if it does and is not done with waiting.
    pub(super) fn drain(&self) -> Option<Drain> {
        match self.phase.get() {
            Phase::Draining(drain) => Some(drain),
            Phase::Serving | Phase::Cutting => None,
        }
    }

    /// Whether connections are being cut.
    pub(super) fn cutting(&self) -> bool {
        self.phase.get() == Phase::Cutting
    }

    /// Does work to its end whether or not the client stays for the outcome: what was promised to
    /// a visitor, or sent to an application, is not undone by a closed tab. None if the work was
    /// cut off because the process stops.
    ///
    /// CANCEL: dropping what this returns drops the outcome, not the work.
    pub(super) async fn outlive<T: 'static>(
        &self,
        work: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let (tell, outcome) = oneshot::channel();
        let promise = self.vault.promise();
        // Boxed, or the task would hold it twice and be moved with both.
        let work = Box::pin(work);
        self.tasks.borrow_mut().spawn_local(async move {
            let _promise = promise;
            // The one who asked may be gone.
            let _ = tell.send(work.await);
        });
        outcome.await.ok()
    }

    /// Tells of each sweep of this worker: what changes meanwhile is seen by then.
    pub(super) fn sweeps(&self) -> watch::Receiver<u64> {
        self.swept.subscribe()
    }

    /// Does this until it is done or the worker ends.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().spawn_local(work);
    }

    /// Begins to capture a form, unless too many are under way.
    pub(super) fn begin_capture(self: &Rc<Self>) -> Option<UnderWay> {
        let count = self.captures.get();
        if count >= limit::CAPTURES_UNDER_WAY_MAX {
            return None;
        }
        self.captures.set(count + 1);
        Some(UnderWay { worker: Rc::clone(self), _promise: self.vault.promise() })
    }

    /// Lets a connection in, if there is room for it.
    fn admit(&self, stream: &TcpStream, peer: SocketAddr) -> Option<Inside> {
        if !self.doors.spares(stream.as_raw_fd()) {
            return None;
        }
        let current = self.current();
        let site = &current.snapshot.site;
        // A balancer's connections are those of many.
        let many = site.trusted.contains(peer.ip()) || site.proxy_protocol.contains(peer.ip());
        self.doors.enter(peer.ip(), many, &site.limits).ok()
    }

    /// Tells a connection that there is no room, as far as that costs nothing to speak of.
    fn turn_away(self: &Rc<Self>, stream: TcpStream, listener: Listener) {
        let clear = match listener.protocol {
            Protocol::Http | Protocol::H2c | Protocol::Probe => true,
            Protocol::Https => false,
        };
        let told = self.farewells.get();
        if !clear || told >= limit::FAREWELLS_MAX || !self.doors.spares(stream.as_raw_fd()) {
            return;
        }
        self.farewells.set(told + 1);
        let worker = Rc::clone(self);
        self.tasks.borrow_mut().spawn_local(async move {
            h1::close(Socket::Plain(stream), Some(answer::BARE_BUSY)).await;
            worker.farewells.set(worker.farewells.get() - 1);
        });
    }

    fn sweep(&self) {
        while self.tasks.borrow_mut().try_join_next().is_some() {}
        let now = self.clock.tick();
        self.time.sweep();
        self.sweep.sweep(u64::try_from(now.since(self.began).as_millis()).unwrap_or(u64::MAX));
        self.pool.prune();
        self.lines.flush();
        self.shard.beat();
        // A worker without requests must let go of an old snapshot too.
        let current = self.current();
        for way in &*current.ways {
            way.serve_waiting(self.sweep.now());
        }
        if self.event_streams.get() > 0 {
            self.swept.send_modify(|count| *count += 1);
        }
        self.lasting.call(self, &current.snapshot, self.sweep.spread());
        self.held.call(&current.snapshot, self.moment());
        self.cuts.call(&current.snapshot, &self.sweep, self.moment());
    }
}

/// What speaks HTTP/1.1 within these limits.
fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.max_headers(limits.head_fields)
        .max_header_size(limits.head_bytes)
        .header_read_timeout(None);
    http
}

/// A capture under way.
pub(super) struct UnderWay {
    worker: Rc<Worker>,
    _promise: Promise,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.worker.captures.set(self.worker.captures.get() - 1);
    }
}

/// The life of a worker's thread. Gives the number of connections that had to be cut.
pub(super) async fn run(
    parts: Parts,
    listeners: Vec<(std::net::TcpListener, Listener)>,
    house: House,
    mut phase: watch::Receiver<Phase>,
) -> std::io::Result<usize> {
    let worker = Worker::new(&parts, house);
    let mut accepting = JoinSet::new();
    let mut connections = JoinSet::new();
    let (give, mut accepted) = tokio::sync::mpsc::channel(64);
    for (socket, asked) in listeners {
        let listener = Listener { at: socket.local_addr()?, ..asked };
        let socket = TcpListener::from_std(socket)?;
        accepting.spawn_local(accept(socket, listener, give.clone(), phase.clone()));
    }
    drop(give);
    let mut sweep = tokio::time::interval(limit::DEADLINE_SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // CANCEL: each branch is a queue or a timer; what is not taken now is taken next time.
        tokio::select! {
            Some((stream, peer, listener)) = accepted.recv() => {
                if listener.protocol == Protocol::Probe {
                    probe::take(&worker, stream);
                    continue;
                }
                let Some(inside) = worker.admit(&stream, peer) else {
                    worker.turn_away(stream, listener);
                    continue;
                };
                worker.shard.connection_opened();
                let worker = Rc::clone(&worker);
                connections.spawn_local(conn::serve(worker, inside, stream, peer, listener));
            }
            Some(_) = accepting.join_next() => {}
            Some(_) = connections.join_next() => worker.shard.connection_closed(),
            _ = sweep.tick() => worker.sweep(),
            Ok(()) = phase.changed() => {
                worker.phase.set(*phase.borrow());
                worker.sweep.wake_all();
            }
        }
        let quiet = accepting.is_empty() && accepted.is_empty() && connections.is_empty();
        if worker.stopping() && (quiet || worker.cutting()) {
            break;
        }
    }
    let cut = connections.len();
    connections.shutdown().await;
    let mut tasks = worker.tasks.take();
    let rest = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limit::LINGER, rest).await;
    worker.lines.flush();
    Ok(cut)
}
