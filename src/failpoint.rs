//! Places at which a test can have the process end at once, as `kill -9` and a power cut do.
//!
//! `LOGTRACE_FAILPOINT=place` in the environment ends it when `place` is reached, `place:3` when it
//! is for the third time, and `place:1:panic` has the thread panic instead, as a mistake of ours
//! would. The variable is read once. Places are reached a few times a second at the
//! most, and cost a comparison: they are in every build, so that what is tested is what is run.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Says that `place` is reached: the process may not live on.
///
/// # Panics
///
/// If it is told to.
#[expect(clippy::panic, reason = "a test asked for it")]
pub fn reached(place: &str) {
    if let Some(failpoint) = &*FAILPOINT
        && failpoint.ends_at(place)
    {
        match failpoint.panics {
            true => panic!("a test has it panic here"),
            false => std::process::abort(),
        }
    }
}

/// Where the process is to end.
#[derive(Debug)]
struct Failpoint {
    place: String,
    /// How often it is still to be passed by.
    left: AtomicU64,
    /// Whether it is only to panic.
    panics: bool,
}

impl Failpoint {
    fn parse(text: &str) -> Self {
        let (place, rest) = text.split_once(':').unwrap_or((text, "1"));
        let (times, how) = rest.split_once(':').unwrap_or((rest, ""));
        let times: u64 = times.parse().unwrap_or(1);
        let left = AtomicU64::new(times.saturating_sub(1));
        Self { place: place.to_owned(), left, panics: how == "panic" }
    }

    fn ends_at(&self, place: &str) -> bool {
        // Once it has panicked it is passed by for ever.
        let end = if self.panics { Some(u64::MAX) } else { None };
        let less = |left: u64| left.checked_sub(1);
        self.place == place
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
            && end.is_none_or(|end| self.left.swap(end, Ordering::Relaxed) == 0)
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
        for (text, want) in [
            ("a", [true, true, true]),
            ("a:2", [false, true, true]),
            ("a:2:panic", [false, true, false]),
        ] {
            let failpoint = Failpoint::parse(text);
            assert!(!failpoint.ends_at("b"));
            assert_eq!([(); 3].map(|()| failpoint.ends_at("a")), want, "{text}");
        }
    }
}
