//! From what a config means to what the planes run on: references become indexes, names become
//! addresses, patterns become tables.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Spanned;

use super::file::Text;
use super::node::{Node, unspanned};
use super::problem::Found;
use super::resolve::Addresses;
use super::routes::{Region, Route};
use super::upstreams::Pool;
use super::{Loaded, Process, names};
use crate::addr::{HostPattern, Networks};
use crate::id::NodeTag;
use crate::pages::Pages;
use crate::region::{RegionIx, RegionRule, RegionTable};
use crate::route::{PathPattern, RouteIx, RouteTable};
use crate::snapshot::{FormPolicy, Protocol, RouteRules, Site, Upstream, UpstreamIx};
use crate::window::schedule::Blackout;

/// The node's own region if no region is declared.
const ONLY_REGION: &str = "default";

/// What a config means.
pub(super) struct Model {
    pub(super) node: Node,
    pub(super) regions: Vec<Region>,
    pub(super) upstreams: Vec<Pool>,
    pub(super) routes: Vec<Route>,
    pub(super) blackouts: Vec<(Blackout, Vec<Text>)>,
    pub(super) maintenances: Option<Spanned<PathBuf>>,
}

/// Compiles a model. `None`, or anything found, means that it cannot be served.
pub(super) fn compile(model: Model, fingerprint: String, found: &mut Found) -> Option<Loaded> {
    let Model { node, regions, upstreams, routes, blackouts, maintenances } = model;
    let regions = region_table(&node, regions, found);
    let pool_names: HashMap<String, UpstreamIx> = (0..)
        .zip(&upstreams)
        .map(|(at, pool)| (pool.name.get_ref().clone(), UpstreamIx(at)))
        .collect();
    let addresses = Addresses::of(&upstreams);
    let upstreams: Vec<Upstream> =
        upstreams.into_iter().map(|pool| upstream(pool, &addresses, found)).collect();
    let table = route_table(&routes, found);
    let route_names: HashMap<Arc<str>, RouteIx> = (0..)
        .zip(&routes)
        .map(|(at, route)| (Arc::from(route.name.get_ref().as_str()), RouteIx(at)))
        .collect();
    let here = node.listeners.iter().find(|listener| listener.protocol == Protocol::Https);
    let port = here.map(|listener| Some(listener.at.port()).filter(|port| *port != 443));
    let https = port.or((!node.trusted.is_empty()).then_some(None));
    let pools = Pools { names: &pool_names, regions: &regions, https };
    let declared: Vec<_> = routes.iter().map(|route| route.name.get_ref().clone()).collect();
    let rules: Vec<RouteRules> =
        routes.into_iter().filter_map(|route| rules(route, &pools, found)).collect();
    let pages = pages(node.pages_dir.as_ref(), found);
    let named = declared.iter().map(String::as_str);
    let admin = node.admin.compile(&regions, named, found);
    let blackouts = named_blackouts(blackouts, &pools, found);
    if !found.is_empty() {
        return None;
    }
    let process = Process {
        listeners: node.listeners,
        workers: node.workers,
        admin,
        store_dir: node.store_dir,
        store: node.store,
        access_target: node.access_target,
        access_format: node.access_format,
        drain: node.drain,
        stop: node.stop,
        pages_dir: node.pages_dir.map(Spanned::into_inner),
    };
    let site = Site {
        fingerprint,
        node_tag: NodeTag::of(&node.name),
        node: node.name,
        routes: table?,
        rules,
        route_names,
        regions,
        upstreams,
        trusted: node.trusted,
        forwarded: node.forwarded,
        proxy_protocol: node.proxy_protocol,
        tls: node.tls,
        acme: node.acme,
        answers: node.answers,
        probes: node.probes,
        via: node.via,
        begin_traces: node.begin_traces,
        announce_header: node.announce_header,
        limits: node.limits,
        pace: node.pace,
        operator: node.operator,
        privacy: node.privacy,
        blackouts,
    };
    let declared =
        super::maintenances::declared(maintenances.as_ref(), &site, process.drain, found);
    let (site, pages) = (Arc::new(site), Arc::new(pages?));
    Some(Loaded { site, pages, process, declared: Some(declared) })
}

/// Blackouts, whose regions there must be.
fn named_blackouts(
    blackouts: Vec<(Blackout, Vec<Spanned<String>>)>,
    pools: &Pools,
    found: &mut Found,
) -> Vec<Blackout> {
    let known = blackouts.into_iter().map(|(blackout, regions)| {
        for region in &regions {
            let _ = pools.region(region, found);
        }
        blackout
    });
    known.collect()
}

fn region_table(node: &Node, regions: Vec<Region>, found: &mut Found) -> RegionTable {
    twice_claimed(&regions, found);
    out_of_reach(node, &regions, found);
    let own = own_region(node, &regions, found);
    let only = || RegionRule {
        name: node.region.as_ref().map_or(ONLY_REGION, |name| name.get_ref()).to_owned(),
        header: None,
        hosts: Vec::new(),
        networks: Networks::default(),
    };
    let mut rules: Vec<RegionRule> = regions.into_iter().map(region_rule).collect();
    if rules.is_empty() {
        rules.push(only());
    }
    RegionTable::new(rules, own)
}

fn region_rule(region: Region) -> RegionRule {
    RegionRule {
        name: region.name.into_inner(),
        header: region.header,
        hosts: unspanned(region.hosts),
        networks: Networks::new(unspanned(region.networks)),
    }
}

fn own_region(node: &Node, regions: &[Region], found: &mut Found) -> RegionIx {
    let known = || regions.iter().map(|region| region.name.get_ref().as_str());
    let Some(first) = known().next() else { return RegionIx(0) };
    let Some(own) = &node.region else {
        let what = "the node's own region is not named, but regions are declared";
        let help = format!(
            "requests that no region claims belong to the node's: add [node] with region = {first:?}"
        );
        found.add(regions[0].name.span(), what, help);
        return RegionIx(0);
    };
    match known().position(|name| name == own.get_ref()).and_then(|at| u16::try_from(at).ok()) {
        Some(at) => RegionIx(at),
        None => {
            names::unknown("region", own, known(), found);
            RegionIx(0)
        }
    }
}

/// Ways to a region that no request can take.
fn out_of_reach(node: &Node, regions: &[Region], found: &mut Found) {
    for region in regions {
        let any = region.hosts.iter().find(|host| *host.get_ref() == HostPattern::Any);
        if let Some(any) = any {
            let what = format!("the region `{}` claims every host", region.name.get_ref());
            let help = "then networks and the node's own region are never asked: remove the `*`, \
                        and make it the node's own region";
            found.add(any.span(), what, help);
        }
        if let Some((header, _)) = region.header.as_ref().filter(|_| node.trusted.is_empty()) {
            let what = format!("nobody is trusted to send the header {header}");
            let help = "name the proxies in front that set it: [listen] trusted = [\"10.0.0.0/8\"]";
            found.add(region.name.span(), what, help);
        }
    }
}

/// Hosts, networks and headers that two regions claim: which of them is meant?
fn twice_claimed(regions: &[Region], found: &mut Found) {
    let mut claims: HashMap<String, (usize, Range<usize>)> = HashMap::new();
    for (at, region) in regions.iter().enumerate() {
        let hosts =
            region.hosts.iter().map(|host| (format!("host {}", host.get_ref()), host.span()));
        let name = region.name.span();
        let networks = region.networks.iter();
        let networks =
            networks.map(|network| (format!("network {}", network.get_ref()), network.span()));
        let header = region.header.iter();
        let header = header.map(|(key, value)| (format!("header {key}: {value}"), name.clone()));
        for (claim, span) in hosts.chain(networks).chain(header) {
            match claims.get(&claim) {
                Some((by, first)) if *by != at => {
                    let what = format!("two regions claim the {claim}");
                    let beside = (first.clone(), "first here");
                    found.add_beside(span, beside, what, "leave it to one of them");
                }
                Some(_) => {}
                None => {
                    claims.insert(claim, (at, span));
                }
            }
        }
    }
}

fn upstream(pool: Pool, addresses: &Addresses, found: &mut Found) -> Upstream {
    let servers = addresses.servers(&pool, found);
    Upstream {
        servers,
        name: Arc::from(pool.name.into_inner()),
        connect_timeout: pool.connect_timeout,
        tls: pool.tls,
        care: pool.care,
        health: pool.health,
        resolve_every: pool.resolve_every,
    }
}

/// What references of routes are looked up in.
struct Pools<'a> {
    names: &'a HashMap<String, UpstreamIx>,
    regions: &'a RegionTable,
    /// Where visitors may speak TLS: at this node, or to a trusted proxy in front.
    https: Option<Option<u16>>,
}

impl Pools<'_> {
    /// The port that `https_redirect` leads to, where the host names one; none is 443.
    fn https_port(&self, route: &Text, found: &mut Found) -> Option<u16> {
        if self.https.is_none() {
            let what = "nobody speaks https here, where `https_redirect` leads to";
            let help = "add [listen] https = [\"0.0.0.0:443\"], or name the proxies in front that \
                        speak it: [listen] trusted = [\"10.0.0.0/8\"]";
            found.add(route.span(), what, help);
        }
        self.https.flatten()
    }

    fn named(&self, name: &Text, found: &mut Found) -> Option<UpstreamIx> {
        let ix = self.names.get(name.get_ref()).copied();
        if ix.is_none() {
            let mut known: Vec<&str> = self.names.keys().map(String::as_str).collect();
            known.sort_unstable();
            // Without any upstream that was said already, once and not for every route.
            if !known.is_empty() {
                names::unknown("upstream", name, known.into_iter(), found);
            }
        }
        ix
    }

    fn region(&self, name: &Text, found: &mut Found) -> Option<RegionIx> {
        let ix = self.regions.named(name.get_ref());
        if ix.is_none() {
            let count = u16::try_from(self.regions.len()).unwrap_or(u16::MAX);
            let known = (0..count).map(|at| self.regions.name(RegionIx(at)));
            names::unknown("region", name, known, found);
        }
        ix
    }
}

fn rules(route: Route, pools: &Pools<'_>, found: &mut Found) -> Option<RouteRules> {
    let mut edge = route.edge;
    let redirects = edge.as_ref().is_some_and(|edge| edge.redirect.is_some());
    if let Some(to) = edge.as_mut().and_then(|edge| edge.https.as_mut()) {
        *to = pools.https_port(&route.name, found);
    }
    let main = route.upstream.as_ref().and_then(|name| pools.named(name, found));
    // What is answered with a redirect has no use for an upstream, nor for a form.
    let main = main.or(redirects.then_some(UpstreamIx(0)));
    let forms = FormPolicy { keep: route.forms.keep && !redirects, ..route.forms };
    let mut upstreams = vec![main.unwrap_or(UpstreamIx(0)); pools.regions.len()];
    for (region, upstream) in &route.upstreams {
        let (region, upstream) = (pools.region(region, found), pools.named(upstream, found));
        if let (Some(region), Some(upstream)) = (region, upstream) {
            upstreams[usize::from(region.0)] = upstream;
        }
    }
    main?;
    Some(RouteRules {
        name: Arc::from(route.name.into_inner()),
        title: route.title,
        upstreams,
        answer_timeout: route.answer_timeout,
        idle_timeout: route.idle_timeout,
        encoded_slashes: route.encoded_slashes,
        websocket: route.websocket,
        forms,
        edge,
    })
}

fn route_table(routes: &[Route], found: &mut Found) -> Option<RouteTable> {
    let rows: Vec<(Vec<HostPattern>, Vec<PathPattern>)> = routes
        .iter()
        .map(|route| {
            let hosts = route.hosts.iter().map(|host| host.get_ref().clone()).collect();
            (hosts, route.paths.iter().map(|path| path.get_ref().clone()).collect())
        })
        .collect();
    match RouteTable::build(&rows) {
        Ok(table) => Some(table),
        Err(conflicts) => {
            for conflict in conflicts {
                let (first, second) =
                    (&routes[conflict.first.0 as usize], &routes[conflict.second.0 as usize]);
                told_conflict(first, second, &conflict.path, found);
            }
            None
        }
    }
}

/// Says that `second` repeats a path of `first`.
fn told_conflict(first: &Route, second: &Route, path: &str, found: &mut Found) {
    let names = (first.name.get_ref(), second.name.get_ref());
    let what =
        format!("the routes `{}` and `{}` both claim `{path}` on the same host", names.0, names.1);
    let beside = (place_of(first, path), "first here");
    let help = "give one of them another path, or other hosts";
    found.add_beside(place_of(second, path), beside, what, help);
}

fn place_of(route: &Route, path: &str) -> Range<usize> {
    let same = route.paths.iter().find(|known| shape(known.get_ref().as_str()) == shape(path));
    same.map_or_else(|| route.name.span(), Spanned::span)
}

/// A pattern without the names in its braces, which mean nothing.
fn shape(path: &str) -> Vec<&str> {
    path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment }).collect()
}

/// The built-in pages, or an operator's over them.
fn pages(dir: Option<&Spanned<PathBuf>>, found: &mut Found) -> Option<Pages> {
    let Some(typed) = dir else {
        // Our own cannot be at fault, and are of no use to a config that is.
        return found.is_empty().then(Pages::builtin);
    };
    let dir = typed.get_ref();
    if !dir.is_dir() {
        let what = format!("there is no directory {}", dir.display());
        let help = "make it, or leave the key out to use the built-in pages";
        found.add(typed.span(), what, help);
        return None;
    }
    let faults = match Pages::with_overrides(dir) {
        Ok(pages) => return Some(pages),
        Err(faults) => faults,
    };
    for fault in faults {
        let help = "mend the file, or remove it to use the built-in one";
        found.add(typed.span(), fault.to_string(), help);
    }
    None
}
