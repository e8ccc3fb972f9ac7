//! One test binary; each line says what belongs there.

/// Config files: accepted ones, and problems with their line, column and help.
mod config;
/// Reconciler, admin API, switches that survive.
mod control;
/// `kill -9` at every moment of a submission's life.
mod crash;
/// The demo's application and its walk.
mod demo;
/// What stands at the edge of a network: balancers in front, rules for heads, smaller bodies.
mod edge;
/// The whole story over the wire: capture, receipt, resume.
mod forms;
/// HTTP/2 over the wire, gRPC and WebSocket on it.
mod h2;
/// Our script in the application's pages.
mod inject;
/// Templates, languages, answers in each format.
mod pages;
/// The program as a process: how it stops, and how another takes its place.
mod process;
/// Requests over the wire: forwarding, refusing, faults, end codes.
mod proxy;
/// Servers that come and go, by health checks, look-ups and operators.
mod roster;
/// Route and region tables, canonical paths, decisions.
mod rules;
/// What is planned: documents, recurrence, blackouts, conflicts, files that declare it.
mod schedule;
/// Operators, clocks, disks and crashes at random, over the one writer.
mod simulation;
/// The contract that every store engine keeps.
mod store;
/// Switches as fast as they go, under visitors.
mod storm;
/// HTTP/1 to the letter, and what hostile or idle clients cost.
mod strict;
/// Origins, proxies and clients that the tests are told with.
mod support;
/// Access lines and metrics.
mod telemetry;
/// The house's own rules: imports, sizes, words, the map.
mod tidy;
/// TLS: certificates and their names, sessions, clients that prove who they are, swaps.
mod tls;
/// Several servers: balance, queues, failures, HTTP/2 and TLS to them.
mod upstream;
/// The life of a submission.
mod vault;
/// The life of a window.
mod window;
