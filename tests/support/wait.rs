//! Waiting for something to become true, and giving up in the end.

use std::thread;
use std::time::Duration;

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..ASKS {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::sleep(PAUSE);
    }
    panic!("expected {what}, but it did not come");
}

/// Together with the pause between them, far longer than anything should take.
const ASKS: u32 = 3000;

const PAUSE: Duration = Duration::from_millis(20);
