//! How the servers of an upstream are asked whether they are well. Control asks; workers only see
//! the outcome, in the roster.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderValue;
use http::uri::PathAndQuery;

/// What is asked, how often, and how many answers it takes to be believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HealthCheck {
    /// What is asked.
    pub question: Question,
    /// Between the beginnings of two checks of one server.
    pub interval: Duration,
    /// From the start of a check to its answer.
    pub timeout: Duration,
    /// Good answers in a row until an unhealthy server is healthy.
    pub rise: u32,
    /// Bad ones in a row until a healthy server is unhealthy.
    pub fall: u32,
    /// Asked instead of the server's own port.
    pub port: Option<u16>,
}

/// What a check asks a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// To take a connection, and to prove itself where the upstream has TLS.
    Tcp,
    /// For a page.
    Http {
        /// Of this path.
        path: PathAndQuery,
        /// For this host; the server's name where there is none.
        host: Option<HeaderValue>,
        /// These are good answers.
        status: Vec<RangeInclusive<u16>>,
    },
    /// For `grpc.health.v1.Health/Check`.
    Grpc {
        /// About this service; empty for the whole server.
        service: String,
        /// For this host; the server's name where there is none.
        host: Option<HeaderValue>,
    },
}
