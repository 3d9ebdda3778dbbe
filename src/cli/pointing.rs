//! Points at the place in a filter that makes it no query.

use super::failure::Failure;
use super::visible::visible;
use crate::kql::{self, Syntax};

/// What to say of a call that failed: where its filter is at fault, the place under it too.
pub(super) fn pointed(filter: &str, is_strict: bool, failure: Failure) -> Failure {
    let syntax = if is_strict { Syntax::Strict } else { Syntax::Lenient };
    match (failure, kql::parse(filter, syntax)) {
        (Failure::Failed(text), Err(error)) if filter.len() <= MAX_SHOWN => {
            let before = filter.get(..error.at).unwrap_or(filter);
            let blanks = " ".repeat(visible(before).chars().count());
            Failure::Failed(format!("{text}\n  {}\n  {blanks}^", visible(filter)))
        }
        (failure, _) => failure,
    }
}

/// A longer filter fills more than a line, and nobody would see where it points.
const MAX_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_under_the_filter_whatever_is_in_it() {
        let table = [
            ("größe:1 and )", "no\n  größe:1 and )\n              ^"),
            ("level:(error", "no\n  level:(error\n              ^"),
            ("level:error", "no"),
        ];
        for (filter, want) in table {
            let said = pointed(filter, false, Failure::new("no")).text();
            assert_eq!(said.as_deref(), Some(want), "{filter}");
        }
        let long = format!("({}", "a".repeat(500));
        assert_eq!(pointed(&long, false, Failure::new("no")).text().as_deref(), Some("no"));
    }
}
