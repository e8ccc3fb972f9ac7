//! The lookup.
//!
//! # Order
//!
//! 1. **Host.** Routes of exactly this host are asked first, then those of wildcard hosts from the
//!    longest domain to the shortest, then those of any host. A host that has no matching path
//!    passes the request on to the next one.
//! 2. **Path.** Within one host, segment by segment from the left: a name beats `{segment}`, which
//!    beats `*`. So the longest match wins, `/claims/new` beats `/claims/{id}`, and `/claims/{id}`
//!    beats `/claims/*`. Where a choice leads nowhere, the next one is tried.
//! 3. **The same path.** `/claims` written out beats the `/claims` that `/claims/*` implies.
//!
//! The order in the config file means nothing: two routes with the same host and the same pattern
//! (the names in braces do not matter) are a [`Conflict`].
//!
//! # Why not a router from the shelf
//!
//! `matchit` refuses `/{tenant}/claims` beside `/*` as ambiguous and allocates where it has to
//! step back, which a table with a `/*` does on each request. This trie allows every pair of
//! patterns, allocates nothing, and asks one hash map per segment.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::RouteIx;
use super::pattern::{PathPattern, PatternSegment, Reach};
use crate::addr::{HostMap, HostPattern};

/// Host and canonical path to route.
pub struct RouteTable {
    /// The node at which each host's paths begin.
    roots: HostMap<NodeIx>,
    nodes: Vec<Node>,
    /// What it was built of.
    rows: Vec<Row>,
}

/// The patterns of one route.
type Row = (Vec<HostPattern>, Vec<PathPattern>);

/// Two routes that claim the same host and path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// The route that was there first.
    pub first: RouteIx,
    /// The route that repeats it.
    pub second: RouteIx,
    /// The path pattern of the second.
    pub path: String,
}

#[derive(Clone, Copy)]
struct NodeIx(u32);

/// What may follow one beginning of a path on one host.
#[derive(Default)]
struct Node {
    /// For the path that ends here.
    exact: Option<RouteIx>,
    /// For the path that ends here with a slash.
    slash: Option<RouteIx>,
    /// For both of these, and everything below.
    below: Option<RouteIx>,
    /// The next node for any segment.
    any_one: Option<NodeIx>,
    /// The next node for a segment of this name.
    named: HashMap<Box<str>, NodeIx, RandomState>,
}

impl RouteTable {
    /// Builds the table; the n-th element is route n.
    pub fn build(routes: &[Row]) -> Result<Self, Vec<Conflict>> {
        let rows = routes.to_vec();
        let mut table = Self { roots: HostMap::default(), nodes: Vec::new(), rows };
        let mut conflicts: Vec<Conflict> = Vec::new();
        for (at, (hosts, paths)) in routes.iter().enumerate() {
            let second = RouteIx(u32::try_from(at).unwrap_or(u32::MAX));
            for host in hosts {
                for path in paths {
                    let Some(first) = table.add(host, path, second) else { continue };
                    let conflict = Conflict { first, second, path: path.as_str().to_owned() };
                    if !conflicts.contains(&conflict) {
                        conflicts.push(conflict);
                    }
                }
            }
        }
        if conflicts.is_empty() { Ok(table) } else { Err(conflicts) }
    }

    /// The route of a canonical host and a canonical path.
    pub fn find(&self, host: &str, path: &str) -> Option<RouteIx> {
        self.roots.most_specific_first(host).find_map(|root| self.walk(*root, path))
    }

    /// The hosts of a route, as they are typed.
    pub fn hosts(&self, route: RouteIx) -> &[HostPattern] {
        &self.rows[route.0 as usize].0
    }

    /// Canonical hosts and paths that stand for all patterns, each with something of its own.
    pub fn examples(&self) -> impl Iterator<Item = (String, String)> {
        self.rows.iter().flat_map(|(hosts, paths)| {
            let places = hosts.iter().flat_map(|host| paths.iter().map(move |path| (host, path)));
            places.flat_map(|(host, path)| path.examples().map(|path| (host.example(), path)))
        })
    }

    /// The route below `node` of what is left of a path: nothing, or a slash and what follows.
    fn walk(&self, node: NodeIx, rest: &str) -> Option<RouteIx> {
        let node = &self.nodes[node.0 as usize];
        let Some(rest) = rest.strip_prefix('/') else {
            return node.exact.or(node.below);
        };
        if rest.is_empty() {
            return node.slash.or(node.below);
        }
        let end = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
        let (segment, rest) = rest.split_at(end);
        let named = if node.named.is_empty() { None } else { node.named.get(segment) };
        named
            .and_then(|next| self.walk(*next, rest))
            .or_else(|| node.any_one.and_then(|next| self.walk(next, rest)))
            .or(node.below)
    }

    /// Adds a route, or tells which other one is in its place.
    fn add(&mut self, host: &HostPattern, path: &PathPattern, route: RouteIx) -> Option<RouteIx> {
        let nodes = &mut self.nodes;
        let mut at = *self.roots.entry(host).get_or_insert_with(|| grow(nodes));
        let mut ends_with_slash = false;
        for segment in path.segments() {
            at = match segment {
                PatternSegment::Slash => {
                    ends_with_slash = true;
                    at
                }
                PatternSegment::AnyOne => match nodes[at.0 as usize].any_one {
                    Some(next) => next,
                    None => {
                        let next = grow(nodes);
                        *nodes[at.0 as usize].any_one.insert(next)
                    }
                },
                PatternSegment::Name(name) => match nodes[at.0 as usize].named.get(name) {
                    Some(next) => *next,
                    None => {
                        let next = grow(nodes);
                        nodes[at.0 as usize].named.insert(name.into(), next);
                        next
                    }
                },
            };
        }
        let node = &mut nodes[at.0 as usize];
        let place = match path.reach() {
            Reach::Below => &mut node.below,
            Reach::Exact if ends_with_slash => &mut node.slash,
            Reach::Exact => &mut node.exact,
        };
        let first = *place.get_or_insert(route);
        (first != route).then_some(first)
    }
}

fn grow(nodes: &mut Vec<Node>) -> NodeIx {
    nodes.push(Node::default());
    NodeIx(u32::try_from(nodes.len() - 1).unwrap_or(u32::MAX))
}
