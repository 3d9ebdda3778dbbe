//! What went wrong while a stream was cut, counted by reason.

/// Counts of what a decoder had to step over since it was made. They only grow.
///
/// None of them ends a stream: an error here is a number for the operator and the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameErrors {
    /// Where a count had to be there was none that RFC 6587 §3.4.1 allows; the text was kept.
    pub bad_count: u64,
    /// A count did not fit its message, or a JSON value was left open: the text up to the next
    /// start of a message was kept as one.
    pub resync: u64,
    /// The stream ended inside a count, a counted message or a JSON value.
    pub truncated_tail: u64,
    /// A message was longer than the limit and has been cut.
    pub too_long: u64,
}

impl FrameErrors {
    /// Every reason, so that metrics can start all series at zero.
    pub const REASONS: [&'static str; 4] = ["bad_count", "resync", "truncated_tail", "too_long"];

    /// Each reason with its count, in the order of [`REASONS`](Self::REASONS).
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let counts = [self.bad_count, self.resync, self.truncated_tail, self.too_long];
        Self::REASONS.into_iter().zip(counts)
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_count() {
        let errors = FrameErrors { bad_count: 1, resync: 2, truncated_tail: 3, too_long: 4 };
        let shown: Vec<String> = errors.iter().map(|(reason, n)| format!("{reason}={n}")).collect();
        assert_eq!(shown.join(" "), "bad_count=1 resync=2 truncated_tail=3 too_long=4");
        assert_eq!(errors.total(), 10);
    }
}
