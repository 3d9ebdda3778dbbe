//! What the machine gives the daemon, and what is made of it: descriptors, memory and rights.
//!
//! What is not enough for the configuration lowers its ceilings, and is said; a configuration that
//! asks for much is no reason not to start.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bytesize::ByteSize;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, geteuid, getrlimit, set_dumpable_behavior, setrlimit,
};
use tracing::{debug, warn};

use crate::config::{Config, Connections};
use crate::net::Transport;

/// What the machine gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// Files and sockets that may be open; `None` is any number.
    pub(super) descriptors: Option<u64>,
    /// Bytes of memory; `None` is all that there is.
    pub(super) memory: Option<u64>,
}

/// A configuration with the ceilings that the machine allows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fitted {
    pub(super) config: Config,
    /// Connections of all senders together.
    pub(super) connections: usize,
    /// What is lower than it was asked for, and why.
    pub(super) lowered: Vec<String>,
}

impl Given {
    /// Takes what there is. Core dumps are switched off: what is in memory, the keys of connected
    /// senders among it, stays out of them, and away from other processes of the same user.
    pub(super) fn take() -> Self {
        if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
            warn!(%error, "core dumps of this process may hold keys");
        }
        let limit = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
        if let Err(error) = raised {
            debug!(%error, "cannot raise the number of descriptors");
        }
        let descriptors = getrlimit(Resource::Nofile).current;
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self { descriptors, memory: memory_of(&groups, Path::new("/sys/fs/cgroup")) }
    }

    /// The configuration, within what there is.
    pub(super) fn fit(self, config: &Config) -> Fitted {
        let config = config.clone();
        let mut fitted = Fitted { config, connections: usize::MAX >> 3, lowered: Vec::new() };
        if let Some(given) = self.descriptors {
            fitted.fit_descriptors(given);
        }
        if let Some(given) = self.memory {
            fitted.fit_memory(given);
        }
        fitted.fit_connections();
        fitted
    }
}

impl Fitted {
    /// The store comes first: it is not to be without descriptors because of connections.
    fn fit_descriptors(&mut self, given: u64) {
        let config = &mut self.config;
        let is_stream = |transport| matches!(transport, Transport::Tcp | Transport::Unix);
        let streams = config.listener.iter().filter(|listener| is_stream(listener.transport));
        // Each listener holds a place for the connection that it waits for.
        let waiting = streams.clone().count() as u64;
        let wanted: u64 = streams.map(|listener| u64::from(listener.max_connections)).sum();
        let calls = config.api.max_connections as u64;
        let files = u64::try_from(config.store.engine.max_open_files).unwrap_or(0);
        let left = given.saturating_sub(OTHERS);
        if left >= wanted + calls + files {
            return;
        }
        let files = files.min((left / 4).max(FEW));
        let left = left.saturating_sub(files);
        let calls = calls.min((left / 4).max(FEW));
        let connections = wanted.min(left.saturating_sub(calls)).max(waiting + FEW);
        config.store.engine.max_open_files = i32::try_from(files).unwrap_or(i32::MAX);
        config.api.max_connections = usize::try_from(calls).unwrap_or(usize::MAX);
        self.connections = usize::try_from(connections).unwrap_or(usize::MAX);
        // Nobody needs to hear that 100,000 connections would be too many.
        if connections < wanted.min(MANY) {
            self.lowered.push(format!(
                "{given} descriptors: {connections} connections of senders and {calls} of callers \
                 at the same time; raise LimitNOFILE for more"
            ));
        }
    }

    /// What can do with less, does.
    fn fit_memory(&mut self, given: u64) {
        if given >= self.config.memory.limit.as_u64() {
            return;
        }
        self.config.memory.limit = ByteSize(given);
        let (fixed, seal) = (self.config.needed_memory(), self.config.store.seal_bytes.as_u64());
        let caches = self.config.store.column_cache.as_u64();
        let queries = self.config.api.query_memory.as_u64();
        if given < fixed.saturating_add(caches).saturating_add(queries) {
            let left = given.saturating_sub(fixed);
            // Each keeps its share, but queries are to find something at all.
            let share = |part: u64| {
                let share = u128::from(left) * u128::from(part)
                    / u128::from(caches.saturating_add(queries).max(1));
                u64::try_from(share).unwrap_or(u64::MAX)
            };
            self.config.store.column_cache = ByteSize(share(caches));
            let queries = share(queries).max(LEAST_QUERIES).min(queries);
            self.config.api.query_memory = ByteSize(queries);
            let least = (given / 16).max(LEAST_SEAL);
            self.config.store.seal_bytes = ByteSize(least.min(seal));
        }
        // What senders cause comes before what makes queries faster.
        let lacking = self.config.least_memory().saturating_sub(given);
        let caches = self.config.store.column_cache.as_u64().saturating_sub(lacking);
        self.config.store.column_cache = ByteSize(caches);
        self.lowered.push(format!(
            "{} of memory: {} for columns in memory, {} for answers of queries, and {} for all that \
             senders and readers cause",
            ByteSize(given),
            self.config.store.column_cache,
            self.config.api.query_memory,
            ByteSize(self.config.shared_memory()),
        ));
        let least = self.config.least_memory();
        if least > given {
            self.lowered.push(format!(
                "{} of memory: expected at least {} MiB, for what the rest of the configuration \
                 takes; the system may end the daemon for want of memory: give it more, or lower \
                 max_body, max_message and [store.engine]",
                ByteSize(given),
                least.div_ceil(1 << 20),
            ));
        }
    }

    /// Those connections for which there is memory: more of them wait to be accepted.
    fn fit_connections(&mut self) {
        let Some(Connections { senders, calls }) = self.config.connections_within_memory() else {
            return;
        };
        let wanted = self.connections;
        let senders = usize::try_from(senders).unwrap_or(usize::MAX);
        let calls = usize::try_from(calls).unwrap_or(usize::MAX);
        self.connections = wanted.min(senders);
        self.config.api.max_connections = self.config.api.max_connections.min(calls);
        // As with descriptors, many are enough not to speak of it.
        if self.connections < wanted && (senders as u64) < MANY {
            self.lowered.push(format!(
                "{} of memory: {senders} connections of senders and {} of callers at the same time; \
                 raise [memory] limit for more",
                self.config.memory.limit, self.config.api.max_connections,
            ));
        }
    }
}

/// Says what others could do with what is not theirs.
pub(super) fn look_at_rights(config: &Config) {
    let (data_dir, admin) = (&config.data_dir, config.admin.listen);
    if is_for_everyone(admin.ip()) {
        warn!(%admin, "everyone can reach the admin port, who has no key to show there: [admin] listen");
    }
    if geteuid().is_root() {
        warn!("runs as root, which it does not need: CAP_NET_BIND_SERVICE opens ports below 1024");
    }
    let mode = fs::metadata(data_dir).map_or(0, |found| found.permissions().mode() & 0o777);
    if mode & OTHERS_MAY != 0 {
        let (folder, mode) = (data_dir.display(), format!("{mode:04o}"));
        warn!(%folder, mode, "others on this machine can read the data folder: mode 0700 keeps them out");
    }
}

/// Whether an address is neither this machine's own nor of a private network.
fn is_for_everyone(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_private() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unique_local() && !ip.is_unicast_link_local(),
    }
}

/// The least that one of the control groups of a process allows it, `groups` being its
/// `/proc/PID/cgroup`: of version 2, and of the memory controller of version 1.
fn memory_of(groups: &str, root: &Path) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let (_number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let group = root.join(path.trim_start_matches('/'));
        let parents = group.ancestors().take_while(|folder| folder.starts_with(&root));
        parents
            .filter_map(|folder| fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok())
            .min()
    });
    limits.min().filter(|limit| *limit < NO_LIMIT)
}

/// Descriptors for all else: listeners, lists, calls to others, the admin port.
const OTHERS: u64 = 192;
/// The least of each kind.
const FEW: u64 = 16;
/// Connections that are enough not to speak of it.
const MANY: u64 = 4096;

/// The least that queries and sealing are to have, in bytes.
const LEAST_QUERIES: u64 = 4 << 20;
const LEAST_SEAL: u64 = 4 << 20;
/// How version 1 writes that there is no limit.
const NO_LIMIT: u64 = 1 << 60;

/// Rights of those who are neither the owner nor in the group.
const OTHERS_MAY: u32 = 0o007;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cf_07_few_descriptors_lower_the_ceilings_and_it_is_said() {
        let config = Config::default();
        let fit = |descriptors| Given { descriptors, memory: None }.fit(&config);
        for enough in [None, Some(1 << 20)] {
            let fitted = fit(enough);
            assert_eq!((&fitted.config, fitted.lowered.len()), (&config, 0));
        }
        let quiet = fit(Some(65_536));
        assert_eq!(quiet.lowered, [""; 0]);
        assert!(quiet.connections < 65_536);
        for few in [1, 64, 256, 1024, 4096] {
            let fitted = fit(Some(few));
            let [said] = &fitted.lowered[..] else { panic!("{:?}", fitted.lowered) };
            assert!(said.starts_with(&format!("{few} descriptors: ")), "{said}");
            let files = u64::try_from(fitted.config.store.engine.max_open_files).unwrap();
            let all = files + fitted.config.api.max_connections as u64 + fitted.connections as u64;
            assert!(few < 512 || all + OTHERS <= few, "{all} of {few}");
            assert!(fitted.connections >= 16);
        }
        assert_eq!(fit(Some(1024)).connections, 468);
    }

    #[test]
    fn cf_07_little_memory_lowers_the_ceilings_and_it_is_said() {
        let config = Config::default();
        let fit = |mib: u64| Given { descriptors: None, memory: Some(mib << 20) }.fit(&config);
        assert_eq!(fit(1024).lowered, [""; 0]);
        assert_eq!(fit(1024).config, config);
        let lower = fit(256);
        assert_eq!(lower.lowered.len(), 1);
        assert!(lower.lowered[0].starts_with("256.0 MiB of memory: "), "{:?}", lower.lowered);
        assert!(lower.config.store.column_cache < config.store.column_cache);
        assert!(lower.config.api.query_memory < config.api.query_memory);
        assert_eq!(lower.config.memory.limit, ByteSize::mib(256));
        let less = fit(512);
        assert_eq!((&less.config.store, less.lowered.len()), (&config.store, 1));
        assert_eq!(less.config.api.query_memory, config.api.query_memory);
        let small = fit(256).config;
        assert!(small.least_memory() <= 256 << 20, "a body fits");
        let least = fit(1);
        assert_eq!(least.config.store.column_cache, ByteSize(0));
        assert_eq!(least.config.api.query_memory, ByteSize::mib(4));
        assert_eq!(least.config.store.seal_bytes, ByteSize::mib(4));
    }

    #[test]
    fn cf_07_a_control_group_that_is_too_small_is_said_to_be() {
        let mut config = Config::default();
        config.api.max_body = ByteSize::mib(64);
        for (mib, is_said) in [(1024, false), (400, false), (300, true), (64, true)] {
            let fitted = Given { descriptors: None, memory: Some(mib << 20) }.fit(&config);
            let said = fitted.lowered.iter().filter(|what| what.contains("expected at least"));
            assert_eq!(said.count(), usize::from(is_said), "{mib} {:?}", fitted.lowered);
            // Whatever there is, no call waits for what it can never have.
            let shared = fitted.config.shared_memory();
            assert!(shared >= 2 * (64 << 20), "{mib} {shared}");
        }
    }

    #[test]
    fn cf_07_connections_are_as_many_as_there_is_memory_for() {
        let fit = |mib: u64| {
            let mut config = Config::default();
            config.memory.limit = ByteSize::mib(mib);
            Given::default().fit(&config)
        };
        let enough = fit(1024);
        assert!((40_000..81_920).contains(&enough.connections), "{}", enough.connections);
        assert_eq!(enough.config, Config::default());
        assert_eq!(fit(4096).connections, usize::MAX >> 3);
        let fewer = fit(400);
        assert!((4096..81_920).contains(&fewer.connections), "{}", fewer.connections);
        assert!(fewer.config.api.max_connections < 4096);
        assert_eq!(fewer.lowered, [""; 0], "enough not to speak of it");
    }

    #[test]
    fn cf_08_addresses_that_everyone_can_reach() {
        for public in ["0.0.0.0", "::", "203.0.113.1", "2001:db8::1", "::ffff:203.0.113.1"] {
            assert!(is_for_everyone(public.parse().unwrap()), "{public}");
        }
        for own in ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "fd00::1", "fe80::1"] {
            assert!(!is_for_everyone(own.parse().unwrap()), "{own}");
        }
    }

    #[test]
    fn cf_07_the_least_of_all_control_groups_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let deep = root.join("system.slice/logtrace.service");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(root.join("memory/old/one")).unwrap();
        let groups = "0::/system.slice/logtrace.service\n";
        assert_eq!(memory_of(groups, root), None);
        fs::write(deep.join("memory.max"), "max\n").unwrap();
        assert_eq!(memory_of(groups, root), None);
        fs::write(root.join("system.slice/memory.max"), "1000\n").unwrap();
        assert_eq!(memory_of(groups, root), Some(1000));
        fs::write(deep.join("memory.max"), "500\n").unwrap();
        assert_eq!(memory_of(groups, root), Some(500));
        let groups = "9:name=systemd:/\n4:cpu,memory:/old/one\n0::/\n";
        fs::write(root.join("memory/memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        assert_eq!(memory_of(groups, root), None);
        fs::write(root.join("memory/old/one/memory.limit_in_bytes"), "700\n").unwrap();
        assert_eq!(memory_of(groups, root), Some(700));
        assert_eq!(memory_of("", root), None);
    }
}
