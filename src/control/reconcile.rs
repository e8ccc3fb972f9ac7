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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::batch::{Batch, Member};
use super::command::{self, Change, Command, Expected, Handle, Refused, Standing, Which};
use super::roster::Servers;
use super::scopes;
use super::timer::{self, Last};
use super::traffic::{self, Traffic};
use crate::clock::{Clock, Tick, Wall};
use crate::config;
use crate::id::Id;
use crate::limit;
use crate::pages::Pages;
use crate::snapshot::{self, Cells, Live, Publisher, Roster, Site};
use crate::store::{Store, StoreError};
use crate::window::state::{Author, Checks, Event, Gate, Illegal, Order, State, Step, Window};

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
    /// Those in force, equal to the store's.
    windows: BTreeMap<Id, Arc<Window>>,
    pub(super) servers: Arc<Servers>,
    /// Made of the servers.
    pub(super) roster: Arc<Roster>,
    publisher: Publisher,
    live: Live,
    commands: mpsc::Receiver<Command>,
    pub(super) standing: watch::Sender<Arc<Standing>>,
    last: Last,
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
        let stored = parts.store.windows().await?;
        let lost = config::uncovered(&parts.site, &stored);
        if !lost.is_empty() {
            return Err(BootError::Uncovered(lost));
        }
        let windows: BTreeMap<_, _> =
            stored.into_iter().map(|window| (window.id, Arc::new(window))).collect();
        let cells = compute(&parts, &windows, None);
        let servers = Arc::new(Servers::of(&parts.site, parts.store.postings().await?));
        let roster = Arc::new(servers.roster());
        let standing = Arc::new(Standing {
            generation: 1,
            windows: windows.values().cloned().collect(),
            servers: Arc::clone(&servers),
            closed_cells: cells.closed_count(),
        });
        let (site, pages) = (Arc::clone(&parts.site), Arc::clone(&parts.pages));
        let (publisher, live) = snapshot::seam_with(site, cells, Arc::clone(&roster), pages);
        let (sender, commands) = command::queue();
        let (standing, seen) = watch::channel(standing);
        let counted = parts.clock.tick();
        let reader = live.clone();
        let last = Last::Done;
        let draining = BTreeSet::new();
        let mut reconciler = Self {
            parts,
            windows,
            servers,
            roster,
            publisher,
            live,
            commands,
            standing,
            last,
            counted,
            draining,
        };
        reconciler.tick().await;
        Ok((reconciler, reader.clone(), Handle::new(sender, seen, reader)))
    }

    /// Works until every [`Handle`] is gone.
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
            self.carry_out(taken.drain(..)).await;
            self.count_traffic().await;
            self.tick().await;
        }
    }

    fn sleep(&self) -> Duration {
        let windows = self.windows.values().map(AsRef::as_ref);
        timer::wait(self.parts.clock.now(), windows, self.last)
    }

    /// Carries out commands in their order.
    async fn carry_out(&mut self, commands: impl Iterator<Item = Command>) {
        let mut batch = Batch::default();
        let mut seen = Vec::new();
        for command in commands {
            // ORDER: a command that depends on one before it is planned after that one is settled.
            if batch.must_settle_before(&command) {
                self.settle(std::mem::take(&mut batch)).await;
            }
            match command {
                Command::Switch { order, author, answer } => {
                    let planned = self.plan_switch(&batch, *order, &author).map(|step| vec![step]);
                    batch.take(planned, answer);
                }
                Command::End { which, author, answer } => {
                    batch.take(self.plan_end(which, &author).await, answer);
                }
                Command::Extend { window, expected, end, author, answer } => {
                    let planned = self.plan(window, expected, &Event::Extend(end), &author).await;
                    batch.take(planned.map(|step| vec![step]), answer);
                }
                Command::Post { order, author, answer } => {
                    let _ = answer.send(self.post(order, author).await);
                }
                Command::See(sight) => seen.push(sight),
                Command::Reload { site, pages, answer } => {
                    let _ = answer.send(self.reload(site, pages));
                }
            }
        }
        self.settle(batch).await;
        self.see(&seen);
    }

    fn plan_switch(&self, batch: &Batch, order: Order, author: &Author) -> Result<Step, Refused> {
        let unknown = scopes::unknown(&order.scope, &self.parts.site);
        if !unknown.is_empty() {
            return Err(Refused::Unknown(unknown));
        }
        let in_force = self.windows.len() + batch.members.len();
        if in_force >= limit::WINDOWS_IN_FORCE_MAX {
            return Err(Refused::TooMany(in_force));
        }
        let now = self.parts.clock.now();
        Ok(Window::begin(Id::new(now, self.parts.site.node_tag), order, author, now))
    }

    async fn plan_end(&self, which: Which, author: &Author) -> Result<Vec<Step>, Refused> {
        let scope = match which {
            Which::Window(id, expected) => {
                return self
                    .plan(id, expected, &Event::End(Checks::Planned), author)
                    .await
                    .map(|step| vec![step]);
            }
            Which::Scope(scope) => scope,
        };
        let unknown = scopes::unknown(&scope, &self.parts.site);
        if !unknown.is_empty() {
            return Err(Refused::Unknown(unknown));
        }
        let met = self.windows.values().filter(|window| scopes::meet(&window.scope, &scope));
        let met: Vec<_> = met.collect();
        if let Some(window) = met.iter().find(|window| !scopes::lies_in(&window.scope, &scope)) {
            return Err(Refused::Broader { window: window.id, scope: window.scope.clone() });
        }
        if met.is_empty() {
            return Err(Refused::NothingClosed(scope));
        }
        met.into_iter()
            .map(|window| self.step(window, &Event::End(Checks::Planned), author))
            .collect()
    }

    async fn plan(
        &self,
        id: Id,
        expected: Expected,
        event: &Event,
        author: &Author,
    ) -> Result<Step, Refused> {
        let Some(window) = self.windows.get(&id) else {
            let stored = self.parts.store.window(id).await.map_err(Refused::Store)?;
            let ended = stored.ok_or(Refused::NoWindow(id))?;
            return self.step(&ended, event, author);
        };
        match expected {
            Expected::Version(expected) if expected != window.version => {
                Err(Refused::Version { window: id, expected, actual: window.version })
            }
            Expected::Version(_) | Expected::Any => self.step(window, event, author),
        }
    }

    fn step(&self, window: &Window, event: &Event, author: &Author) -> Result<Step, Refused> {
        let step = window.clone().step(event, author, self.parts.clock.now());
        let nothing = Illegal { window: window.id, state: window.state, event: "nothing" };
        step.map_err(Refused::Illegal)?.ok_or(Refused::Illegal(nothing))
    }

    /// Stores a batch, shows it, answers.
    async fn settle(&mut self, batch: Batch) {
        if batch.members.is_empty() {
            return;
        }
        let steps = batch.members.iter().flat_map(|member| &member.steps).cloned();
        let results = self.commit(steps).await;
        self.last = if results.values().all(Result::is_ok) { Last::Done } else { Last::Failed };
        let mut changed = false;
        for (id, result) in &results {
            changed |= match result {
                Ok(step) => self.adopt(Arc::new(step.window.clone())),
                Err(error) => self.read_again(*id, error).await,
            };
        }
        // ORDER: durable before visible. A crash in between forgets nothing that anybody was told,
        // and a scope that visitors saw closed is closed after a restart.
        if changed {
            self.publish();
        }
        for result in results.values().flatten() {
            tell(result);
        }
        // ORDER: visible before answered. Who is told "closed" meets no open route afterwards.
        let generation = self.standing.borrow().generation;
        for Member { steps, answer } in batch.members {
            let windows = steps.iter().map(|step| match &results[&step.window.id] {
                Ok(step) => Ok(Arc::new(step.window.clone())),
                Err(error) => Err(Refused::Store(error.clone())),
            });
            let change = windows.collect::<Result<_, _>>();
            let change = change.map(|windows| Change { windows, generation });
            if let Some(answer) = answer {
                let _ = answer.send(change);
            }
        }
    }

    /// Commits steps of different windows side by side. Each result stands for itself.
    async fn commit(
        &self,
        steps: impl Iterator<Item = Step>,
    ) -> BTreeMap<Id, Result<Step, StoreError>> {
        let mut commits = JoinSet::new();
        let mut results = BTreeMap::new();
        for step in steps {
            let commit = self.parts.store.commit(step.clone());
            // A task that is lost leaves this, the careful answer.
            let lost = StoreError::Failed("the commit was lost".to_owned());
            results.insert(step.window.id, Err(lost));
            commits.spawn(async move { (commit.await, step) });
        }
        while let Some(joined) = commits.join_next().await {
            if let Ok((result, step)) = joined {
                results.insert(step.window.id, result.map(|()| step));
            }
        }
        results
    }

    /// Takes what the store has; tells whether that differs from what was in force.
    fn adopt(&mut self, window: Arc<Window>) -> bool {
        let before = if window.state.is_over() {
            return self.windows.remove(&window.id).is_some();
        } else {
            self.windows.insert(window.id, Arc::clone(&window))
        };
        before.is_none_or(|before| before != window)
    }

    /// After a failed commit: what the store has is what holds, whoever put it there.
    async fn read_again(&mut self, id: Id, error: &StoreError) -> bool {
        tracing::error!(window = %id, %error, "a change of a window was not stored");
        match self.parts.store.window(id).await {
            Ok(Some(stored)) => self.adopt(Arc::new(stored)),
            Ok(None) => self.windows.remove(&id).is_some(),
            Err(error) => {
                tracing::error!(window = %id, %error, "the window cannot be read again either");
                false
            }
        }
    }

    pub(super) fn publish(&mut self) {
        let before = self.live.snapshot();
        let cells = compute(&self.parts, &self.windows, Some(&before.cells));
        self.show(cells);
    }

    fn show(&mut self, cells: Cells) {
        let closed_cells = cells.closed_count();
        let (site, pages) = (Arc::clone(&self.parts.site), Arc::clone(&self.parts.pages));
        let (roster, servers) = (Arc::clone(&self.roster), Arc::clone(&self.servers));
        let generation = self.publisher.publish_with(site, cells, roster, pages);
        let windows = self.windows.values().cloned().collect();
        let standing = Standing { generation, windows, servers, closed_cells };
        self.standing.send_replace(Arc::new(standing));
    }

    /// Puts another config in force. Pages are finished anew: templates may have changed.
    fn reload(&mut self, site: Arc<Site>, pages: Arc<Pages>) -> Result<u64, Refused> {
        let windows: Vec<Window> = self.windows.values().map(|w| (**w).clone()).collect();
        let mut lost = config::uncovered(&site, &windows);
        let windows: Vec<&Window> = windows.iter().collect();
        let cells = Cells::compute(&site, &windows, &pages, None);
        lost.extend(config::opened(&self.live.snapshot(), &site, &cells));
        if !lost.is_empty() {
            return Err(Refused::Uncovered(lost));
        }
        (self.parts.site, self.parts.pages) = (site, pages);
        self.keep_servers();
        self.show(cells);
        Ok(self.standing.borrow().generation)
    }

    /// Lets the clock act on every window that is due, until none is.
    async fn tick(&mut self) {
        // A window passes at most two deadlines: its drain's and its promise's.
        for _ in 0..2 {
            let now = self.parts.clock.now();
            let due = self.windows.values().filter(|window| is_due(window, now));
            let steps = due.filter_map(|window| {
                let author = Author::intermission(match window.state {
                    State::Draining => "the time to drain is over",
                    State::Planned | State::Stalled => "its time has come",
                    State::Closed | State::Overrun => "the promised end has passed",
                    State::Verifying => "the time to verify is over",
                    State::Reopening => "everybody is let in again",
                    State::Ended | State::Cancelled => "it is over",
                });
                self.step(window, &Event::Tick(Gate::Open), &author).ok()
            });
            let batch = Batch::of(steps);
            if batch.members.is_empty() {
                self.last = Last::Done;
                return;
            }
            self.settle(batch).await;
            if self.last == Last::Failed {
                return;
            }
        }
    }

    /// Tells draining windows when nothing is under way in their scope any more.
    async fn count_traffic(&mut self) {
        let now = self.parts.clock.tick();
        if now.since(self.counted) < limit::DRAIN_COUNT_EVERY {
            return;
        }
        self.counted = now;
        let draining = self.windows.values().filter(|window| window.state == State::Draining);
        let draining: BTreeSet<Id> = draining.map(|window| window.id).collect();
        // ORDER: a window is first counted a whole interval after it was first seen draining, so
        // that a worker that had just decided by the old snapshot has counted its request.
        let before = std::mem::replace(&mut self.draining, draining);
        let counted: Vec<Id> = self.draining.intersection(&before).copied().collect();
        if counted.is_empty() {
            return;
        }
        let all = self.parts.traffic.in_flight();
        let windows = counted.iter().filter_map(|id| self.windows.get(id));
        let empty = windows.filter(|window| traffic::count_within(&all, &window.scope) == 0);
        let author = Author::intermission("nothing is in flight");
        let steps = empty.filter_map(|window| self.step(window, &Event::Drained, &author).ok());
        let batch = Batch::of(steps);
        self.settle(batch).await;
    }
}

fn is_due(window: &Window, now: Wall) -> bool {
    window.next_deadline(now).is_some_and(|deadline| deadline <= now)
}

fn compute(parts: &Parts, windows: &BTreeMap<Id, Arc<Window>>, before: Option<&Cells>) -> Cells {
    let windows: Vec<&Window> = windows.values().map(AsRef::as_ref).collect();
    Cells::compute(&parts.site, &windows, &parts.pages, before)
}

/// The operator's log of what happened to windows; the history has the same.
fn tell(step: &Step) {
    let Step { window, entry } = step;
    tracing::info!(
        window = %window.id,
        regions = %window.scope.regions,
        routes = %window.scope.routes,
        mode = window.mode.name(),
        from = entry.from.map_or("none", State::name),
        to = entry.to.name(),
        by = entry.by,
        why = entry.why,
        promised_end = entry.promised_end.map(Wall::rfc3339),
        "a window changed"
    );
}
