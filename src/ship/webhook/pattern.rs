//! Which events a webhook is told of.

use serde::{Deserialize, Serialize};

/// The name of an event, or its beginning and a `*`: `api_key.created`, `api_key.*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of an event, such as api_key.created or api_key.*, but found {0:?}")]
pub struct PatternError(String);

impl Pattern {
    /// Whether `event` is one of those.
    pub fn matches(&self, event: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(begin) => event.starts_with(begin),
            None => *self.0 == *event,
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        let name = text.strip_suffix('*').unwrap_or(&text);
        let is_of_a_name =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b);
        if text.is_empty() || text.len() > MAX_PATTERN || !name.bytes().all(is_of_a_name) {
            return Err(PatternError(text.chars().take(MAX_PATTERN).collect()));
        }
        Ok(Self(text))
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_what_they_match() {
        let table = [
            ("api_key.created", "api_key.created", true),
            ("api_key.created", "api_key.created2", false),
            ("api_key.*", "api_key.revoked", true),
            ("api_key.*", "api_keys.revoked", false),
            ("*", "anything.at.all", true),
            ("limit.ent*", "limit.entered", true),
        ];
        for (pattern, event, want) in table {
            let pattern = Pattern::try_from(pattern.to_owned()).unwrap();
            assert_eq!(pattern.matches(event), want, "{pattern:?} {event}");
        }
        for text in ["", "*.created", "a*b", "API.*", "a b", "a/b", &"a".repeat(65)] {
            assert!(Pattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
