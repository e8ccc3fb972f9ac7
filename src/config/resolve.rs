//! Names of servers to addresses: looked up while a config is compiled, many at a time.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::file::Text;
use super::names;
use super::problem::Found;
use super::upstreams::Pool;
use crate::addr::ServerAddr;
use crate::limit;
use crate::snapshot::Server;

/// The addresses of every server of a config, by what was typed.
pub(super) struct Addresses(HashMap<String, io::Result<Vec<SocketAddr>>>);

impl Addresses {
    /// Looks up the servers of these pools, each name once.
    pub(super) fn of(pools: &[Pool]) -> Self {
        let typed = pools.iter().flat_map(|pool| &pool.servers).map(|text| text.get_ref().as_str());
        let well_formed = typed.filter(|server| port(server).is_some());
        let (literal, names): (HashSet<&str>, HashSet<&str>) =
            well_formed.partition(|server| server.parse::<SocketAddr>().is_ok());
        let mut known: HashMap<String, io::Result<Vec<SocketAddr>>> = literal
            .into_iter()
            .filter_map(|server| Some((server.to_owned(), Ok(vec![server.parse().ok()?]))))
            .collect();
        known.extend(look_up(&names.into_iter().collect::<Vec<_>>()));
        Self(known)
    }

    /// The addresses of a pool in the order they were written; what has none is a problem.
    pub(super) fn servers(&self, pool: &Pool, found: &mut Found) -> Vec<Server> {
        names::each_once(&pool.servers, found);
        let mut seen = HashSet::new();
        let server = |text: &Text| Server {
            name: Arc::from(text.get_ref().as_str()),
            // Two names may well lead to one server.
            addresses: self
                .server(text, found)
                .into_iter()
                .map(ServerAddr)
                .filter(|address| seen.insert(*address))
                .collect(),
            weight: 1,
        };
        pool.servers.iter().map(server).collect()
    }

    fn server(&self, text: &Text, found: &mut Found) -> Vec<SocketAddr> {
        let server = text.get_ref();
        let (what, help) = match self.0.get(server) {
            Some(Ok(addresses)) if addresses.is_empty() => {
                (format!("`{server}` has no address"), "does the name still exist?".to_owned())
            }
            Some(Ok(addresses)) if addresses.iter().any(|a| a.ip().is_unspecified()) => (
                format!("`{server}` is an address to listen on, not one to connect to"),
                "write the address of the server: \"127.0.0.1:9000\"".to_owned(),
            ),
            Some(Ok(addresses)) => return addresses.clone(),
            Some(Err(fault)) => (
                format!("the name of `{server}` cannot be resolved"),
                format!("is it spelled right, and does this machine know it? Resolver: {fault}"),
            ),
            None => (
                format!("`{server}` is not a server"),
                "write host and port, without scheme or path: \"app.internal:9000\", \
                 \"127.0.0.1:9000\", \"[::1]:9000\""
                    .to_owned(),
            ),
        };
        found.add(text.span(), what, help);
        Vec::new()
    }
}

/// The port, if this is a host or address with one.
fn port(server: &str) -> Option<u16> {
    if let Ok(address) = server.parse::<SocketAddr>() {
        return Some(address.port()).filter(|port| *port != 0);
    }
    let (host, port) = server.rsplit_once(':')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let well_formed = !host.is_empty() && host.len() <= 253 && host.chars().all(fits);
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| well_formed && digits && *port != 0)
}

/// The addresses of `app.internal:9000` by the system's resolver, each once. Blocks.
pub fn addresses_of(server: &str) -> io::Result<Vec<SocketAddr>> {
    let mut seen = HashSet::new();
    let found = server.to_socket_addrs()?.filter(|address| seen.insert(*address));
    Ok(found.take(limit::ADDRESSES_PER_NAME_MAX).collect())
}

/// Looks names up at the system's resolver, which blocks: a few threads share the list.
fn look_up(names: &[&str]) -> HashMap<String, io::Result<Vec<SocketAddr>>> {
    if cfg!(feature = "fuzzing") {
        // What a fuzzer makes up is not to be asked of anybody's resolver.
        let made_up = || Ok(vec![SocketAddr::from(([127, 0, 0, 1], 1))]);
        return names.iter().map(|name| ((*name).to_owned(), made_up())).collect();
    }
    let done = Mutex::new(HashMap::new());
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = addresses_of(name);
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            done.insert((*name).to_owned(), answer);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..names.len().min(limit::RESOLVERS_MAX) {
            scope.spawn(work);
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
