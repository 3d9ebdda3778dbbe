//! The thread that seals what is staged and drops what is past its retention.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing::{info, warn};

use crate::store::{Error, Store};
use crate::time::Timestamp;

/// How the sealer or the merger is told to end.
#[derive(Debug, Default)]
pub struct SealerStop {
    stop: Mutex<bool>,
    wake: Condvar,
}

impl SealerStop {
    /// Lets it end: the sealer once it has sealed what is staged, the merger at once.
    pub fn stop(&self) {
        *self.stop.lock() = true;
        self.wake.notify_one();
    }

    /// Waits; says whether to go on.
    pub(super) fn sleep(&self, pause: Duration) -> bool {
        let mut stop = self.stop.lock();
        if !*stop {
            let _timed_out = self.wake.wait_for(&mut stop, pause).timed_out();
        }
        !*stop
    }
}

/// Seals and expires until [`SealerStop::stop`], then seals once more. `now` reads the clock;
/// `trouble` hears of a seal that failed, and of the next one that did not.
pub fn run_sealer(
    store: &Store,
    stop: &SealerStop,
    now: impl Fn() -> Timestamp,
    mut trouble: impl FnMut(Option<&Error>),
) {
    let (mut sealed_at, mut expired_at) = (Instant::now(), None::<Instant>);
    let mut failed = false;
    while stop.sleep(if failed { PAUSE } else { TICK }) {
        let (bytes, config) = (store.staged_bytes(), store.config());
        let waited = bytes > 0 && sealed_at.elapsed() >= config.seal_after;
        if bytes >= config.seal_bytes.as_u64() || waited {
            // What is staged stays staged, durable and searchable, until a seal succeeds.
            let result = store.seal();
            if result.is_err() || failed {
                trouble(result.as_ref().err());
            }
            failed = result.is_err();
            sealed_at = Instant::now();
        } else if bytes == 0 {
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
    if let Err(error) = store.seal() {
        warn!(%error, "cannot seal; what is staged stays so until the next start");
    }
}

/// How often it looks whether there is something to do.
const TICK: Duration = Duration::from_millis(20);

/// How long it waits after a failed seal.
const PAUSE: Duration = Duration::from_secs(1);

/// How often retention is enforced.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);
