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

/// A clock that is ahead by the seconds in the file that `CLOCK_AHEAD` names, while it runs. Clocks
/// that nobody sets go on as they do.
pub(crate) const CLOCK: &str = "
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long long *ahead;
__attribute__((constructor)) static void look(void) {
    int file = open(getenv(\"CLOCK_AHEAD\"), O_RDONLY);
    ahead = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *ahead;
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
";
