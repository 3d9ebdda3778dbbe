//! The thread that seals what is staged and drops what is past its retention.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing::{info, warn};

use super::room::Room;
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
///
/// While the disk has no room, nothing is sealed and no backup goes on, but what is past its
/// retention is dropped all the same.
pub fn run_sealer(
    store: &Store,
    room: &Room,
    stop: &SealerStop,
    now: impl Fn() -> Timestamp,
    mut trouble: impl FnMut(Option<&Error>),
) {
    let (mut sealed_at, mut expired_at) = (Instant::now(), None::<Instant>);
    let mut failed = false;
    while stop.sleep(if failed { PAUSE } else { TICK }) {
        let (bytes, config) = (store.staged_bytes(), store.config());
        let waited = bytes > 0 && sealed_at.elapsed() >= config.seal_after;
        let is_held = room.status().held.is_some();
        if is_held {
            store.give_up_checkpoint();
        }
        if !is_held && (bytes >= config.seal_bytes.as_u64() || waited) {
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
        let every = if is_held { EXPIRE_EVERY_HELD } else { EXPIRE_EVERY };
        if expired_at.is_none_or(|at| at.elapsed() >= every) {
            expire(store, room, now());
            expired_at = Some(Instant::now());
        }
    }
    if let Err(error) = store.seal() {
        warn!(%error, "cannot seal; what is staged stays so until the next start");
    }
}

fn expire(store: &Store, room: &Room, now: Timestamp) {
    let is_due = store.has_expired(now);
    let expired = match is_due && room.status().held.is_some() {
        true => room.make_way(store).and_then(|()| store.expire(now)),
        false => store.expire(now),
    };
    match expired {
        Ok(0) => {}
        Ok(segments) => info!(segments, "past their retention and dropped"),
        Err(error) => warn!(%error, "cannot drop what is past its retention"),
    }
}

/// How often it looks whether there is something to do.
const TICK: Duration = Duration::from_millis(20);

/// How long it waits after a failed seal.
const PAUSE: Duration = Duration::from_secs(1);

/// How often retention is enforced.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// The same while there is no room.
const EXPIRE_EVERY_HELD: Duration = Duration::from_secs(5);
