//! How many requests are under way, as far as the control plane asks.

use crate::telemetry::metrics::Metrics;
use crate::window::scope::Scope;

/// Requests under way on one route in one region.
pub use crate::telemetry::metrics::InFlightCount as InFlight;

/// What goes on for long, as a part of what is under way at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lasting {
    /// WebSockets and other tunnels.
    pub tunnels: u64,
    /// Answers that go on, such as events.
    pub streams: u64,
}

/// Who counts them.
pub trait Traffic: Send + Sync {
    /// What is under way now, by route and region; places with none may be left out.
    fn in_flight(&self) -> Vec<InFlight>;

    /// What has begun since the start, by route and region. A count may begin anew when the config
    /// is read again.
    fn begun(&self) -> Vec<InFlight> {
        Vec::new()
    }

    /// What of it goes on for long.
    fn lasting(&self, _: &InFlight) -> Lasting {
        Lasting::default()
    }
}

impl Traffic for Metrics {
    fn in_flight(&self) -> Vec<InFlight> {
        Metrics::in_flight(self)
    }

    fn begun(&self) -> Vec<InFlight> {
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
