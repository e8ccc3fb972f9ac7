//! What is told about requests and about the process: access lines, end codes, metrics, logs.
//!
//! Workers only write memory of their own: lines go into a buffer that a writer thread takes over,
//! and counters are cells with one writer each. Nothing here can make a request wait.
//!
#![doc = include_str!("README.md")]

pub mod access;
pub mod end;
pub mod handshake;
pub mod insertion;
pub mod log;
pub mod metrics;
pub mod shard;
pub mod tally;
mod text;
pub mod trace;
pub mod under_way;
