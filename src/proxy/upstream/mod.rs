//! Connections to servers: one pool per worker, so that no request waits for another worker.

mod pool;
mod watch;

pub(super) use pool::{ConnectError, Lease, Pool, Server, Socket};
