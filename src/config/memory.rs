//! How the memory is divided: what the configuration fixes, and what is left for all that grows.
//!
//! Sizes may be any that can be written down, also those that are refused: nothing here overflows.

use super::Config;
use crate::memory::LEAST;

impl Config {
    /// What everything takes that is bounded by a setting of its own, in bytes, about.
    pub fn fixed_memory(&self) -> u64 {
        let columns = self.store.column_cache.as_u64();
        let connections = self.connection_memory().saturating_sub(RESTING);
        sum([self.needed_memory(), columns, connections])
    }

    /// The same, without what can do with less: cached columns, and more than a few connections.
    pub fn needed_memory(&self) -> u64 {
        let (store, engine) = (&self.store, &self.store.engine);
        sum([
            REST,
            RESTING,
            store.seal_bytes.as_u64().saturating_mul(2),
            engine.write_buffer.as_u64().saturating_mul(2),
            engine.block_cache.as_u64(),
            self.batch.max_bytes.as_u64().saturating_mul(BATCHES),
            SENDER.saturating_mul(self.senders.max as u64),
            ADDRESS.saturating_mul(self.gate.max_tracked_addresses as u64),
            FORWARD.saturating_mul(self.forward.len() as u64),
        ])
    }

    /// What is left for connections, bodies and queries together, in bytes. It is never too little for
    /// the largest of them: a limit that leaves less is none that [may be](Self::least_memory).
    pub fn shared_memory(&self) -> u64 {
        let left = self.memory.limit.as_u64().saturating_sub(self.fixed_memory());
        // What is handed out in classes of size leaves gaps.
        (left.saturating_sub(TEMPLATES) / 4 * 3).max(self.least_shared())
    }

    /// What connections may take that say nothing, or little, in bytes: all that there may be, if that
    /// is no more than a third of what is not needed otherwise.
    pub fn connection_memory(&self) -> u64 {
        let left = self.memory.limit.as_u64().saturating_sub(self.least_memory());
        self.most_connection_memory().min((left / 3).max(RESTING))
    }

    /// The least that the limit may be, in bytes.
    pub fn least_memory(&self) -> u64 {
        let columns = self.store.column_cache.as_u64();
        let shared = (self.least_shared() / 3).saturating_mul(4);
        sum([self.needed_memory(), columns, shared])
    }

    /// The settings that ask for more at once than all share, `shared` bytes: where, and what was
    /// expected.
    pub fn larger_than(&self, shared: u64) -> Vec<String> {
        let mut larger = Vec::new();
        for (number, listener) in self.listener.iter().enumerate() {
            let (body, message) = (listener.max_body, listener.max_message);
            let each = [
                ("max_body", body, of_body(body.as_u64()), longest_body(shared)),
                ("max_message", message, of_message(message.as_u64()), longest_message(shared)),
            ];
            for (key, found, wanted, most) in each {
                if wanted > shared {
                    let most = most >> 20;
                    larger.push(format!(
                        "listener.{number}.{key}: expected at most {most} MiB, which is what \
                         [memory] limit had room for at the start, but found {found}"
                    ));
                }
            }
        }
        larger
    }

    /// The least that is to be shared, in bytes: the largest body and the longest message fit.
    fn least_shared(&self) -> u64 {
        let bodies = self.listener.iter().map(|listener| listener.max_body.as_u64());
        let bodies = bodies.chain([self.api.max_body.as_u64()]).map(of_body);
        let messages =
            self.listener.iter().map(|listener| of_message(listener.max_message.as_u64()));
        bodies.chain(messages).fold(LEAST, u64::max)
    }
}

/// What a body of so many bytes takes: it is there twice while it is inflated, beside a window.
fn of_body(max: u64) -> u64 {
    sum([max.saturating_mul(2), WINDOW])
}

/// The longest that fits.
fn longest_body(shared: u64) -> u64 {
    shared.saturating_sub(WINDOW) / 2
}

/// What a message of so many bytes takes: a long one is in two buffers while it is cut, each with room
/// for twice as much; that of an upload beside a window.
fn of_message(max: u64) -> u64 {
    sum([max.saturating_mul(4), WINDOW])
}

/// The longest that fits.
fn longest_message(shared: u64) -> u64 {
    shared.saturating_sub(WINDOW) / 4
}

fn sum<const N: usize>(parts: [u64; N]) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}

/// What is not configured: the program itself, and threads.
const REST: u64 = 32 << 20;

/// What there is for connections over which nothing comes, however little there is.
const RESTING: u64 = 32 << 20;

/// Open batches and those that are written.
const BATCHES: u64 = 4;

/// What batches take beside their bytes, where there is more than the least: columns and templates.
const TEMPLATES: u64 = 24 << 20;

/// What is known of a sender, and of an address.
const SENDER: u64 = 1 << 10;
const ADDRESS: u64 = 256;

/// What is read of journals at once for whoever they are forwarded to, as entries and as text.
const FORWARD: u64 = 8 << 20;

/// What undoing a compression takes beside what comes of it.
const WINDOW: u64 = 9 << 20;

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::*;

    #[test]
    fn nothing_overflows_however_large_a_size_is() {
        let mut config = Config::default();
        let huge = ByteSize(u64::MAX);
        config.memory.limit = huge;
        let all = |config: &Config| {
            let parts = [config.fixed_memory(), config.needed_memory(), config.least_memory()];
            (parts, config.shared_memory(), config.connection_memory(), config.problems().len())
        };
        let settings: [fn(&mut Config) -> &mut ByteSize; 8] = [
            |config| &mut config.store.seal_bytes,
            |config| &mut config.store.column_cache,
            |config| &mut config.store.engine.write_buffer,
            |config| &mut config.store.engine.block_cache,
            |config| &mut config.batch.max_bytes,
            |config| &mut config.api.max_body,
            |config| &mut config.listener[0].max_body,
            |config| &mut config.listener[0].max_message,
        ];
        for setting in settings {
            let before = std::mem::replace(setting(&mut config), huge);
            let (parts, ..) = all(&config);
            assert_eq!(parts[2], u64::MAX);
            *setting(&mut config) = before;
        }
        for setting in settings {
            *setting(&mut config) = huge;
        }
        config.senders.max = usize::MAX;
        config.gate.max_tracked_addresses = usize::MAX;
        config.api.max_connections = usize::MAX;
        let (parts, shared, ..) = all(&config);
        assert_eq!((parts, shared), ([u64::MAX; 3], u64::MAX));
    }

    #[test]
    fn what_is_shared_has_room_for_the_largest_of_each() {
        for mib in [1, 16, 64] {
            let mut config = Config::default();
            config.api.max_body = ByteSize::mib(mib);
            config.listener[0].max_body = ByteSize::mib(mib);
            config.listener[0].max_message = ByteSize::mib(mib.min(16));
            config.memory.limit = ByteSize(config.least_memory());
            let shared = config.shared_memory();
            assert_eq!(config.larger_than(shared), [""; 0], "{mib}");
            assert!(
                longest_body(shared) >= mib << 20 && longest_message(shared) >= mib.min(16) << 20
            );
            config.memory.limit = ByteSize::mib(1);
            assert_eq!(config.larger_than(config.shared_memory()), [""; 0], "{mib}");
        }
    }

    #[test]
    fn st_21_what_asks_for_more_than_all_share_is_named() {
        let mut config = Config::default();
        config.listener[1].max_body = ByteSize::mib(64);
        config.listener[2].max_message = ByteSize::mib(16);
        insta::assert_snapshot!(config.larger_than(64 << 20).join("\n"), @r"
        listener.1.max_body: expected at most 27 MiB, which is what [memory] limit had room for at the start, but found 64.0 MiB
        listener.2.max_message: expected at most 13 MiB, which is what [memory] limit had room for at the start, but found 16.0 MiB
        ");
        assert_eq!(config.larger_than(137 << 20), [""; 0]);
    }
}
