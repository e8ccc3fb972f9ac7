//! How many requests are under way, as far as the control plane asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::telemetry::metrics::Metrics;
use crate::window::scope::Scope;

/// Requests under way on one route in one region.
pub use crate::telemetry::metrics::InFlightCount as InFlight;

/// A route and a region, and how many requests.
pub type Begun = BTreeMap<(Arc<str>, Arc<str>), u64>;

/// Who counts them.
pub trait Traffic: Send + Sync {
    /// What is under way now, by route and region; places with none may be left out.
    fn in_flight(&self) -> Vec<InFlight>;

    /// What has begun since the start, by route and region. A count may begin anew when the config
    /// is read again.
    fn begun(&self) -> Begun {
        Begun::new()
    }
}

impl Traffic for Metrics {
    fn in_flight(&self) -> Vec<InFlight> {
        Metrics::in_flight(self)
    }

    fn begun(&self) -> Begun {
        Metrics::begun(self)
    }
}

/// Those of `all` that lie in `scope`.
pub fn within<'a>(all: &'a [InFlight], scope: &Scope) -> impl Iterator<Item = &'a InFlight> {
    all.iter()
        .filter(move |one| scope.routes.covers(&one.route) && scope.regions.covers(&one.region))
}

/// How many of `all` lie in `scope`.
pub fn count_within(all: &[InFlight], scope: &Scope) -> u64 {
    within(all, scope).map(|one| one.count).sum()
}
