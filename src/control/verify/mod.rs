//! Tries whether an application is well before visitors are let in, and while they are.
//!
//! Each window that verifies, and each that reopens, has a task of its own. A round asks the
//! plan's probes through this node's own listeners, as a visitor would (what they show opens the
//! scope to them: [`Grants::own_secret`](crate::snapshot::Grants::own_secret)), and looks at the
//! health of the servers behind it. The outcome is told to the reconciler, for the version of the
//! window that was looked at: if an operator was faster, it is old news and means nothing.
//!
//! Nothing here is stored. A process that comes up with a window in `verifying` begins anew, and
//! the time that its verification may take goes on from where the window's history has it.

mod ask;
mod places;
mod ramp;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::command::{Change, Refused};
use super::crew::Crew;
use super::handle::Handle;
use crate::clock::{Clock, Wall};
use crate::id::Id;
use crate::limit;
use crate::snapshot::Site;
use crate::telemetry::metrics::Metrics;
use crate::window::plan::{Probe, Verification as Plan};
use crate::window::state::{State, Window};

pub use ask::Doors;
pub use view::{Of, Round, Verification, Verifications};

use places::{Place, Wanted};

/// Looks after every window that verifies or reopens.
pub struct Verifier {
    shared: Arc<Shared>,
    crew: Crew<Key, Arc<Window>>,
}

/// What all looks share.
struct Shared {
    handle: Handle,
    clock: Clock,
    metrics: Metrics,
    doors: Doors,
    permits: Arc<Semaphore>,
    views: Verifications,
}

/// A window and its version, which stays as long as the window is in one of these states.
type Key = (Id, u64);

impl Verifier {
    /// Asks at `doors`, and tells `handle`.
    pub fn new(handle: Handle, clock: Clock, metrics: Metrics, doors: Doors) -> Self {
        let permits = Arc::new(Semaphore::new(limit::PROBES_UNDER_WAY_MAX));
        let views = Verifications::default();
        let shared = Shared { handle, clock, metrics, doors, permits, views };
        Self { shared: Arc::new(shared), crew: Crew::new() }
    }

    /// What goes on, for those who ask.
    pub fn views(&self) -> Verifications {
        self.shared.views.clone()
    }

    /// Works until the reconciler is gone or `stop` is done.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut standing = self.shared.handle.watch();
        let mut stop = std::pin::pin!(stop);
        loop {
            let windows = standing.borrow_and_update().windows.clone();
            let wanted: HashMap<Key, Arc<Window>> = windows
                .into_iter()
                .filter(|window| is_looked_at(window.state))
                .map(|window| ((window.id, window.version), window))
                .collect();
            let ids: Vec<Id> = wanted.keys().map(|(id, _)| *id).collect();
            self.shared.views.keep(|id| ids.contains(&id));
            let shared = &self.shared;
            self.crew.tend(wanted, |_, window| {
                let (window, shared) = (Arc::clone(&window.borrow()), Arc::clone(shared));
                look_after(window, shared)
            });
            // CANCEL: each branch only says that there is something to look at.
            tokio::select! {
                changed = standing.changed() => if changed.is_err() { return },
                () = stop.as_mut() => return,
            }
        }
    }
}

fn is_looked_at(state: State) -> bool {
    match state {
        State::Verifying | State::Reopening => true,
        State::Planned
        | State::Stalled
        | State::Draining
        | State::Closed
        | State::Overrun
        | State::Ended
        | State::Cancelled => false,
    }
}

/// One window, until it is told how it went; then it is nobody's business here any more.
async fn look_after(window: Arc<Window>, shared: Arc<Shared>) {
    match (&window.plan.verification, window.state) {
        (Some(plan), State::Verifying) => verify(&window, plan, &shared).await,
        (_, _) => ramp::watch(&window, &shared).await,
    }
    // The crew would begin again what ends while its window is as it was.
    std::future::pending::<()>().await;
}

async fn verify(window: &Window, plan: &Plan, shared: &Shared) {
    let began = shared.clock.now();
    shared.begin(window, Of::Verification, plan.successes, began);
    // Told a little ahead, while it is known why; the reconciler's own deadline only has to hold
    // if nobody looks.
    let ahead = limit::VERIFY_TOLD_AHEAD.min(plan.within / 10);
    let deadline = shared.clock.tick().plus(left(window.since, plan.within, began) - ahead);
    let mut due = shared.clock.tick();
    loop {
        tokio::time::sleep_until(due.instant()).await;
        due = shared.clock.tick().plus(plan.every);
        let left = deadline.since(shared.clock.tick());
        let round = shared.round(window, Some(plan), Wanted::All);
        // CANCEL: a round that takes too long is given up; its probes' connections are closed.
        let round = tokio::time::timeout(left, round).await;
        let successes = match round {
            Ok(faults) => shared.ended(window, faults),
            Err(_) => 0,
        };
        if successes >= plan.successes {
            shared.tell(|| shared.handle.verified(window.id, window.version)).await;
            return;
        }
        let more = plan.successes.saturating_sub(successes).saturating_sub(1);
        if deadline <= due.max(shared.clock.tick()).plus(plan.every * more) {
            let why = why(plan, successes, shared.views.of(window.id));
            shared.metrics.verification_failed();
            shared.tell(|| shared.handle.failed(window.id, window.version, why.clone())).await;
            return;
        }
    }
}

/// The time that a verification has, if it began at `since` and another process has perhaps used
/// up some of it. From here on it goes by the monotonic clock: a wall clock that jumps fails
/// nothing. Where it makes no sense, it has jumped, and the reconciler knows better.
fn left(since: Wall, within: Duration, now: Wall) -> Duration {
    let left = since.plus(within).since(now);
    if left.is_zero() || left > within { within } else { left.max(within / 10) }
}

/// What the history says of a verification that failed.
fn why(plan: &Plan, successes: u32, view: Option<Verification>) -> String {
    let fault = match view {
        Some(Verification { last_failure: Some(round), .. }) => round.faults.into_iter().next(),
        Some(Verification { last: Some(_), .. }) => None,
        Some(Verification { last: None, .. }) | None => Some("no round has ended".to_owned()),
    };
    let fault = fault.map(|fault| format!(": {fault}")).unwrap_or_default();
    let (wanted, within) = (plan.successes, ask::span(plan.within));
    format!(
        "verification: {successes} of {wanted} rounds in a row were well within {within}{fault}"
    )
}

impl Shared {
    fn begin(&self, window: &Window, of: Of, wanted: u32, began: Wall) {
        self.views.begin(Verification {
            window: window.id,
            of,
            began,
            rounds: 0,
            successes: 0,
            wanted,
            last: None,
            last_failure: None,
        });
    }

    /// A round ended; tells the successes in a row.
    fn ended(&self, window: &Window, mut faults: Vec<String>) -> u32 {
        let more = faults.len().saturating_sub(limit::VERIFY_FAULTS_TOLD_MAX);
        faults.truncate(limit::VERIFY_FAULTS_TOLD_MAX);
        if more > 0 {
            faults.push(format!("and {more} more"));
        }
        self.views.round(window.id, Round { at: self.clock.now(), faults })
    }

    /// Asks all probes side by side, and looks at the servers; gives what is not well.
    async fn round(&self, window: &Window, plan: Option<&Plan>, wanted: Wanted) -> Vec<String> {
        let site = Arc::clone(&self.handle.snapshot().site);
        let mut faults = Vec::new();
        if plan.is_none_or(|plan| plan.health) {
            let servers = Arc::clone(&self.handle.standing().servers);
            faults.extend(places::unwell(&site, &servers, &window.scope, wanted));
        }
        let probes = plan.map(|plan| plan.probes.as_slice()).unwrap_or_default();
        let asked = probes.iter().flat_map(|probe| {
            let places = places::of(&site, &window.scope, probe);
            places.into_iter().map(move |place| (probe, place))
        });
        faults.extend(self.ask(asked, &site).await);
        faults
    }

    async fn ask<'a>(
        &self,
        asked: impl Iterator<Item = (&'a Probe, Place)>,
        site: &Arc<Site>,
    ) -> Vec<String> {
        let secret: Arc<str> = self.handle.snapshot().beside.grants.own_secret().into();
        let mut under_way = JoinSet::new();
        let mut faults = Vec::new();
        for (probe, place) in asked {
            while under_way.len() >= limit::PROBES_UNDER_WAY_MAX {
                faults.extend(under_way.join_next().await.and_then(fault_of));
            }
            // A permit is waited for here, so that the probe's time runs from its request on.
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let (doors, site) = (self.doors.clone(), Arc::clone(site));
            let (probe, secret) = (probe.clone(), Arc::clone(&secret));
            under_way.spawn(async move {
                let _permit = permit;
                ask::ask(&doors, (&site.proxy_protocol, &secret), &probe, &place).await
            });
        }
        while let Some(joined) = under_way.join_next().await {
            faults.extend(fault_of(joined));
        }
        faults
    }

    /// Tells the reconciler, again and again while it cannot store that, until the window is
    /// another one: then this is dropped.
    async fn tell<F: Future<Output = Result<Change, Refused>>>(&self, what: impl Fn() -> F) {
        loop {
            match what().await {
                Err(Refused::Store(_) | Refused::Busy | Refused::Lost) => {
                    tokio::time::sleep(limit::CLOCK_LOOK_EVERY).await;
                }
                Ok(_) => return,
                Err(refused) => {
                    tracing::debug!(%refused, "a verification was old news");
                    return;
                }
            }
        }
    }
}

fn fault_of(joined: Result<Result<(), String>, tokio::task::JoinError>) -> Option<String> {
    match joined {
        Ok(told) => told.err(),
        Err(error) => Some(format!("a probe broke off: {error}")),
    }
}

/// From one look to the next, of a ramp that takes so long.
fn pace(plan: Option<&Plan>, over: Duration) -> Duration {
    let every = plan.map_or(limit::RAMP_LOOK_EVERY, |plan| plan.every);
    every.min(over / 10).max(limit::RAMP_LOOK_EVERY_MIN)
}
