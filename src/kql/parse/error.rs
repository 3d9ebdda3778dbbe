//! What was wrong with a query, where, and what would have been right.

/// Why a text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, but found {found}, at {at}")]
pub struct ParseError {
    /// The byte at which it went wrong, from 0.
    pub at: usize,
    /// What would have been right there.
    pub expected: String,
    /// What was there.
    pub found: String,
}

impl ParseError {
    /// `{"error":{"at","expected","found"}}`.
    pub fn to_json(&self) -> serde_json::Value {
        let Self { at, expected, found } = self;
        serde_json::json!({"error": {"at": at, "expected": expected, "found": found}})
    }

    #[cold]
    pub(super) fn new(at: usize, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { at, expected: expected.into(), found: found.into() }
    }
}

/// Names what `rest` begins with, as a reader would.
#[cold]
pub(super) fn describe(rest: &str) -> String {
    let Some(first) = rest.chars().next() else {
        return "the end of the query".to_owned();
    };
    if first.is_whitespace() {
        return "a blank".to_owned();
    }
    let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let shown: String = match word.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => word.get(..end).into_iter().flat_map(str::chars).chain(['…']).collect(),
        None if word.is_empty() && first.is_control() => first.escape_debug().collect(),
        None if word.is_empty() => first.to_string(),
        None => word.to_owned(),
    };
    format!("`{shown}`")
}

/// The characters of a word that an error repeats.
const MAX_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_as_json() {
        let error = ParseError::new(3, "a value", describe(")"));
        let want = r#"{"error":{"at":3,"expected":"a value","found":"`)`"}}"#;
        assert_eq!(error.to_json().to_string(), want);
    }

    #[test]
    fn what_was_found_is_named_briefly() {
        let table = [
            ("", "the end of the query"),
            (" a", "a blank"),
            (":b", "`:`"),
            ("level:x", "`level`"),
            ("größe)", "`größe`"),
            ("\0", "`\\0`"),
            ("\"a", "`\"`"),
            ("abcdefghijklmnopqrstuvwxyz", "`abcdefghijklmnopqrst…`"),
        ];
        for (rest, want) in table {
            assert_eq!(describe(rest), want);
        }
    }
}
