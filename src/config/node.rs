//! What the sections about the node itself mean: listeners, store, log, limits, pages.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;

use super::file::{Section, Text};
use super::problem::Found;
use super::{StopRules, StoreRules, keys, limits, names, quantity};
use crate::addr::Networks;
use crate::snapshot::{
    AccessFormat, Acme, ForwardedBy, Limits, Listener, LogTarget, Pace, Privacy, Protocol, Via,
};
use crate::{limit, route, tls};

/// The node-wide part of a config.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) region: Option<Text>,
    pub(super) workers: usize,
    pub(super) listeners: Vec<Listener>,
    pub(super) tls: Option<tls::Server>,
    pub(super) trusted: Networks,
    pub(super) forwarded: ForwardedBy,
    pub(super) proxy_protocol: Networks,
    pub(super) via: Option<Via>,
    pub(super) begin_traces: Option<u8>,
    pub(super) announce_header: bool,
    pub(super) admin: super::admin::Read,
    pub(super) store_dir: PathBuf,
    pub(super) store: StoreRules,
    pub(super) acme: Option<Arc<Acme>>,
    /// Answers that prove to a CA who we are, by their token.
    pub(super) answers: BTreeMap<String, String>,
    pub(super) access_target: LogTarget,
    pub(super) access_format: AccessFormat,
    pub(super) limits: Limits,
    pub(super) pace: Pace,
    pub(super) drain: Duration,
    pub(super) stop: StopRules,
    pub(super) pages_dir: Option<Spanned<PathBuf>>,
    pub(super) operator: String,
    pub(super) privacy: Privacy,
    pub(super) probes: Vec<String>,
}

impl Node {
    /// Reads the sections. Relative paths are meant from `base`.
    pub(super) fn read(file: &Section<'_>, base: &Path, found: &mut Found) -> Self {
        let node = file.section("node", &keys::NODE, found);
        let listen = file.section("listen", &keys::LISTEN, found);
        let window = file.section("window", &keys::WINDOW, found);
        let pages = file.section("pages", &keys::PAGES, found);
        let (access_target, access_format) = log(file, base, found);
        let listeners = listeners(&listen, found);
        let (store_dir, store) = super::store::store(file, base, found);
        let acme = super::acme::read(file, base, &store_dir, found);
        let drain = quantity::duration(
            &window,
            "drain",
            limit::WINDOW_DRAIN,
            Duration::ZERO..=limit::TIMEOUT_CEILING,
            found,
        );
        Self {
            name: names::required_or(&node, "name", machine_name, found),
            region: names::optional(&node, "region", found),
            workers: workers(&node, found),
            trusted: Networks::new(unspanned(networks(&listen, "trusted", found))),
            forwarded: forwarded(&listen, found),
            proxy_protocol: Networks::new(unspanned(networks(&listen, "proxy_protocol", found))),
            via: via(&listen, found),
            begin_traces: traces(file, found),
            announce_header: announces(file, found),
            tls: super::tls::server(file, base, &listeners, &acme, found),
            admin: super::admin::read(file, base, &listeners, found),
            listeners: unspanned(listeners),
            store_dir,
            store,
            acme: acme.asked,
            answers: acme.answers,
            access_target,
            access_format,
            limits: limits::limits(file, found),
            pace: limits::pace(file, found),
            drain,
            stop: stop(file, found),
            pages_dir: directory(&pages, "directory", base, found),
            operator: operator(&pages, found),
            privacy: privacy(&pages, found),
            probes: probes(file, found),
        }
    }
}

/// How the process stops.
fn stop(file: &Section<'_>, found: &mut Found) -> StopRules {
    let stop = file.section("stop", &keys::STOP, found);
    let spans = Duration::ZERO..=limit::TIMEOUT_CEILING;
    let (duck, deadline) = (limit::LAME_DUCK, limit::DRAIN_DEADLINE);
    StopRules {
        lame_duck: quantity::duration(&stop, "lame_duck", duck, spans.clone(), found),
        deadline: quantity::duration(&stop, "deadline", deadline, spans, found),
    }
}

/// The values without their places.
pub(super) fn unspanned<T>(typed: Vec<Spanned<T>>) -> Vec<T> {
    typed.into_iter().map(Spanned::into_inner).collect()
}

/// The name of the machine, as its kernel knows it.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if names::fault(name).is_none() { name.to_owned() } else { "node".to_owned() }
}

fn workers(node: &Section<'_>, found: &mut Found) -> usize {
    let typed = node.whole("workers", 1..=limit::WORKERS_CEILING, found);
    let typed = typed.and_then(|count| usize::try_from(count).ok());
    typed.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn listeners(listen: &Section<'_>, found: &mut Found) -> Vec<Spanned<Listener>> {
    let kinds = [
        ("http", Protocol::Http),
        ("h2c", Protocol::H2c),
        ("https", Protocol::Https),
        ("probe", Protocol::Probe),
    ];
    let mut listeners: Vec<Spanned<Listener>> = Vec::new();
    if kinds.iter().all(|(key, protocol)| *protocol == Protocol::Probe || !listen.has(key)) {
        let at = SocketAddr::from(([0, 0, 0, 0], 8080));
        listeners.push(Spanned::new(listen.span(), Listener { at, protocol: Protocol::Http }));
    }
    for (key, protocol) in kinds {
        let Some(typed) = listen.texts(key, found) else { continue };
        if typed.is_empty() {
            let help = format!("name at least one address: {}", listen.example(key));
            found.add(listen.place(key), "there is nothing to listen on", help);
        }
        for text in &typed {
            let Some(at) = socket(text, &listen.example(key), found) else { continue };
            let same = listeners.iter().find(|known| clash(known.get_ref().at, at));
            if let Some(first) = same {
                let what = format!("{at} is listened on twice");
                let help = "remove one of the two; an address of all interfaces covers the others";
                found.add_beside(text.span(), (first.span(), "first here"), what, help);
            }
            listeners.push(Spanned::new(text.span(), Listener { at, protocol }));
        }
    }
    listeners
}

/// Whether two listeners cannot both be bound.
pub(super) fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let same_family = a.is_ipv4() == b.is_ipv4();
    let covers = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && a.port() != 0 && same_family && covers
}

pub(super) fn socket(text: &Text, example: &str, found: &mut Found) -> Option<SocketAddr> {
    let address = text.get_ref().parse().ok();
    if address.is_none() {
        let what = format!("`{}` is not an address with a port", text.get_ref());
        let help = format!("write an IP address and a port: {example}; IPv6 as \"[::1]:8080\"");
        found.add(text.span(), what, help);
    }
    address
}

/// Networks, or single addresses.
pub(super) fn networks(
    section: &Section<'_>,
    key: &'static str,
    found: &mut Found,
) -> Vec<Spanned<IpNet>> {
    let mut networks = Vec::new();
    for text in section.texts(key, found).unwrap_or_default() {
        let typed = text.get_ref();
        let network = typed.parse::<IpNet>().ok();
        match network.or_else(|| typed.parse::<std::net::IpAddr>().ok().map(IpNet::from)) {
            Some(network) => networks.push(Spanned::new(text.span(), network.trunc())),
            None => {
                let what = format!("`{typed}` is not a network");
                let help =
                    format!("write an address and a prefix length: {}", section.example(key));
                found.add(text.span(), what, help);
            }
        }
    }
    networks
}

/// Which of two fields is believed.
fn forwarded(listen: &Section<'_>, found: &mut Found) -> ForwardedBy {
    let words =
        [("x-forwarded-for", ForwardedBy::XForwarded), ("forwarded", ForwardedBy::Forwarded)];
    names::choice(listen, "forwarded", &words, found).unwrap_or(ForwardedBy::XForwarded)
}

/// How many of a hundred traces are sampled, if any are begun.
fn traces(file: &Section<'_>, found: &mut Found) -> Option<u8> {
    let trace = file.section("trace", &keys::TRACE, found);
    let sample = trace.whole("sample", 0..=100, found).and_then(|share| u8::try_from(share).ok());
    let begins = trace.flag("begin", found).unwrap_or(false);
    begins.then(|| sample.unwrap_or(100))
}

/// Whether answers tell of planned windows.
fn announces(file: &Section<'_>, found: &mut Found) -> bool {
    let announce = file.section("announce", &keys::ANNOUNCE, found);
    announce.flag("header", found).unwrap_or(true)
}

/// What `Via` tells: requests must have it (RFC 9110 §7.6.3), answers have it where it is named.
fn via(listen: &Section<'_>, found: &mut Found) -> Option<Via> {
    match names::optional(listen, "via", found) {
        None => Via::new("intermission", false),
        Some(name) if name.get_ref() == "off" => None,
        Some(name) => Via::new(name.get_ref(), true),
    }
}

pub(super) fn directory(
    section: &Section<'_>,
    key: &'static str,
    base: &Path,
    found: &mut Found,
) -> Option<Spanned<PathBuf>> {
    let typed = section.text(key, found)?;
    if typed.get_ref().trim().is_empty() || typed.get_ref().contains('\0') {
        let help = format!("name a path, such as {}", section.example(key));
        found.add(typed.span(), format!("`{key}` is empty"), help);
        return None;
    }
    Some(Spanned::new(typed.span(), base.join(typed.get_ref())))
}

fn log(file: &Section<'_>, base: &Path, found: &mut Found) -> (LogTarget, AccessFormat) {
    let log = file.section("log", &keys::LOG, found);
    let target = match log.text("access", found) {
        None => LogTarget::Stdout,
        Some(typed) => match typed.get_ref().as_str() {
            "stdout" => LogTarget::Stdout,
            "off" => LogTarget::Off,
            path if path.contains('/') && !path.contains('\0') => LogTarget::File(base.join(path)),
            other => {
                let what = format!("access lines cannot go to `{other}`");
                let help = "write \"stdout\", \"off\", or a path with a slash: \"./access.log\"";
                found.add(typed.span(), what, help);
                LogTarget::Stdout
            }
        },
    };
    let formats = [("json", AccessFormat::Json), ("logfmt", AccessFormat::Logfmt)];
    (target, names::choice(&log, "format", &formats, found).unwrap_or(AccessFormat::Json))
}

fn operator(pages: &Section<'_>, found: &mut Found) -> String {
    let Some(typed) = pages.text("operator", found) else { return String::new() };
    names::for_visitors("operator", typed, found)
}

/// What receipts say of data protection.
fn privacy(pages: &Section<'_>, found: &mut Found) -> Privacy {
    let section = pages.section("privacy", &keys::PRIVACY, found);
    let mut text = |name| {
        let typed = section.text(name, found);
        typed.map(|typed| names::for_visitors(name, typed, found)).unwrap_or_default()
    };
    let (text, url, contact) = (text("text"), text("url"), text("contact"));
    let leads_somewhere = ["https://", "http://", "/"].iter().any(|begin| url.starts_with(begin));
    if !url.is_empty() && !leads_somewhere {
        let help = format!("write it whole, with https: {}", section.example("url"));
        found.add(section.place("url"), "`url` is no address", help);
    }
    Privacy { text, url, contact }
}

fn probes(file: &Section<'_>, found: &mut Found) -> Vec<String> {
    let mut probes = Vec::new();
    let mut seen = HashMap::new();
    for section in file.sections("probe", &keys::PROBE, found) {
        let Some(typed) = section.text("path", found) else {
            if !section.has("path") {
                let help = format!("add a line {}", section.example("path"));
                found.add(section.span(), "this probe has no path", help);
            }
            continue;
        };
        let mut scratch = String::new();
        match route::path::canonical(typed.get_ref(), &mut scratch) {
            Ok(canonical) if canonical.path == typed.get_ref() => {}
            Ok(canonical) => {
                let what = format!("a request for `{}` is never seen so", typed.get_ref());
                found.add(typed.span(), what, format!("write it as {:?}", canonical.path));
            }
            Err(fault) => {
                let what = format!("`{}` is not a path: {fault}", typed.get_ref());
                let help = format!("write {}", section.example("path"));
                found.add(typed.span(), what, help);
            }
        }
        if let Some(first) = seen.insert(typed.get_ref().clone(), typed.span()) {
            let what = format!("the probe `{}` is named twice", typed.get_ref());
            found.add_beside(typed.span(), (first, "first here"), what, "remove one of the two");
        }
        probes.push(typed.into_inner());
    }
    probes
}
