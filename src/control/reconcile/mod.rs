//! THE one writer. Every change of a window, of a server and every config passes through this
//! single task.
//!
//! ```text
//!  commands, clock, traffic ─► step (pure) ─► store.commit (durable) ─► publish ─► answer ─► sleep
//! ```
//!
//! What waits in the queue is taken as a batch: its members touch different windows, so their
//! commits run side by side and share an fsync, and one publish shows them all. Memory always
//! equals what the store said it has; the snapshot always equals what memory implies.

mod books;
mod due;
mod grants;
mod orders;
mod plans;
mod settle;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use books::Books;

use super::command::{self, Command, Handle, Refused, Standing};
use super::roster::Servers;
use super::timer::{self, Last};
use super::traffic::Traffic;
use crate::clock::steady::Steady;
use crate::clock::{Clock, Tick, Wall};
use crate::config;
use crate::id::Id;
use crate::limit;
use crate::pages::Pages;
use crate::snapshot::{self, Cells, Live, Publisher, Roster, Site};
use crate::store::{Store, StoreError};
use crate::window::state::Window;

/// What a reconciler is built of.
pub struct Parts {
    /// Where windows survive.
    pub store: Arc<dyn Store>,
    /// The config in force.
    pub site: Arc<Site>,
    /// The templates in force.
    pub pages: Arc<Pages>,
    /// What time it is.
    pub clock: Clock,
    /// Who counts requests under way.
    pub traffic: Arc<dyn Traffic>,
}

/// The only owner of the [`Publisher`] and the only caller of [`Window::step`].
pub struct Reconciler {
    pub(super) parts: Parts,
    books: Books,
    pub(super) servers: Arc<Servers>,
    /// Made of the servers.
    pub(super) roster: Arc<Roster>,
    publisher: Publisher,
    live: Live,
    commands: mpsc::Receiver<Command>,
    pub(super) standing: watch::Sender<Arc<Standing>>,
    last: Last,
    steady: Steady,
    /// What time it is in this round.
    now: Wall,
    counted: Tick,
    /// Windows that were draining when traffic was counted last.
    draining: BTreeSet<Id>,
}

/// Why the reconciler cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Windows cannot be read.
    #[error("windows in force cannot be read: {0}")]
    Store(#[from] StoreError),
    /// Windows in force need names that the config does not have.
    #[error(
        "not started, because a closed scope would come up open: {}. To end it, start with the \
         config that it belongs to", .0.join("; ")
    )]
    Uncovered(Vec<String>),
}

impl Reconciler {
    /// Reads the windows in force, lets the clock act on them, and builds the seam. The scopes
    /// that were closed when the process ended are closed in the first snapshot that anybody sees.
    pub async fn boot(parts: Parts) -> Result<(Self, Live, Handle), BootError> {
        let (now, tick) = parts.clock.hands();
        let books = Books::read(&*parts.store).await?;
        let stored: Vec<Window> = books.windows.values().map(|w| (**w).clone()).collect();
        let lost = config::uncovered(&parts.site, &stored);
        if !lost.is_empty() {
            return Err(BootError::Uncovered(lost));
        }
        let cells = compute(&parts, &books, None);
        let servers = Arc::new(Servers::of(&parts.site, parts.store.postings().await?));
        let roster = Arc::new(servers.roster());
        let closed = cells.closed_count();
        let standing = Arc::new(books.standing(1, Arc::clone(&servers), closed, now));
        let (site, pages) = (Arc::clone(&parts.site), Arc::clone(&parts.pages));
        let beside = books.beside(&site, None);
        let first = Arc::clone(&roster);
        let (publisher, live) = snapshot::seam_beside(site, cells, first, pages, beside);
        let (sender, commands) = command::queue();
        let (standing, seen) = watch::channel(standing);
        let reader = live.clone();
        let last = Last::Done;
        let draining = BTreeSet::new();
        let mut reconciler = Self {
            parts,
            books,
            servers,
            roster,
            publisher,
            live,
            commands,
            standing,
            last,
            steady: Steady::from(now, tick),
            now,
            counted: tick,
            draining,
        };
        reconciler.tick().await;
        Ok((reconciler, reader.clone(), Handle::new(sender, seen, reader)))
    }

    /// Works until every [`Handle`] is gone. A panic ends nothing: everything is read anew from
    /// the store, and meanwhile the last snapshot stays in force.
    pub async fn run(mut self) {
        let mut taken = Vec::new();
        loop {
            let sleep = self.sleep();
            // CANCEL: `recv_many` that loses has taken nothing; a lost sleep is computed anew.
            tokio::select! {
                count = self.commands.recv_many(&mut taken, limit::COMMANDS_PER_BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                }
                () = tokio::time::sleep(sleep) => {}
            }
            if guarded(self.work(taken.drain(..))).await.is_err() {
                self.begin_anew().await;
            }
        }
    }

    /// One round of what [`Reconciler::run`] does, without waiting: carries out what is queued,
    /// looks at the traffic and at the clock. For who turns the clock by hand.
    pub async fn turn(&mut self) {
        let mut taken = Vec::new();
        while taken.len() < limit::COMMANDS_PER_BATCH_MAX
            && let Ok(command) = self.commands.try_recv()
        {
            taken.push(command);
        }
        self.work(taken.into_iter()).await;
    }

    async fn work(&mut self, commands: impl Iterator<Item = Command>) {
        self.look();
        self.carry_out(commands).await;
        self.count_traffic().await;
        self.tick().await;
    }

    fn look(&mut self) {
        let (wall, tick) = self.parts.clock.hands();
        self.now = self.steady.look(wall, tick);
    }

    fn sleep(&mut self) -> Duration {
        self.look();
        let windows = self.books.windows.values();
        let due = windows.map(|window| (&**window, window.next_deadline(self.gate(window))));
        timer::wait(self.now, due, self.last)
    }

    /// After a panic: what is known is what the store has, and nothing else.
    async fn begin_anew(&mut self) {
        loop {
            tracing::error!("the reconciler panicked; it begins anew from the store");
            tokio::time::sleep(limit::CONTROL_BEGINS_ANEW_AFTER).await;
            let store = Arc::clone(&self.parts.store);
            let read = async {
                let books = Books::read(&*store).await?;
                Ok::<_, StoreError>((books, store.postings().await?))
            };
            match guarded(read).await {
                Ok(Ok((books, postings))) => {
                    self.books = books;
                    self.servers = Arc::new(Servers::of(&self.parts.site, postings));
                    self.roster = Arc::new(self.servers.roster());
                    self.draining.clear();
                    self.publish();
                    return;
                }
                Ok(Err(error)) => tracing::error!(%error, "the store cannot be read"),
                Err(Panicked) => {}
            }
        }
    }

    pub(super) fn publish(&mut self) {
        let before = self.live.snapshot();
        let cells = compute(&self.parts, &self.books, Some(&before.cells));
        self.show(cells);
    }

    fn show(&mut self, cells: Cells) {
        let closed_cells = cells.closed_count();
        let (site, pages) = (Arc::clone(&self.parts.site), Arc::clone(&self.parts.pages));
        let (roster, servers) = (Arc::clone(&self.roster), Arc::clone(&self.servers));
        let beside = self.books.beside(&site, Some(&self.live.snapshot()));
        self.publisher.lay_beside(beside);
        let generation = self.publisher.publish_with(site, cells, roster, pages);
        let standing = self.books.standing(generation, servers, closed_cells, self.now);
        self.standing.send_replace(Arc::new(standing));
    }

    /// Puts another config in force. Pages are finished anew: templates may have changed.
    fn reload(&mut self, site: Arc<Site>, pages: Arc<Pages>) -> Result<u64, Refused> {
        let windows: Vec<Window> = self.books.windows.values().map(|w| (**w).clone()).collect();
        let mut lost = config::uncovered(&site, &windows);
        let windows: Vec<&Window> = windows.iter().collect();
        let maintenances = self.books.told_of();
        let cells = Cells::compute_with(&site, &windows, &maintenances, &pages, None);
        lost.extend(config::opened(&self.live.snapshot(), &site, &cells));
        if !lost.is_empty() {
            return Err(Refused::Uncovered(lost));
        }
        (self.parts.site, self.parts.pages) = (site, pages);
        self.keep_servers();
        self.show(cells);
        Ok(self.standing.borrow().generation)
    }
}

fn compute(parts: &Parts, books: &Books, before: Option<&Cells>) -> Cells {
    let windows: Vec<&Window> = books.windows.values().map(AsRef::as_ref).collect();
    Cells::compute_with(&parts.site, &windows, &books.told_of(), &parts.pages, before)
}

/// Something panicked; the hook has told of it.
struct Panicked;

/// What a future gives, unless it panics.
async fn guarded<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(context));
        match std::panic::catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
