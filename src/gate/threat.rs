//! The threat score of a refusal, 0 to 100: its reason, its repetition, its spread.

use super::reason::Reason;

/// What is known of refusals like this one, within the window of whoever counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// How often the same was refused before.
    pub repeated: u64,
    /// From how many other sources, or with how many other keys.
    pub spread: u64,
}

/// Scores a refusal.
///
/// Each doubling of the repetition adds 3, to twice the reason's own score at most: one who is
/// merely too fast does not come to look like an attacker by being so for long. Each doubling of
/// the spread adds 6, to 30 at most.
pub fn threat_score(reason: Reason, history: History) -> u8 {
    let base = u32::from(reason.base_score());
    let repetition = (3 * doublings(history.repeated)).min(base);
    let spread = (6 * doublings(history.spread)).min(30);
    u8::try_from((base + repetition + spread).min(100)).unwrap_or(100)
}

fn doublings(count: u64) -> u32 {
    count.saturating_add(1).ilog2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scores() {
        let table = [
            (Reason::InvalidApiKey, 0, 0, 40),
            (Reason::InvalidApiKey, 1, 0, 43),
            (Reason::InvalidApiKey, 1023, 0, 70),
            (Reason::InvalidApiKey, 1023, 15, 94),
            (Reason::RateLimitExceeded, u64::MAX, 0, 20),
            (Reason::SqlInjectionAttempt, 100, 100, 100),
        ];
        for (reason, repeated, spread, want) in table {
            assert_eq!(threat_score(reason, History { repeated, spread }), want, "{reason}");
        }
    }

    proptest! {
        #[test]
        fn more_is_never_less(repeated: u64, spread: u64, more: u64) {
            for reason in Reason::ALL {
                let score = threat_score(reason, History { repeated, spread });
                let worse = History {
                    repeated: repeated.saturating_add(more),
                    spread: spread.saturating_add(more),
                };
                prop_assert!(score >= reason.base_score() && score <= 100);
                prop_assert!(threat_score(reason, worse) >= score);
            }
        }
    }
}
