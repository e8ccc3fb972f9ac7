//! What the judgement of one request costs: canonical host and path, route, region, window and
//! verdict, over sites of 10 to 10,000 routes × 20 regions with up to 1,000 windows in force.
//!
//! `cargo bench --bench decide` prints the time of one judgement for each size, in total and by
//! step, and how often one allocates; it fails if one does.

// SAFETY: counting allocations needs a global allocator, and that trait is unsafe to implement.
// This one hands every call to the system's as it is.
#![allow(unsafe_code)]

#[path = "decide_names.rs"]
mod names;
#[path = "decide_seen.rs"]
mod seen;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use intermission::addr::{ClientAddr, HostPattern, Networks, canonical_host};
use intermission::clock::Wall;
use intermission::decide::{Accepts, Ask, Ground, Keeps, Redirects, Verdict, decide};
use intermission::id::{Id, NodeTag};
use intermission::pages::Pages;
use intermission::region::{RegionIx, RegionRule, RegionTable, Trust};
use intermission::route::path::canonical;
use intermission::route::{PathPattern, RouteIx, RouteTable};
use intermission::snapshot::{
    self, Cells, Csp, FormPolicy, ForwardedBy, Limits, Pace, Privacy, Programs, ResumeMode,
    RouteRules, Site,
};
use intermission::window::plan::Plan;
use intermission::window::scope::{Scope, Selection};
use intermission::window::state::{Author, Mode, Order, Texts, Window};
use names::{Dice, host_name, host_pattern, path_name, path_pattern};
use seen::seen;

/// Counts what the system's allocator is asked for.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SIZES: [u32; 4] = [10, 100, 1_000, 10_000];
/// The sizes whose steps are shown.
const STEPS: [usize; 2] = [10, 10_000];
const REGIONS: u16 = 20;
const WINDOWS_MAX: u32 = 1_000;
const HEADS: u32 = 8_192;
const SHARED_FIELDS: u32 = 60;
const ROUTES_PER_HOST: u32 = 20;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let worlds: Vec<World> = SIZES.iter().map(|routes| World::of(*routes)).collect();
    for world in &worlds {
        world.count_allocations();
    }
    let mut group = criterion.benchmark_group("judgement");
    group.throughput(Throughput::Elements(1));
    for world in &worlds {
        group.bench_function(BenchmarkId::from_parameter(world.site.rules.len()), |bench| {
            let mut scratch = Scratch::default();
            let mut heads = world.heads.iter().cycle();
            bench.iter(|| heads.next().map(|head| world.judge(black_box(head), &mut scratch)));
        });
    }
    group.finish();
    publish(&mut criterion, &worlds);
    switch(&mut criterion, SIZES[SIZES.len() - 1]);
    seen(SIZES[SIZES.len() - 1]);
    for world in worlds.iter().filter(|world| STEPS.contains(&world.site.rules.len())) {
        steps(&mut criterion, world);
    }
    criterion.final_summary();
}

/// What a publish costs that changes none of the windows: the floor under every switch.
fn publish(criterion: &mut Criterion, worlds: &[World]) {
    let mut group = criterion.benchmark_group("publish");
    let pages = Pages::builtin();
    for world in worlds {
        let in_force: Vec<&Window> = world.windows.iter().collect();
        group.bench_function(BenchmarkId::from_parameter(world.site.rules.len()), |bench| {
            bench.iter(|| Cells::compute(&world.site, &in_force, &pages, Some(&world.cells)));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("compile");
    for world in worlds {
        let in_force: Vec<&Window> = world.windows.iter().collect();
        group.bench_function(BenchmarkId::from_parameter(world.site.rules.len()), |bench| {
            bench.iter(|| Cells::compute(&world.site, &in_force, &pages, None));
        });
    }
    group.finish();
}

/// A switch of one route and of all of them, from the windows in force to the snapshot that
/// workers see: each is one publish.
fn switch(criterion: &mut Criterion, routes: u32) {
    let mut group = criterion.benchmark_group(format!("switch/{routes}"));
    let (site, pages) = (Arc::new(site(routes)), Arc::new(Pages::builtin()));
    for closed in [1, routes] {
        let named = (0..closed).map(|route| format!("route{route}"));
        let window =
            began(0, Mode::Page, Scope { routes: Selection::of(named), ..Scope::default() });
        let open = Cells::open(&site);
        let (mut publisher, live) = snapshot::seam(Arc::clone(&site), open, Arc::clone(&pages));
        let mut published = live.snapshot().generation;
        group.bench_function(BenchmarkId::from_parameter(closed), |bench| {
            bench.iter(|| {
                let cells = Cells::compute(&site, &[&window], &pages, None);
                let generation = publisher.publish(Arc::clone(&site), cells, Arc::clone(&pages));
                assert_eq!(generation, published + 1, "a switch is more than one publish");
                published = generation;
            });
        });
        let closed_cells = live.snapshot().cells.closed_count();
        println!("a switch of {closed} routes closed {closed_cells} cells by one publish");
    }
    group.finish();
}

/// Each step of a judgement alone, to see where the time goes.
fn steps(criterion: &mut Criterion, world: &World) {
    let mut group = criterion.benchmark_group(format!("steps/{}", world.site.rules.len()));
    let mut scratch = Scratch::default();
    let mut heads = world.heads.iter().cycle();
    group.bench_function("host", |bench| {
        bench.iter(|| {
            let head = heads.next().map(black_box)?;
            canonical_host(&head.host, &mut scratch.host).ok().map(str::len)
        });
    });
    group.bench_function("path", |bench| {
        bench.iter(|| {
            let head = heads.next().map(black_box)?;
            canonical(&head.path, &mut scratch.path).ok().map(|path| path.path.len())
        });
    });
    group.bench_function("route", |bench| {
        bench.iter(|| {
            let head = heads.next().map(black_box)?;
            world.site.routes.find(&head.host, &head.path)
        });
    });
    group.bench_function("region", |bench| {
        bench.iter(|| {
            let head = heads.next().map(black_box)?;
            let headers = &world.fields[head.fields];
            Some(world.site.regions.find(&head.host, headers, head.client, head.trust))
        });
    });
    group.finish();
}

/// What a worker keeps to write canonical forms into.
#[derive(Default)]
struct Scratch {
    host: String,
    path: String,
}

/// What arrives.
struct Head {
    method: Method,
    host: String,
    path: String,
    /// Which of the shared fields.
    fields: usize,
    client: ClientAddr,
    trust: Trust,
}

/// A site, what is closed of it, and requests to it in no order.
struct World {
    site: Site,
    cells: Cells,
    probes: Vec<String>,
    windows: Vec<Window>,
    heads: Vec<Head>,
    /// Fields that heads share. A head that is judged has just been parsed and lies in the cache;
    /// a set of its own for each of thousands of heads would measure the memory instead.
    fields: Vec<HeaderMap>,
}

impl World {
    fn of(routes: u32) -> Self {
        let site = site(routes);
        let windows: Vec<Window> =
            (0..routes.min(WINDOWS_MAX)).map(|n| window(n, routes)).collect();
        let in_force: Vec<&Window> = windows.iter().collect();
        let cells = Cells::compute(&site, &in_force, &Pages::builtin(), None);
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let heads = (0..HEADS).map(|_| head(&mut dice, routes)).collect();
        let fields = (0..SHARED_FIELDS).map(fields).collect();
        let probes = vec!["/healthz".into()];
        Self { site, cells, probes, windows, heads, fields }
    }

    /// The judgement of a request, as `proxy::request` makes it.
    fn judge(&self, head: &Head, scratch: &mut Scratch) -> Option<Verdict> {
        let host = canonical_host(&head.host, &mut scratch.host).ok()?;
        let path = canonical(&head.path, &mut scratch.path).ok()?;
        let route = self.site.routes.find(host, path.path)?;
        let headers = &self.fields[head.fields];
        let region = self.site.regions.find(host, headers, head.client, head.trust);
        let rules = self.site.rules(route);
        let now = Wall::from_millis(0);
        let closure = self.cells.closure_for(route, region, &head.method, now);
        let ground = Ground {
            closed: closure.map(|closure| closure.mode),
            allow: closure.map_or(&[], |closure| &closure.allow),
            holds: closure.is_some_and(|closure| closure.holds()),
            probes: &self.probes,
            keeps_forms: if rules.forms.keep { Keeps::Forms } else { Keeps::Nothing },
            accepts: Accepts::Asked,
            redirects: Redirects::default(),
        };
        let ask = Ask {
            method: &head.method,
            scheme: "http",
            authority: &head.host,
            path: path.path,
            query: None,
            headers,
        };
        Some(decide(&ground, &ask))
    }

    /// Prints what the heads are judged to be and what that allocates, and fails if it does.
    fn count_allocations(&self) {
        let mut scratch =
            Scratch { host: String::with_capacity(256), path: String::with_capacity(256) };
        let mut verdicts: HashMap<&'static str, u32> = HashMap::new();
        for head in &self.heads {
            let name = self.judge(head, &mut scratch).map_or("none", Verdict::name);
            *verdicts.entry(name).or_default() += 1;
        }
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for head in &self.heads {
            black_box(self.judge(black_box(head), &mut scratch));
        }
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        let mut verdicts: Vec<_> = verdicts.into_iter().collect();
        verdicts.sort_unstable();
        println!(
            "{} routes x {} regions, {} windows in force, {} cells closed; {HEADS} heads: \
             {verdicts:?}; allocations per judgement: {}",
            self.site.rules.len(),
            self.site.regions.len(),
            self.windows.len(),
            self.cells.closed_count(),
            allocations as f64 / f64::from(HEADS),
        );
        assert_eq!(allocations, 0, "a judgement allocates");
    }
}

fn region_rule(region: u16) -> RegionRule {
    let network = format!("10.{region}.0.0/16").parse().expect("a network");
    let inner = format!("10.{}.128.0/20", (region + 1) % REGIONS).parse().expect("a network");
    RegionRule {
        name: format!("region{region}"),
        header: Some((HeaderName::from_static("x-region"), format!("region{region}"))),
        hosts: vec![HostPattern::Exact(format!("service{}.example.com", region * 4))],
        networks: Networks::new(vec![network, inner]),
    }
}

fn site(routes: u32) -> Site {
    let row = |route: u32| {
        let host = HostPattern::parse(&host_pattern(route / ROUTES_PER_HOST)).expect("a host");
        (vec![host], vec![PathPattern::parse(&path_pattern(route)).expect("a pattern")])
    };
    let rows: Vec<_> = (0..routes).map(row).collect();
    let rules: Vec<RouteRules> = (0..routes).map(route_rules).collect();
    let named = |(rules, ix): (&RouteRules, u32)| (Arc::clone(&rules.name), RouteIx(ix));
    Site {
        fingerprint: String::new(),
        node: "bench".to_owned(),
        node_tag: NodeTag(1),
        routes: RouteTable::build(&rows).expect("no conflicts"),
        route_names: rules.iter().zip(0..).map(named).collect(),
        rules,
        regions: RegionTable::new((0..REGIONS).map(region_rule).collect(), RegionIx(0)),
        upstreams: Vec::new(),
        tls: None,
        acme: None,
        answers: std::collections::BTreeMap::new(),
        trusted: Networks::default(),
        forwarded: ForwardedBy::XForwarded,
        proxy_protocol: Networks::default(),
        probes: Vec::new(),
        via: None,
        begin_traces: None,
        announce_header: true,
        limits: Limits::default(),
        pace: Pace::default(),
        operator: "Example Ltd".to_owned(),
        privacy: Privacy::default(),
        blackouts: Vec::new(),
    }
}

fn route_rules(route: u32) -> RouteRules {
    RouteRules {
        name: format!("route{route}").into(),
        // One title for all, so that a thousand windows are a thousand sets of pages and no more.
        title: "Claims".to_owned(),
        upstreams: Vec::new(),
        answer_timeout: Duration::ZERO,
        idle_timeout: Duration::ZERO,
        encoded_slashes: false,
        websocket: false,
        forms: FormPolicy {
            keep: true,
            resume: ResumeMode::Confirm,
            life: Duration::ZERO,
            body_bytes_max: 0,
            upload_bytes_max: 0,
            csrf_fields: Arc::new([]),
            never_kept: Arc::new([]),
            sign_in_paths: Arc::new([]),
            session_cookies: Arc::new([]),
            script: false,
            csp: Csp::Amend,
            tee: false,
            idempotency_key: false,
            programs: Programs::Refuse,
        },
        edge: None,
    }
}

/// Each window closes its share of half of the routes, in ten of the twenty regions.
fn window(n: u32, routes: u32) -> Window {
    let windows = routes.min(WINDOWS_MAX);
    let share = (n..routes).step_by(windows as usize).filter(|route| (route / 3) % 2 == 0);
    let named = share.map(|route| format!("route{route}")).chain(["none".to_owned()]);
    let regions = (0..10).map(|at| format!("region{}", (n + 2 * at) % u32::from(REGIONS)));
    // One of ten closes writing alone.
    let writes = ["POST", "PUT", "PATCH", "DELETE"].map(str::to_owned);
    let methods = if n % 10 == 7 { Selection::of(writes) } else { Selection::All };
    let scope = Scope { regions: Selection::of(regions), routes: Selection::of(named), methods };
    began(n, if n.is_multiple_of(3) { Mode::ReadOnly } else { Mode::Page }, scope)
}

fn began(n: u32, mode: Mode, scope: Scope) -> Window {
    let order = Order {
        scope,
        mode,
        texts: Texts::default(),
        promised_end: Some(Wall::from_millis(900_000)),
        plan: Plan::draining(Duration::from_secs(30)),
    };
    let now = Wall::from_millis(i64::from(n));
    Window::begin(Id::new(now, NodeTag(1)), order, &Author::intermission("bench"), now).window
}

/// Nine of ten are GETs; of the rest, half are forms. One of eight comes through a trusted peer.
fn head(dice: &mut Dice, routes: u32) -> Head {
    let route = dice.below(routes);
    let kind = dice.below(20);
    let octet = |dice: &mut Dice, bound| dice.below(bound) as u8;
    let client = Ipv4Addr::new(10, octet(dice, 24), octet(dice, 256), octet(dice, 256));
    let shared = dice.below(SHARED_FIELDS) / 3 * 3 + kind.min(2);
    Head {
        method: if kind < 2 { Method::POST } else { Method::GET },
        host: host_name(route / ROUTES_PER_HOST),
        path: path_name(route, dice),
        fields: shared.min(SHARED_FIELDS - 1) as usize,
        client: ClientAddr(IpAddr::V4(client)),
        trust: if dice.below(8) == 0 { Trust::Trusted } else { Trust::Stranger },
    }
}

/// The fields of a form, of another post, and of a GET, in turn, with the regions in turn.
fn fields(n: u32) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name, value: &str| {
        let value = HeaderValue::from_str(value).expect("a value");
        headers.insert(HeaderName::from_static(name), value);
    };
    add("host", "www.example.com");
    add("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari");
    add("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8");
    add("accept-language", "de-CH,de;q=0.9,en;q=0.8");
    add("accept-encoding", "gzip, deflate, br");
    add("cookie", "session=4f8c2a9e11; theme=dark; intermission=k7");
    add("sec-fetch-site", "same-origin");
    add("sec-fetch-mode", "navigate");
    add("x-region", &format!("region{}", n / 3 % u32::from(REGIONS)));
    if n % 3 < 2 {
        let form = "application/x-www-form-urlencoded";
        add("content-type", if n.is_multiple_of(3) { form } else { "application/json" });
        add("content-length", "2048");
    }
    headers
}
