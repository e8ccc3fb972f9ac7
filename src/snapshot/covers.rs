//! What lies over a cell: one closure for every method, or several where windows name methods; and
//! how closures are made, each once, with those of the publish before taken over.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use http::Method;

use super::cells::{Closure, Key, Lapse};
use super::site::Site;
use crate::id::Id;
use crate::limit;
use crate::pages::Pages;
use crate::window::maintenance::Maintenance;
use crate::window::scope::Selection;
use crate::window::state::Window;

/// What governs a cell, by method.
pub(super) struct Cover {
    /// Of methods that no window names.
    others: Option<Arc<Closure>>,
    /// Of those that one does.
    named: Vec<(Method, Option<Arc<Closure>>)>,
    strictest: Arc<Closure>,
}

impl Cover {
    /// What governs requests of this method.
    pub(super) fn of(&self, method: &Method) -> Option<&Arc<Closure>> {
        let named = self.named.iter().find(|(name, _)| name == method);
        named.map_or(self.others.as_ref(), |(_, closure)| closure.as_ref())
    }

    /// The strictest of them all.
    pub(super) fn strictest(&self) -> &Arc<Closure> {
        &self.strictest
    }

    /// Whether a window names methods.
    pub(super) fn tells_methods_apart(&self) -> bool {
        !self.named.is_empty()
    }
}

/// Makes closures, each once.
pub(super) struct Mint<'a> {
    site: &'a Site,
    pages: &'a Pages,
    maintenances: HashMap<Id, &'a Maintenance, RandomState>,
    before: HashMap<&'a Key, &'a Arc<Closure>, RandomState>,
    made: HashMap<Key, Arc<Closure>, RandomState>,
}

impl<'a> Mint<'a> {
    /// For a publish after which these closures were there.
    pub(super) fn new(
        site: &'a Site,
        maintenances: &[&'a Maintenance],
        pages: &'a Pages,
        before: &'a [Arc<Closure>],
    ) -> Self {
        Self {
            site,
            pages,
            maintenances: maintenances.iter().map(|one| (one.id, *one)).collect(),
            before: before.iter().map(|closure| (&closure.key, closure)).collect(),
            made: HashMap::default(),
        }
    }

    /// All that was made or taken over.
    pub(super) fn into_closures(self) -> Vec<Arc<Closure>> {
        self.made.into_values().collect()
    }

    /// The cover of a cell under these windows, of which there is at least one.
    pub(super) fn cover(&mut self, windows: &[&Window], title: &str) -> Cover {
        let strictest = self.closure(windows, title, 0);
        let methods = methods_of(windows);
        if methods.is_empty() {
            return Cover { others: Some(Arc::clone(&strictest)), named: Vec::new(), strictest };
        }
        let mut under = |covers: &dyn Fn(&Window) -> bool| {
            let under: Vec<&Window> =
                windows.iter().copied().filter(|window| covers(window)).collect();
            (!under.is_empty()).then(|| self.closure(&under, title, 0))
        };
        let others = under(&|window| window.scope.methods == Selection::All);
        let named = methods.into_iter().map(|method| {
            let closure = under(&|window| closes(window, &method));
            (method, closure)
        });
        Cover { named: named.collect(), others, strictest }
    }

    fn closure(&mut self, windows: &[&Window], title: &str, depth: usize) -> Arc<Closure> {
        let key = (self.versions(windows), title.to_owned());
        if let Some(made) = self.made.get(&key) {
            return Arc::clone(made);
        }
        let closure = match self.before.get(&key) {
            Some(before) => Arc::clone(before),
            None => {
                let maintenance = |window: &Window| {
                    self.maintenances.get(&window.phase.as_ref()?.maintenance).copied()
                };
                let mut closure =
                    Closure::over(windows, maintenance, self.site, self.pages, key.clone());
                closure.lapse = self.lapse(windows, title, depth);
                Arc::new(closure)
            }
        };
        self.made.insert(key, Arc::clone(&closure));
        closure
    }

    /// When the first hard limit of these windows passes, and what is left of them then.
    ///
    /// INVARIANT: a cell with many limits is never opened too soon: beyond the bound, the last of
    /// them counts for all.
    fn lapse(&mut self, windows: &[&Window], title: &str, depth: usize) -> Option<Lapse> {
        let limits = windows.iter().filter_map(|window| window.hard_limit());
        let at = if depth < limit::LAPSES_PER_CELL_MAX { limits.min()? } else { limits.max()? };
        let lasts = |window: &&Window| window.hard_limit().is_none_or(|limit| limit > at);
        let left: Vec<&Window> = windows.iter().copied().filter(lasts).collect();
        let then = (!left.is_empty()).then(|| self.closure(&left, title, depth + 1));
        Some(Lapse { at, then })
    }

    fn versions(&self, windows: &[&Window]) -> Vec<(Id, u64)> {
        let phases = windows.iter().filter_map(|window| window.phase.as_ref());
        let maintenances = phases.filter_map(|phase| self.maintenances.get(&phase.maintenance));
        let maintenances = maintenances.map(|one| (one.id, one.version));
        let windows = windows.iter().map(|window| (window.id, window.version));
        let mut versions: Vec<_> = windows.chain(maintenances).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }
}

/// The methods that windows name, and HEAD with GET.
fn methods_of(windows: &[&Window]) -> Vec<Method> {
    let names = windows.iter().flat_map(|window| window.scope.methods.names());
    let mut methods: Vec<Method> = names.filter_map(|name| name.parse().ok()).collect();
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    methods.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    methods.dedup();
    methods
}

/// Whether a window closes this method. HEAD asks for what GET would get (RFC 9110 §9.3.2): who
/// closes that closes this.
fn closes(window: &Window, method: &Method) -> bool {
    let methods = &window.scope.methods;
    methods.covers(method.as_str()) || *method == Method::HEAD && methods.covers("GET")
}
