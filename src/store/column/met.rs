//! Which templates come often enough to be columns of their own.
//!
//! What a template costs to make, write, read and take over hardly depends on how many texts it has,
//! and for one or two it is more than they cost as they are. Of the templates in real logs most have
//! so few in a batch: of 1024 in one of 5700 lines from sixteen systems, 780 had three or less.

/// How often each template was met that is none yet. Some share a count.
#[derive(Clone, Debug, Default)]
pub(super) struct Met(Vec<u8>);

impl Met {
    /// Whether a template with this hash of what is constant in it, and so many variables, was met
    /// often enough to be one. This time counts.
    pub(super) fn is_often(&mut self, hash: u64, variables: usize) -> bool {
        self.0.resize(PLACES, 0);
        let place = usize::try_from(hash % PLACES as u64).unwrap_or_default();
        let Some(count) = self.0.get_mut(place) else { return true };
        *count = count.saturating_add(1);
        usize::from(*count) > variables.min(MOST)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Counts; a power of two.
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
}
