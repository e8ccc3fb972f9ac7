//! The `intermission` binary.

#![forbid(unsafe_code)]

fn main() {}
