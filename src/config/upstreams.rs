//! What the sections about upstreams mean.

use std::path::Path;
use std::time::Duration;

use super::file::{Entry, Section, Text};
use super::problem::Found;
use super::routes::timeout;
use super::{care, health, keys, names, tls};
use crate::limit;
use crate::snapshot::{Care, HealthCheck, Speaks};
use crate::tls::Client;

/// One upstream as it was declared.
pub(super) struct Pool {
    pub(super) name: Text,
    pub(super) servers: Vec<Declared>,
    pub(super) connect_timeout: Duration,
    pub(super) tls: Option<Client>,
    pub(super) care: Care,
    pub(super) health: Option<HealthCheck>,
    pub(super) resolve_every: Duration,
}

/// A server as it was declared.
pub(super) struct Declared {
    pub(super) address: Text,
    pub(super) weight: u32,
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
        let servers = servers(&section, found);
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
        let care = care::care(&section, found);
        if care.speaks == Speaks::Either && tls.is_none() && !section.has("tls") {
            let what = "without TLS nobody says which protocol is spoken";
            let help =
                "write \"h2\" if the servers speak HTTP/2 in the clear, or add [upstream.tls]";
            found.add(section.place("protocol"), what, help);
        }
        let health = health::health(&section, found);
        let resolve_every = timeout(&section, "resolve_every", limit::RESOLVE_EVERY, found);
        let Some(name) = name else { continue };
        unique.check(&name, found);
        let servers = servers.unwrap_or_default();
        pools.push(Pool { name, servers, connect_timeout, tls, care, health, resolve_every });
    }
    pools
}

/// `None` if what stands there is no list.
fn servers(upstream: &Section<'_>, found: &mut Found) -> Option<Vec<Declared>> {
    let entries = upstream.entries("servers", &keys::SERVER, found)?;
    let mut servers = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry {
            Entry::Text(address) => servers.push(Declared { address, weight: 1 }),
            Entry::Table(server) => {
                let weight = server.whole("weight", 1..=limit::WEIGHT_CEILING, found);
                let weight = weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1);
                if !server.has("address") {
                    let help = format!("add {}", server.example("address"));
                    found.add(server.span(), "this server has no address", help);
                }
                if let Some(address) = server.text("address", found) {
                    servers.push(Declared { address, weight });
                }
            }
        }
    }
    Some(servers)
}
