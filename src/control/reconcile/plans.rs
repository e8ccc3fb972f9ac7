//! Commands about whole maintenances: planned, revised, cancelled, told of.

use std::sync::Arc;

use super::Reconciler;
use crate::control::batch::Batch;
use crate::control::command::{Draft, Expected, Maintain, Refused};
use crate::id::Id;
use crate::limit;
use crate::store::Commit;
use crate::window::draft::{Given, Past};
use crate::window::maintenance::{Aftermath, Maintenance, Phase, Source, Update};
use crate::window::schedule::{Coming, next_occurrence};
use crate::window::state::{Author, Event, Order, State, Step, Window};

impl Reconciler {
    pub(super) async fn plan_maintenance(
        &self,
        batch: &Batch,
        what: Maintain,
        author: &Author,
    ) -> Result<Commit, Refused> {
        match what {
            Maintain::Plan(draft) => {
                self.have_room(batch, draft.phases.len())?;
                let mut scopes = draft.phases.iter().map(|(_, order)| &order.scope);
                scopes.try_for_each(|scope| self.know_names(scope))?;
                self.lay_down(*draft, author)
            }
            Maintain::Revise(id, expected, draft) => {
                self.have_room(batch, draft.phases.len())?;
                let known = self.current(id, expected).await?;
                // A file may revise what it declares; everybody else edits that file.
                if draft.maintenance.source != known.source {
                    is_operators(&known)?;
                }
                self.revise(&known, *draft, author)
            }
            Maintain::Cancel(id, expected) => {
                let known = self.current(id, expected).await?;
                is_operators(&known)?;
                self.cancel_rest(&known, author)
            }
            Maintain::Withdraw(id) => {
                self.cancel_rest(&*self.current(id, Expected::Any).await?, author)
            }
            Maintain::Update(id, text) => self.tell(id, text, author).await,
            Maintain::Aftermath(id, aftermath) => self.tell_after(id, aftermath).await,
        }
    }

    /// A maintenance, over or not, if it is at the version that the caller read.
    async fn current(&self, id: Id, expected: Expected) -> Result<Arc<Maintenance>, Refused> {
        let known = match self.books.maintenances.get(&id) {
            Some(known) => Arc::clone(known),
            None => {
                let stored = self.parts.store.maintenance(id).await.map_err(Refused::Store)?;
                Arc::new(stored.ok_or(Refused::NoMaintenance(id))?)
            }
        };
        match expected {
            Expected::Version(expected) if expected != known.version => {
                let actual = known.version;
                Err(Refused::MaintenanceVersion { maintenance: id, expected, actual })
            }
            Expected::Version(_) | Expected::Any => Ok(known),
        }
    }

    /// A new maintenance, with all its windows planned.
    pub(super) fn lay_down(&self, draft: Draft, author: &Author) -> Result<Commit, Refused> {
        let Draft { mut maintenance, phases } = draft;
        if phases.is_empty() {
            return Err(Refused::NoPhases);
        }
        maintenance.id = Id::new(self.now, self.parts.site.node_tag);
        (maintenance.version, maintenance.created) = (1, self.now);
        maintenance.by = author.by.clone();
        (maintenance.updates, maintenance.aftermath) = (Vec::new(), None);
        let numbered = phases.into_iter().zip(1..);
        let steps: Vec<Step> = numbered
            .map(|((name, order), number)| {
                self.planned(maintenance.id, number, name, order, author)
            })
            .collect();
        maintenance.windows = steps.iter().map(|step| step.window.id).collect();
        Ok(Commit { steps, maintenances: vec![maintenance] })
    }

    fn planned(
        &self,
        maintenance: Id,
        number: u32,
        name: String,
        order: Order,
        author: &Author,
    ) -> Step {
        let id = Id::new(self.now, self.parts.site.node_tag);
        Window::planned(id, Phase { maintenance, number, name }, order, author, self.now)
    }

    /// Phases are told by their order, those that were cancelled left out.
    fn revise(
        &self,
        known: &Maintenance,
        draft: Draft,
        author: &Author,
    ) -> Result<Commit, Refused> {
        let Draft { maintenance, phases } = draft;
        if phases.is_empty() {
            return Err(Refused::NoPhases);
        }
        let mut live = self.books.windows_of(known).filter(|w| w.state != State::Cancelled);
        let (mut steps, mut windows) = (Vec::new(), known.windows.clone());
        for (name, order) in phases {
            match live.next() {
                Some(window) => steps.extend(self.revised(window, name, order, author)?),
                None => {
                    self.know_names(&order.scope)?;
                    let number = u32::try_from(windows.len() + 1).unwrap_or(u32::MAX);
                    let step = self.planned(known.id, number, name, order, author);
                    windows.push(step.window.id);
                    steps.push(step);
                }
            }
        }
        for left_out in live {
            steps.push(self.step(left_out, &Event::Cancel, author).map_err(|_| {
                let number = left_out.phase.as_ref().map_or(0, |phase| phase.number);
                Refused::InForce { number, window: left_out.id }
            })?);
        }
        let Maintenance { id, version, updates, aftermath, created, by, series, .. } =
            known.clone();
        let version = version + 1;
        let revised = Maintenance {
            id,
            version,
            windows,
            updates,
            aftermath,
            created,
            by,
            series,
            ..maintenance
        };
        Ok(Commit { steps, maintenances: vec![revised] })
    }

    /// What becomes of one phase; nothing if it is over, or as it was.
    fn revised(
        &self,
        window: &Window,
        name: String,
        order: Order,
        author: &Author,
    ) -> Result<Option<Step>, Refused> {
        let is_named = window.phase.as_ref().is_some_and(|phase| phase.name == name);
        if window.state.is_over() || is_named && window.is_as(&order) {
            return Ok(None);
        }
        self.know_names(&order.scope)?;
        let mut step = self.step(window, &Event::Amend(Box::new(order)), author)?;
        if let Some(phase) = &mut step.window.phase {
            phase.name = name;
        }
        Ok(Some(step))
    }

    /// Cancels what has not begun, and lets nothing recur.
    fn cancel_rest(&self, known: &Maintenance, author: &Author) -> Result<Commit, Refused> {
        let windows = self.books.windows_of(known);
        let steps: Vec<Step> = windows
            .filter(|window| matches!(window.state, State::Planned | State::Stalled))
            .map(|window| self.step(window, &Event::Cancel, author))
            .collect::<Result<_, _>>()?;
        if steps.is_empty() {
            return Err(Refused::NothingToCancel(known.id));
        }
        let mut ended = Maintenance { version: known.version + 1, ..known.clone() };
        ended.recurrence = None;
        Ok(Commit { steps, maintenances: vec![ended] })
    }

    async fn tell(&self, id: Id, text: String, author: &Author) -> Result<Commit, Refused> {
        let known = self.current(id, Expected::Any).await?;
        let most = limit::MAINTENANCE_UPDATES_MAX;
        if known.updates.len() >= most {
            return Err(Refused::TooMuch { what: "updates of one maintenance", most });
        }
        let mut told = Maintenance { version: known.version + 1, ..(*known).clone() };
        told.updates.push(Update { at: self.now, by: author.by.clone(), text });
        Ok(Commit { steps: Vec::new(), maintenances: vec![told] })
    }

    async fn tell_after(&self, id: Id, aftermath: Aftermath) -> Result<Commit, Refused> {
        let known = self.current(id, Expected::Any).await?;
        let mut told = Maintenance { version: known.version + 1, ..(*known).clone() };
        told.aftermath = Some(aftermath);
        Ok(Commit { steps: Vec::new(), maintenances: vec![told] })
    }

    /// Steps, and the next occurrence of a maintenance that they end, in one commit: a crash in
    /// between must not end a series.
    pub(super) fn with_next(&self, steps: Vec<Step>) -> Commit {
        let mut commit = Commit { steps, maintenances: Vec::new() };
        let mut ended: Vec<Id> = Vec::new();
        for step in commit.steps.iter().filter(|step| step.window.state.is_over()) {
            ended.extend(step.window.phase.as_ref().map(|phase| phase.maintenance));
        }
        ended.dedup();
        for id in ended {
            let Some(maintenance) = self.books.maintenances.get(&id) else { continue };
            let after = |id: &Id| {
                let stepped = commit.steps.iter().find(|step| step.window.id == *id);
                stepped.map(|step| &step.window).or(self.books.window(*id).map(AsRef::as_ref))
            };
            let mut windows = maintenance.windows.iter().filter_map(after);
            if windows.any(|window| !window.state.is_over()) {
                continue;
            }
            let Some(draft) = self.next_occurrence(maintenance) else { continue };
            let author = Author::intermission("it recurs");
            // What cannot be laid down is a series without phases, which has no occurrence.
            if let Ok(next) = self.lay_down(draft, &author) {
                commit.steps.extend(next.steps);
                commit.maintenances.extend(next.maintenances);
            }
        }
        commit
    }

    /// When and how a maintenance comes again; none if it does not.
    fn next_occurrence(&self, maintenance: &Maintenance) -> Option<Draft> {
        let given = Given { now: self.now, drain: limit::WINDOW_DRAIN, past: Past::Allowed };
        let blackouts = &self.parts.site.blackouts;
        match next_occurrence(maintenance, &given, blackouts) {
            Ok(coming) => {
                let Coming { compiled, skipped } = coming?;
                for (at, blackout) in skipped {
                    tracing::warn!(%at, blackout, "an occurrence lies in a blackout: passed over");
                }
                Some(Draft { maintenance: compiled.maintenance, phases: compiled.phases })
            }
            Err(faults) => {
                let maintenance = maintenance.id;
                tracing::error!(%maintenance, ?faults, "it does not recur: it cannot be planned");
                None
            }
        }
    }
}

fn is_operators(maintenance: &Maintenance) -> Result<(), Refused> {
    match &maintenance.source {
        Source::Operator => Ok(()),
        Source::File(file) => {
            Err(Refused::Declared { maintenance: maintenance.id, file: file.clone() })
        }
    }
}
