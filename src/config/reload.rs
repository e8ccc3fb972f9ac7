//! What a reload may not do: change what only a restart changes, or take a closed scope away.

use super::Process;
use crate::snapshot::Site;
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
        (running.store_dir != next.store_dir, "store.directory"),
        (running.access_target != next.access_target, "log.access"),
        (running.access_format != next.access_format, "log.format"),
        (running.drain != next.drain, "window.drain"),
        (running.connections_max != next.connections_max, "limits.connections"),
    ];
    let keys = differs.into_iter().filter_map(|(differs, key)| differs.then_some(key));
    keys.map(|key| format!("`{key}` was changed, which takes effect at the next start")).collect()
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
