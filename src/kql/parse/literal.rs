//! Literals: quoted, and unquoted up to what cannot belong to them.

use super::super::query::Literal;
use super::{ParseError, Parser, blanks, is_blank};

impl<'a> Parser<'a> {
    /// A literal where a field may begin.
    pub(super) fn name_or_value(&mut self, expected: &str) -> Result<Literal, ParseError> {
        self.literal(expected, Place::Start)
    }

    /// A literal where only a value can be.
    pub(super) fn literal_value(&mut self, expected: &str) -> Result<Literal, ParseError> {
        self.literal(expected, Place::Value)
    }

    fn literal(&mut self, expected: &str, place: Place) -> Result<Literal, ParseError> {
        self.literal = self.at;
        if self.rest().starts_with('"') {
            return self.quoted().map(Literal::Phrase);
        }
        self.unquoted(expected, place)
    }

    /// `"…"`: a backslash before anything but `t r n \ "` and `uXXXX` is itself.
    pub(super) fn quoted(&mut self) -> Result<String, ParseError> {
        let open = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(len) = self.rest().find(['"', '\\']) else {
                return Err(ParseError::new(open, "a closing `\"`", "the end of the query"));
            };
            text.push_str(self.rest().get(..len).unwrap_or_default());
            self.at += len;
            if self.take("\"") {
                return Ok(text);
            }
            match self.escape() {
                Some((c @ ('\\' | '"' | '\t' | '\r' | '\n'), len)) => self.push(&mut text, c, len),
                Some((c, len)) if len >= UNICODE_LEN => self.push(&mut text, c, len),
                _ => self.push(&mut text, '\\', 1),
            }
        }
    }

    fn unquoted(&mut self, expected: &str, place: Place) -> Result<Literal, ParseError> {
        let start = self.at;
        let mut pieces = vec![];
        let mut text = String::new();
        let mut word = Word { start, has_colon: false };
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    if let Some((c, len)) = self.escape() {
                        self.push(&mut text, c, len);
                    } else if let Some(keyword) = self.escaped_keyword() {
                        text.push_str(keyword);
                        self.at += 1 + keyword.len();
                    } else {
                        return Err(self.bad_escape());
                    }
                }
                '*' => {
                    pieces.push(std::mem::take(&mut text));
                    self.at += 1;
                }
                ':' if place == Place::Value && self.colon_is_text(start, &word) => {
                    self.lenient = true;
                    word.has_colon = true;
                    self.push(&mut text, c, 1);
                }
                '(' | ')' | ':' | '<' | '>' | '"' | '{' | '}' => break,
                _ if is_blank(c) => {
                    let len = blanks(self.rest());
                    let end = self.at + len;
                    if ["or", "and"].iter().any(|word| self.keyword(end, word).is_some()) {
                        break;
                    }
                    text.push_str(self.rest().get(..len).unwrap_or_default());
                    self.at = end;
                    word = Word { start: end, has_colon: false };
                }
                'n' | 'N' if self.stops_at_not(&word) => break,
                _ => self.push(&mut text, c, c.len_utf8()),
            }
        }
        if self.at == start {
            return Err(self.no_literal(expected));
        }
        pieces.push(text);
        Ok(literal(pieces))
    }

    fn push(&mut self, text: &mut String, c: char, len: usize) {
        text.push(c);
        self.at += len;
    }

    /// Whether a `not` begins here. Kibana sees one in the middle of a word too; leniently that is
    /// the rest of the word.
    fn stops_at_not(&mut self, word: &Word) -> bool {
        let Some(end) = self.keyword(self.at, "not") else {
            return false;
        };
        if word.start == self.at || !self.is_loose() {
            return true;
        }
        self.lenient |= self.text.get(end..).is_some_and(|rest| rest.starts_with(is_blank));
        false
    }

    /// Whether the colon here belongs to the value, because no field can begin before it.
    ///
    /// In the first word of a value none can (`url:http://x`, `time:12:30`). In a later one it is
    /// taken for the field whose operator was forgotten, unless it is plainly a URL or a time.
    fn colon_is_text(&self, start: usize, word: &Word) -> bool {
        let rest = self.rest();
        let before = self.text.get(word.start..self.at).unwrap_or_default();
        let is_digit = |c: char| c.is_ascii_digit();
        let is_time = || {
            !before.is_empty()
                && before.chars().all(is_digit)
                && rest.strip_prefix(':').is_some_and(|rest| rest.starts_with(is_digit))
        };
        self.is_loose()
            && if word.start == start {
                !before.is_empty() || rest.starts_with("::")
            } else {
                word.has_colon || rest.starts_with("://") || is_time()
            }
    }

    /// The character that the escape here stands for, and the bytes it takes.
    fn escape(&self) -> Option<(char, usize)> {
        let rest = self.rest().strip_prefix('\\')?;
        match rest.chars().next()? {
            't' => Some(('\t', 2)),
            'r' => Some(('\r', 2)),
            'n' => Some(('\n', 2)),
            c @ ('\\' | '(' | ')' | ':' | '<' | '>' | '"' | '*' | '{' | '}') => Some((c, 2)),
            'u' => {
                let unit = code_unit(self.rest())?;
                let pair = self.rest().get(UNICODE_LEN..).and_then(code_unit);
                if let Some(c) = pair.and_then(|low| combine(unit, low)) {
                    return Some((c, 2 * UNICODE_LEN));
                }
                Some((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), UNICODE_LEN))
            }
            _ => None,
        }
    }

    /// The keyword of `\and`, `\or` or `\NOT`. `\not` is a line feed and `ot`, as in Kibana.
    fn escaped_keyword(&self) -> Option<&'a str> {
        let rest = self.rest().get(1..)?;
        let keywords =
            ["and", "or", "not"].iter().filter_map(|word| rest.get(..word.len()).zip(Some(word)));
        keywords
            .into_iter()
            .find(|(head, word)| head.eq_ignore_ascii_case(word))
            .map(|(head, _)| head)
    }

    #[cold]
    fn bad_escape(&self) -> ParseError {
        let rest = self.rest().get(1..).unwrap_or_default();
        let found = match rest.chars().next() {
            Some(c) => format!("`\\{}`", c.escape_debug()),
            None => "a backslash at the end".to_owned(),
        };
        ParseError::new(self.at, AFTER_BACKSLASH, found)
    }

    #[cold]
    fn no_literal(&self, expected: &str) -> ParseError {
        if self.keyword(self.at, "not").is_some() {
            let advice = format!("{expected}; a value that begins with `not` goes in quotes");
            return self.unexpected(advice);
        }
        self.unexpected(expected)
    }
}

/// Where a literal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A colon after it makes it a field.
    Start,
    /// It cannot be a field.
    Value,
}

/// The word of an unquoted literal that is being read.
struct Word {
    start: usize,
    /// Whether a colon in it was taken for text.
    has_colon: bool,
}

/// Trims what was read, then takes it for what it spells.
fn literal(mut pieces: Vec<String>) -> Literal {
    if let Some(first) = pieces.first_mut() {
        *first = first.trim_start_matches(is_trimmed).to_owned();
    }
    if let Some(last) = pieces.last_mut() {
        last.truncate(last.trim_end_matches(is_trimmed).len());
    }
    if pieces.len() > 1 {
        return Literal::Wild(pieces);
    }
    let text = pieces.pop().unwrap_or_default();
    match text.as_str() {
        "true" => Literal::Bool(true),
        "false" => Literal::Bool(false),
        "null" => Literal::Null,
        _ => Literal::Term(text),
    }
}

/// What `trim` of ECMAScript removes (ECMA-262 §22.1.3.32), which Kibana applies to a literal.
pub(super) fn is_trimmed(c: char) -> bool {
    c == '\u{feff}' || c != '\u{85}' && c.is_whitespace()
}

/// The UTF-16 code unit of a `\uXXXX` that `text` begins with.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u32::from_str_radix(digits, 16).ok()
}

/// The character that two surrogates make.
fn combine(high: u32, low: u32) -> Option<char> {
    let is_pair = (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low);
    is_pair.then(|| char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)))?
}

/// What an escape can be.
const AFTER_BACKSLASH: &str = "one of `\\ ( ) : < > \" * { }`, `t`, `r`, `n` or `uXXXX` after a \
                               backslash (`\\\\` is a backslash)";

/// The bytes of `\uXXXX`.
const UNICODE_LEN: usize = 6;
