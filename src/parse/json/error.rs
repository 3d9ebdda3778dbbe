//! Why a text is not the JSON that was wanted, and where.

use std::fmt;

use super::MAX_DEPTH;
use crate::parse::BodyError;

/// Why a text is no JSON event: what was expected, at which byte, and what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}, but found {}", Found(*found))]
pub struct JsonError {
    at: usize,
    expected: Expected,
    found: Option<u8>,
}

/// What should have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) enum Expected {
    Utf8,
    Event,
    Object,
    Content,
    Logs,
    LogsArray,
    Streams,
    Array,
    Text,
    Action,
    Value,
    Name,
    Colon,
    MoreMembers,
    MoreElements,
    End,
    Digit,
    Literal,
    Escape,
    HexDigits,
    TextOrQuote,
    LessDepth,
}

impl JsonError {
    /// An error at byte `at` of `text`.
    #[cold]
    pub(in crate::parse) fn new(expected: Expected, text: &[u8], at: usize) -> Self {
        Self { at, expected, found: text.get(at).copied() }
    }

    /// Where it is: a byte offset in the text that was parsed, at most its length.
    pub fn at(&self) -> usize {
        self.at
    }
}

impl From<JsonError> for BodyError {
    fn from(error: JsonError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Event => "an object or an array of objects",
            Self::Object => "an object",
            Self::Content => "an object with a field to keep",
            Self::Logs => "a member \"logs\"",
            Self::LogsArray => "an array of logs",
            Self::Streams => "a member \"streams\"",
            Self::Array => "an array",
            Self::Text => "a string",
            Self::Action => "index, create, update or delete",
            Self::Value => "a value",
            Self::Name => "a name in double quotes",
            Self::Colon => "a colon",
            Self::MoreMembers => "a comma or a closing brace",
            Self::MoreElements => "a comma or a closing bracket",
            Self::End => "the end of the text",
            Self::Digit => "a digit",
            Self::Literal => "true, false or null",
            Self::Escape => "one of \"\\/bfnrtu",
            Self::HexDigits => "four hex digits",
            Self::TextOrQuote => "printable text or a closing quote",
            Self::LessDepth => return write!(f, "at most {MAX_DEPTH} levels of nesting"),
        })
    }
}

/// Shows a byte so that it cannot harm the terminal it is read on.
struct Found(Option<u8>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("the end"),
            Some(byte) if byte.is_ascii_graphic() => write!(f, "`{}`", char::from(byte)),
            Some(byte) => write!(f, "byte {byte:#04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_speak_one_grammar() {
        let error = |text: &[u8], at| JsonError::new(Expected::Colon, text, at).to_string();
        assert_eq!(error(b"{\"a\" 1}", 5), "expected a colon at byte 5, but found `1`");
        assert_eq!(error(b"{\"a\"\x1b", 4), "expected a colon at byte 4, but found byte 0x1b");
        assert_eq!(error(b"{\"a\"", 4), "expected a colon at byte 4, but found the end");
    }
}
