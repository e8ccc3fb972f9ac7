//! Looks server names up again and again, and tells the reconciler where they lead.
//!
//! A look-up that fails leaves the addresses as they are: a name server that is down for an hour
//! must not take the applications with it, which are well.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::command::Handle;
use super::crew::Crew;
use super::roster::{Seen, Sight};
use crate::addr::ServerAddr;
use crate::config;
use crate::limit;
use crate::snapshot::Site;
use crate::telemetry::metrics::Metrics;

/// Who knows where a server is: takes `app.internal:9000`, and may block.
pub type Resolver = Arc<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The system's resolver.
pub fn system() -> Resolver {
    Arc::new(config::addresses_of)
}

/// Looks up the names of all servers.
pub struct Names {
    shared: Arc<Shared>,
    crew: Crew<Key, Duration>,
}

/// An upstream and one of its servers.
type Key = (Arc<str>, Arc<str>);

struct Shared {
    handle: Handle,
    resolver: Resolver,
    metrics: Metrics,
    permits: Arc<Semaphore>,
}

impl Names {
    /// Tells `handle` what `resolver` knows.
    pub fn new(handle: Handle, resolver: Resolver, metrics: Metrics) -> Self {
        let permits = Arc::new(Semaphore::new(limit::RESOLVERS_MAX));
        let shared = Arc::new(Shared { handle, resolver, metrics, permits });
        Self { shared, crew: Crew::new() }
    }

    /// Works until the reconciler is gone or `stop` is done.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut standing = self.shared.handle.watch();
        let mut site = None;
        let mut stop = std::pin::pin!(stop);
        loop {
            let now = Arc::clone(&self.shared.handle.snapshot().site);
            if !site.as_ref().is_some_and(|before| Arc::ptr_eq(before, &now)) {
                let shared = &self.shared;
                self.crew
                    .tend(names_of(&now), |key, every| look_up(key, every, Arc::clone(shared)));
                site = Some(now);
            }
            // CANCEL: each branch only says that there is something to look at.
            tokio::select! {
                changed = standing.changed() => if changed.is_err() { return },
                () = stop.as_mut() => return,
            }
        }
    }
}

/// The servers that are names, and how often each is looked up.
fn names_of(site: &Site) -> HashMap<Key, Duration> {
    let all = site.upstreams.iter().flat_map(|upstream| {
        let names = upstream.servers.iter().map(|server| Arc::clone(&server.name));
        let names = names.filter(|name| name.parse::<SocketAddr>().is_err());
        names.map(|name| ((Arc::clone(&upstream.name), name), upstream.resolve_every))
    });
    all.collect()
}

/// Looks one name up as long as the config has it.
async fn look_up(
    (upstream, server): Key,
    mut every: watch::Receiver<Duration>,
    shared: Arc<Shared>,
) {
    let stale = Stale { metrics: shared.metrics.clone(), is: false };
    let mut stale = stale;
    // The config was compiled a moment ago, with a look-up of its own.
    loop {
        let wait = spread(*every.borrow_and_update());
        // CANCEL: nothing has begun in either branch.
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            changed = every.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        }
        let Ok(permit) = Arc::clone(&shared.permits).acquire_owned().await else { return };
        let (resolver, name) = (Arc::clone(&shared.resolver), Arc::clone(&server));
        // The permit goes with the thread: one that hangs is counted until it is back.
        let found = tokio::task::spawn_blocking(move || {
            let found = resolver(&name);
            drop(permit);
            found
        });
        match found.await.unwrap_or_else(|lost| Err(io::Error::other(lost))).and_then(usable) {
            Ok(addresses) => {
                stale.fresh(&server);
                let what = Sight::Addresses(addresses);
                let seen = Seen { upstream: upstream.clone(), server: server.clone(), what };
                if !shared.handle.see(seen).await {
                    return;
                }
            }
            Err(error) => stale.stale(&server, &error),
        }
    }
}

/// What can be connected to; nothing at all is a failure of the name server's.
fn usable(found: Vec<SocketAddr>) -> io::Result<Vec<ServerAddr>> {
    let found = found.into_iter().filter(|address| !address.ip().is_unspecified());
    let found: Vec<_> = found.take(limit::ADDRESSES_PER_NAME_MAX).map(ServerAddr).collect();
    if found.is_empty() { Err(io::Error::other("the name has no address")) } else { Ok(found) }
}

/// A span give or take a tenth, so that what began together does not stay together.
pub(super) fn spread(span: Duration) -> Duration {
    let share = u32::from_be_bytes(crate::digest::random());
    span.mul_f64(0.9 + 0.2 * f64::from(share) / f64::from(u32::MAX))
}

/// Whether the addresses of a name are old: told once, and counted as long as it is so.
struct Stale {
    metrics: Metrics,
    is: bool,
}

impl Stale {
    fn stale(&mut self, server: &str, error: &io::Error) {
        if !std::mem::replace(&mut self.is, true) {
            self.metrics.name_stale(true);
            tracing::warn!(server, %error, "a name cannot be looked up; its addresses stay");
        }
    }

    fn fresh(&mut self, server: &str) {
        if std::mem::replace(&mut self.is, false) {
            self.metrics.name_stale(false);
            tracing::info!(server, "a name can be looked up again");
        }
    }
}

impl Drop for Stale {
    fn drop(&mut self) {
        if self.is {
            self.metrics.name_stale(false);
        }
    }
}
