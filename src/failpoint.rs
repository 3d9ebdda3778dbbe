//! Places at which a test can have the process end at once, as `kill -9` and a power cut do.
//!
//! `LOGTRACE_FAILPOINT=place` in the environment ends it when `place` is reached, `place:3` when it
//! is for the third time. The variable is read once. Places are reached a few times a second at the
//! most, and cost a comparison: they are in every build, so that what is tested is what is run.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Says that `place` is reached: the process may not live on.
pub fn reached(place: &str) {
    if let Some(failpoint) = &*FAILPOINT
        && failpoint.ends_at(place)
    {
        std::process::abort();
    }
}

/// Where the process is to end.
#[derive(Debug)]
struct Failpoint {
    place: String,
    /// How often it is still to be passed by.
    left: AtomicU64,
}

impl Failpoint {
    fn parse(text: &str) -> Self {
        let (place, times) = text.split_once(':').unwrap_or((text, "1"));
        let times: u64 = times.parse().unwrap_or(1);
        Self { place: place.to_owned(), left: AtomicU64::new(times.saturating_sub(1)) }
    }

    fn ends_at(&self, place: &str) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.place == place
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
    }
}

/// What the environment asks for.
static FAILPOINT: LazyLock<Option<Failpoint>> =
    LazyLock::new(|| Some(Failpoint::parse(&std::env::var("LOGTRACE_FAILPOINT").ok()?)));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_passed_by_until_its_turn() {
        for (text, want) in [("a", [true, true, true]), ("a:2", [false, true, true])] {
            let failpoint = Failpoint::parse(text);
            assert!(!failpoint.ends_at("b"));
            assert_eq!([(); 3].map(|()| failpoint.ends_at("a")), want, "{text}");
        }
    }
}
