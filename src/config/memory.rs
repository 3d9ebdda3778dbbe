//! How the memory is divided: what the configuration fixes, and what is left for all that grows.

use super::Config;
use crate::memory::LEAST;

impl Config {
    /// What everything takes that is bounded by a setting of its own, in bytes, about.
    pub fn fixed_memory(&self) -> u64 {
        let store = &self.store;
        let columns = store.column_cache.as_u64();
        self.needed_memory().saturating_add(columns)
    }

    /// The same, without what can do with less.
    pub fn needed_memory(&self) -> u64 {
        let (store, engine) = (&self.store, &self.store.engine);
        let parts = [
            REST,
            2 * store.seal_bytes.as_u64(),
            2 * engine.write_buffer.as_u64(),
            engine.block_cache.as_u64(),
            BATCHES * self.batch.max_bytes.as_u64(),
            SENDER * self.senders.max as u64,
            ADDRESS * self.gate.max_tracked_addresses as u64,
        ];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// What is left for connections, bodies and queries together, in bytes.
    pub fn shared_memory(&self) -> u64 {
        let left = self.memory.limit.as_u64().saturating_sub(self.fixed_memory());
        // What is handed out in classes of size leaves gaps.
        (left / 4 * 3).max(LEAST)
    }

    /// The least that the limit may be, in bytes.
    pub(super) fn least_memory(&self) -> u64 {
        let bodies = self.listener.iter().map(|listener| listener.max_body.as_u64());
        let body = bodies.chain([self.api.max_body.as_u64()]).max().unwrap_or_default();
        let messages = self.listener.iter().map(|listener| listener.max_message.as_u64());
        let message = messages.max().unwrap_or_default();
        // A body is there twice while it is inflated; a long message while it is cut, in two buffers.
        let shared = LEAST.max(2 * body).max(4 * message);
        self.fixed_memory().saturating_add(shared / 3 * 4)
    }
}

/// What is not configured: the program itself, threads, connections over which nothing comes.
const REST: u64 = 64 << 20;

/// Open batches and those that are written.
const BATCHES: u64 = 4;

/// What is known of a sender, and of an address.
const SENDER: u64 = 1 << 10;
const ADDRESS: u64 = 256;
