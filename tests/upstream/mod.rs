//! Several servers: who of them is asked, what happens when they fail, HTTP/2 and TLS to them.

/// Who of several servers is asked.
mod balance;
/// What the servers are, and what their visitors get.
mod fleet;
/// HTTP/2 to servers.
mod h2;
/// A server that speaks HTTP/2.
pub(crate) mod h2_origin;
/// Connections to servers: TLS and what is agreed on there, PROXY headers, those of the past.
mod outward;
/// Requests that wait for a place at a server.
mod queue;
/// What is sent again, and what never is.
mod retry;
/// Servers that fail, and come back.
mod trouble;

pub(crate) use queue::{full as queue_full, timeout as queue_timeout};
pub(crate) use trouble::{no_tls, nobody};
