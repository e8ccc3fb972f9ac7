//! What a reload may not do: change what only a restart changes, or take a closed scope away.

use std::collections::BTreeMap;

use super::Process;
use crate::snapshot::{Cells, Protocol, Site, Snapshot};
use crate::window::state::Window;

/// What differs between the running process and the next config and needs a restart. The reload
/// goes through without it; these are warnings, each a sentence.
pub fn compatible(running: &Process, next: &Process) -> Vec<String> {
    let differs = [
        (running.listeners != next.listeners, "listen.http"),
        (running.workers != next.workers, "node.workers"),
        (running.admin.listen != next.admin.listen, "admin.listen"),
        (running.admin.hosts != next.admin.hosts, "admin.hosts"),
        (running.admin.tokens != next.admin.tokens, "admin.token"),
        (running.admin.unix != next.admin.unix, "admin.unix"),
        (running.admin.tls != next.admin.tls, "admin.tls"),
        (running.admin.approvals != next.admin.approvals, "approval"),
        (running.store_dir != next.store_dir, "store.directory"),
        (running.store != next.store, "store"),
        (running.access_target != next.access_target, "log.access"),
        (running.access_format != next.access_format, "log.format"),
        (running.drain != next.drain, "window.drain"),
        (running.stop != next.stop, "stop"),
    ];
    let keys = differs.into_iter().filter_map(|(differs, key)| differs.then_some(key));
    keys.map(|key| format!("`{key}` was changed, which takes effect at the next start")).collect()
}

/// What the next config no longer has and the running process cannot do without, in a sentence:
/// listeners stay until a restart, and who connects there by TLS must be shown something.
pub fn unserved(running: &Process, site: &Site) -> Option<String> {
    let https = running.listeners.iter().find(|known| known.protocol == Protocol::Https)?;
    let at = https.at;
    let sentence = || format!("{at} speaks TLS until the next start: keep a [[tls.certificate]]");
    site.tls.is_none().then(sentence)
}

/// Names in the scopes of windows in force that the next config lacks, each a sentence. A reload
/// that takes them away is refused: what is closed would be open to other routes, or to nobody.
pub fn uncovered(site: &Site, windows: &[Window]) -> Vec<String> {
    let in_force = windows.iter().filter(|window| window.state.in_force());
    in_force.flat_map(|window| missing(site, window)).collect()
}

fn missing(site: &Site, window: &Window) -> Vec<String> {
    let told = |kind: &str, name: &str| {
        format!(
            "the {kind} `{name}` is closed by window {}: keep it in the config, or end the window \
             first (`intermission off`)",
            window.id
        )
    };
    let routes = window.scope.routes.names().filter(|name| site.route_named(name).is_none());
    let regions = window.scope.regions.names().filter(|name| site.regions.named(name).is_none());
    let routes = routes.map(|name| told("route", name));
    routes.chain(regions.map(|name| told("region", name))).collect()
}

/// Places that are closed in `before` and would be open with `site` and its `cells`, because their
/// path goes to another route there, each a sentence. Such a reload is refused: a window closes
/// routes by name, and a path must not leave it unseen.
pub fn opened(before: &Snapshot, site: &Site, cells: &Cells) -> Vec<String> {
    if before.cells.closed_count() == 0 {
        return Vec::new();
    }
    let mut told = BTreeMap::new();
    for (host, path) in before.site.routes.examples().chain(site.routes.examples()) {
        let (was, is) = (before.site.routes.find(&host, &path), site.routes.find(&host, &path));
        let (Some(was), Some(is)) = (was, is) else { continue };
        let opens = before.site.regions.names().any(|region| {
            let closed = before.site.regions.named(region);
            let closed = closed.is_some_and(|at| before.cells.closure(was, at).is_some());
            let now = site.regions.named(region);
            closed && now.is_some_and(|at| cells.closure(is, at).is_none())
        });
        if opens {
            let (was, is) = (&*before.site.rules(was).name, &*site.rules(is).name);
            told.entry((was.to_owned(), is.to_owned())).or_insert(path);
        }
    }
    let sentence = |((was, is), path)| {
        format!(
            "`{path}` would go from the route `{was}`, which is closed, to `{is}`, which is not: \
             close that too, or end the window first (`intermission off`)"
        )
    };
    told.into_iter().map(sentence).collect()
}
