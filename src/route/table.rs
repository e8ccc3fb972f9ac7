//! The lookup.

use super::RouteIx;
use super::pattern::PathPattern;
use crate::addr::HostPattern;

/// Host and canonical path to route.
pub struct RouteTable {
    rows: Vec<(HostPattern, PathPattern, RouteIx)>,
}

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

impl RouteTable {
    /// Builds the table; the n-th element is route n.
    pub fn build(routes: &[(Vec<HostPattern>, Vec<PathPattern>)]) -> Result<Self, Vec<Conflict>> {
        let mut rows = Vec::new();
        for (at, (hosts, paths)) in routes.iter().enumerate() {
            let ix = RouteIx(u32::try_from(at).unwrap_or(u32::MAX));
            for host in hosts {
                rows.extend(paths.iter().map(|path| (host.clone(), path.clone(), ix)));
            }
        }
        Ok(Self { rows })
    }

    /// The route of a canonical host and a canonical path.
    pub fn find(&self, host: &str, path: &str) -> Option<RouteIx> {
        let fits = |pattern: &str| match pattern.strip_suffix("/*") {
            Some(stem) => {
                path == stem || path.strip_prefix(stem).is_some_and(|r| r.starts_with('/'))
            }
            None => pattern == path,
        };
        let row = self.rows.iter().find(|(hosts, paths, _)| hosts.matches(host) && fits(&paths.0));
        row.map(|(_, _, ix)| *ix)
    }
}
