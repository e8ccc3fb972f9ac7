//! What a window's verification asks: which host, in which regions, behind which upstreams.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::addr::{ClientAddr, HostPattern, canonical_host};
use crate::control::roster::{Health, Servers};
use crate::duty::Duty;
use crate::region::{RegionIx, Trust};
use crate::route::{RouteIx, path};
use crate::snapshot::{Site, UpstreamIx};
use crate::window::plan::Probe;
use crate::window::scope::{Scope, Selection};

/// Where a probe is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub host: String,
    /// The region's name.
    pub region: String,
    /// Whether the route answers by `https` alone.
    pub secured: bool,
}

/// The places at which a probe must be well: one for each upstream that its path leads to within
/// the scope. A probe that tells its region by itself, by its host or a field, has one place.
pub(super) fn of(site: &Site, scope: &Scope, probe: &Probe) -> Vec<Place> {
    let host = host_of(site, scope, probe);
    let route = route_of(site, &host, &probe.path);
    let secured = route.is_some_and(|route| {
        site.rules(route).edge.as_ref().is_some_and(|edge| edge.https.is_some())
    });
    let place = |region: RegionIx| {
        let region = site.regions.name(region).to_owned();
        Place { host: host.clone(), region, secured }
    };
    if let Some(region) = told_region(site, scope, probe, &host) {
        return vec![place(region)];
    }
    let Some(route) = route else {
        return vec![place(site.regions.own())];
    };
    let mut asked = BTreeSet::new();
    let regions = regions_of(site, scope).into_iter();
    regions.filter(|region| asked.insert(site.upstream_ix(route, *region).0)).map(place).collect()
}

/// The upstreams that a scope leads to.
pub(super) fn upstreams_of(site: &Site, scope: &Scope) -> BTreeSet<UpstreamAt> {
    let regions = regions_of(site, scope);
    let routes = routes_of(site, scope);
    let redirects = |route: &RouteIx| site.rules(*route).redirects();
    let routes = routes.into_iter().filter(|route| !redirects(route));
    routes
        .flat_map(|route| regions.iter().map(move |region| (route, *region)))
        .map(|(route, region)| UpstreamAt(site.upstream_ix(route, region).0))
        .collect()
}

/// Which upstream, in an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct UpstreamAt(u32);

impl UpstreamAt {
    fn name(self, site: &Site) -> &str {
        let UpstreamIx(at) = UpstreamIx(self.0);
        &site.upstreams[at as usize].name
    }
}

/// How well the servers of an upstream must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// All that operators let take requests, and at least one.
    All,
    /// More than half of them: that one of several fails is what the others are there for.
    Most,
}

/// What is wrong with the servers that a scope leads to.
pub(super) fn unwell(site: &Site, servers: &Servers, scope: &Scope, wanted: Wanted) -> Vec<String> {
    let upstreams = upstreams_of(site, scope);
    let each = upstreams.into_iter().map(|at| at.name(site));
    each.filter_map(|name| {
        let pool = servers.pool(name)?;
        let ready = pool.servers.iter().filter(|server| server.duty() == Duty::Ready);
        let places: Vec<_> =
            ready.flat_map(|server| server.places.iter().map(move |p| (server, p))).collect();
        let bad: Vec<_> = places.iter().filter(|(_, p)| !is_green(&p.health, wanted)).collect();
        let enough = match wanted {
            Wanted::All => bad.is_empty() && !places.is_empty(),
            Wanted::Most => (places.len() - bad.len()) * 2 > places.len(),
        };
        if enough {
            return None;
        }
        let why =
            bad.first().map_or("no server may take requests".to_owned(), |(server, place)| {
                format!("server {} {}", server.name, said(&place.health))
            });
        Some(format!(
            "upstream {name}: {} of {} servers are well; {why}",
            places.len() - bad.len(),
            places.len()
        ))
    })
    .collect()
}

fn is_green(health: &Health, wanted: Wanted) -> bool {
    match (health, wanted) {
        (Health::Unchecked | Health::Healthy { .. }, _) | (Health::Unknown, Wanted::Most) => true,
        (Health::Unknown, Wanted::All) | (Health::Unhealthy { .. }, _) => false,
    }
}

fn said(health: &Health) -> String {
    match health {
        Health::Unhealthy { health_error, .. } => format!("fails its checks: {health_error}"),
        Health::Unknown => "was not checked yet".to_owned(),
        Health::Unchecked | Health::Healthy { .. } => "is well".to_owned(),
    }
}

/// The probe's own host; else the first literal one of a route in scope that serves the path.
fn host_of(site: &Site, scope: &Scope, probe: &Probe) -> String {
    if !probe.host.is_empty() {
        return probe.host.clone();
    }
    let routes = routes_of(site, scope);
    let hosts = || routes.iter().flat_map(|route| site.routes.hosts(*route));
    let literal = |host: &&HostPattern| matches!(host, HostPattern::Exact(_));
    let serves = |host: &&HostPattern| {
        route_of(site, &spelt(host), &probe.path).is_some_and(|found| routes.contains(&found))
    };
    let found = hosts().filter(literal).find(serves).or_else(|| hosts().find(serves));
    found.or_else(|| hosts().next()).map_or("localhost".to_owned(), spelt)
}

fn spelt(host: &HostPattern) -> String {
    match host {
        HostPattern::Any => "localhost".to_owned(),
        HostPattern::Exact(_) | HostPattern::Below(_) => host.example(),
    }
}

fn route_of(site: &Site, host: &str, target: &str) -> Option<RouteIx> {
    let (mut host_scratch, mut path_scratch) = (String::new(), String::new());
    let host = canonical_host(host, &mut host_scratch).ok()?;
    let path = target.split('?').next().unwrap_or_default();
    let path = path::canonical(path, &mut path_scratch).ok()?;
    site.routes.find(host, path.path)
}

/// The region in the scope that the probe's own host or fields tell.
fn told_region(site: &Site, scope: &Scope, probe: &Probe, host: &str) -> Option<RegionIx> {
    if probe.host.is_empty() && probe.headers.is_empty() {
        return None;
    }
    let mut scratch = String::new();
    let host = canonical_host(host, &mut scratch).ok()?;
    let nobody = ClientAddr(std::net::Ipv4Addr::UNSPECIFIED.into());
    let region = site.regions.find(host, &fields(probe), nobody, Trust::Trusted);
    // The own region is what a request without a sign falls into: it is no sign itself.
    let told = region != site.regions.own() && scope.regions.covers(site.regions.name(region));
    told.then_some(region)
}

/// The fields that a probe sends. One that is no field of HTTP is left out: whoever reads the
/// plan refuses it.
pub(super) fn fields(probe: &Probe) -> HeaderMap {
    let each = probe.headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    each.collect()
}

fn regions_of(site: &Site, scope: &Scope) -> Vec<RegionIx> {
    match &scope.regions {
        Selection::All => site.regions.names().filter_map(|n| site.regions.named(n)).collect(),
        Selection::Named(names) => names.iter().filter_map(|n| site.regions.named(n)).collect(),
    }
}

fn routes_of(site: &Site, scope: &Scope) -> Vec<RouteIx> {
    match &scope.routes {
        Selection::All => (0..site.rules.len() as u32).map(RouteIx).collect(),
        Selection::Named(names) => names.iter().filter_map(|n| site.route_named(n)).collect(),
    }
}
