//! The `intermission` binary.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    intermission::cli::run(std::env::args_os())
}
