//! What time it is, for what is written down.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// What time it is.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
