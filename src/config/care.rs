//! How requests are spread over the servers of an upstream, as it was declared.

use std::time::Duration;

use http::HeaderName;

use super::file::{Section, Text};
use super::problem::Found;
use super::routes::timeout;
use super::{keys, names, quantity};
use crate::addr::proxy_protocol::Version;
use crate::limit;
use crate::snapshot::{Balance, Care, Ejection, HashBy, Speaks};

/// Reads what `[[upstream]]` says of it.
pub(super) fn care(upstream: &Section<'_>, found: &mut Found) -> Care {
    let spoken = [("http1", Speaks::Http1), ("h2", Speaks::Http2), ("auto", Speaks::Either)];
    let versions = [("v1", Version::V1), ("v2", Version::V2)];
    let range = Duration::ZERO..=limit::TIMEOUT_CEILING;
    let care = Care {
        speaks: names::choice(upstream, "protocol", &spoken, found).unwrap_or_default(),
        balance: balance(upstream, found),
        connections_max: whole(
            upstream,
            "connections_max",
            limit::CONNECTIONS_CEILING as u64,
            found,
        ),
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
