//! The program as a process: how it stops, how another takes its place, and what the service
//! manager hears.

/// What it holds in memory while forms pass.
mod memory;
/// The built program as a process of its own.
mod node;
/// Listening sockets and words of a service manager.
mod service;
/// What is under way when it is told to stop.
mod stop;
/// One process after another.
mod upgrade;
