//! Reconciler, reload, admin API, command line: switches that survive, and who may switch.

mod admin;
mod cli;
mod faulty;
mod node;
mod reconcile;
mod reload;
