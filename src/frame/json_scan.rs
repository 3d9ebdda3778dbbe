//! Where a JSON object or array ends, by brackets and strings alone.

use memchr::{memchr, memchr3};

/// The state of a search within one object or array.
///
/// Brackets are counted, not matched: whether the value is valid JSON is for its parser to say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct JsonScan {
    depth: usize,
    /// In a string; at its backslash; in neither.
    place: Place,
    /// The last byte outside of strings that was no white space.
    last: u8,
    /// Whether an LF came after `last`.
    new_line: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    String,
    Escape,
}

/// Why a search stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The value ends before this offset.
    Whole(usize),
    /// The value was left open: at this offset is an LF no string can hold, a NUL, or on a new line
    /// a bracket that cannot follow what came before it.
    Broken(usize),
    /// The bracket at this offset is nested too deep.
    TooDeep(usize),
    /// The value goes on behind the last byte.
    NotYet,
}

impl JsonScan {
    /// Searches on, from offset `from` of `text`; the first byte of all is the opening bracket.
    pub(super) fn run(&mut self, text: &[u8], from: usize) -> Stop {
        let mut at = from;
        while let Some(&byte) = text.get(at) {
            match self.place {
                Place::Outside => {
                    if let Some(stop) = self.outside(byte, at) {
                        return stop;
                    }
                }
                Place::String => {
                    let rest = text.get(at..).unwrap_or_default();
                    let hit = memchr3(b'"', b'\\', b'\n', rest);
                    let text = hit.and_then(|hit| rest.get(..hit)).unwrap_or(rest);
                    if let Some(nul) = memchr(0, text) {
                        return Stop::Broken(at + nul);
                    }
                    let Some(hit) = hit else { return Stop::NotYet };
                    at += hit;
                    self.place = match rest.get(hit) {
                        Some(b'"') => Place::Outside,
                        Some(b'\\') => Place::Escape,
                        _ => return Stop::Broken(at),
                    };
                }
                Place::Escape if matches!(byte, b'\n' | 0) => return Stop::Broken(at),
                Place::Escape => self.place = Place::String,
            }
            at += 1;
        }
        Stop::NotYet
    }

    #[inline]
    fn outside(&mut self, byte: u8, at: usize) -> Option<Stop> {
        match byte {
            b'\n' => {
                self.new_line = true;
                return None;
            }
            b' ' | b'\t' | b'\r' => return None,
            0 => return Some(Stop::Broken(at)),
            b'"' => self.place = Place::String,
            b'{' | b'[' => {
                if self.new_line && !matches!(self.last, b'[' | b',' | b':') {
                    return Some(Stop::Broken(at));
                }
                if self.depth == MAX_DEPTH {
                    return Some(Stop::TooDeep(at));
                }
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(Stop::Whole(at + 1));
                }
            }
            _ => {}
        }
        self.last = byte;
        self.new_line = false;
        None
    }
}

/// Brackets within brackets. No parser of ours goes deeper, so a value that does is text.
pub(super) const MAX_DEPTH: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops() {
        #[rustfmt::skip]
        let table: &[(&str, Stop)] = &[
            ("{}",                         Stop::Whole(2)),
            ("[]x",                        Stop::Whole(2)),
            ("{\"a\":{\"b\":[1,2]}}{}",    Stop::Whole(17)),
            ("{\"a\":\"}\"}",              Stop::Whole(9)),
            ("{\"a\":\"\\\"}\"}",          Stop::Whole(11)),
            ("{\"a\":\"\\\\\"}",           Stop::Whole(10)),
            ("[\n{\n},\n{\n}\n]",          Stop::Whole(12)),
            ("{\"a\":\n{}}",               Stop::Whole(9)),
            ("{\"a\":1\n{\"b\":2}",        Stop::Broken(7)),
            ("{\n{\"b\":2}",               Stop::Broken(2)),
            ("{\"a\n\":1}",                Stop::Broken(3)),
            ("{\"a\\\n\":1}",              Stop::Broken(4)),
            ("{\"a\":1\0{}",               Stop::Broken(6)),
            ("{\"a\0\"}",                  Stop::Broken(3)),
            ("{\"a\\\0\"}",                Stop::Broken(4)),
            ("{\"a\":1",                   Stop::NotYet),
            ("{\"a",                       Stop::NotYet),
        ];
        for (text, want) in table {
            assert_eq!(JsonScan::default().run(text.as_bytes(), 0), *want, "{text}");
        }
    }

    #[test]
    fn js_02_nesting() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let run = |depth| JsonScan::default().run(nested(depth).as_bytes(), 0);
        assert_eq!(run(MAX_DEPTH), Stop::Whole(2 * MAX_DEPTH));
        for depth in [MAX_DEPTH + 1, 10_000, 1_000_000] {
            assert_eq!(run(depth), Stop::TooDeep(MAX_DEPTH));
        }
    }
}
