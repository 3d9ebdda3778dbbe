//! Which sockets a service manager holds as well as this process (`sd_listen_fds(3)`).
//!
//! What waits there is for whoever is started next, so that it is left alone at a stop. A daemon hands its
//! sockets to the one that follows it in the same way, and names those that are its own.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::{env, fs, iter, process};

/// Sockets that the service manager holds, by their numbers in the system.
#[derive(Clone, Debug, Default)]
pub struct Held(BTreeSet<u64>);

impl Held {
    /// Those that the environment names, but for what a daemon opened that this one follows.
    pub fn of_environment() -> Self {
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
        let is_for_us = number("LISTEN_PID") == Some(process::id());
        let count = number("LISTEN_FDS").filter(|_| is_for_us).unwrap_or_default();
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').chain(iter::repeat(HELD));
        let held = (FIRST..FIRST.saturating_add(count)).zip(names).filter(|(_, name)| *name != OWN);
        let inode = |place: u32| Some(fs::metadata(format!("/proc/self/fd/{place}")).ok()?.ino());
        Self(held.filter_map(|(place, _)| inode(place)).collect())
    }

    /// Whether it is one of them.
    pub fn has(&self, socket: impl AsFd) -> bool {
        rustix::fs::fstat(socket).is_ok_and(|found| self.0.contains(&found.st_ino))
    }

    /// What a socket is called for the daemon that is to follow.
    pub fn name(&self, socket: impl AsFd) -> &'static str {
        if self.has(socket) { HELD } else { OWN }
    }
}

/// The first socket that is handed over (`SD_LISTEN_FDS_START`).
pub const FIRST: u32 = 3;

const HELD: &str = "held";
const OWN: &str = "logtrace-own";
