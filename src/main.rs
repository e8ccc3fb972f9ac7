//! The `intermission` binary.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Answers of 64 KiB and more are cheaper with it than with the C library's allocator, which gives
/// large buffers back to the kernel between two of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    intermission::cli::run(std::env::args_os())
}
