//! How requests are spread over the servers of an upstream, and what is done about those that fail.

use std::time::Duration;

use crate::addr::proxy_protocol;

/// See the module.
#[derive(Clone, Debug)]
pub struct Care {
    /// What is spoken to them.
    pub speaks: Speaks,
    /// Who of them is asked.
    pub balance: Balance,
    /// Requests at one server at once, on this node; none is any number.
    pub connections_max: Option<usize>,
    /// Requests that wait for a server at once, on this node.
    pub queue_max: usize,
    /// How long one waits.
    pub queue_timeout: Duration,
    /// How long a server that came back is spared: its share grows to the whole.
    pub slow_start: Duration,
    /// When a server is passed over because it fails; none is never.
    pub ejection: Option<Ejection>,
    /// Whether idempotent requests are sent again when their connection breaks.
    pub retries: bool,
    /// Whether each connection begins with whom it is for.
    pub proxy_protocol: Option<proxy_protocol::Version>,
}

/// What is spoken to servers. A WebSocket always takes HTTP/1.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Speaks {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2; without TLS by prior knowledge (RFC 9113 §3.3).
    Http2,
    /// What the server chooses by ALPN.
    Either,
}

/// Who of several servers is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Balance {
    /// Each in turn, as often as its weight says.
    #[default]
    RoundRobin,
    /// The less busy of two that are drawn.
    LeastRequests,
    /// The same one for the same visitor.
    Hash(HashBy),
}

/// What tells visitors apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HashBy {
    /// The client's address.
    Client,
    /// The value of this field.
    Header(http::HeaderName),
    /// The value of this cookie.
    Cookie(String),
}

/// When a server is passed over because it fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ejection {
    /// Failures in a row.
    pub failures: u32,
    /// For how long the first time; longer each time it happens again.
    pub time: Duration,
    /// Percent of the servers that may be passed over at once.
    pub share_max: u32,
}
