//! Who is let into a closed place all the same. Asked only for a request that would else be
//! answered as closed: an open place costs nothing here.

use http::HeaderMap;

use super::bypass;
use super::head::Scheme;
use super::lane::Lane;
use crate::addr::ClientAddr;
use crate::decide::Verdict;
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::snapshot::{Closure, Knock, Pass, Snapshot};

/// How a request came into a closed place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum LetIn {
    /// By a bypass, or as a probe of our own.
    Pass(Pass),
}

/// Whether what was decided depends on the place being closed.
pub(super) fn matters(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Resume | Verdict::Capture(_) | Verdict::Page(..) => true,
        Verdict::Own
        | Verdict::Probe
        | Verdict::Forward
        | Verdict::Refuse(_)
        | Verdict::Redirect(_) => false,
    }
}

/// Who knocks.
pub(super) struct Knocking<'a> {
    pub client: ClientAddr,
    pub scheme: Scheme,
    pub method: &'a str,
    pub headers: &'a HeaderMap,
}

/// Whether who knocks is let in.
pub(super) fn look(
    lane: &Lane,
    snapshot: &Snapshot,
    (route, region): (RouteIx, RegionIx),
    closure: &Closure,
    who: &Knocking<'_>,
) -> Option<LetIn> {
    let knock = Knock {
        client: who.client.0,
        route: &snapshot.site.rules(route).name,
        region: snapshot.site.regions.name(region),
        method: who.method,
        windows: &closure.windows,
        now: lane.link.worker.clock.now(),
    };
    let shown = bypass::shown(who.headers, who.scheme);
    snapshot.beside.grants.pass(&knock, shown).map(LetIn::Pass)
}

/// Says of an answer how it was got.
pub(super) fn mark(let_in: &LetIn, headers: &mut HeaderMap) {
    match let_in {
        LetIn::Pass(_) => bypass::mark(headers),
    }
}

/// The pass by which a request was let in.
pub(super) fn pass(let_in: Option<&LetIn>) -> Option<Pass> {
    match let_in? {
        LetIn::Pass(pass) => Some(*pass),
    }
}
