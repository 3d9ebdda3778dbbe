//! The thread that reads old segments to see whether they are whole, a little at a time.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::info;

use super::build::Parts;
use crate::ingest::now;
use crate::metrics::Gauges;
use crate::store::{ScrubPlace, Store};

/// The scrubber.
#[derive(Debug)]
pub(super) struct Scrubber {
    /// Dropped to end it.
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

/// What the thread has.
struct Scrubbing {
    store: Arc<Store>,
    gauges: Gauges,
    stop: mpsc::Receiver<()>,
    /// Bytes a second; 0 is never.
    rate: u64,
}

impl Scrubber {
    /// Starts it.
    pub(super) fn start(parts: &Parts) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let store = Arc::clone(&parts.store);
        let rate = store.config().scrub_rate.as_u64();
        let scrubbing = Scrubbing { store, gauges: parts.gauges.clone(), stop: stopped, rate };
        // Nothing is lost when it ends, in whatever way: no watch is kept over it.
        let thread = thread::Builder::new().name("scrubber".to_owned());
        let thread = thread.spawn(move || scrubbing.run())?;
        Ok(Self { stop, thread })
    }

    /// Ends it, and waits for that: it must not read from a store that is being closed.
    pub(super) async fn stop(self) {
        drop(self.stop);
        let _panicked = tokio::task::spawn_blocking(move || self.thread.join()).await.is_err();
    }
}

impl Scrubbing {
    fn run(self) {
        let mut place = ScrubPlace::default();
        let mut round: Option<Instant> = None;
        while self.wait(TICK) {
            self.store.sweep_checkpoints();
            let is_over = round.is_some_and(|began| began.elapsed() < ROUND);
            if self.rate == 0 || is_over && place == ScrubPlace::default() {
                continue;
            }
            if place == ScrubPlace::default() {
                round = Some(Instant::now());
            }
            while self.store.scrub(&mut place, |bytes| self.pace(bytes)) {
                self.store.sweep_checkpoints();
            }
            if place == ScrubPlace::default() {
                self.gauges.scrubbed_at.set(now().as_micros() / 1_000_000);
                info!("all segments were read to see whether they are whole");
            }
        }
    }

    /// Waits for as long as so many bytes may take, and on while the sealer has much to do: what
    /// arrives goes before what is old.
    fn pace(&self, bytes: u64) -> bool {
        self.gauges.scrubbed.inc_by(bytes);
        if !self.wait(pause(bytes, self.rate)) {
            return false;
        }
        while self.store.staged_bytes() > self.store.config().seal_bytes.as_u64() / 2 {
            if !self.wait(TICK) {
                return false;
            }
        }
        true
    }

    /// Whether to go on, after a while.
    fn wait(&self, time: Duration) -> bool {
        matches!(self.stop.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}

/// How long so many bytes may take at a rate, in bytes a second.
fn pause(bytes: u64, rate: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1))
}

/// How often it looks whether there is something to do.
const TICK: Duration = Duration::from_millis(500);

/// The least time between the beginnings of two rounds.
const ROUND: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_28_what_is_read_takes_the_time_that_the_rate_gives() {
        let mib = 1 << 20;
        let table = [(8 * mib, 8 * mib, 1000), (mib, 8 * mib, 125), (0, mib, 0), (mib, 1, 1 << 20)];
        for (bytes, rate, want) in table {
            let want = if rate == 1 { want * 1000 } else { want };
            assert_eq!(pause(bytes, rate), Duration::from_millis(want), "{bytes} at {rate}");
        }
        assert!(pause(u64::MAX, 0) > Duration::ZERO, "a rate of nothing divides nothing");
    }
}
