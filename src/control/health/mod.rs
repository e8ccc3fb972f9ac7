//! Asks servers whether they are well, and tells the reconciler when the answer changes.
//!
//! Each address of each server has a task of its own, so that one that hangs delays no other.
//! Nobody waits for a check: the reconciler is told, and workers read the roster it publishes.

mod grpc;
mod probe;
mod streak;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use super::command::Handle;
use super::crew::Crew;
use super::names::spread;
use super::roster::{Health, Seen, Servers, Sight};
use crate::addr::{ServerAddr, proxy_protocol};
use crate::clock::Clock;
use crate::limit;
use crate::snapshot::{HealthCheck, Site, Speaks};
use crate::telemetry::metrics::Metrics;
use crate::tls;

use streak::Streak;

/// Checks all servers that the config wants to be checked.
pub struct Checks {
    shared: Arc<Shared>,
    crew: Crew<Key, Target>,
}

struct Shared {
    handle: Handle,
    clock: Clock,
    metrics: Metrics,
    permits: Semaphore,
}

/// An upstream, one of its servers, and one of its addresses.
type Key = (Arc<str>, Arc<str>, ServerAddr);

/// Who is asked, and how.
#[derive(Clone)]
struct Target {
    /// The server as it is typed: the name it must prove, and the host it is asked for.
    name: Arc<str>,
    address: ServerAddr,
    check: HealthCheck,
    tls: Option<tls::Client>,
    speaks: Speaks,
    /// Whether the server wants to hear first whom a connection is for: for nobody.
    proxy_protocol: Option<proxy_protocol::Version>,
}

impl Checks {
    /// Tells `handle` how servers are.
    pub fn new(handle: Handle, clock: Clock, metrics: Metrics) -> Self {
        let permits = Semaphore::new(limit::HEALTH_CHECKS_MAX);
        let shared = Arc::new(Shared { handle, clock, metrics, permits });
        Self { shared, crew: Crew::new() }
    }

    /// Works until the reconciler is gone or `stop` is done.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut standing = self.shared.handle.watch();
        let mut before: Option<(Arc<Site>, Arc<Servers>)> = None;
        let mut stop = std::pin::pin!(stop);
        loop {
            let servers = Arc::clone(&standing.borrow_and_update().servers);
            let site = Arc::clone(&self.shared.handle.snapshot().site);
            let same = before.as_ref().is_some_and(|(old_site, old_servers)| {
                Arc::ptr_eq(old_site, &site) && Arc::ptr_eq(old_servers, &servers)
            });
            if !same {
                let shared = &self.shared;
                self.crew.tend(targets(&site, &servers), |key, target| {
                    keep_asking(key, target, Arc::clone(shared))
                });
                before = Some((site, servers));
            }
            // CANCEL: each branch only says that there is something to look at.
            tokio::select! {
                changed = standing.changed() => if changed.is_err() { return },
                () = stop.as_mut() => return,
            }
        }
    }
}

fn targets(site: &Site, servers: &Servers) -> HashMap<Key, Target> {
    let mut targets = HashMap::new();
    for upstream in &site.upstreams {
        let (Some(check), Some(pool)) = (&upstream.health, servers.pool(&upstream.name)) else {
            continue;
        };
        for server in &pool.servers {
            for place in &server.places {
                let (name, address) = (Arc::clone(&server.name), place.address);
                let key = (Arc::clone(&upstream.name), Arc::clone(&name), address);
                let target = Target {
                    name,
                    address,
                    check: check.clone(),
                    tls: upstream.tls.clone(),
                    speaks: upstream.care.speaks,
                    proxy_protocol: upstream.care.proxy_protocol,
                };
                targets.insert(key, target);
            }
        }
    }
    targets
}

/// Asks one server as long as it is there.
async fn keep_asking(
    (upstream, server, address): Key,
    mut target: watch::Receiver<Target>,
    shared: Arc<Shared>,
) {
    let health = || known(&shared, &upstream, &server, address);
    let mut streak = Streak::from(&health());
    // What is new is asked at once; of the others it is known how they are.
    let mut due = shared.clock.tick();
    if streak.state().is_some() {
        due = due.plus(spread(target.borrow().check.interval));
    }
    loop {
        // CANCEL: nothing has begun in either branch.
        tokio::select! {
            () = tokio::time::sleep_until(due.instant()) => {}
            changed = target.changed() => {
                if changed.is_err() {
                    return;
                }
                // A shorter interval holds from now on, not after the longer one.
                due = due.min(shared.clock.tick().plus(spread(target.borrow().check.interval)));
                continue;
            }
        }
        let asked = target.borrow_and_update().clone();
        let Ok(permit) = shared.permits.acquire().await else { return };
        due = shared.clock.tick().plus(spread(asked.check.interval));
        let answer = probe::ask(&asked).await;
        drop(permit);
        shared.metrics.health_checked(&upstream, answer.is_ok());
        streak.take(answer.is_ok(), &asked.check);
        // What is in force is compared, not what was told last: whatever made the two differ,
        // the next check puts it right.
        if streak.state() == Streak::from(&health()).state() {
            continue;
        }
        let health_since = shared.clock.now();
        let health = match answer {
            Ok(()) => Health::Healthy { health_since },
            Err(health_error) if streak.state() == Some(false) => {
                Health::Unhealthy { health_since, health_error }
            }
            Err(_) => continue,
        };
        let what = Sight::Health(address, health);
        let seen = Seen { upstream: upstream.clone(), server: server.clone(), what };
        if !shared.handle.see(seen).await {
            return;
        }
    }
}

/// How the server is, as far as the reconciler knows.
fn known(shared: &Shared, upstream: &str, server: &str, address: ServerAddr) -> Health {
    let standing = shared.handle.standing();
    let server = standing.servers.pool(upstream).and_then(|pool| pool.server(server));
    let place = server.and_then(|server| server.places.iter().find(|p| p.address == address));
    place.map_or(Health::Unknown, |place| place.health.clone())
}
