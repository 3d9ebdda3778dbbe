//! The thread that seals what is staged and drops what is past its retention.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing::{info, warn};

use crate::store::Store;
use crate::time::Timestamp;

/// How the sealer is told to end.
#[derive(Debug, Default)]
pub struct SealerStop {
    stop: Mutex<bool>,
    wake: Condvar,
}

impl SealerStop {
    /// Lets the sealer end once it has sealed what is staged.
    pub fn stop(&self) {
        *self.stop.lock() = true;
        self.wake.notify_one();
    }

    /// Waits; says whether to go on.
    fn sleep(&self) -> bool {
        let mut stop = self.stop.lock();
        if !*stop {
            let _timed_out = self.wake.wait_for(&mut stop, TICK).timed_out();
        }
        !*stop
    }
}

/// Seals and expires until [`SealerStop::stop`], then seals once more. `now` reads the clock.
pub fn run_sealer(store: &Store, stats: &SealerStop, now: impl Fn() -> Timestamp) {
    let (mut sealed_at, mut expired_at) = (Instant::now(), None::<Instant>);
    while stats.sleep() {
        let usage = store.usage();
        let config = store.config();
        let due = usage.staged_bytes >= config.seal_bytes.as_u64()
            || (usage.staged_rows > 0 && sealed_at.elapsed() >= config.seal_after);
        if due {
            seal(store);
            sealed_at = Instant::now();
        } else if usage.staged_rows == 0 {
            sealed_at = Instant::now();
        }
        if expired_at.is_none_or(|at| at.elapsed() >= EXPIRE_EVERY) {
            match store.expire(now()) {
                Ok(0) => {}
                Ok(segments) => info!(segments, "past their retention and dropped"),
                Err(error) => warn!(%error, "cannot drop what is past its retention"),
            }
            expired_at = Some(Instant::now());
        }
    }
    seal(store);
}

fn seal(store: &Store) {
    if let Err(error) = store.seal() {
        // What is staged stays staged, durable and searchable; the next round tries again.
        warn!(%error, "cannot seal");
    }
}

/// How often it looks whether there is something to do.
const TICK: Duration = Duration::from_millis(20);

/// How often retention is enforced.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);
