//! Which window governs each route × region: one number per cell, computed once per publish, so
//! that a request's question costs the same with one window as with a thousand. Where windows name
//! methods, what the number leads to has a short list of them.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use http::Method;

use super::covers::{Cover, Mint};
use super::notice::{self, Outlook};
use super::ramp::Course;
use super::site::Site;
use crate::clock::Wall;
use crate::id::Id;
use crate::pages::{ClosedPages, Notice, Pages, Stage};
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::window::maintenance::Maintenance;
use crate::window::plan::{DrainAction, Hold};
use crate::window::scope::Selection;
use crate::window::state::{Mode, Window};

/// What is closed.
pub struct Cells {
    /// Route-major; 0 is open, n is `covers[n - 1]`.
    cells: Box<[u32]>,
    regions: usize,
    covers: Vec<Cover>,
    /// Everything that the covers lead to, for the next publish.
    closures: Vec<Arc<Closure>>,
}

/// What a closed cell answers. Cells under the same windows with the same route title share one.
///
/// In the order written: what each judgement reads comes first, so that with thousands of closures
/// it costs two lines of the cache and not one for each field.
#[derive(Debug)]
#[repr(C)]
pub struct Closure {
    /// The strictest mode.
    pub mode: Mode,
    /// Whether a promised end has passed.
    pub overrun: Overrun,
    /// From when on it is void whether or not control is there to say so: a hard limit.
    pub(super) lapse: Option<Lapse>,
    /// By each window of mode `read_only`, the canonical paths that every method passes to.
    pub allow: Vec<Vec<String>>,
    /// How many may wait for one of the windows to end, and how long; none if nobody may.
    pub hold: Option<Hold>,
    /// The windows over the cell, the strictest and oldest first.
    pub windows: Vec<Id>,
    /// Since when.
    pub since: Wall,
    /// The latest promised end; none if one of the windows promises none, or a promise is broken.
    pub until: Option<Wall>,
    /// How far the windows are.
    pub course: Course,
    /// When the first of the windows no longer waits for what they all close.
    drained: Wall,
    /// The same, of those windows that close what only reads too; none if no window does.
    reads_drained: Option<Wall>,
    /// What becomes of requests in flight then, by each window that does not let them finish.
    pub cuts: Vec<Cut>,
    /// The finished answers.
    pub pages: Arc<ClosedPages>,
    /// What they were made of, for pages that are made for one visitor.
    pub notice: Notice,
    pub(super) key: Key,
}

/// When a closure is void, and what governs its cells from then on.
#[derive(Debug)]
pub(super) struct Lapse {
    pub(super) at: Wall,
    pub(super) then: Option<Arc<Closure>>,
}

/// A window that does not let requests in flight finish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Which.
    pub window: Id,
    /// From when on.
    pub at: Wall,
    /// Whether all are cut off, or forms at hand alone.
    pub all: bool,
    /// Whether what only reads is meant too.
    pub reads: Reads,
}

impl Cut {
    fn of(window: &Window) -> Option<Self> {
        let all = match window.plan.drain_action {
            DrainAction::Finish => return None,
            DrainAction::Capture => false,
            DrainAction::Close => true,
        };
        let reads = if window.mode == Mode::ReadOnly { Reads::Beyond } else { Reads::Only };
        Some(Self { window: window.id, at: window.drain_deadline, all, reads })
    }
}

/// Whether a promised end has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Overrun {
    /// Not yet, or nothing was promised.
    No,
    /// It has.
    Yes,
}

/// Whether something under way does nothing but read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Reads {
    /// It does: a safe method, and no tunnel.
    Only,
    /// It may do more.
    Beyond,
}

/// The windows and their maintenances with their versions, and the route's title.
pub(super) type Key = (Vec<(Id, u64)>, String);

impl Cells {
    /// Everything open.
    pub fn open(site: &Site) -> Self {
        let regions = site.regions.len();
        let cells = vec![0; site.rules.len() * regions].into();
        Self { cells, regions, covers: Vec::new(), closures: Vec::new() }
    }

    /// Computes the cells of `windows` over `site`. Pages that `before` finished for the same
    /// windows and title are taken over: a switch renders only what it changes. `before` must come
    /// from the same operator's texts and `pages`; after a reload that changed them, pass none.
    ///
    /// Several windows over one cell: the strictest mode wins, and the promised end is the latest.
    pub fn compute(site: &Site, windows: &[&Window], pages: &Pages, before: Option<&Self>) -> Self {
        Self::compute_with(site, windows, &[], pages, before)
    }

    /// The same, with the maintenances whose phases the windows are: what they say stands on the
    /// pages where a window says nothing itself.
    pub fn compute_with(
        site: &Site,
        windows: &[&Window],
        maintenances: &[&Maintenance],
        pages: &Pages,
        before: Option<&Self>,
    ) -> Self {
        let mut cells = Self::open(site);
        let mut piles = Piles::default();
        for (at, window) in windows.iter().enumerate() {
            if window.state.in_force() {
                let columns = columns_of(site, window);
                for row in rows_of(site, window) {
                    let row = &mut cells.cells[row * cells.regions..][..cells.regions];
                    columns.iter().for_each(|column| piles.put(at, &mut row[*column]));
                }
            }
        }
        if !piles.0.is_empty() {
            let closures = before.map(|before| before.closures.as_slice()).unwrap_or_default();
            cells.close(site, windows, &piles, Mint::new(site, maintenances, pages, closures));
        }
        cells
    }

    /// Gives each cell that lies under a pile of windows the cover of that pile and its title.
    fn close(&mut self, site: &Site, windows: &[&Window], piles: &Piles, mut mint: Mint<'_>) {
        let mut known: HashMap<(u32, &str), u32, RandomState> = HashMap::default();
        for (row, rules) in self.cells.chunks_exact_mut(self.regions).zip(&site.rules) {
            // Most windows close a route in many regions: the cell before has often asked already.
            let mut last = (0, 0);
            for cell in row.iter_mut().filter(|cell| **cell != 0) {
                let pile = *cell;
                if pile == last.0 {
                    *cell = last.1;
                    continue;
                }
                *cell = *known.entry((pile, rules.title.as_str())).or_insert_with(|| {
                    let governing: Vec<&Window> = piles.of(pile).map(|at| windows[at]).collect();
                    self.covers.push(mint.cover(&governing, &rules.title));
                    u32::try_from(self.covers.len()).unwrap_or(u32::MAX)
                });
                last = (pile, *cell);
            }
        }
        self.closures = mint.into_closures();
    }

    fn cover(&self, route: RouteIx, region: RegionIx) -> Option<&Cover> {
        let cell = route.0 as usize * self.regions + usize::from(region.0);
        match self.cells[cell] {
            0 => None,
            number => Some(&self.covers[number as usize - 1]),
        }
    }

    /// The strictest of what governs this cell, for whatever methods; none if it is open for all.
    pub fn closure(&self, route: RouteIx, region: RegionIx) -> Option<&Arc<Closure>> {
        self.cover(route, region).map(Cover::strictest)
    }

    /// What governs requests of this method at this cell; none if it is open for them, also
    /// because a hard limit has passed.
    pub fn closure_for(
        &self,
        route: RouteIx,
        region: RegionIx,
        method: &Method,
        now: Wall,
    ) -> Option<&Arc<Closure>> {
        self.cover(route, region)?.of(method).and_then(|closure| Closure::at(closure, now))
    }

    /// Whether windows over this cell name methods, so that it counts which one is meant.
    pub fn tells_methods_apart(&self, route: RouteIx, region: RegionIx) -> bool {
        self.cover(route, region).is_some_and(Cover::tells_methods_apart)
    }

    /// How many windows cut off what is in flight by now.
    pub fn cuts_by(&self, now: Wall) -> usize {
        let cuts = self.closures.iter().flat_map(|closure| &closure.cuts);
        cuts.filter(|cut| cut.at <= now).count()
    }

    /// How many distinct closures there are: what a publish may have to render.
    pub fn closure_count(&self) -> usize {
        self.closures.len()
    }

    /// Whether nothing is closed.
    pub fn is_open(&self) -> bool {
        self.covers.is_empty()
    }

    /// How many cells are closed.
    pub fn closed_count(&self) -> usize {
        self.cells.iter().filter(|number| **number != 0).count()
    }
}

impl Closure {
    /// Until when something that was under way when the cell was closed may go on; none if it may
    /// stay, because it only reads and that is not closed.
    pub fn drain_deadline(&self, reads: Reads) -> Option<Wall> {
        match reads {
            Reads::Only => self.reads_drained,
            Reads::Beyond => Some(self.drained),
        }
    }

    /// Whether somebody may wait for it to end who would not pass it.
    pub fn holds(&self) -> bool {
        // Where visitors are let in little by little, each has a turn to come back at.
        self.hold.is_some() && self.mode != Mode::Page && self.course.ramp.is_none()
    }

    /// What is in force of a closure at this moment.
    pub fn at(closure: &Arc<Self>, now: Wall) -> Option<&Arc<Self>> {
        let mut closure = closure;
        while let Some(lapse) = closure.lapse.as_ref().filter(|lapse| lapse.at <= now) {
            closure = lapse.then.as_ref()?;
        }
        Some(closure)
    }

    pub(super) fn over<'a>(
        windows: &[&Window],
        maintenance: impl FnOnce(&Window) -> Option<&'a Maintenance>,
        site: &Site,
        pages: &Pages,
        key: Key,
    ) -> Self {
        let mut windows = windows.to_vec();
        windows.sort_by_key(|window| (std::cmp::Reverse(window.mode), window.from(), window.id));
        let first = windows[0];
        let outlook = Outlook::of(&windows);
        let overrun = if outlook.stage == Stage::Overrun { Overrun::Yes } else { Overrun::No };
        let drained = |window: &&Window| window.drain_deadline;
        let reads = windows.iter().filter(|window| window.mode != Mode::ReadOnly);
        let reads_drained = reads.map(drained).min();
        let drained = windows.iter().map(drained).min().unwrap_or(first.drain_deadline);
        let read_only = windows.iter().filter(|window| window.mode == Mode::ReadOnly);
        let allow = read_only.map(|window| window.plan.allow.clone()).collect();
        let holds = windows.iter().filter(|window| window.mode == Mode::Hold);
        let hold = holds.map(|window| window.plan.hold).reduce(|one, other| Hold {
            most: one.most.min(other.most),
            longest: one.longest.min(other.longest),
        });
        let notice = notice::notice(first, maintenance(first), &outlook, site, &key.1);
        let Outlook { since, until, .. } = outlook;
        Self {
            windows: windows.iter().map(|window| window.id).collect(),
            mode: first.mode,
            since,
            until,
            overrun,
            course: Course::of(&windows),
            drained,
            reads_drained,
            cuts: windows.iter().copied().filter_map(Cut::of).collect(),
            allow,
            hold,
            lapse: None,
            pages: Arc::new(pages.closed(&notice)),
            notice,
            key,
        }
    }
}

/// Piles of windows: each is another pile with one window more on top. Windows are put down in
/// one order, so cells under the same windows lie under the same pile, and a thousand windows over
/// a hundred thousand cells need no list per cell. Number 0 is the empty pile.
#[derive(Default)]
struct Piles(Vec<Pile>);

struct Pile {
    below: u32,
    window: usize,
    /// What this pile became when a window was last put on it: the window, and that pile.
    grown: Option<(usize, u32)>,
}

impl Piles {
    /// Puts a window on the pile of this number, which becomes another.
    fn put(&mut self, window: usize, pile: &mut u32) {
        let on = *pile;
        *pile = match self.0.get(on as usize).and_then(|on| on.grown) {
            Some((last, grown)) if last == window => grown,
            Some(_) | None => {
                if self.0.is_empty() {
                    self.0.push(Pile { below: 0, window, grown: None });
                }
                let grown = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
                self.0.push(Pile { below: on, window, grown: None });
                self.0[on as usize].grown = Some((window, grown));
                grown
            }
        };
    }

    /// The windows of a pile, from the top to the bottom.
    fn of(&self, pile: u32) -> impl Iterator<Item = usize> {
        let at = move |pile: u32| (pile != 0).then(|| &self.0[pile as usize]);
        std::iter::successors(at(pile), move |pile| at(pile.below)).map(|pile| pile.window)
    }
}

/// The regions that a window's scope covers.
pub(super) fn columns_of(site: &Site, window: &Window) -> Vec<usize> {
    let region = |name: &str| site.regions.named(name).map(|ix| usize::from(ix.0));
    indexes(&window.scope.regions, site.regions.len(), region)
}

/// The routes that a window's scope covers.
pub(super) fn rows_of(site: &Site, window: &Window) -> Vec<usize> {
    let route = |name: &str| site.route_named(name).map(|ix| ix.0 as usize);
    indexes(&window.scope.routes, site.rules.len(), route)
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
