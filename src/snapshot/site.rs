//! What a config compiles to: the part of a snapshot that changes only by a reload.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Version};

use super::Acme;
use super::bounds::{Limits, Pace};
use super::care::Care;
use super::edge::EdgeRules;
use super::health::HealthCheck;
use crate::addr::{Networks, ServerAddr};
use crate::id::NodeTag;
use crate::region::{RegionIx, RegionTable};
use crate::route::{RouteIx, RouteTable};
use crate::tls;
use crate::window::schedule::Blackout;

/// An address that is listened at, and what is spoken there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Where.
    pub at: SocketAddr,
    /// What.
    pub protocol: Protocol,
}

/// What `Via` tells of this hop (RFC 9110 §7.6.3): the version that a message came in, and a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Via {
    values: [HeaderValue; 3],
    /// Whether answers carry it too.
    pub in_answers: bool,
}

impl Via {
    /// Under this name; none if it cannot stand in a field.
    pub fn new(name: &str, in_answers: bool) -> Option<Self> {
        let value = |version| HeaderValue::from_str(&format!("{version} {name}")).ok();
        let values = [value("1.0")?, value("1.1")?, value("2.0")?];
        Some(Self { values, in_answers })
    }

    /// For a message of this version.
    pub fn of(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_09 | Version::HTTP_10 => &self.values[0],
            Version::HTTP_2 => &self.values[2],
            _ => &self.values[1],
        }
    }
}

/// What is spoken at a listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// HTTP/1.1 in the clear.
    Http,
    /// HTTP/1.1 or HTTP/2 in the clear, told apart by the first bytes (RFC 9113 §3.3).
    H2c,
    /// HTTP/1.1 or HTTP/2 under TLS, agreed on by ALPN.
    Https,
    /// Whatever is asked in HTTP/1, whether this node takes visitors: for load balancers.
    Probe,
}

/// The compiled config.
pub struct Site {
    /// Of the config file's bytes: tells two configs apart in logs, status and metrics.
    pub fingerprint: String,
    /// This node's name.
    pub node: String,
    /// This node's tag in ids.
    pub node_tag: NodeTag,
    /// Host and path to route.
    pub routes: RouteTable,
    /// What each route wants, by [`RouteIx`].
    pub rules: Vec<RouteRules>,
    /// Route names to indexes.
    pub route_names: HashMap<Arc<str>, RouteIx>,
    /// Who belongs to which region.
    pub regions: RegionTable,
    /// Named pools, by [`UpstreamIx`].
    pub upstreams: Vec<Upstream>,
    /// Peers that are believed about client addresses, schemes, hosts and regions.
    pub trusted: Networks,
    /// By which fields they are believed.
    pub forwarded: ForwardedBy,
    /// Peers that pass connections on, and say first whose each is (PROXY protocol).
    pub proxy_protocol: Networks,
    /// Canonical paths that load balancers ask to see whether this node lives; answered 200 while
    /// their scope is closed.
    pub probes: Vec<String>,
    /// The certificates of `https` listeners, if there are any.
    pub tls: Option<tls::Server>,
    /// What is asked of a CA, if anything is.
    pub acme: Option<Arc<Acme>>,
    /// What is answered below `/.well-known/acme-challenge/`, by what follows: it proves to a CA
    /// who we are, also while everything is closed.
    pub answers: BTreeMap<String, String>,
    /// Whether `Via` is added.
    pub via: Option<Via>,
    /// How many of a hundred traces that begin here are sampled; none begins none.
    pub begin_traces: Option<u8>,
    /// Whether answers of a place tell of the windows that are announced there.
    pub announce_header: bool,
    /// How much a client may send, and how many there may be.
    pub limits: Limits,
    /// How long is waited for a client.
    pub pace: Pace,
    /// The page's name for the operator: "Example Ltd".
    pub operator: String,
    /// What receipts say of data protection.
    pub privacy: Privacy,
    /// Times in which nothing may be planned.
    pub blackouts: Vec<Blackout>,
}

/// The fields by which trusted peers are believed about clients. One kind is chosen, because a
/// balancer that writes one of them often passes on what a client wrote into the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Which upstream, as an index into [`Site::upstreams`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct UpstreamIx(pub u32);

/// What one route wants.
pub struct RouteRules {
    /// In scopes, logs and metrics.
    pub name: Arc<str>,
    /// For visitors: "Claims".
    pub title: String,
    /// The upstream of each region, by [`RegionIx`].
    pub upstreams: Vec<UpstreamIx>,
    /// From the request's last byte to the answer's head.
    pub answer_timeout: Duration,
    /// Between two pieces of an answer.
    pub idle_timeout: Duration,
    /// Whether `%2f` and `%5c` pass; they are refused unless the route says so, because an
    /// application that decodes them could be reached around a closed route.
    pub encoded_slashes: bool,
    /// Whether `Upgrade: websocket` passes.
    pub websocket: bool,
    /// What is done with forms while the route is closed.
    pub forms: FormPolicy,
    /// What it changes in heads and bodies; most routes change nothing.
    pub edge: Option<Box<EdgeRules>>,
}

/// What is done with forms while a route is closed.
#[derive(Clone, Debug)]
pub struct FormPolicy {
    /// Whether forms are kept at all.
    pub keep: bool,
    /// How they are sent on.
    pub resume: ResumeMode,
    /// How long they are kept.
    pub life: Duration,
    /// Bytes of an urlencoded or plain body.
    pub body_bytes_max: u64,
    /// Bytes of a multipart body.
    pub upload_bytes_max: u64,
    /// Fields that are replaced by the live form's when a submission is confirmed.
    pub csrf_fields: Arc<[String]>,
    /// Fields that are never kept, besides passwords, codes and cards.
    pub never_kept: Arc<[String]>,
    /// Paths that mean "sign in first" when the application redirects there.
    pub sign_in_paths: Arc<[String]>,
    /// Cookies of the application that tell who is signed in.
    pub session_cookies: Arc<[String]>,
    /// Whether our script goes into its pages, so that what is typed survives a reload.
    pub script: bool,
    /// What is done about a page's own Content-Security-Policy when the script goes in.
    pub csp: Csp,
    /// Whether a form on its way is kept at hand until the application has answered.
    pub tee: bool,
    /// Whether the application honours `Idempotency-Key`.
    pub idempotency_key: bool,
    /// What programs get that post while the route is closed.
    pub programs: Programs,
}

/// What is done about a page's own Content-Security-Policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Csp {
    /// The script's own source is added where the policy would keep it out.
    Amend,
    /// Nothing: where the policy keeps the script out, it stays out.
    Respect,
}

/// What programs get that post to a closed route, JSON for example.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Programs {
    /// 503, whatever they ask for.
    Refuse,
    /// 503, or 202 if they say `Prefer: respond-async` (RFC 7240 §4.1).
    Prefer,
    /// 202 for all whose request may be kept.
    Keep,
}

/// How a submission is sent on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ResumeMode {
    /// As it was captured, byte for byte.
    Replay,
    /// With CSRF fields taken from the live form in the same request.
    Confirm,
    /// By the visitor alone, from the live form with the answers in it.
    Refill,
    /// Never; the visitor reads, copies or downloads it.
    Copy,
}

/// A named pool.
pub struct Upstream {
    /// In logs and metrics.
    pub name: Arc<str>,
    /// Its members.
    pub servers: Vec<Server>,
    /// To connect to one.
    pub connect_timeout: Duration,
    /// How TLS is spoken to them; none in the clear.
    pub tls: Option<tls::Client>,
    /// How requests are spread over them, and what is done about those that fail.
    pub care: Care,
    /// How its servers are asked whether they are well; not at all if none.
    pub health: Option<HealthCheck>,
    /// Between two look-ups of a server's name.
    pub resolve_every: Duration,
}

/// A member of a pool, as the config names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// As it was typed: `app-1.internal:9000`.
    pub name: Arc<str>,
    /// Where it was when the config was compiled.
    pub addresses: Vec<ServerAddr>,
    /// Its share of the requests, from 1.
    pub weight: u32,
}

impl RouteRules {
    /// Whether it answers with a redirect, without an upstream.
    pub fn redirects(&self) -> bool {
        self.edge.as_ref().is_some_and(|edge| edge.redirect.is_some())
    }
}

/// What receipts say of data protection, in the operator's words; each may be empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Privacy {
    /// Instead of our own words.
    pub text: String,
    /// Where more stands.
    pub url: String,
    /// Whom to ask.
    pub contact: String,
}

impl Site {
    /// The rules of a route.
    pub fn rules(&self, route: RouteIx) -> &RouteRules {
        &self.rules[route.0 as usize]
    }

    /// The pool that serves a route in a region.
    pub fn upstream_ix(&self, route: RouteIx, region: RegionIx) -> UpstreamIx {
        self.rules(route).upstreams[usize::from(region.0)]
    }

    /// The route of this name.
    pub fn route_named(&self, name: &str) -> Option<RouteIx> {
        self.route_names.get(name).copied()
    }
}
