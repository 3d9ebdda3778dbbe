//! A day of which events may be, whenever the tests run: of those over a year old the store has no time.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Yesterday, in UTC: `2026-11-20`.
pub(crate) fn yesterday() -> String {
    let time = UNIX_EPOCH + Duration::from_secs(yesterday_begins());
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// When it begins, in seconds since 1970. It stays the same day while a test runs.
pub(crate) fn yesterday_begins() -> u64 {
    static BEGINS: OnceLock<u64> = OnceLock::new();
    *BEGINS.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        (now / DAY - 1) * DAY
    })
}

const DAY: u64 = 86_400;
