//! What is told of a request at its end: one access line and one count, at the last byte or at
//! whatever cut it short.
//!
//! A [`Story`] begins with the request, moves into the answer's body, and tells itself when it is
//! dropped. So a client that goes away in the middle of an answer is told of too.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, Uri, response};

use super::admit;
use super::deadline::Wait;
use super::head::{Judged, Scheme};
use super::lane::{self, Lane};
use super::lasting::Lasting;
use super::lasting::leave::{Kind, Leave};
use super::page::Asked;
use super::worker::Current;
use crate::addr::{ClientAddr, ServerAddr};
use crate::clock::Tick;
use crate::decide::{Refusal, Verdict};
use crate::id::Id;
use crate::inject::fill::Fill;
use crate::region::RegionIx;
use crate::route::RouteIx;
use crate::snapshot::edge::{Coding, EdgeRules};
use crate::snapshot::{Pass, Reads};
use crate::telemetry::access::Record;
use crate::telemetry::end::End;
use crate::telemetry::shard::Ended;
use crate::telemetry::under_way::{InFlight, Lasts};

/// What happened to a request's body on its way up.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes taken from the client.
    pub bytes: Cell<u64>,
    /// Why it did not arrive whole.
    pub fault: Cell<Option<End>>,
}

/// A request, from its head to its end.
pub(super) struct Story {
    lane: Rc<Lane>,
    current: Option<Rc<Current>>,
    place: Option<(RouteIx, RegionIx)>,
    /// The window that governs its place.
    window: Option<Id>,
    in_flight: Option<InFlight>,
    number: u64,
    began: Tick,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    visible: Option<Box<Visible>>,
    /// What matters if its answer is a page that our script goes into.
    pub page: Option<Box<Asked>>,
    /// The bypass by which it was let in.
    pass: Option<Pass>,
    /// Whom the request is for.
    pub client: ClientAddr,
    /// What was decided.
    pub verdict: Verdict,
    /// The server that was asked.
    pub server: Option<ServerAddr>,
    /// Time to connect, if a new connection was needed.
    pub connect: Option<Duration>,
    /// Time to the answer's head.
    pub first_byte: Option<Duration>,
    /// The request's body.
    pub progress: Option<Rc<Progress>>,
    /// Bytes of the answer's body that were handed to the connection.
    pub bytes_out: u64,
    trace: Option<u128>,
    /// Since when it waited for a window to end, and how long.
    held: Option<(Tick, Option<Duration>)>,
    /// What goes into the form on the page that is asked for.
    pub fill: Option<Box<Fill>>,
    /// What is told instead of `done`.
    ends_as: Option<End>,
    status: u16,
    told: Told,
    end: End,
}

/// The address that the visitor's browser sees, kept for routes that write heads anew.
pub(super) struct Visible {
    /// By which scheme.
    pub scheme: Scheme,
    /// With its port.
    pub host: HeaderValue,
    /// What browsers are told to remember, by `https` alone.
    pub hsts: Option<HeaderValue>,
    /// The coding that the client takes best, if the route compresses.
    pub coding: Option<Coding>,
}

/// How much of the answer was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Nothing,
    Head,
    All,
}

impl Story {
    /// Begins with a request's head.
    pub(super) fn begin<B>(
        lane: &Rc<Lane>,
        client: ClientAddr,
        request: &http::Request<B>,
    ) -> Box<Self> {
        Box::new(Self {
            lane: Rc::clone(lane),
            current: None,
            place: None,
            window: None,
            in_flight: None,
            number: lane.link.worker.number(),
            began: lane.link.worker.clock.tick(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: request.headers().get(http::header::HOST).cloned(),
            visible: None,
            page: None,
            pass: None,
            client,
            verdict: Verdict::Refuse(Refusal::Unsupported),
            server: None,
            connect: None,
            first_byte: None,
            progress: None,
            bytes_out: 0,
            trace: None,
            held: None,
            fill: None,
            ends_as: None,
            status: 0,
            told: Told::Nothing,
            end: End::Done,
        })
    }

    /// What was decided, and by which snapshot.
    pub(super) fn judged(&mut self, judged: &Judged) {
        self.current = Some(Rc::clone(&judged.current));
        self.place = judged.place;
        self.window = judged.closure.as_ref().map(|closure| closure.windows[0]);
        self.verdict = judged.verdict;
        self.pass = admit::pass(judged.let_in.as_ref());
        self.trace = judged.trace.id();
        let edge = judged.place.and_then(|(route, _)| judged.site().rules(route).edge.as_deref());
        self.visible = edge.map(|edge| Box::new(self.seen(judged, edge)));
    }

    fn seen(&self, judged: &Judged, edge: &EdgeRules) -> Visible {
        let said = judged.said.as_ref().and_then(|said| said.host.clone());
        let in_target = || HeaderValue::from_str(self.uri.authority()?.as_str()).ok();
        let host = said.or_else(|| self.host.clone()).or_else(in_target);
        Visible {
            scheme: judged.scheme,
            host: host.unwrap_or(HeaderValue::from_static("")),
            hsts: edge.hsts.clone().filter(|_| judged.scheme == Scheme::Https),
            coding: None,
        }
    }

    /// The address that the visitor sees; none on routes that change nothing.
    pub(super) fn visible(&self) -> Option<&Visible> {
        self.visible.as_deref()
    }

    /// The client takes this coding.
    pub(super) fn takes(&mut self, coding: Option<Coding>) {
        if let Some(visible) = &mut self.visible {
            visible.coding = coding;
        }
    }

    /// Its number on this worker.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The generation it was judged by; 0 if it was not.
    pub(super) fn generation(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.snapshot.generation)
    }

    /// Counts it as in flight in its place, until it ends.
    pub(super) fn in_flight(&mut self) {
        if let (Some(current), Some((route, region))) = (&self.current, self.place) {
            let (route, region) = (route.0 as usize, usize::from(region.0));
            self.in_flight = Some(current.table.begin(route, region));
        }
    }

    /// Puts it on the register of what lasts; none if it is at no place.
    pub(super) fn lasting(&mut self, reads: Reads, how: Lasts) -> Option<Lasting> {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.lasts(how);
        }
        let (current, place) = (self.current.as_ref()?, self.place?);
        let worker = &self.lane.link.worker;
        let clockwork = self.lane.clockwork.clone();
        let does = (&self.method, reads, self.pass);
        Some(Lasting::begin(worker, &current.snapshot.site, place, does, clockwork))
    }

    /// Puts an answer with this head on the register, if it is of a kind that lasts.
    pub(super) fn leave(&mut self, head: &response::Parts) -> Option<Box<Leave>> {
        let kind = Kind::of(head)?;
        let reads = if self.method.is_safe() { Reads::Only } else { Reads::Beyond };
        Some(Leave::new(kind, self.lasting(reads, Lasts::Stream)?))
    }

    /// It waits for a window to end.
    pub(super) fn holds(&mut self, since: Tick) {
        self.held = Some((since, None));
    }

    /// It has waited until now.
    pub(super) fn held(&mut self) {
        self.held = self.held.map(|(since, _)| (since, Some(self.waited(since))));
    }

    fn waited(&self, since: Tick) -> Duration {
        self.lane.link.worker.clock.tick().since(since)
    }

    /// If its answer arrives whole, this is told.
    pub(super) fn ends_as(&mut self, end: Option<End>) {
        self.ends_as = end;
    }

    /// Time since the head.
    pub(super) fn elapsed(&self) -> Duration {
        self.lane.link.worker.clock.tick().since(self.began)
    }

    /// An answer is on its way. `end` is what is told if it arrives whole.
    pub(super) fn answered(&mut self, status: StatusCode, end: End) {
        self.status = status.as_u16();
        self.end = self.ends_as.filter(|_| end == End::Done).unwrap_or(end);
        self.told = Told::Head;
    }

    /// The answer has no further byte.
    pub(super) fn complete(&mut self) {
        self.told = Told::All;
    }

    /// The answer will be cut short, for this reason.
    pub(super) fn cut(&mut self, end: End) {
        self.told = Told::All;
        self.end = end;
    }

    /// What was told as complete did not leave after all.
    pub(super) fn abandoned(&mut self) {
        if self.told == Told::All && self.end == End::Done {
            self.told = Told::Head;
        }
    }

    /// The method that was asked by.
    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the client asked for a head alone.
    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    fn final_end(&self) -> End {
        match self.told {
            Told::All => self.end,
            _ if self.lane.link.worker.cutting() => End::ProxyAnswerStop,
            Told::Nothing => {
                let fault = self.progress.as_ref().and_then(|progress| progress.fault.get());
                fault.unwrap_or(End::ClientWaitAbort)
            }
            Told::Head if self.lane.clockwork.passed(Wait::Write) => End::ClientAnswerTimeout,
            Told::Head => End::ClientAnswerAbort,
        }
    }
}

/// A path as it may stand in a line: some of ours hold what opens a submission.
fn shown(path: &str) -> &str {
    match memchr::memmem::find(path.as_bytes(), b"/v1/submissions/") {
        Some(at) if path[..at].contains("intermission") || path[..at].contains('%') => {
            &path[..at + 16]
        }
        Some(_) | None => path,
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        let end = self.final_end();
        let total = self.elapsed();
        let site = self.current.as_ref().map(|current| &current.snapshot.site);
        let named = site
            .zip(self.place)
            .map(|(site, (route, region))| (&*site.rules(route).name, site.regions.name(region)));
        let bypass = self.pass.map(|pass| match pass {
            Pass::Bypass(id) => id.to_string(),
            Pass::Verification => "verification".to_owned(),
        });
        if bypass.is_some() {
            self.lane.link.worker.shard.bypassed();
        }
        let record = Record {
            at: self.lane.link.worker.time.wall(self.began),
            client: self.client,
            protocol: match self.lane.kind {
                lane::Kind::Http1 => "h1",
                lane::Kind::Http2 => "h2",
            },
            method: self.method.as_str(),
            host: self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or("-"),
            target: shown(self.uri.path()),
            status: self.status,
            route: named.map(|(route, _)| route),
            region: named.map(|(_, region)| region),
            verdict: self.verdict.name(),
            bypass: bypass.as_deref(),
            generation: self.generation(),
            total,
            upstream: self.server,
            connect: self.connect,
            first_byte: self.first_byte,
            held: self.held.map(|(since, span)| span.unwrap_or_else(|| self.waited(since))),
            bytes_in: self.progress.as_ref().map_or(0, |progress| progress.bytes.get()),
            bytes_out: self.bytes_out,
            trace: self.trace,
            end,
            request: self.number,
        };
        self.lane.link.worker.lines.record(&record);
        let ended = Ended {
            verdict: self.verdict,
            status: self.status,
            total,
            connect: self.connect,
            first_byte: self.first_byte,
            bytes_in: record.bytes_in,
            bytes_out: self.bytes_out,
            end,
        };
        if let Some(window) = self.window {
            let worker = &self.lane.link.worker;
            worker.shard.governed(window, &ended, self.client, record.at);
        }
        match (&self.current, self.place) {
            (Some(current), Some((route, region))) => {
                current.table.count(route.0 as usize, usize::from(region.0), &ended);
            }
            _ => self.lane.link.worker.shard.unrouted(&ended),
        }
        self.lane.end();
    }
}
