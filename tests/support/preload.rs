//! Libraries that come between the daemon and the system, made of a few lines of C.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles `source` in `folder` into what `LD_PRELOAD` takes.
#[track_caller]
pub(crate) fn library(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (code, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&code, source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&code);
    let output = compiler.output();
    let output = output.unwrap_or_else(|error| panic!("cannot start cc, {error}: run `make test`"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// A system that says that all is synced, and syncs nothing.
pub(crate) const NO_SYNC: &str = "
int fsync(int fd) { (void)fd; return 0; }
int fdatasync(int fd) { (void)fd; return 0; }
int syncfs(int fd) { (void)fd; return 0; }
int sync_file_range(int fd, long at, long len, unsigned flags) {
    (void)fd, (void)at, (void)len, (void)flags;
    return 0;
}
int msync(void *at, unsigned long len, int flags) { (void)at, (void)len, (void)flags; return 0; }
void sync(void) {}
";
