//! Reconciler, reload, admin API, command line: switches that survive, and who may switch.

mod admin;
mod admin_events;
mod admin_openapi;
mod admin_plans;
pub(crate) mod bench;
mod beside;
mod cli;
mod cli_look;
mod cli_plans;
mod cli_reach;
mod clock;
pub(crate) mod desk;
mod drain;
pub(crate) mod faulty;
mod gate;
mod life;
mod node;
mod panics;
mod reconcile;
mod reload;
mod report;
mod revise;
mod rows;
mod stage;
mod storm;
mod upstreams;
mod verify;
