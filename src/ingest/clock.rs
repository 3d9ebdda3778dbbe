//! The one place on the way of a message that reads the wall clock.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::gate::Moment;

use crate::time::Timestamp;

/// What time it is.
pub fn now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
    };
    Timestamp::from_micros(micros)
}

/// What all clocks say: asked once for a request, where an hour must not end because somebody set
/// the wall clock.
pub fn moment() -> Moment {
    static STARTED: OnceLock<(u64, Instant)> = OnceLock::new();
    let (boot, started) = *STARTED.get_or_init(|| (boot(), Instant::now()));
    let uptime = std::fs::read_to_string("/proc/uptime").ok();
    let seconds = uptime.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let since_boot = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    // Where the system does not tell, this process stands for the machine.
    match since_boot {
        Some(since_boot) => Moment { wall: now(), since_boot, boot },
        None => Moment { wall: now(), since_boot: started.elapsed(), boot: 0 },
    }
}

/// Which start of the machine this is.
fn boot() -> u64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or(0)
}
