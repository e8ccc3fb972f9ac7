//! Which window governs each route × region: one number per cell, computed once per publish, so
//! that a request's question costs the same with one window as with a thousand.

use std::collections::HashMap;
use std::sync::Arc;

use super::site::Site;
use crate::clock::Wall;
use crate::id::Id;
use crate::pages::{ClosedPages, Notice, Pages};
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::window::scope::Selection;
use crate::window::state::{Mode, State, Window};

/// What is closed.
pub struct Cells {
    /// Route-major; 0 is open, n is `closures[n - 1]`.
    cells: Box<[u32]>,
    regions: usize,
    closures: Vec<Arc<Closure>>,
}

/// What a closed cell answers. Cells under the same windows with the same route title share one.
#[derive(Debug)]
pub struct Closure {
    /// The windows over the cell, the strictest and oldest first.
    pub windows: Vec<Id>,
    /// The strictest mode.
    pub mode: Mode,
    /// Since when.
    pub since: Wall,
    /// The latest promised end; none if one of the windows promises none, or a promise is broken.
    pub until: Option<Wall>,
    /// Whether a promised end has passed.
    pub overrun: Overrun,
    /// The finished answers.
    pub pages: Arc<ClosedPages>,
    /// What they were made of, for pages that are made for one visitor.
    pub notice: Notice,
    key: Key,
}

/// Whether a promised end has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Overrun {
    /// Not yet, or nothing was promised.
    No,
    /// It has.
    Yes,
}

type Key = (Vec<(Id, u64)>, String);

impl Cells {
    /// Everything open.
    pub fn open(site: &Site) -> Self {
        let regions = site.regions.len();
        Self { cells: vec![0; site.rules.len() * regions].into(), regions, closures: Vec::new() }
    }

    /// Computes the cells of `windows` over `site`. Pages that `before` finished for the same
    /// windows and title are taken over: a switch renders only what it changes.
    ///
    /// Several windows over one cell: the strictest mode wins, and the promised end is the latest.
    pub fn compute(site: &Site, windows: &[&Window], pages: &Pages, before: Option<&Self>) -> Self {
        let mut cells = Self::open(site);
        let mut over: HashMap<u32, Vec<usize>> = HashMap::new();
        for (at, window) in windows.iter().enumerate() {
            if window.state.in_force() {
                for cell in cells_of(site, window) {
                    over.entry(cell).or_default().push(at);
                }
            }
        }
        let done = before.into_iter().flat_map(|before| &before.closures);
        let mut known: HashMap<Key, u32> = HashMap::new();
        let mut finished: HashMap<&Key, &Arc<Closure>> =
            done.map(|closure| (&closure.key, closure)).collect();
        for (cell, at) in over {
            let governing: Vec<&Window> = at.iter().map(|at| windows[*at]).collect();
            let route = RouteIx(cell / u32::try_from(cells.regions).unwrap_or(u32::MAX));
            let title = &site.rules(route).title;
            let key = (governing.iter().map(|w| (w.id, w.version)).collect(), title.clone());
            let number = *known.entry(key).or_insert_with_key(|key| {
                let closure = finished.remove(key).cloned();
                let made = || Arc::new(Closure::over(&governing, title, site, pages, key.clone()));
                cells.closures.push(closure.unwrap_or_else(made));
                u32::try_from(cells.closures.len()).unwrap_or(u32::MAX)
            });
            cells.cells[cell as usize] = number;
        }
        cells
    }

    /// What governs this cell; none if it is open.
    pub fn closure(&self, route: RouteIx, region: RegionIx) -> Option<&Arc<Closure>> {
        let cell = route.0 as usize * self.regions + usize::from(region.0);
        match self.cells[cell] {
            0 => None,
            number => Some(&self.closures[number as usize - 1]),
        }
    }

    /// How many cells are closed.
    pub fn closed_count(&self) -> usize {
        self.cells.iter().filter(|number| **number != 0).count()
    }
}

impl Closure {
    fn over(windows: &[&Window], title: &str, site: &Site, pages: &Pages, key: Key) -> Self {
        let mut windows = windows.to_vec();
        windows.sort_by_key(|window| (std::cmp::Reverse(window.mode), window.began, window.id));
        let first = windows[0];
        let overrun = windows.iter().any(|window| window.state == State::Overrun);
        let ends: Option<Vec<Wall>> = windows.iter().map(|window| window.promised_end).collect();
        let until = ends.and_then(|ends| ends.into_iter().max()).filter(|_| !overrun);
        let since = windows.iter().map(|window| window.began).min().unwrap_or(first.began);
        let overrun = if overrun { Overrun::Yes } else { Overrun::No };
        let notice = Notice {
            window: first.id,
            service: title.to_owned(),
            operator: site.operator.clone(),
            read_only: first.mode == Mode::ReadOnly,
            since,
            until,
            overrun: overrun == Overrun::Yes,
            reason: first.texts.reason.clone(),
            message: first.texts.message.clone(),
            contact: first.texts.contact.clone(),
            alternative: first.texts.alternative.clone(),
        };
        Self {
            windows: windows.iter().map(|window| window.id).collect(),
            mode: first.mode,
            since,
            until,
            overrun,
            pages: Arc::new(pages.closed(&notice)),
            notice,
            key,
        }
    }
}

/// The cells that a window's scope covers, each once.
fn cells_of(site: &Site, window: &Window) -> Vec<u32> {
    let regions = site.regions.len();
    let region = |name: &str| site.regions.named(name).map(|ix| usize::from(ix.0));
    let route = |name: &str| site.route_named(name).map(|ix| ix.0 as usize);
    let columns = indexes(&window.scope.regions, regions, region);
    let rows = indexes(&window.scope.routes, site.rules.len(), route);
    let cell = |row: &usize, column: &usize| u32::try_from(row * regions + column).ok();
    rows.iter().flat_map(|row| columns.iter().filter_map(move |column| cell(row, column))).collect()
}

fn indexes(
    selection: &Selection,
    count: usize,
    find: impl Fn(&str) -> Option<usize>,
) -> Vec<usize> {
    match selection {
        Selection::All => (0..count).collect(),
        Selection::Named(names) => names.iter().filter_map(|name| find(name)).collect(),
    }
}
