//! Carries out commands: what each of them plans, against what is known.

use std::sync::Arc;

use super::Reconciler;
use crate::control::batch::{Batch, Touch};
use crate::control::command::{Command, Expected, Maintain, Refused, Which};
use crate::control::scopes;
use crate::id::Id;
use crate::limit;
use crate::store::Commit;
use crate::window::maintenance::Source;
use crate::window::scope::Scope;
use crate::window::state::{Author, Checks, Event, Illegal, Order, State, Step, Window};

impl Reconciler {
    /// Carries out commands in their order.
    pub(super) async fn carry_out(&mut self, commands: impl Iterator<Item = Command>) {
        let mut batch = Batch::default();
        let mut seen = Vec::new();
        for command in commands {
            // ORDER: a command that depends on one before it is planned after that one is settled.
            if batch.must_settle_before(&self.touched(&command)) {
                self.settle(std::mem::take(&mut batch)).await;
            }
            match command {
                Command::Switch { order, author, answer } => {
                    batch.take(self.plan_switch(&batch, *order, &author), answer);
                }
                Command::End { which, checks, author, answer } => {
                    batch.take(self.plan_end(which, checks, &author).await, answer);
                }
                Command::Event { window, expected, event, author, answer } => {
                    batch.take(self.plan_event(window, expected, &event, &author).await, answer);
                }
                Command::Maintain { what, author, answer } => {
                    batch.take(self.plan_maintenance(&batch, what, &author).await, answer);
                }
                Command::Grant { what, author, answer } => {
                    let _ = answer.send(self.grant(what, author).await);
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

    /// What a command reads of the windows and maintenances that others may be changing.
    fn touched(&self, command: &Command) -> Touch {
        match command {
            Command::Switch { .. }
            | Command::Grant { .. }
            | Command::Post { .. }
            | Command::See(_)
            | Command::Maintain { what: Maintain::Plan(_), .. } => Touch::Nothing,
            Command::End { which: Which::Window(id, _), .. }
            | Command::Event { window: id, .. } => {
                let phase = self.books.window(*id).and_then(|window| window.phase.as_ref());
                Touch::One(*id, phase.map(|phase| phase.maintenance))
            }
            Command::End { which: Which::Scope(_), .. }
            | Command::Maintain { .. }
            | Command::Reload { .. } => Touch::Everything,
        }
    }

    fn plan_switch(&self, batch: &Batch, order: Order, author: &Author) -> Result<Commit, Refused> {
        self.know_names(&order.scope)?;
        self.have_room(batch, 1)?;
        let id = Id::new(self.now, self.parts.site.node_tag);
        Ok(Window::begin(id, order, author, self.now).into())
    }

    async fn plan_end(
        &self,
        which: Which,
        checks: Checks,
        author: &Author,
    ) -> Result<Commit, Refused> {
        let event = Event::End(checks);
        let scope = match which {
            Which::Window(id, expected) => {
                return self.plan_event(id, expected, &event, author).await;
            }
            Which::Scope(scope) => scope,
        };
        self.know_names(&scope)?;
        let in_force = self.books.windows.values().filter(|window| window.state.in_force());
        let met: Vec<_> =
            in_force.filter(|window| scopes::meet(&window.scope, &scope)).cloned().collect();
        if let Some(window) = met.iter().find(|window| !scopes::lies_in(&window.scope, &scope)) {
            return Err(Refused::Broader { window: window.id, scope: window.scope.clone() });
        }
        if met.is_empty() {
            return Err(Refused::NothingClosed(scope));
        }
        // What is being verified is on its way already; unless that is to be skipped, it goes on.
        let on_its_way = |window: &Window| {
            window.state == State::Verifying && checks == Checks::Planned && met.len() > 1
        };
        let ending = met.iter().filter(|window| !on_its_way(window));
        let steps = ending.map(|window| self.step(window, &event, author));
        Ok(self.with_next(steps.collect::<Result<_, _>>()?))
    }

    pub(super) async fn plan_event(
        &self,
        id: Id,
        expected: Expected,
        event: &Event,
        author: &Author,
    ) -> Result<Commit, Refused> {
        let window = match self.books.window(id) {
            Some(window) => Arc::clone(window),
            None => {
                let stored = self.parts.store.window(id).await.map_err(Refused::Store)?;
                Arc::new(stored.ok_or(Refused::NoWindow(id))?)
            }
        };
        match expected {
            Expected::Version(expected) if expected != window.version => {
                let actual = window.version;
                return Err(Refused::Version { window: id, expected, actual });
            }
            Expected::Version(_) | Expected::Any => {}
        }
        match event {
            Event::Amend(order) => {
                self.is_operators(&window)?;
                self.know_names(&order.scope)?;
            }
            Event::Cancel => self.is_operators(&window)?,
            Event::Begin => self.know_names(&window.scope)?,
            Event::Tick(_)
            | Event::Drained
            | Event::Extend(_)
            | Event::End(_)
            | Event::Verified
            | Event::Failed => {}
        }
        Ok(self.with_next(vec![self.step(&window, event, author)?]))
    }

    pub(super) fn step(
        &self,
        window: &Window,
        event: &Event,
        author: &Author,
    ) -> Result<Step, Refused> {
        let step = window.clone().step(event, author, self.now);
        let nothing = Illegal { window: window.id, state: window.state, event: event.name() };
        step.map_err(Refused::Illegal)?.ok_or(Refused::Illegal(nothing))
    }

    /// Refused if a file declares the window's maintenance.
    fn is_operators(&self, window: &Window) -> Result<(), Refused> {
        let phase = window.phase.as_ref();
        let maintenance = phase.and_then(|phase| self.books.maintenances.get(&phase.maintenance));
        match maintenance.map(|maintenance| (maintenance.id, &maintenance.source)) {
            None | Some((_, Source::Operator)) => Ok(()),
            Some((maintenance, Source::File(file))) => {
                Err(Refused::Declared { maintenance, file: file.clone() })
            }
        }
    }

    pub(super) fn know_names(&self, scope: &Scope) -> Result<(), Refused> {
        let unknown = scopes::unknown(scope, &self.parts.site);
        if unknown.is_empty() { Ok(()) } else { Err(Refused::Unknown(unknown)) }
    }

    /// Whether `more` windows may be added to those that are not over.
    pub(super) fn have_room(&self, batch: &Batch, more: usize) -> Result<(), Refused> {
        let there = self.books.windows.len() + batch.steps_count();
        if there + more > limit::WINDOWS_IN_FORCE_MAX {
            return Err(Refused::TooMany(there));
        }
        Ok(())
    }
}
