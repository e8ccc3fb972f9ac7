//! The `intermission` binary.

fn main() {}
