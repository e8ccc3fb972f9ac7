//! What the reconciler does about servers: it takes what was seen of them and what operators
//! decide, and publishes the roster that follows.

use std::sync::Arc;

use super::command::{Assignment, Expected, Posted, Refused};
use super::reconcile::Reconciler;
use super::roster::{Health, Seen, Sight};
use crate::duty::Posting;
use crate::window::state::Author;

impl Reconciler {
    /// Stores what an operator decided about a server, shows it, answers.
    pub(super) async fn post(
        &mut self,
        order: Assignment,
        author: Author,
    ) -> Result<Posted, Refused> {
        let Assignment { upstream, server, state, expected } = order;
        let known = self.servers.pool(&upstream).and_then(|pool| pool.server(&server));
        let Some(known) = known else {
            return Err(Refused::NoServer { upstream, server });
        };
        let actual = known.posting.as_ref().map_or(0, |posting| posting.version);
        match expected {
            Expected::Version(expected) if expected != actual => {
                return Err(Refused::Posted { server, expected, actual });
            }
            Expected::Version(_) | Expected::Any => {}
        }
        let (version, at) = (actual + 1, self.parts.clock.now());
        let Author { by, why } = author;
        let posting = Posting { upstream, server, version, state, at, by, why };
        // ORDER: durable before visible before answered, as with windows.
        if let Err(error) = self.parts.store.post(posting.clone()).await {
            tracing::error!(server = posting.server, %error, "a decision was not stored");
            self.read_postings_again().await;
            return Err(Refused::Store(error));
        }
        tell(&posting);
        Arc::make_mut(&mut self.servers).post(posting.clone(), self.parts.clock.tick());
        self.show_servers();
        Ok(Posted { posting, generation: self.standing.borrow().generation })
    }

    /// After a failed commit: what the store has is what holds, whoever put it there.
    async fn read_postings_again(&mut self) {
        match self.parts.store.postings().await {
            Ok(stored) => {
                let now = self.parts.clock.tick();
                let servers = Arc::make_mut(&mut self.servers);
                stored.into_iter().for_each(|posting| servers.post(posting, now));
                self.show_servers();
            }
            Err(error) => tracing::error!(%error, "decisions cannot be read again either"),
        }
    }

    /// Takes what health checks and look-ups saw; one publish shows all of it.
    pub(super) fn see(&mut self, all: &[Seen]) {
        if all.is_empty() {
            return;
        }
        let now = self.parts.clock.tick();
        let mut servers = (*self.servers).clone();
        let mut changed = false;
        for seen in all {
            if servers.see(seen, now) {
                changed = true;
                tell_seen(seen);
            }
        }
        if changed {
            self.servers = Arc::new(servers);
            self.show_servers();
        }
    }

    /// Carries what is known of servers over to the config that is in force now.
    pub(super) fn keep_servers(&mut self) {
        let now = self.parts.clock.tick();
        self.servers = Arc::new(self.servers.under(&self.parts.site, Some(now)));
        self.roster = Arc::new(self.servers.roster());
    }

    fn show_servers(&mut self) {
        let roster = self.servers.roster();
        // A roster that stays the same one costs the workers nothing.
        if roster != *self.roster {
            self.roster = Arc::new(roster);
        }
        self.publish();
    }
}

/// The operator's log of what was decided; the store has the same.
fn tell(posting: &Posting) {
    let Posting { upstream, server, state, by, why, .. } = posting;
    tracing::info!(upstream, server, state = state.name(), by, why, "a server's duty changed");
}

fn tell_seen(seen: &Seen) {
    let Seen { upstream, server, what } = seen;
    match what {
        Sight::Addresses(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(|a| a.0.to_string()).collect();
            let addresses = addresses.join(", ");
            tracing::info!(%upstream, %server, addresses, "a server's addresses changed");
        }
        Sight::Health(address, Health::Unhealthy { health_error, .. }) => {
            let why = health_error;
            tracing::warn!(%upstream, %server, address = %address.0, why, "a server is unhealthy");
        }
        Sight::Health(address, Health::Unchecked | Health::Unknown | Health::Healthy { .. }) => {
            tracing::info!(%upstream, %server, address = %address.0, "a server is healthy");
        }
    }
}
