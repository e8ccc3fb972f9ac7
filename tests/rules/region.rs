//! Header, host, network, own: in this order.

use http::{HeaderMap, HeaderName, HeaderValue};
use intermission::addr::{ClientAddr, HostPattern, Networks};
use intermission::region::{RegionIx, RegionRule, RegionTable, Trust};
use proptest::prelude::*;

fn rule(name: &str, header: Option<&str>, hosts: &[&str], networks: &[&str]) -> RegionRule {
    RegionRule {
        name: name.to_owned(),
        header: header.map(|value| (HeaderName::from_static("x-region"), value.to_owned())),
        hosts: hosts.iter().map(|host| HostPattern::parse(host).expect(host)).collect(),
        networks: Networks::new(
            networks.iter().map(|network| network.parse().expect("a network")).collect(),
        ),
    }
}

fn table() -> RegionTable {
    let rules = vec![
        rule("eu", Some("eu"), &["*.example.com"], &["10.0.0.0/8", "2001:db8::/32"]),
        rule("apac", Some("apac"), &["apac.example.com", "*.apac.example.com"], &["10.1.0.0/16"]),
        rule("us", None, &[], &["10.1.2.0/24", "10.1.2.3/32", "10.255.255.255/32"]),
        rule("own", None, &[], &[]),
    ];
    RegionTable::new(rules, RegionIx(3))
}

fn region(host: &str, values: &[&str], client: &str, trust: Trust) -> &'static str {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("x-region", HeaderValue::from_str(value).expect("a value"));
    }
    let client = ClientAddr(client.parse().expect("an address"));
    let found = table().find(host, &headers, client, trust);
    ["eu", "apac", "us", "own"][usize::from(found.0)]
}

#[test]
fn the_order_is_header_host_network_own() {
    use Trust::{Stranger, Trusted};
    type Case = (&'static str, &'static [&'static str], &'static str, Trust, &'static str);
    let rows: &[Case] = &[
        ("apac.example.com", &["eu"], "10.1.2.3", Trusted, "eu"),
        ("apac.example.com", &[" EU "], "10.1.2.3", Trusted, "eu"),
        ("apac.example.com", &["eu"], "10.1.2.3", Stranger, "apac"),
        ("x.test", &["eu", "apac"], "192.0.2.1", Trusted, "apac"),
        ("x.test", &["mars"], "192.0.2.1", Trusted, "own"),
        ("x.test", &["apac", "mars"], "192.0.2.1", Trusted, "own"),
        ("a.example.com", &[], "10.1.2.3", Stranger, "eu"),
        ("a.apac.example.com", &[], "10.0.0.1", Stranger, "apac"),
        ("example.com", &[], "192.0.2.1", Stranger, "own"),
        ("x.test", &[], "10.0.0.1", Stranger, "eu"),
        ("x.test", &[], "10.1.0.0", Stranger, "apac"),
        ("x.test", &[], "10.1.1.255", Stranger, "apac"),
        ("x.test", &[], "10.1.2.0", Stranger, "us"),
        ("x.test", &[], "10.1.2.3", Stranger, "us"),
        ("x.test", &[], "10.1.2.255", Stranger, "us"),
        ("x.test", &[], "10.1.3.0", Stranger, "apac"),
        ("x.test", &[], "10.2.0.0", Stranger, "eu"),
        ("x.test", &[], "10.255.255.255", Stranger, "us"),
        ("x.test", &[], "11.0.0.0", Stranger, "own"),
        ("x.test", &[], "9.255.255.255", Stranger, "own"),
        ("x.test", &[], "::ffff:10.1.2.3", Stranger, "us"),
        ("x.test", &[], "2001:db8::1", Stranger, "eu"),
        ("x.test", &[], "2001:db9::", Stranger, "own"),
    ];
    for (host, values, client, trust, wanted) in rows {
        assert_eq!(region(host, values, client, *trust), *wanted, "{host} {values:?} {client}");
    }
}

#[test]
fn regions_are_known_by_name() {
    let table = table();
    assert_eq!(table.named("us"), Some(RegionIx(2)));
    assert_eq!(table.named("mars"), None);
    assert_eq!((table.name(RegionIx(1)), table.len(), table.own()), ("apac", 4, RegionIx(3)));
}

proptest! {
    #[test]
    fn the_longest_prefix_wins(
        networks in prop::collection::vec((any::<u32>(), 0u8..=32), 0..40),
        near in any::<u32>(),
    ) {
        // Few distinct addresses, so that networks nest.
        let networks: Vec<ipnet::IpNet> = networks
            .iter()
            .map(|(bits, length)| {
                let address = std::net::Ipv4Addr::from(bits & 0xC0C0_C0C3);
                ipnet::Ipv4Net::new(address, *length).expect("a prefix").trunc().into()
            })
            .collect();
        let rules = networks
            .iter()
            .map(|network| rule("r", None, &[], &[&network.to_string()]))
            .chain([rule("own", None, &[], &[])])
            .collect();
        let own = RegionIx(networks.len() as u16);
        let table = RegionTable::new(rules, own);
        for client in [near & 0xC0C0_C0C3, near, 0, u32::MAX] {
            let client = std::net::IpAddr::from(std::net::Ipv4Addr::from(client));
            let over = networks.iter().enumerate().filter(|(_, network)| network.contains(&client));
            let longest = over.max_by_key(|(at, network)| {
                (network.prefix_len(), std::cmp::Reverse(*at))
            });
            let wanted = longest.map_or(own, |(at, _)| RegionIx(at as u16));
            let found = table.find("h", &HeaderMap::new(), ClientAddr(client), Trust::Stranger);
            prop_assert_eq!(found, wanted, "{} in {:?}", client, networks);
        }
    }
}
