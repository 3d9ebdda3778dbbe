//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double from `first` to `max`, each of random length: half of it to all of it, so that
/// those who failed together do not come back together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) first: Duration,
    pub(super) max: Duration,
}

impl Backoff {
    /// The wait after so many attempts that failed.
    pub(super) fn after(self, attempts: u32) -> Duration {
        self.stretched(attempts, chance())
    }

    fn stretched(self, attempts: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1).min(MAX_DOUBLINGS));
        let whole = self.first.saturating_mul(doubled).min(self.max);
        whole.mul_f64((1.0 + chance.clamp(0.0, 1.0)) / 2.0)
    }
}

/// A number from 0 to 1. Without a random source it is in the middle: waits are no secret.
fn chance() -> f64 {
    let mut random = [0; 4];
    match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// Enough for any wait to have reached its bound.
const MAX_DOUBLINGS: u32 = 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_15_waits_double_up_to_a_bound_and_are_never_the_same() {
        let backoff = Backoff { first: Duration::from_secs(5), max: Duration::from_secs(3600) };
        let seconds = [1, 2, 3, 4, 10, 11, 12, 1000, u32::MAX]
            .map(|attempts| backoff.stretched(attempts, 1.0).as_secs());
        assert_eq!(seconds, [5, 10, 20, 40, 2560, 3600, 3600, 3600, 3600]);
        assert_eq!(backoff.stretched(1, 0.0), Duration::from_millis(2500));
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| backoff.after(9)).collect();
        assert!(waits.len() > 1);
    }
}
