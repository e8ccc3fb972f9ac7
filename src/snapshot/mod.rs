//! The seam between the planes: the immutable view that requests are judged by, and its publisher.
//!
//! Control builds a [`Snapshot`] and publishes it; workers read it. This is the only place that
//! names `arc_swap`. The [`Publisher`] is not `Clone`, and only `control::reconcile` owns it, so a
//! second writer cannot be written.

mod acme;
mod announced;
mod bounds;
mod care;
mod cells;
mod covers;
pub mod edge;
mod grants;
mod health;
mod notice;
mod ramp;
mod roster;
mod site;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use acme::{Acme, Proof};
pub use announced::{Announced, Note};
pub use bounds::{Limits, Pace};
pub use care::{Balance, Care, Ejection, HashBy, Speaks};
pub use cells::{Cells, Closure, Cut, Overrun, Reads};
pub use grants::{Grants, Knock, Pass};
pub use health::{HealthCheck, Question};
pub use notice::told_of;
pub use ramp::{Course, Ramp};
pub use roster::{Member, Roster};
pub use site::{
    Csp, FormPolicy, ForwardedBy, Listener, Privacy, Programs, Protocol, ResumeMode, RouteRules,
    Server, Site, Upstream, UpstreamIx, Via,
};

pub use crate::duty::Duty;
use crate::pages::Pages;
pub use crate::telemetry::access::{AccessFormat, LogTarget};

/// Everything a request is judged by, at one generation.
pub struct Snapshot {
    /// Counts publishes of this process, from 1.
    pub generation: u64,
    /// What the config says; shared by all generations between two reloads.
    pub site: Arc<Site>,
    /// What is closed, and the finished pages for it.
    pub cells: Cells,
    /// Which servers may be asked.
    pub roster: Arc<Roster>,
    /// The templates, for pages that are made for one visitor.
    pub pages: Arc<Pages>,
    /// What lies beside the cells.
    pub beside: Beside,
}

/// What lies beside the cells: looked at only where something is closed, or announced.
#[derive(Clone, Default)]
pub struct Beside {
    /// Who is let through what is closed.
    pub grants: Arc<Grants>,
    /// What is announced. INVARIANT: computed of the site that it is published with.
    pub announced: Arc<Announced>,
}

/// The writing end. There is one.
pub struct Publisher {
    live: Arc<ArcSwap<Snapshot>>,
    generation: u64,
    beside: Beside,
}

/// The reading end, one per worker.
#[derive(Clone)]
pub struct Live {
    live: Arc<ArcSwap<Snapshot>>,
}

/// A reader that answers from its own memory until something is published.
pub struct View {
    cache: arc_swap::Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
}

/// A publisher and its readers, beginning with generation 1 and every server ready.
pub fn seam(site: Arc<Site>, cells: Cells, pages: Arc<Pages>) -> (Publisher, Live) {
    let roster = Arc::new(Roster::of(&site));
    seam_with(site, cells, roster, pages)
}

/// A publisher and its readers, beginning with generation 1 and these servers.
pub fn seam_with(
    site: Arc<Site>,
    cells: Cells,
    roster: Arc<Roster>,
    pages: Arc<Pages>,
) -> (Publisher, Live) {
    seam_beside(site, cells, roster, pages, Beside::default())
}

/// A publisher and its readers, beginning with generation 1 and all of this.
pub fn seam_beside(
    site: Arc<Site>,
    cells: Cells,
    roster: Arc<Roster>,
    pages: Arc<Pages>,
    beside: Beside,
) -> (Publisher, Live) {
    let first = Snapshot { generation: 1, site, cells, roster, pages, beside: beside.clone() };
    let live = Arc::new(ArcSwap::from_pointee(first));
    (Publisher { live: Arc::clone(&live), generation: 1, beside }, Live { live })
}

impl Publisher {
    /// What lies beside the cells from the next publish on.
    pub fn lay_beside(&mut self, beside: Beside) {
        self.beside = beside;
    }

    /// Makes everyone see this from their next decision on; tells the new generation.
    ///
    /// A config that stays keeps its roster; another begins with one of its own.
    pub fn publish(&mut self, site: Arc<Site>, cells: Cells, pages: Arc<Pages>) -> u64 {
        let before = self.live.load();
        let stays = Arc::ptr_eq(&before.site, &site);
        let roster = if stays { Arc::clone(&before.roster) } else { Arc::new(Roster::of(&site)) };
        self.publish_with(site, cells, roster, pages)
    }

    /// The same with other servers. INVARIANT: the roster was made of this site.
    pub fn publish_with(
        &mut self,
        site: Arc<Site>,
        cells: Cells,
        roster: Arc<Roster>,
        pages: Arc<Pages>,
    ) -> u64 {
        self.generation += 1;
        let (generation, beside) = (self.generation, self.beside.clone());
        let next = Snapshot { generation, site, cells, roster, pages, beside };
        self.live.store(Arc::new(next));
        self.generation
    }
}

impl Live {
    /// A reader for one worker.
    pub fn view(&self) -> View {
        View { cache: arc_swap::Cache::new(Arc::clone(&self.live)) }
    }

    /// The snapshot now, for readers that are not in a hurry.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.load_full()
    }
}

impl View {
    /// The snapshot now.
    pub fn snapshot(&mut self) -> &Arc<Snapshot> {
        self.cache.load()
    }
}
