//! What must hold, whatever happens: told by the store's own history, against what was published
//! and what was promised.

use std::collections::{BTreeMap, BTreeSet};

use intermission::clock::Wall;
use intermission::control::Change;
use intermission::id::Id;
use intermission::store::Store as _;
use intermission::window::history::Entry;
use intermission::window::plan::Reopen;
use intermission::window::state::{State, Window};

use crate::control::bench::Bench;
use crate::control::desk::{ROUTES, is_closed};

/// How many entries are read at once: more than happen between two looks.
const ENTRIES_LOOKED_AT: u32 = 400;

pub(super) struct Truth {
    /// What time it really is.
    pub(super) now: Wall,
    /// The newest entry of each window.
    last: BTreeMap<Id, Entry>,
    /// Each window as it was when it was last looked at.
    windows: BTreeMap<Id, Window>,
    begun: BTreeSet<Id>,
    over: BTreeSet<Id>,
    /// What somebody was told is done.
    promised: BTreeSet<(Id, u64)>,
    plans: BTreeSet<(Id, u64)>,
}

impl Truth {
    pub(super) fn at(now: Wall) -> Self {
        Self {
            now,
            last: BTreeMap::new(),
            windows: BTreeMap::new(),
            begun: BTreeSet::new(),
            over: BTreeSet::new(),
            promised: BTreeSet::new(),
            plans: BTreeSet::new(),
        }
    }

    /// The version of a window as far as anybody has seen.
    pub(super) fn version(&self, id: Id) -> u64 {
        self.last.get(&id).map_or(0, |entry| entry.version)
    }

    pub(super) fn was_promised(&mut self, change: &Change) {
        self.promised.extend(change.windows.iter().map(|window| (window.id, window.version)));
        self.plans.extend(change.maintenance.iter().map(|one| (one.id, one.version)));
    }

    /// Everything that must hold after each act.
    pub(super) async fn holds(&mut self, bench: &Bench, stale: bool) {
        let mut stored = bench.engine.windows().await.expect("readable");
        let standing = bench.handle().standing();
        let shown: Vec<Window> = standing.windows.iter().map(|window| (**window).clone()).collect();
        assert_eq!(shown, stored, "memory is what the store has");
        if stale {
            // The bug: who publishes has forgotten the newest window.
            stored.pop();
        }
        cells_are_those_of(bench, &stored);
        let mut newest = bench.engine.history(ENTRIES_LOOKED_AT).await.expect("readable");
        newest.reverse();
        for entry in newest {
            if self.version(entry.window) < entry.version {
                let window = bench.window(entry.window).await;
                self.happened(bench, entry, window).await;
            }
        }
        for window in stored {
            self.windows.insert(window.id, window);
        }
    }

    async fn happened(&mut self, bench: &Bench, entry: Entry, window: Window) {
        let id = entry.window;
        let before = self.last.get(&id);
        let told = format!("{entry:?} after {before:?}");
        assert_eq!(entry.version, self.version(id) + 1, "no gap: {told}");
        assert_eq!(entry.from, before.map(|before| before.to), "one after the other: {told}");
        assert!(!self.over.contains(&id), "over is over: {told}");
        let was = entry.from.is_some_and(State::in_force);
        if entry.to.in_force() && !was {
            assert!(self.begun.insert(id), "begun once: {told}");
            self.may_begin(bench, &entry, &window).await;
        }
        if was && !entry.to.in_force() {
            assert_eq!(entry.to, State::Ended, "what is in force is left by its end: {told}");
        }
        if entry.to.is_over() {
            self.over.insert(id);
            assert_eq!(entry.to == State::Ended, self.begun.contains(&id), "{told}");
        }
        if entry.by == "intermission" && entry.from.is_some() {
            self.is_its_time(&entry);
        }
        self.last.insert(id, entry);
    }

    /// A window begins by itself at its time and after the phases before it.
    async fn may_begin(&self, bench: &Bench, entry: &Entry, window: &Window) {
        if entry.by != "intermission" {
            return;
        }
        assert!(window.plan.starts <= self.now, "too early: {entry:?} at {}", self.now);
        let Some(phase) = &window.phase else { panic!("a switch that began by itself") };
        let maintenance = bench.engine.maintenance(phase.maintenance).await.expect("readable");
        let maintenance = maintenance.expect("a window has its maintenance");
        for before in maintenance.windows.iter().take_while(|before| **before != window.id) {
            let state = self.last.get(before).map(|last| last.to);
            assert!(state.is_some_and(State::is_over), "{entry:?} before {before}: {state:?}");
        }
    }

    /// What the clock does it does at its time, by the window as it was before.
    fn is_its_time(&self, entry: &Entry) {
        let known = self.windows.get(&entry.window);
        let Some(known) = known.filter(|known| known.version + 1 == entry.version) else { return };
        let promise = known.promised_end.is_some_and(|end| end <= self.now);
        let limit = known.hard_limit().is_some_and(|limit| limit <= self.now);
        let told = || format!("{entry:?} of {known:?} at {}", self.now);
        match (entry.from, entry.to) {
            (Some(State::Closed), State::Overrun) => {
                assert!(promise && known.plan.reopen == Reopen::Manual, "{}", told());
            }
            (Some(State::Closed), State::Verifying | State::Reopening) => {
                assert!(promise && known.plan.reopen == Reopen::Auto, "{}", told());
            }
            (Some(State::Closed), State::Ended) => assert!(promise || limit, "{}", told()),
            (Some(State::Overrun), State::Ended) => assert!(limit, "{}", told()),
            (Some(State::Reopening), State::Ended) => {
                let ramped = known.ramp().is_some_and(|(_, end)| end <= self.now);
                assert!(ramped || limit, "{}", told());
            }
            _ => {}
        }
    }

    /// At the end: what anybody was told is in the store, and each history is whole.
    pub(super) async fn all_is_kept(&self, bench: &Bench) {
        for (id, version) in &self.promised {
            assert!(self.version(*id) >= *version, "{id} at version {version} was lost");
        }
        for (id, version) in &self.plans {
            let kept = bench.engine.maintenance(*id).await.expect("readable").expect("stored");
            assert!(kept.version >= *version, "{id} at version {version} was lost");
            for window in &kept.windows {
                let window = bench.engine.window(*window).await.expect("readable");
                let of = window.expect("all or nothing").phase.expect("a phase").maintenance;
                assert_eq!(of, *id);
            }
        }
        for (id, last) in &self.last {
            let history = bench.engine.history_of(*id).await.expect("readable");
            let versions: Vec<u64> = history.iter().map(|entry| entry.version).collect();
            assert_eq!(versions, (1..=last.version).collect::<Vec<_>>());
            let window = bench.window(*id).await;
            assert_eq!((window.version, window.state), (last.version, last.to));
        }
    }
}

/// A place is closed if and only if a window in force covers it.
fn cells_are_those_of(bench: &Bench, windows: &[Window]) {
    let snapshot = bench.live().snapshot();
    for route in ROUTES {
        for region in ["eu", "apac"] {
            let covering = windows.iter().filter(|window| window.state.in_force());
            let wanted = covering
                .filter(|window| window.scope.routes.covers(route))
                .any(|window| window.scope.regions.covers(region));
            let found = is_closed(&snapshot, route, region);
            assert_eq!(found, wanted, "{route} in {region}, under {windows:?}");
        }
    }
}
