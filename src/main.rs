//! The `intermission` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    intermission::cli::run(std::env::args_os())
}
