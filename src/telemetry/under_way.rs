//! What is in flight on one worker, and which of it goes on for long.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shard::{Table, bump};

/// What goes on for long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lasts {
    /// A WebSocket, or another tunnel.
    Tunnel,
    /// An answer that goes on, such as events.
    Stream,
}

/// A request in flight.
#[must_use = "a request is in flight while this lives"]
pub struct InFlight {
    table: Rc<Table>,
    route: usize,
    region: usize,
    lasts: Option<Lasts>,
}

impl InFlight {
    /// At a place where it was counted.
    pub(super) fn at(table: &Rc<Table>, route: usize, region: usize) -> Self {
        Self { table: Rc::clone(table), route, region, lasts: None }
    }

    /// It turned out to go on for long.
    pub fn lasts(&mut self, how: Lasts) {
        if self.lasts.replace(how).is_none() {
            let row = self.table.cells.row(self.route);
            bump(&row.lasting[self.region][how as usize], 1);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let row = self.table.cells.row(self.route);
        let one_less = |cell: &AtomicU64| {
            cell.store(cell.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        };
        one_less(&row.in_flight[self.region]);
        if let Some(how) = self.lasts {
            one_less(&row.lasting[self.region][how as usize]);
        }
    }
}
