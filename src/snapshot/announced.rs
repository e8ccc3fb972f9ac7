//! What is announced: for each cell the planned windows that visitors are told of ahead. Which of
//! them is told depends on the time alone, so that an announcement begins and changes by itself
//! between two publishes.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;

use super::cells::{columns_of, rows_of};
use super::site::Site;
use crate::clock::Wall;
use crate::id::Id;
use crate::limit;
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::window::maintenance::Maintenance;
use crate::window::state::{Mode, State, Window};

/// What is announced.
#[derive(Default)]
pub struct Announced {
    /// Route-major; 0 is nothing, n is `lists[n - 1]`. Empty if nothing is announced at all.
    cells: Box<[u32]>,
    regions: usize,
    lists: Vec<List>,
    /// The planned windows and the maintenances that it was computed of, with their versions.
    key: Vec<(Id, u64)>,
}

/// One announcement.
#[derive(Debug)]
pub struct Note {
    /// The window.
    pub window: Id,
    /// The maintenance that it is a phase of.
    pub maintenance: Id,
    /// In a few words.
    pub title: String,
    /// From when on it is told.
    pub from: Wall,
    /// When it is to begin.
    pub starts: Wall,
    /// When it is to end, if anybody knows.
    pub ends: Option<Wall>,
    /// What it will do to requests.
    pub mode: Mode,
    /// The value of `Intermission-Next`, a dictionary (RFC 9651 §3.2).
    pub header: HeaderValue,
}

/// The announcements of some cells, the earliest beginning first, and the list that it became with
/// the window that was put on it last.
struct List {
    notes: Vec<Arc<Note>>,
    grown: Option<(Id, u32)>,
}

impl Announced {
    /// Of these windows, as far as they are planned and their maintenance announces them. A window
    /// that closes some methods only is announced like any other: who forwards a page cannot know
    /// what will be asked next.
    pub fn compute<'a>(
        site: &Site,
        windows: impl IntoIterator<Item = &'a Window>,
        maintenances: &[Arc<Maintenance>],
    ) -> Self {
        let planned: Vec<&Window> =
            windows.into_iter().filter(|window| is_planned(window)).collect();
        let key = key(planned.iter().copied(), maintenances);
        let by_id: HashMap<Id, &Maintenance> =
            maintenances.iter().map(|known| (known.id, &**known)).collect();
        let note = |window| Some((window, Arc::new(Note::of(window, &by_id)?)));
        let mut told: Vec<(&Window, Arc<Note>)> = planned.into_iter().filter_map(note).collect();
        if told.is_empty() {
            return Self { key, ..Self::default() };
        }
        told.sort_by_key(|(window, note)| (note.starts, window.id));
        let regions = site.regions.len();
        let cells = vec![0; site.rules.len() * regions].into();
        let mut announced = Self { cells, regions, lists: Vec::new(), key };
        for (window, note) in &told {
            announced.put(site, window, note);
        }
        announced
    }

    /// Whether this is what [`Announced::compute`] would make of these over the same site.
    pub fn is_of<'a>(
        &self,
        windows: impl IntoIterator<Item = &'a Window>,
        maintenances: &[Arc<Maintenance>],
    ) -> bool {
        self.key == key(windows.into_iter().filter(|window| is_planned(window)), maintenances)
    }

    fn put(&mut self, site: &Site, window: &Window, note: &Arc<Note>) {
        let columns = columns_of(site, window);
        // The list that cells without any become.
        let mut first = 0;
        for row in rows_of(site, window) {
            for column in &columns {
                let cell = row * self.regions + column;
                let on = self.cells[cell];
                self.cells[cell] = match on.checked_sub(1) {
                    None if first > 0 => first,
                    None => {
                        first = self.add(vec![Arc::clone(note)]);
                        first
                    }
                    Some(on) => self.grow(on as usize, note),
                };
            }
        }
    }

    fn grow(&mut self, on: usize, note: &Arc<Note>) -> u32 {
        let List { notes, grown } = &self.lists[on];
        match grown {
            Some((window, grown)) if *window == note.window => return *grown,
            // What begins later is told as soon as what is before it has begun.
            _ if notes.len() >= limit::ANNOUNCED_PER_CELL_MAX => {
                return u32::try_from(on + 1).unwrap_or(u32::MAX);
            }
            Some(_) | None => {}
        }
        let notes = notes.iter().chain([note]).cloned().collect();
        let number = self.add(notes);
        self.lists[on].grown = Some((note.window, number));
        number
    }

    fn add(&mut self, notes: Vec<Arc<Note>>) -> u32 {
        self.lists.push(List { notes, grown: None });
        u32::try_from(self.lists.len()).unwrap_or(u32::MAX)
    }

    /// Whether nothing is announced, now or later.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// What is told of this cell now: the next window, by its beginning.
    pub fn note(&self, route: RouteIx, region: RegionIx, now: Wall) -> Option<&Arc<Note>> {
        self.notes(route, region).iter().find(|note| note.from <= now)
    }

    /// When something else is told of this cell, if no publish comes before.
    pub fn next_change(&self, route: RouteIx, region: RegionIx, now: Wall) -> Option<Wall> {
        let later = self.notes(route, region).iter().map(|note| note.from);
        later.filter(|from| now < *from).min()
    }

    fn notes(&self, route: RouteIx, region: RegionIx) -> &[Arc<Note>] {
        let cell = route.0 as usize * self.regions + usize::from(region.0);
        let number = self.cells.get(cell).copied().unwrap_or(0);
        number.checked_sub(1).map_or(&[], |at| &self.lists[at as usize].notes)
    }
}

impl Note {
    fn of(window: &Window, maintenances: &HashMap<Id, &Maintenance>) -> Option<Self> {
        let of = maintenances.get(&window.phase.as_ref()?.maintenance)?;
        let lead = of.announce.iter().max()?.0;
        let title = match window.texts.title.as_str() {
            "" => &of.title,
            title => title,
        };
        let starts = window.plan.starts;
        let ends = window.promised_end.map(|end| format!("ends=\"{end}\", ")).unwrap_or_default();
        let header = format!("starts=\"{starts}\", {ends}maintenance=\"{}\"", of.id);
        Some(Self {
            window: window.id,
            maintenance: of.id,
            title: title.to_owned(),
            from: starts.minus(lead),
            starts,
            ends: window.promised_end,
            mode: window.mode,
            header: HeaderValue::from_str(&header).ok()?,
        })
    }
}

fn is_planned(window: &Window) -> bool {
    window.state == State::Planned
}

fn key<'a>(
    planned: impl Iterator<Item = &'a Window>,
    maintenances: &[Arc<Maintenance>],
) -> Vec<(Id, u64)> {
    let maintenances = maintenances.iter().map(|known| (known.id, known.version));
    planned.map(|window| (window.id, window.version)).chain(maintenances).collect()
}
