//! What connections take of their own, and how many of them the memory has room for.
//!
//! A connection over which nothing comes asks nobody for the little that it takes, so its number is
//! what bounds that. Why is it no error of the configuration where all that may be configured would
//! take more than there is? The number of connections is a bound, which nearly nobody comes near:
//! sixteen thousand for each of five listeners over TCP, out of the box. So the memory is set aside for as
//! many as leave enough for all else, and no more of them are accepted at the same time.

use super::Config;
use crate::net::{ListenerConfig, Protocol, Transport};

/// How many connections there may be at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Of all senders together.
    pub senders: u64,
    /// Of callers of the API.
    pub calls: u64,
}

impl Config {
    /// What all connections take together that may be configured, in bytes.
    pub(super) fn most_connection_memory(&self) -> u64 {
        let each = self
            .listener
            .iter()
            .map(|listener| cost(listener).saturating_mul(u64::from(listener.max_connections)));
        each.fold(self.calls().saturating_mul(CALL), u64::saturating_add)
    }

    /// As many connections as there is [memory](Self::connection_memory) for, whichever listeners they
    /// are of; `None` where that is all that may be configured.
    pub fn connections_within_memory(&self) -> Option<Connections> {
        let most = self.connection_memory();
        if self.most_connection_memory() <= most {
            return None;
        }
        let calls = self.calls().min(most / 3 / CALL);
        let mut left = most - calls * CALL;
        let streams = self.listener.iter().filter(|listener| cost(listener) > 0);
        let mut kinds: Vec<_> =
            streams.map(|listener| (cost(listener), u64::from(listener.max_connections))).collect();
        // The worst that may come: those that take most, all of them.
        kinds.sort_unstable_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        let mut senders = 0_u64;
        for (cost, count) in kinds {
            let fits = count.min(left / cost);
            (senders, left) = (senders + fits, left - fits * cost);
            if fits < count {
                break; // all of them may be of this kind
            }
        }
        Some(Connections { senders, calls })
    }

    fn calls(&self) -> u64 {
        self.api.max_connections as u64
    }
}

/// What a connection of this listener takes that rests, in bytes; nothing of datagrams.
fn cost(listener: &ListenerConfig) -> u64 {
    if !matches!(listener.transport, Transport::Tcp | Transport::Unix) {
        return 0;
    }
    let tls = if listener.tls.is_some() { TLS } else { 0 };
    let http = if listener.protocol == Protocol::Http { CALL } else { PLAIN };
    http + tls
}

/// A connection without TLS that rests.
const PLAIN: u64 = 4 << 10;

/// What TLS adds.
const TLS: u64 = 8 << 10;

/// A connection over HTTP between two calls.
const CALL: u64 = 16 << 10;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use bytesize::ByteSize;

    use super::*;
    use crate::net::TlsConfig;

    fn with_tls(mut config: Config, listeners: usize) -> Config {
        for listener in config.listener.iter_mut().take(listeners) {
            listener.tls = Some(TlsConfig {
                cert: PathBuf::new(),
                key: PathBuf::new(),
                client_ca: None,
                client_crl: None,
                refuse_exposed_key: false,
                require_client_cert: false,
                key_domain: None,
            });
        }
        config
    }

    #[test]
    fn st_21_more_connections_leave_less_for_what_grows() {
        let few = |config: &mut Config| {
            config.listener.iter_mut().for_each(|listener| listener.max_connections = 1);
            config.api.max_connections = 1;
        };
        let mut none = Config::default();
        few(&mut none);
        let own = Config::default();
        let shared = own.shared_memory();
        assert!(shared < none.shared_memory(), "{shared}");
        assert!(shared > 300 << 20, "most of it is left: {shared}");
        let fits = own.connections_within_memory().unwrap();
        assert!(fits.senders > 40_000 && fits.calls == 4096, "{fits:?}");
        let fits = with_tls(own, 1).connections_within_memory().unwrap();
        assert!(fits.senders > 10_000 && fits.calls == 4096, "{fits:?}");
    }

    #[test]
    fn st_21_connections_that_would_take_more_than_there_is_are_fewer() {
        for (mib, listeners) in [(400, 0), (400, 1), (1024, 1), (1024, 8), (4096, 8), (300, 8)] {
            let mut config = with_tls(Config::default(), listeners);
            config.memory.limit = ByteSize::mib(mib);
            let memory = config.connection_memory();
            let fits = config.connections_within_memory();
            let Some(Connections { senders, calls }) = fits else {
                assert!(mib == 4096, "{mib} {listeners}");
                assert_eq!(memory, config.most_connection_memory());
                continue;
            };
            let dearest = if listeners > 0 { PLAIN + TLS } else { PLAIN };
            assert!(senders.min(16_384) * dearest + calls * CALL <= memory, "{mib} {listeners}");
            assert!(calls >= 512 && senders >= 1000, "{mib} {listeners} {calls} {senders}");
            assert!(config.fixed_memory() + config.shared_memory() <= mib.max(335) << 20);
        }
    }
}
