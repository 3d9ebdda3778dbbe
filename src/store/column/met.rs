//! Which templates come often enough to be columns of their own.
//!
//! What a template costs to make, write, read and take over hardly depends on how many texts it has,
//! and for one or two it is more than they cost as they are. Of the templates in real logs most have
//! so few in a batch: of 1024 in one of 5700 lines from sixteen systems, 780 had three or less.

/// How often each template was met that is none yet. Some share a count.
#[derive(Clone, Debug, Default)]
pub(super) struct Met {
    /// As many as were met, or somewhat more: most columns see none.
    counts: Vec<u8>,
    /// How many were met.
    times: usize,
}

impl Met {
    /// Whether a template with this hash of what is constant in it, and so many variables, was met
    /// often enough to be one. This time counts.
    pub(super) fn is_often(&mut self, hash: u64, variables: usize) -> bool {
        self.times += 1;
        match self.counts.len() {
            0 => self.counts.resize(FEWEST, 0),
            // A place becomes four, each of which has what they shared.
            len if self.times > len && len < PLACES => self.counts = self.counts.repeat(4),
            _ => {}
        }
        let place = usize::try_from(hash % self.counts.len() as u64).unwrap_or_default();
        let Some(count) = self.counts.get_mut(place) else { return true };
        *count = count.saturating_add(1);
        usize::from(*count) > variables.min(MOST)
    }

    /// Forgets all, and gives the memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        self.counts.len()
    }
}

/// Counts at first, and at most; powers of four.
const FEWEST: usize = 64;
const PLACES: usize = 4096;

/// A template is one when it was met once more than it has variables, or than this.
const MOST: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_more_places_has_to_come_more_often() {
        for (variables, times) in [(0, 1), (1, 2), (3, 4), (15, 16), (60, 16)] {
            let mut met = Met::default();
            for round in 0..2 {
                let often: Vec<bool> = (0..20).map(|_| met.is_often(4711, variables)).collect();
                let first = often.iter().position(|often| *often);
                assert_eq!(first, Some(times - 1), "{variables} variables, round {round}");
                assert!(often.iter().skip(times).all(|often| *often));
                assert!(!met.is_often(4712, 1));
                met.clear();
            }
        }
    }

    #[test]
    fn there_is_memory_for_as_many_as_were_met() {
        let mut met = Met::default();
        assert_eq!(met.memory(), 0);
        for (met_before, memory) in
            [(1, 64), (64, 64), (65, 256), (1024, 1024), (1025, 4096), (9999, 4096)]
        {
            while met.times < met_before {
                met.is_often(4711, 1);
            }
            assert_eq!(met.memory(), memory, "{met_before} met");
        }
        met.clear();
        assert_eq!(met.memory(), 0);
    }
}
