//! The `logtrace` program.
fn main() {}
