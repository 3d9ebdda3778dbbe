//! The `logtrace` program: everything is in the library, so that tests can reach it.

use std::process::ExitCode;

// Built without transparent huge pages: batches and blocks come and go, and to zero two megabytes
// for each few kilobytes that are touched took an eighth of all time, and a third of the memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    logtrace::cli::main()
}
