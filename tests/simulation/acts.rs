//! What operators do, at random.

use std::time::Duration;

use intermission::control::{Draft, Expected, Handle, Which};
use intermission::id::Id;
use intermission::window::plan::{Plan, Ramp, RampBy, Reopen, Verification};
use intermission::window::state::{Checks, Mode, Order};

use super::world::World;
use crate::control::bench::drafted;
use crate::control::desk::{ops, order, scope};

impl World {
    /// An operator, a probe or a file does something.
    pub(super) async fn operate(&mut self) {
        match self.dice.roll(12) {
            0 | 1 => {
                let order = self.order();
                self.ask(async |handle: Handle| handle.switch(order.clone(), ops()).await).await;
            }
            2..=4 => {
                let draft = self.draft();
                self.ask(async |handle: Handle| handle.plan(draft.clone()).await).await;
            }
            5 => self.revise().await,
            6 => self.cancel_maintenance().await,
            7 => {
                let region = self.dice.pick(&["eu", "apac"]);
                let which = Which::Scope(scope(&[region], &[]));
                let end =
                    async |handle: Handle| handle.end(which.clone(), Checks::Planned, ops()).await;
                self.ask(end).await;
            }
            _ => self.touch_a_window().await,
        }
    }

    async fn touch_a_window(&mut self) {
        let Some(id) = self.some_window() else { return };
        let expected = self.expected(id);
        let version = self.truth.version(id);
        let (order, later) = (self.order(), self.truth.now.plus(self.span(3_600)));
        let later = (!self.dice.once_in(4)).then_some(later);
        let which = Which::Window(id, expected);
        match self.dice.roll(9) {
            0 => self.ask(async |h: Handle| h.start(id, expected, ops()).await).await,
            1 => self.ask(async |h: Handle| h.cancel(id, expected, ops()).await).await,
            2 => {
                self.ask(async |h: Handle| h.amend(id, expected, order.clone(), ops()).await).await;
            }
            3 => self.ask(async |h: Handle| h.extend(id, expected, later, ops()).await).await,
            4 | 5 => {
                let end = async |h: Handle| h.end(which.clone(), Checks::Planned, ops()).await;
                self.ask(end).await;
            }
            6 => {
                let end = async |h: Handle| h.end(which.clone(), Checks::Skipped, ops()).await;
                self.ask(end).await;
            }
            7 => self.ask(async |h: Handle| h.verified(id, version).await).await,
            _ => self.ask(async |h: Handle| h.failed(id, version, "503".into()).await).await,
        }
    }

    async fn revise(&mut self) {
        let Some(id) = self.some_maintenance() else { return };
        let draft = self.draft();
        let revise = async |h: Handle| h.revise(id, Expected::Any, draft.clone(), ops()).await;
        self.ask(revise).await;
    }

    async fn cancel_maintenance(&mut self) {
        let Some(id) = self.some_maintenance() else { return };
        self.ask(async |h: Handle| h.cancel_maintenance(id, Expected::Any, ops()).await).await;
    }

    fn some_window(&mut self) -> Option<Id> {
        let recent = self.windows.len().min(8);
        (recent > 0).then(|| {
            let back = self.dice.roll(recent as u64) as usize;
            self.windows[self.windows.len() - 1 - back]
        })
    }

    fn some_maintenance(&mut self) -> Option<Id> {
        let all = self.maintenances.len() as u64;
        (all > 0).then(|| self.maintenances[self.dice.roll(all) as usize])
    }

    /// Sometimes a version that is old news.
    fn expected(&mut self, id: Id) -> Expected {
        match self.dice.roll(4) {
            0 => Expected::Version(self.truth.version(id)),
            1 => Expected::Version(self.truth.version(id).saturating_sub(1)),
            _ => Expected::Any,
        }
    }

    fn span(&mut self, most: u64) -> Duration {
        Duration::from_secs(self.dice.roll(most))
    }

    fn order(&mut self) -> Order {
        let region = self.dice.pick(&["eu", "apac"]);
        let route = self.dice.pick(&["claims", "quotes"]);
        let mut order = order(&[region], &[route]);
        order.mode = self.dice.pick(&[Mode::Page, Mode::ReadOnly]);
        let promised = self.truth.now.plus(self.span(1_800));
        order.promised_end = (!self.dice.once_in(3)).then_some(promised);
        let starts = self.truth.now.plus(self.span(1_800));
        self.shape(&mut order.plan);
        order.plan.starts = starts;
        order
    }

    fn draft(&mut self) -> Draft {
        let all = [("one", "eu", 1, 2), ("two", "apac", 2, 3), ("three", "eu", 3, 4)];
        let count = 1 + self.dice.roll(3) as usize;
        let mut draft = drafted(&all[..count]);
        let mut at = self.truth.now;
        for (_, order) in &mut draft.phases {
            at = at.plus(self.span(1_200));
            order.plan.starts = at;
            at = at.plus(Duration::from_secs(1) + self.span(1_200));
            order.promised_end = (!self.dice.once_in(4)).then_some(at);
            self.shape(&mut order.plan);
        }
        draft
    }

    fn shape(&mut self, plan: &mut Plan) {
        plan.drain = self.span(60);
        plan.start_within = Duration::from_secs(60) + self.span(3_600);
        plan.reopen = self.dice.pick(&[Reopen::Manual, Reopen::Auto]);
        plan.verification = self.dice.once_in(2).then(Verification::default);
        let over = Duration::from_secs(1) + self.span(300);
        plan.ramp = self.dice.once_in(2).then_some(Ramp { over, by: RampBy::Share });
        plan.hard_limit = self.dice.once_in(4).then(|| Duration::from_secs(60) + self.span(3_600));
    }
}
