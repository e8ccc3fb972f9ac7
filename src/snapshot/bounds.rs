//! What clients may take of us: time, connections, bytes. The defaults are the ones of
//! [`crate::limit`]; an operator may set each, and a reload puts it in force.

use std::time::Duration;

use crate::limit;

/// How long is waited for a client (`[timeouts]`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// A TLS handshake.
    pub handshake: Duration,
    /// A client that sends or takes less than `Limits::body_rate`.
    pub slow: Duration,
    /// A whole head.
    pub head: Duration,
    /// The next request of a connection.
    pub keep_alive: Duration,
    /// The next piece of a request's body.
    pub body: Duration,
    /// Room for a further piece of an answer.
    pub write: Duration,
    /// A byte in a tunnel, either way.
    pub tunnel: Duration,
    /// An answer, for a client that has ended its side already.
    pub half_closed: Duration,
    /// A connection's age, after which it ends with the answer under way.
    pub connection_age: Duration,
    /// Over which time streams and tunnels end whose place closed, or whose node stops
    /// (`window.spread`).
    pub spread: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            handshake: limit::TLS_HANDSHAKE,
            slow: limit::BODY_RATE_GRACE,
            head: limit::HEAD_DEADLINE,
            keep_alive: limit::KEEP_ALIVE_IDLE,
            body: limit::BODY_IDLE,
            write: limit::WRITE_STALL,
            tunnel: limit::TUNNEL_IDLE,
            half_closed: limit::HALF_CLOSED,
            connection_age: limit::CONNECTION_AGE,
            spread: limit::WINDOW_SPREAD,
        }
    }
}

/// How much a client may send, and how many there may be (`[limits]`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Client connections on this node.
    pub connections: usize,
    /// Client connections from one address, unless it is trusted.
    pub connections_per_address: usize,
    /// Requests under way on this node.
    pub requests: usize,
    /// Requests on one connection.
    pub requests_per_connection: u64,
    /// Bytes of one head.
    pub head_bytes: usize,
    /// Fields of one head.
    pub head_fields: usize,
    /// Bytes of one target.
    pub target_bytes: usize,
    /// Bytes a second that a client must send of a body, or take of an answer, on the whole.
    pub body_rate: u64,
    /// Forms kept for one address in a minute; 0 is no bound.
    pub forms_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: limit::CONNECTIONS_MAX,
            connections_per_address: limit::CONNECTIONS_PER_ADDRESS_MAX,
            requests: limit::REQUESTS_MAX,
            requests_per_connection: limit::REQUESTS_PER_CONNECTION_MAX,
            head_bytes: limit::HEAD_BYTES_MAX,
            head_fields: limit::HEAD_FIELDS_MAX,
            target_bytes: limit::TARGET_BYTES_MAX,
            body_rate: limit::BODY_RATE_MIN,
            forms_per_minute: limit::FORMS_PER_MINUTE,
        }
    }
}
