//! What there is in a simulation, and how it goes on: time, faults, crashes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use intermission::clock::Wall;
use intermission::config::Loaded;
use intermission::control::{Change, Handle, Refused};
use intermission::id::Id;

use super::dice::Dice;
use super::truth::Truth;
use crate::control::bench::Bench;
use crate::control::desk::{ROUTES, loaded};
use crate::control::faulty::Fault;

/// What is planted, for the tests of the simulation itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bug {
    None,
    /// Some commits are acknowledged and not stored.
    StoreLies,
    /// Clocks that jump do not come back, so that windows begin by them.
    JumpsStay,
    /// Readers are shown the snapshot of before.
    StaleSnapshot,
}

pub(super) struct World {
    pub(super) bench: Bench,
    pub(super) dice: Dice,
    pub(super) truth: Truth,
    pub(super) windows: Vec<Id>,
    pub(super) maintenances: Vec<Id>,
    bug: Bug,
    /// How wrong the wall clock is, and since when it has been.
    wrong: Option<(i64, Wall)>,
    full: bool,
    /// Whether the process ends before anybody is told.
    silent: bool,
}

/// How long a clock may be wrong at most; it must come back before it is believed.
const WRONG_AT_MOST: Duration = Duration::from_secs(4 * 60);

impl World {
    pub(super) async fn begin(seed: u64, bug: Bug) -> Self {
        let bench = Bench::start().await;
        let truth = Truth::at(bench.now());
        let (windows, maintenances) = (Vec::new(), Vec::new());
        let dice = Dice(seed);
        Self {
            bench,
            dice,
            truth,
            windows,
            maintenances,
            bug,
            wrong: None,
            full: false,
            silent: false,
        }
    }

    /// Something happens, and everything that must hold does.
    pub(super) async fn act(&mut self) {
        match self.dice.roll(20) {
            0..=5 => self.time_passes().await,
            6..=15 => self.operate().await,
            16 => self.clock_jumps().await,
            17 => self.disk_fills_or_is_freed(),
            18 => self.crash().await,
            _ => self.reload().await,
        }
        if self.bug == Bug::StoreLies && self.dice.once_in(4) {
            self.bench.store.set(Fault::Lies);
            self.operate().await;
            self.bench.store.set(Fault::None);
        }
        self.look().await;
    }

    /// All is mended, and everything that anybody was told is there.
    pub(super) async fn end(&mut self) {
        self.mend().await;
        self.reboot().await;
        self.look().await;
        self.truth.all_is_kept(&self.bench).await;
    }

    /// Asks; an answer is remembered as a promise, and asked again now and then.
    pub(super) async fn ask(&mut self, question: impl AsyncFn(Handle) -> Result<Change, Refused>) {
        let answer = self.bench.ask(&question).await;
        if std::mem::take(&mut self.silent) {
            return self.reboot().await;
        }
        match answer {
            Some(Ok(change)) => self.learn(&change),
            Some(Err(refused)) => assert_ne!(refused, Refused::Lost, "nothing panics"),
            None => self.reboot().await,
        }
        // The same once more, as an impatient operator or a proxy in between would.
        if self.dice.once_in(8)
            && let Some(Ok(change)) = self.bench.ask(&question).await
        {
            self.learn(&change);
        }
    }

    fn learn(&mut self, change: &Change) {
        self.truth.was_promised(change);
        for window in &change.windows {
            if !self.windows.contains(&window.id) {
                self.windows.push(window.id);
            }
        }
        if let Some(maintenance) = &change.maintenance
            && !self.maintenances.contains(&maintenance.id)
        {
            self.maintenances.push(maintenance.id);
        }
    }

    /// Every second counts: the reconciler looks at least as often as it does in life.
    async fn time_passes(&mut self) {
        let most = self.dice.pick(&[1, 30, 120, 600, 1_800]);
        let mut left = Duration::from_secs(1 + self.dice.roll(most));
        let busy = self.dice.roll(2);
        self.bench.traffic.0.store(busy, Ordering::SeqCst);
        while !left.is_zero() {
            let back = self
                .wrong
                .map(|(_, since)| WRONG_AT_MOST.saturating_sub(self.truth.now.since(since)));
            // A step is short while a clock is wrong, and else what an idle machine may sleep
            // through without anybody noticing.
            let step =
                left.min(back.unwrap_or(Duration::from_secs(45)).max(Duration::from_secs(1)));
            left -= step;
            self.truth.now = self.truth.now.plus(step);
            self.set_clock();
            if self.bench.turn().await.is_none() {
                self.reboot().await;
            }
            if back.is_some_and(|back| back <= step) {
                self.clock_is_right().await;
            }
            self.look().await;
        }
    }

    fn set_clock(&self) {
        let wrong = self.wrong.map_or(0, |(wrong, _)| wrong);
        self.bench.clock.set(Wall::from_millis(self.truth.now.millis() + wrong));
    }

    async fn clock_jumps(&mut self) {
        if self.wrong.is_some() {
            return self.clock_is_right().await;
        }
        let hour = 3_600_000;
        let off = self.dice.pick(&[-24 * hour, -hour, -5 * 60_000, 5 * 60_000, hour, 24 * hour]);
        let now = Wall::from_millis(self.truth.now.millis() + off);
        self.bench.clock.jump(now);
        if self.bug == Bug::JumpsStay {
            // As if what a machine says were believed at once.
            self.bench.boot().await;
        }
        self.wrong = Some((off, self.truth.now));
        self.bench.turn().await;
    }

    async fn clock_is_right(&mut self) {
        self.wrong = None;
        self.bench.clock.jump(self.truth.now);
        self.bench.turn().await;
    }

    fn disk_fills_or_is_freed(&mut self) {
        self.full = !self.full;
        self.bench.store.set(if self.full { Fault::Full } else { Fault::None });
    }

    /// The process ends at one of the arrows: before it stored, after it did and before it
    /// published, or after it published and before anybody was told.
    async fn crash(&mut self) {
        self.mend().await;
        match self.dice.roll(3) {
            0 => self.bench.store.set(Fault::EndsBefore),
            1 => self.bench.store.set(Fault::EndsAfter),
            _ => self.silent = true,
        }
        self.operate().await;
        self.silent = false;
        self.truth.now = self.truth.now.plus(Duration::from_secs(self.dice.roll(600)));
        self.set_clock();
        self.reboot().await;
    }

    async fn mend(&mut self) {
        self.full = false;
        self.bench.store.set(Fault::None);
        // A process that begins believes the clock that it finds.
        self.clock_is_right().await;
    }

    pub(super) async fn reboot(&mut self) {
        self.full = false;
        self.wrong = None;
        self.bench.clock.jump(self.truth.now);
        self.bench.boot().await;
    }

    async fn reload(&mut self) {
        let Loaded { site, pages, .. } = loaded(&ROUTES);
        let asked = async |handle: Handle| handle.reload(site.clone(), pages.clone()).await;
        if self.bench.ask(asked).await.is_none() {
            self.reboot().await;
        }
    }

    async fn look(&mut self) {
        let stale = self.bug == Bug::StaleSnapshot;
        self.truth.holds(&self.bench, stale).await;
    }
}
