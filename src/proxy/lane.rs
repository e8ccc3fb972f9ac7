//! Where requests come from: a client's connection, and in it the lanes that carry one request at a
//! time. An HTTP/1.1 connection is one lane; each stream of an HTTP/2 connection is a lane of its
//! own. What answers a request knows its lane and need not ask which of the two it is.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;

use super::deadline::{Clockwork, Registered, Wait};
use super::guard::Wire;
use super::head::Scheme;
use super::socket::Socket;
use super::tls::Proved;
use super::upgrade::Upstream;
use super::worker::Worker;
use crate::addr::PeerAddr;
use crate::addr::proxy_protocol::Ends;
use crate::limit;

/// What all requests of one client connection share.
pub(super) struct Link {
    pub worker: Rc<Worker>,
    /// The client's end, or what a trusted balancer says it is.
    pub peer: PeerAddr,
    /// What the client connected to: our end, or what a trusted balancer says it is.
    pub destination: SocketAddr,
    /// Its address as a header value, written once.
    pub peer_text: HeaderValue,
    /// What the socket itself speaks: `https` over TLS.
    pub scheme: Scheme,
    /// What a client proved that was asked for a certificate.
    pub proved: Option<Proved>,
    /// The last `Forwarded` value, by host and scheme: most connections ask one host only.
    pub forwarded: RefCell<Option<(HeaderValue, Scheme, HeaderValue)>>,
    /// Requests that have begun.
    begun: Cell<u64>,
    /// When it is old, in milliseconds on the worker's clock.
    old_at: u64,
}

impl Link {
    /// A connection between `ends` over `socket`.
    pub(super) fn new(
        worker: &Rc<Worker>,
        ends: Ends,
        socket: &Socket,
        proved: Option<Proved>,
    ) -> Rc<Self> {
        let address = ends.source.ip().to_canonical().to_string();
        Rc::new(Self {
            worker: Rc::clone(worker),
            peer: PeerAddr(ends.source),
            destination: ends.destination,
            peer_text: HeaderValue::from_str(&address).expect("an address is visible ASCII"),
            scheme: socket.scheme(),
            proved,
            forwarded: RefCell::default(),
            begun: Cell::new(0),
            old_at: old_at(worker),
        })
    }

    /// Whether a connection of HTTP/1.1 has carried as many requests as it may, or is old: the one
    /// under way is its last.
    pub(super) fn is_spent(&self) -> bool {
        self.has_carried(self.worker.sweep.limits().requests_per_connection) || self.is_old()
    }

    /// Whether so many requests have begun on it.
    pub(super) fn has_carried(&self, requests: u64) -> bool {
        self.begun.get() >= requests
    }

    /// How long the next request is waited for while the node stops.
    pub(super) fn stays(&self) -> Duration {
        if self.begun.get() == 0 { limit::STOP_FRESH } else { limit::STOP_IDLE }
    }

    /// Whether it is as old as it may become.
    pub(super) fn is_old(&self) -> bool {
        self.worker.sweep.now() >= self.old_at
    }
}

/// When a connection that is made now is old: a tenth sooner or later than the others.
fn old_at(worker: &Worker) -> u64 {
    let age = u64::try_from(worker.sweep.pace().connection_age.as_millis()).unwrap_or(u64::MAX);
    let tenth = (age / 10).max(1);
    worker.sweep.now().saturating_add(age - tenth + worker.jitter() % (2 * tenth))
}

/// Which protocol a lane belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A whole HTTP/1.1 connection.
    Http1,
    /// One stream of an HTTP/2 connection.
    Http2,
}

/// What the requests of one lane share.
pub(super) struct Lane {
    pub link: Rc<Link>,
    pub kind: Kind,
    pub clockwork: Clockwork,
    pub wire: Rc<Wire>,
    /// The server's side of a tunnel that begins when hyper is done.
    pub upgrade: RefCell<Option<Upstream>>,
    closing: Cell<bool>,
    asked_all: Cell<bool>,
    expecting: Cell<bool>,
    owing: Cell<bool>,
    tunnelling: Cell<bool>,
    conversing: Cell<bool>,
    begun: Cell<bool>,
    _registered: Registered,
}

impl Lane {
    /// A lane of `link`.
    pub(super) fn new(link: &Rc<Link>, kind: Kind) -> Rc<Self> {
        let registered = link.worker.sweep.register();
        Rc::new(Self {
            link: Rc::clone(link),
            kind,
            clockwork: registered.share(),
            wire: Rc::default(),
            upgrade: RefCell::default(),
            closing: Cell::new(false),
            asked_all: Cell::new(false),
            expecting: Cell::new(false),
            owing: Cell::new(false),
            tunnelling: Cell::new(false),
            conversing: Cell::new(false),
            begun: Cell::new(false),
            _registered: registered,
        })
    }

    /// A request has begun.
    pub(super) fn begin(&self) {
        self.begun.set(true);
        self.link.begun.set(self.link.begun.get() + 1);
        self.link.worker.request_begun();
        self.wire.begin();
        self.clockwork.clear(Wait::Park);
        self.expecting.set(false);
        if self.link.is_spent() {
            self.close_after_answer();
        }
    }

    /// A request has ended: the lane waits for the next one, if it can carry another.
    pub(super) fn end(&self) {
        if self.begun.replace(false) {
            self.link.worker.request_ended();
        }
        self.clockwork.clear(Wait::Upstream);
        self.clockwork.clear(Wait::Body);
        if self.kind == Kind::Http1 {
            let pace = *self.clockwork.pace();
            let next = match self.wire.in_head() {
                true => pace.head,
                // Answered before its body was whole: what is left of it belongs to nobody.
                false if self.wire.in_body() => limit::LINGER,
                false if self.link.worker.stopping() => limit::STOP_IDLE,
                false => pace.keep_alive,
            };
            self.clockwork.restart(Wait::Head, next);
            self.clockwork.restart(Wait::Park, limit::PARKED_AFTER);
        }
        self.wire.end();
    }

    /// The connection ends after the answer that is being made; a stream ends by itself.
    pub(super) fn close_after_answer(&self) {
        self.closing.set(self.kind == Kind::Http1);
    }

    /// Whether it does.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// The client says that it will send no further request (RFC 9112 §9.6).
    pub(super) fn has_asked_all(&self) {
        self.asked_all.set(true);
    }

    /// Whether nothing more can come that was not read: the connection can be closed as it is.
    pub(super) fn is_done(&self) -> bool {
        self.wire.is_read_out(self.asked_all.get())
    }

    /// Whether no request can follow on this connection because the node stops. A stream's end is
    /// not its connection's.
    pub(super) fn is_last(&self) -> bool {
        self.kind == Kind::Http1 && self.link.worker.stopping()
    }

    /// The client waits for `100 Continue`, which asking for the body would send.
    pub(super) fn expects_continue(&self) {
        self.expecting.set(true);
    }

    /// The body is asked for: on a stream of HTTP/2, whoever carries it owes the client the interim
    /// answer now. In HTTP/1.1, hyper sends it.
    pub(super) fn ask_for_body(&self) {
        if self.expecting.replace(false) {
            self.owing.set(true);
            self.clockwork.wake();
        }
    }

    /// Whether `100 Continue` is due; it is from then on taken for sent.
    pub(super) fn owes_continue(&self) -> bool {
        self.owing.replace(false)
    }

    /// Both sides may speak when they have something to say, as in gRPC: a client that pauses in
    /// its body is not slow.
    pub(super) fn converse(&self) {
        self.conversing.set(true);
    }

    /// Whether they may.
    pub(super) fn is_conversing(&self) -> bool {
        self.conversing.get()
    }

    /// The request asks for a tunnel in a way that takes any 2xx for one (RFC 8441).
    pub(super) fn tunnels(&self) {
        self.tunnelling.set(true);
    }

    /// Whether it does.
    pub(super) fn is_tunnelling(&self) -> bool {
        self.tunnelling.get()
    }

    /// Whether it does.
    pub(super) fn is_expecting(&self) -> bool {
        self.expecting.get()
    }
}
