//! The program: parses the command line and runs one command.

use std::process::ExitCode;

/// Its many small, short-lived allocations suit this workload better than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kontor::cli::run()
}
