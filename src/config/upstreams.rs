//! What the sections about upstreams mean.

use std::path::Path;
use std::time::Duration;

use super::file::{Section, Text};
use super::problem::Found;
use super::routes::timeout;
use super::{health, keys, names, tls};
use crate::limit;
use crate::snapshot::HealthCheck;
use crate::tls::Client;

/// One upstream as it was declared.
pub(super) struct Pool {
    pub(super) name: Text,
    pub(super) servers: Vec<Text>,
    pub(super) connect_timeout: Duration,
    pub(super) tls: Option<Client>,
    pub(super) health: Option<HealthCheck>,
    pub(super) resolve_every: Duration,
}

/// Reads `[[upstream]]`.
pub(super) fn upstreams(file: &Section<'_>, base: &Path, found: &mut Found) -> Vec<Pool> {
    let mut unique = names::Unique::new("upstream");
    let mut pools = Vec::new();
    let mut system = tls::System::default();
    let missing = (
        "there is no [[upstream]]: nothing to forward to",
        "add [[upstream]] with a name and servers = [\"127.0.0.1:9000\"]",
    );
    for section in file.some_sections("upstream", &keys::UPSTREAM, missing, found) {
        let name = names::required(&section, "name", found);
        let servers = section.texts("servers", found);
        if servers.as_ref().is_some_and(Vec::is_empty) || !section.has("servers") {
            let what = match &name {
                Some(name) => format!("the upstream `{}` has no servers", name.get_ref()),
                None => "this upstream has no servers".to_owned(),
            };
            let help = format!("name at least one: {}", section.example("servers"));
            found.add(section.place("servers"), what, help);
        }
        let connect_timeout = timeout(&section, "connect_timeout", limit::CONNECT_TIMEOUT, found);
        let tls = tls::client(&section, base, &mut system, found);
        let health = health::health(&section, found);
        let resolve_every = timeout(&section, "resolve_every", limit::RESOLVE_EVERY, found);
        let Some(name) = name else { continue };
        unique.check(&name, found);
        let servers = servers.unwrap_or_default();
        pools.push(Pool { name, servers, connect_timeout, health, resolve_every, tls });
    }
    pools
}
