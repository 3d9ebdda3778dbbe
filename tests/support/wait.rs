//! Waiting for something to become true, and giving up in the end.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        // What has come is taken, however late it was looked for.
        let is_last = began.elapsed() > PATIENCE;
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(!is_last, "expected {what}, but it did not come");
        thread::sleep(PAUSE);
    }
}

/// Requests are counted by hours of UTC: a test that counts them is not to see the next one begin.
pub(crate) fn well_before_the_next_hour() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 3600;
    while now() > 3600 - 120 {
        thread::sleep(Duration::from_millis(500));
    }
}

/// How long anything may take on a machine that has much else to do; who reads a socket waits as
/// long. Nothing waits for it to be over.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

const PAUSE: Duration = Duration::from_millis(20);
