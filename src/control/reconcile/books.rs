//! What the reconciler knows of windows and maintenances: always what the store said it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Wall;
use crate::control::command::Standing;
use crate::control::roster::Servers;
use crate::grant::Bypass;
use crate::id::Id;
use crate::snapshot::{Announced, Beside, Grants, Site, Snapshot};
use crate::store::{Store, StoreError};
use crate::window::maintenance::Maintenance;
use crate::window::state::{Gate, State, Window};

/// Windows and maintenances that are not over, and what these need to know of the past.
#[derive(Default)]
pub(super) struct Books {
    /// Windows that are not over.
    pub(super) windows: BTreeMap<Id, Arc<Window>>,
    /// Windows that are over, of maintenances that are not.
    pub(super) past: BTreeMap<Id, Arc<Window>>,
    /// Maintenances that are not over.
    pub(super) maintenances: BTreeMap<Id, Arc<Maintenance>>,
    /// Bypasses that were not revoked.
    pub(super) bypasses: BTreeMap<Id, Arc<Bypass>>,
}

impl Books {
    /// What the store has.
    pub(super) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut books = Self::default();
        for window in store.windows().await? {
            books.windows.insert(window.id, Arc::new(window));
        }
        for maintenance in store.maintenances().await? {
            for id in &maintenance.windows {
                if !books.windows.contains_key(id)
                    && let Some(window) = store.window(*id).await?
                {
                    books.past.insert(*id, Arc::new(window));
                }
            }
            books.maintenances.insert(maintenance.id, Arc::new(maintenance));
        }
        store.bypasses().await?.into_iter().for_each(|one| books.take_bypass(Arc::new(one)));
        Ok(books)
    }

    /// A window that is known.
    pub(super) fn window(&self, id: Id) -> Option<&Arc<Window>> {
        self.windows.get(&id).or_else(|| self.past.get(&id))
    }

    /// The windows of a maintenance, in the order of its phases.
    pub(super) fn windows_of<'a>(
        &'a self,
        maintenance: &'a Maintenance,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<Window>> {
        maintenance.windows.iter().filter_map(|id| self.window(*id))
    }

    /// What lies beside the cells: who is let through, what is announced. A switch that changes
    /// neither takes over what there is.
    pub(super) fn beside(&self, site: &Arc<Site>, before: Option<&Snapshot>) -> Beside {
        let windows = || self.windows.values().map(AsRef::as_ref);
        let maintenances: Vec<_> = self.maintenances.values().cloned().collect();
        let same_site = before.filter(|before| Arc::ptr_eq(&before.site, site));
        let announced = same_site.map(|before| &before.beside.announced);
        let announced = announced.filter(|known| known.is_of(windows(), &maintenances));
        let announced = announced
            .cloned()
            .unwrap_or_else(|| Arc::new(Announced::compute(site, windows(), &maintenances)));
        let first = Grants::default();
        let grants = before.map_or(&first, |before| &before.beside.grants);
        let grants = Arc::new(Grants::of(self.bypasses.values(), grants));
        Beside { grants, announced }
    }

    /// The same for everybody else.
    pub(super) fn standing(
        &self,
        generation: u64,
        servers: Arc<Servers>,
        closed_cells: usize,
        now: Wall,
    ) -> Standing {
        let live = self.bypasses.values().filter(|bypass| bypass.not_after > now);
        Standing {
            generation,
            windows: self.windows.values().cloned().collect(),
            past: self.past.values().cloned().collect(),
            maintenances: self.maintenances.values().cloned().collect(),
            bypasses: live.cloned().collect(),
            servers,
            closed_cells,
        }
    }

    /// What the phases before say to this window.
    ///
    /// The nearest one that was cancelled holds it up, unless somebody planned this window anew
    /// afterwards, and so decided that it may do without. One that an operator began early does
    /// not open the gate while a phase before that is still in force.
    pub(super) fn gate(&self, window: &Window) -> Gate {
        let maintenance =
            window.phase.as_ref().and_then(|phase| self.maintenances.get(&phase.maintenance));
        let Some(maintenance) = maintenance else { return Gate::Open };
        let own = maintenance.windows.iter().position(|id| *id == window.id).unwrap_or(0);
        let mut has_ended = false;
        for id in maintenance.windows[..own].iter().rev() {
            // One that cannot be found has not been seen to end.
            let Some(before) = self.window(*id) else { return Gate::Waiting };
            match before.state {
                State::Ended => has_ended = true,
                State::Cancelled if has_ended || before.ended < Some(window.since) => {}
                State::Cancelled => return Gate::Failed,
                State::Planned
                | State::Stalled
                | State::Draining
                | State::Closed
                | State::Overrun
                | State::Verifying
                | State::Reopening => return Gate::Waiting,
            }
        }
        Gate::Open
    }

    /// The maintenances, for what visitors are told of their windows.
    pub(super) fn told_of(&self) -> Vec<&Maintenance> {
        self.maintenances.values().map(AsRef::as_ref).collect()
    }

    /// Takes what the store has; tells whether that differs from what was known.
    pub(super) fn take(&mut self, window: Arc<Window>) -> bool {
        let id = window.id;
        if !window.state.is_over() {
            let before = self.windows.insert(id, Arc::clone(&window));
            return before.is_none_or(|before| before != window);
        }
        let was = self.windows.remove(&id).is_some();
        if let Some(phase) = &window.phase {
            let maintenance = phase.maintenance;
            self.past.insert(id, window);
            self.forget_if_over(maintenance);
        }
        was
    }

    /// The same of a maintenance, after its windows.
    pub(super) fn take_maintenance(&mut self, maintenance: Arc<Maintenance>) -> bool {
        let id = maintenance.id;
        let before = self.maintenances.insert(id, Arc::clone(&maintenance));
        self.forget_if_over(id);
        before.is_none_or(|before| before != maintenance)
    }

    /// A window that the store does not have.
    pub(super) fn forget(&mut self, window: Id) -> bool {
        self.windows.remove(&window).is_some()
    }

    /// The same of a bypass.
    pub(super) fn take_bypass(&mut self, bypass: Arc<Bypass>) {
        if bypass.revoked.is_some() {
            self.bypasses.remove(&bypass.id);
        } else {
            self.bypasses.insert(bypass.id, bypass);
        }
    }

    fn forget_if_over(&mut self, maintenance: Id) {
        let Some(known) = self.maintenances.get(&maintenance) else {
            self.past.retain(|_, window| !belongs(window, maintenance));
            return;
        };
        if !known.windows.iter().any(|id| self.windows.contains_key(id)) {
            self.maintenances.remove(&maintenance);
            self.past.retain(|_, window| !belongs(window, maintenance));
        }
    }
}

fn belongs(window: &Window, maintenance: Id) -> bool {
    window.phase.as_ref().is_some_and(|phase| phase.maintenance == maintenance)
}
