//! Ways to servers: who of them is asked, over which connection, and what is done about those that
//! fail. All of it is one worker's own, so that no request waits for another worker.
//!
//! A [`Way`] is an upstream as one snapshot shows it; it draws the [`Server`] that is asked next,
//! which gives a place ([`Held`]) and, with it, a connection ([`Lease`]). What outlives snapshots
//! (connections, counts, who failed, who waits) belongs to the servers and their [`Group`], which
//! the [`Pool`] keeps.

mod balance;
mod budget;
mod connect;
mod group;
mod lease;
mod outlier;
mod pool;
mod server;
mod session;
mod stream;
mod watch;
mod way;

pub(super) use connect::{ConnectError, Purpose};
pub(super) use lease::{Lease, Switching};
pub(super) use pool::Pool;
pub(super) use server::Held;
pub(super) use way::{Drawn, Key, Tried, Way};
