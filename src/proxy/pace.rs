//! How long clients may take. The defaults are the ones of `limit`; tests are less patient.

use std::time::Duration;

use crate::limit;

/// What is waited for of a client, and how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// A TLS handshake.
    pub handshake: Duration,
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
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            handshake: limit::TLS_HANDSHAKE,
            head: limit::HEAD_DEADLINE,
            keep_alive: limit::KEEP_ALIVE_IDLE,
            body: limit::BODY_IDLE,
            write: limit::WRITE_STALL,
            tunnel: limit::TUNNEL_IDLE,
        }
    }
}
