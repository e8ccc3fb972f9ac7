//! What the sections about upstreams mean.

use std::path::Path;
use std::time::Duration;

use http::HeaderName;

use super::file::{Entry, Section, Text};
use super::problem::Found;
use super::routes::timeout;
use super::{keys, names, quantity, tls};
use crate::addr::proxy_protocol::Version;
use crate::limit;
use crate::snapshot::{Balance, Care, Ejection, HashBy, Speaks};
use crate::tls::Client;

/// One upstream as it was declared.
pub(super) struct Pool {
    pub(super) name: Text,
    pub(super) servers: Vec<Declared>,
    pub(super) connect_timeout: Duration,
    pub(super) tls: Option<Client>,
    pub(super) care: Care,
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
        let care = care(&section, found);
        if care.speaks == Speaks::Either && tls.is_none() && !section.has("tls") {
            let what = "without TLS nobody says which protocol is spoken";
            let help =
                "write \"h2\" if the servers speak HTTP/2 in the clear, or add [upstream.tls]";
            found.add(section.place("protocol"), what, help);
        }
        let Some(name) = name else { continue };
        unique.check(&name, found);
        let servers = servers.unwrap_or_default();
        pools.push(Pool { name, servers, connect_timeout, tls, care });
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

fn care(upstream: &Section<'_>, found: &mut Found) -> Care {
    let spoken = [("http1", Speaks::Http1), ("h2", Speaks::Http2), ("auto", Speaks::Either)];
    let versions = [("v1", Version::V1), ("v2", Version::V2)];
    let range = Duration::ZERO..=limit::TIMEOUT_CEILING;
    let care = Care {
        speaks: names::choice(upstream, "protocol", &spoken, found).unwrap_or_default(),
        balance: balance(upstream, found),
        connections_max: whole(upstream, "connections_max", limit::CONNECTIONS_CEILING, found),
        queue_max: whole(upstream, "queue_max", limit::QUEUE_CEILING, found)
            .unwrap_or(limit::QUEUE_MAX),
        queue_timeout: timeout(upstream, "queue_timeout", limit::QUEUE_TIMEOUT, found),
        slow_start: quantity::duration(upstream, "slow_start", Duration::ZERO, range, found),
        ejection: ejection(upstream, found),
        retries: upstream.flag("retries", found).unwrap_or(true),
        proxy_protocol: names::choice(upstream, "proxy_protocol", &versions, found),
    };
    if care.proxy_protocol.is_some() && care.speaks != Speaks::Http1 {
        let what = "an HTTP/2 connection carries many visitors, so it cannot begin with whom it is \
                    for";
        let help = "write protocol = \"http1\", or leave proxy_protocol out";
        found.add(upstream.place("proxy_protocol"), what, help);
    }
    care
}

fn whole(section: &Section<'_>, name: &'static str, most: u64, found: &mut Found) -> Option<usize> {
    section.whole(name, 1..=most, found).and_then(|count| usize::try_from(count).ok())
}

fn balance(upstream: &Section<'_>, found: &mut Found) -> Balance {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        RoundRobin,
        LeastRequests,
        Hash,
    }
    let words = [
        ("round_robin", Word::RoundRobin),
        ("least_requests", Word::LeastRequests),
        ("hash", Word::Hash),
    ];
    let word = names::choice(upstream, "balance", &words, found);
    let by = upstream.text("hash_by", found).and_then(|typed| hash_by(upstream, &typed, found));
    match word {
        Some(Word::Hash) if !upstream.has("hash_by") => {
            let help = format!("add a line {}", upstream.example("hash_by"));
            found.add(upstream.place("balance"), "by what are visitors told apart?", help);
        }
        None | Some(Word::RoundRobin | Word::LeastRequests) if upstream.has("hash_by") => {
            let what = "`hash_by` is of no use without balance = \"hash\"";
            found.add(upstream.place("hash_by"), what, "write balance = \"hash\", or remove it");
        }
        None | Some(Word::RoundRobin | Word::LeastRequests | Word::Hash) => {}
    }
    match (word, by) {
        (Some(Word::Hash), Some(by)) => Balance::Hash(by),
        (Some(Word::LeastRequests), _) => Balance::LeastRequests,
        (None | Some(Word::RoundRobin | Word::Hash), _) => Balance::RoundRobin,
    }
}

fn hash_by(upstream: &Section<'_>, typed: &Text, found: &mut Found) -> Option<HashBy> {
    let (kind, name) = typed.get_ref().split_once(':').unwrap_or((typed.get_ref(), ""));
    let by = match (kind, name) {
        ("client", "") => Some(HashBy::Client),
        ("header", name) => HeaderName::from_bytes(name.as_bytes()).ok().map(HashBy::Header),
        // A cookie's name is a token, as a header's is (RFC 6265 §4.1.1).
        ("cookie", name) => {
            HeaderName::from_bytes(name.as_bytes()).ok().map(|_| HashBy::Cookie(name.to_owned()))
        }
        (_, _) => None,
    };
    if by.is_none() {
        let what = format!("visitors cannot be told apart by {:?}", typed.get_ref());
        let help =
            format!("write \"client\", \"header:\" and a name, or {}", upstream.example("hash_by"));
        found.add(typed.span(), what, help);
    }
    by
}

fn ejection(upstream: &Section<'_>, found: &mut Found) -> Option<Ejection> {
    let section = upstream.section("ejection", &keys::EJECTION, found);
    let failures = section.whole("failures", 0..=1_000, found);
    let failures = failures.and_then(|count| u32::try_from(count).ok());
    let share = section.whole("share_max", 0..=100, found);
    let share = share.and_then(|share| u32::try_from(share).ok());
    let ejection = Ejection {
        failures: failures.unwrap_or(limit::EJECTION_FAILURES),
        time: timeout(&section, "time", limit::EJECTION_TIME, found),
        share_max: share.unwrap_or(limit::EJECTION_SHARE_MAX),
    };
    (ejection.failures > 0).then_some(ejection)
}
