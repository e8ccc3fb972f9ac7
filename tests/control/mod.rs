//! Reconciler, reload, admin API, command line: switches that survive, and who may switch.

mod admin;
mod beside;
mod cli;
mod cli_reach;
mod desk;
mod drain;
mod faulty;
mod gate;
mod node;
mod reconcile;
mod reload;
mod storm;
mod upstreams;
