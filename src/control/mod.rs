//! The control plane: the one writer of windows and servers, the reload of the config, the admin
//! API, health checks and look-ups.
//!
//! It runs on a thread and a runtime of its own. The data plane reads what it publishes and never
//! waits for it; when it is gone, the last snapshot stays in force.

#[cfg(feature = "acme")]
pub mod acme;
pub mod admin;
mod batch;
pub mod chores;
pub mod command;
mod crew;
pub mod declared;
pub mod drift;
mod figures;
pub mod gauges;
mod handle;
pub mod health;
pub mod hour;
pub mod names;
pub mod phase;
pub mod reconcile;
pub mod reload;
pub mod report;
pub mod roster;
mod scopes;
mod servers;
pub mod service;
pub mod tally;
mod timer;
pub mod traffic;
pub mod verify;

pub use command::{Change, Draft, Expected, Granted, Refused, Standing, Which};
pub use handle::Handle;
pub use reconcile::{BootError, Parts, Reconciler};
