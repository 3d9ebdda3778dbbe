//! The one place on the way of a message that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// What time it is.
pub fn now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Timestamp::from_micros(micros)
}
