//! A node's data plane in front of an origin: real sockets, a real store and vault, access lines
//! that can be read, and windows that the test closes places with.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use intermission::clock::Clock;
use intermission::config;
use intermission::digest;
use intermission::id::Id;
use intermission::pages::Pages;
use intermission::proxy::{Bound, Pace, Parts, Workers};
use intermission::snapshot::{
    self, AccessFormat, Beside, Cells, LogTarget, Member, Publisher, Roster, Site, UpstreamIx,
};
use intermission::store::embedded::Embedded;
use intermission::store::{self, Store};
use intermission::telemetry::access::{AccessLog, AccessWriter};
use intermission::telemetry::metrics::Metrics;
use intermission::vault::{NodeKey, Vault};
use intermission::window::plan::Plan;
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::{Author, Mode, Order, Texts, Window};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::raw::{Raw, exchange};

/// What differs from test to test: lines added to the sections of the config, and patience.
#[derive(Default)]
pub(crate) struct Setup {
    /// `[listen]`
    pub(crate) listen: &'static str,
    /// `[[upstream]]`
    pub(crate) upstream: &'static str,
    /// `[[route]]` of everything
    pub(crate) route: &'static str,
    /// More sections.
    pub(crate) more: String,
    /// The servers behind the route, as they are written, if they are not the origin alone.
    pub(crate) servers: String,
    /// The server behind the route, if it is not the origin.
    pub(crate) server: Option<SocketAddr>,
    pub(crate) pace: Pace,
}

/// A node. Stops when dropped.
pub(crate) struct Node {
    pub(crate) origin: Origin,
    workers: RefCell<Option<Workers>>,
    addresses: Vec<SocketAddr>,
    folder: TempDir,
    publisher: RefCell<Publisher>,
    site: Arc<Site>,
    pages: Arc<Pages>,
    metrics: Metrics,
    engine: Arc<Embedded>,
    writer: Cell<Option<AccessWriter>>,
}

impl Node {
    /// A node as it comes, in front of this origin.
    pub(crate) fn before(origin: Origin) -> Self {
        Self::start(origin, &Setup::default())
    }

    /// A node in front of this origin.
    pub(crate) fn start(origin: Origin, setup: &Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = config_text(setup, setup.server.unwrap_or(origin.address()));
        let loaded = match config::load_text("proxy.toml", &text, folder.path()) {
            Ok(loaded) => loaded,
            Err(problems) => panic!("{:?}", problems.iter().collect::<Vec<_>>()),
        };
        let target = LogTarget::File(folder.path().join("access.log"));
        let log = AccessLog::start(target, AccessFormat::Json).expect("a log");
        let (access, writer) = log;
        let clock = Clock::System;
        let engine = store::open(&folder.path().join("store"), clock.clone()).expect("a store");
        let key = NodeKey::load_or_create(folder.path()).expect("a key");
        let engine = Arc::new(engine);
        let store = Arc::clone(&engine) as Arc<dyn Store>;
        let vault = Vault::new(store, key, clock.clone(), loaded.site.node_tag);
        let (mut site, pages) = (loaded.site, loaded.pages);
        Arc::get_mut(&mut site).expect("nobody has seen it").pace = setup.pace;
        let open = Cells::open(&site);
        let (publisher, live) = snapshot::seam(Arc::clone(&site), open, Arc::clone(&pages));
        let metrics = Metrics::default();
        let bound = Bound::bind(&loaded.process.listeners, 1).expect("loopback has ports");
        let addresses = bound.addresses().to_vec();
        let parts = Parts { live, vault, metrics: metrics.clone(), access, clock };
        let workers = Workers::spawn(bound, &parts).expect("threads");
        Self {
            origin,
            workers: RefCell::new(Some(workers)),
            addresses,
            folder,
            publisher: RefCell::new(publisher),
            site,
            pages,
            metrics,
            engine,
            writer: Cell::new(Some(writer)),
        }
    }

    /// Where visitors are served.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// All listeners: `http`, then `h2c`, then `https`, each in its order.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A visitor's connection.
    #[track_caller]
    pub(crate) fn connect(&self) -> Raw {
        Raw::connect(self.address())
    }

    /// What a request on a connection of its own is answered.
    #[track_caller]
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> Message {
        exchange(self.address(), request)
    }

    /// Closes everything, with no promise of an end.
    pub(crate) fn close(&self, mode: Mode) {
        self.close_scope(mode, &[], &[], None);
    }

    /// Closes these regions and routes (none is all) for this long.
    pub(crate) fn close_scope(
        &self,
        mode: Mode,
        regions: &[&str],
        routes: &[&str],
        back_in: Option<Duration>,
    ) {
        let names = |names: &[&str]| Selection::of(names.iter().map(|name| (*name).to_owned()));
        let scope = Scope { regions: names(regions), routes: names(routes), ..Scope::default() };
        self.close_as(mode, scope, Plan::draining(Duration::from_secs(1)), back_in);
    }

    /// Closes everything by this plan, for this long.
    pub(crate) fn close_by(&self, mode: Mode, plan: Plan, back_in: Option<Duration>) {
        self.close_as(mode, Scope::default(), plan, back_in);
    }

    fn close_as(&self, mode: Mode, scope: Scope, plan: Plan, back_in: Option<Duration>) {
        let now = Clock::System.now();
        let promised_end = back_in.map(|span| now.plus(span));
        let order = Order { scope, mode, texts: Texts::default(), promised_end, plan };
        let author = Author::intermission("a test");
        let window = Window::begin(Id::new(now, self.site.node_tag), order, &author, now).window;
        let cells = Cells::compute(&self.site, &[&window], &self.pages, None);
        self.publish(cells);
    }

    /// From here on the store fails whatever is asked of it.
    pub(crate) fn break_store(&self) {
        self.engine.shutdown();
    }

    /// Opens everything.
    pub(crate) fn reopen(&self) {
        self.publish(Cells::open(&self.site));
    }

    /// Shows these windows, and lays this beside them from now on.
    pub(crate) fn show(&self, windows: &[&Window], beside: impl FnOnce(&Site) -> Beside) {
        self.publisher.borrow_mut().lay_beside(beside(&self.site));
        self.publish(Cells::compute(&self.site, windows, &self.pages, None));
    }

    fn publish(&self, cells: Cells) {
        let (site, pages) = (Arc::clone(&self.site), Arc::clone(&self.pages));
        self.publisher.borrow_mut().publish(site, cells, pages);
    }

    /// Has balancers told that it is about to stop.
    pub(crate) fn leave(&self) {
        self.workers.borrow().as_ref().expect("it serves").leave();
    }

    /// Begins to stop the workers; the thread tells how many connections were cut.
    pub(crate) fn stop(&self, drain: Duration) -> JoinHandle<usize> {
        let workers = self.workers.take().expect("a node stops once");
        std::thread::spawn(move || workers.stop(drain))
    }

    /// Waits until this many access lines are written, and gives them in their order.
    #[track_caller]
    pub(crate) fn lines(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} access lines"), || {
            let text = std::fs::read_to_string(self.folder.path().join("access.log")).ok()?;
            let whole = &text[..=text.rfind('\n')?];
            let lines: Vec<Value> = whole.lines().map(read_line).collect();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// The end of the only request so far.
    #[track_caller]
    pub(crate) fn end(&self) -> String {
        let lines = self.lines(1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        end_of(&lines[0])
    }

    /// Lets control say something else of the servers.
    pub(crate) fn roster(&self, change: impl FnMut(&mut Member)) {
        let mut members = Roster::of(&self.site).members(UpstreamIx(0)).to_vec();
        members.iter_mut().for_each(change);
        self.publish_members(members);
    }

    /// Lets only the server of this number stay.
    pub(crate) fn leave_only(&self, number: usize) {
        let members = Roster::of(&self.site).members(UpstreamIx(0)).to_vec();
        self.publish_members(vec![members[number].clone()]);
    }

    fn publish_members(&self, members: Vec<Member>) {
        let roster = Arc::new(Roster::new(vec![members.into()]));
        let (site, pages) = (Arc::clone(&self.site), Arc::clone(&self.pages));
        let cells = Cells::open(&self.site);
        self.publisher.borrow_mut().publish_with(site, cells, roster, pages);
    }

    /// The value of a metric's series, 0 if there is none yet.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = self.metrics.render();
        let line = text.lines().find(|line| line.starts_with(series));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.map_or(0, |value| value.parse().expect("a number"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.stop(Duration::ZERO);
        }
        drop(self.writer.take());
    }
}

/// The end of an access line.
pub(crate) fn end_of(line: &Value) -> String {
    line["end"].as_str().expect("every line has an end").to_owned()
}

/// An ordinary request.
pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: site.test\r\n\r\n")
}

/// A request with a body and its length.
pub(crate) fn post(target: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: site.test\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn read_line(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault} in {line:?}"))
}

fn config_text(setup: &Setup, server: SocketAddr) -> String {
    let Setup { listen, upstream, route, more, servers, .. } = setup;
    let servers = match servers.as_str() {
        "" => format!("{:?}", server.to_string()),
        servers => servers.to_owned(),
    };
    let hash = digest::hex(&digest::sha256(b"of-the-tests"));
    format!(
        r#"
[node]
name = "node-1"
region = "eu"
workers = 1
[listen]
http = ["127.0.0.1:0"]
{listen}
[admin]
listen = "127.0.0.1:0"
[[admin.token]]
name = "ops"
sha256 = "{hash}"
[store]
directory = "store"
[[region]]
name = "eu"
[[region]]
name = "apac"
hosts = ["apac.test"]
[[upstream]]
name = "app"
servers = [{servers}]
{upstream}
[[route]]
name = "site"
title = "The Site"
hosts = ["*.test", "*.test.example"]
paths = ["/*"]
upstream = "app"
{route}
{more}
"#
    )
}
