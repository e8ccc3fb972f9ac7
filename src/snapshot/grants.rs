//! Who is let through what is closed: the live bypasses, by the hash of their secret and by client
//! network. Looked at only for a request that would be answered as closed.
//!
//! A secret is 256 random bits and is known by its hash alone. It carries no signature: a bypass
//! can be revoked, so it has to be looked up anyway, and a key that signs would be one more secret,
//! whose thief could make bypasses that nobody has on a list.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::clock::Wall;
use crate::digest::{self, Hash};
use crate::grant::Bypass;
use crate::id::Id;

/// The live bypasses.
pub struct Grants {
    by_hash: HashMap<Hash, Arc<Bypass>>,
    by_network: Vec<(IpNet, Arc<Bypass>)>,
    /// What verifications show, so that they take the visitors' own way.
    own: Arc<Own>,
}

struct Own {
    secret: String,
    hash: Hash,
}

/// By what a request was let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Pass {
    /// The bypass of this id.
    Bypass(Id),
    /// It is a probe of ours.
    Verification,
}

/// What a request for a closed place is.
#[derive(Clone, Copy, Debug)]
pub struct Knock<'a> {
    /// Whom it is for.
    pub client: IpAddr,
    /// The route's name.
    pub route: &'a str,
    /// The region's name.
    pub region: &'a str,
    /// Its method.
    pub method: &'a str,
    /// The windows over the place.
    pub windows: &'a [Id],
    /// When it is.
    pub now: Wall,
}

impl Default for Grants {
    fn default() -> Self {
        let secret = digest::base64url(&digest::random::<32>());
        let hash = digest::sha256(secret.as_bytes());
        let own = Arc::new(Own { secret, hash });
        Self { by_hash: HashMap::new(), by_network: Vec::new(), own }
    }
}

impl Grants {
    /// Of these bypasses; those that were revoked are left out. What verifications show stays as
    /// it was in `before`.
    pub fn of<'a>(bypasses: impl IntoIterator<Item = &'a Arc<Bypass>>, before: &Self) -> Self {
        let live = bypasses.into_iter().filter(|bypass| bypass.revoked.is_none());
        let mut grants =
            Self { by_hash: HashMap::new(), by_network: Vec::new(), own: Arc::clone(&before.own) };
        for bypass in live {
            grants.by_hash.insert(bypass.hash, Arc::clone(bypass));
            let networks = bypass.networks.iter();
            grants.by_network.extend(networks.map(|network| (*network, Arc::clone(bypass))));
        }
        grants
    }

    /// What a verification shows as [`crate::grant::bypass::FIELD`] to be let through everything.
    /// It is new in each process and leaves it only for its own listeners.
    pub fn own_secret(&self) -> &str {
        &self.own.secret
    }

    /// Whether this is what verifications show.
    pub fn is_own(&self, secret: &str) -> bool {
        digest::same(&digest::sha256(secret.as_bytes()), &self.own.hash)
    }

    /// Whether there is any bypass.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// By what a request is let in that shows these secrets.
    pub fn pass<'a>(
        &self,
        knock: &Knock<'_>,
        shown: impl Iterator<Item = &'a str>,
    ) -> Option<Pass> {
        for secret in shown {
            let hash = digest::sha256(secret.as_bytes());
            if digest::same(&hash, &self.own.hash) {
                return Some(Pass::Verification);
            }
            if let Some(bypass) = self.by_hash.get(&hash).filter(|bypass| knock.opens(bypass)) {
                return Some(Pass::Bypass(bypass.id));
            }
        }
        let client = knock.client.to_canonical();
        let mut near = self.by_network.iter().filter(|(network, _)| network.contains(&client));
        let (_, bypass) = near.find(|(_, bypass)| knock.opens(bypass))?;
        Some(Pass::Bypass(bypass.id))
    }

    /// Whether what was let in by this pass may go on.
    pub fn holds(&self, pass: Pass, now: Wall) -> bool {
        match pass {
            Pass::Verification => true,
            Pass::Bypass(id) => {
                self.by_hash.values().any(|bypass| bypass.id == id && now < bypass.not_after)
            }
        }
    }

    /// The live bypass with this secret, wherever it holds.
    pub fn by_secret(&self, secret: &str, now: Wall) -> Option<&Arc<Bypass>> {
        let bypass = self.by_hash.get(&digest::sha256(secret.as_bytes()))?;
        (now < bypass.not_after).then_some(bypass)
    }
}

impl Knock<'_> {
    /// A bypass for one window does not open what another closes too.
    fn opens(&self, bypass: &Bypass) -> bool {
        let scope = &bypass.scope;
        self.now < bypass.not_after
            && bypass.window.is_none_or(|only| self.windows.iter().all(|window| *window == only))
            && scope.routes.covers(self.route)
            && scope.regions.covers(self.region)
            && scope.methods.covers(self.method)
    }
}
