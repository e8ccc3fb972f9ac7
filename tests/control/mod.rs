//! Reconciler, reload, admin API, command line: switches that survive, and who may switch.

mod admin;
mod cli;
mod cli_reach;
mod declared;
mod desk;
mod drain;
mod faulty;
mod gate;
mod node;
mod reconcile;
mod reload;
mod report;
mod stage;
mod storm;
mod upstreams;
mod verify;
