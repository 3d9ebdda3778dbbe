//! Where a JSON object or array ends, by brackets and strings alone.
//!
//! 64 octets are looked at together, where no backslash and no line that goes on makes them matter one
//! by one.

use fearless_simd::{Level, dispatch, prelude::*, u8x64};
use memchr::{memchr, memchr3};

/// A search within one object or array.
///
/// Brackets are counted, not matched: whether the value is valid JSON is for its parser to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonScan {
    /// What the processor can.
    level: Level,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
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

/// What 64 octets are, a bit for each.
struct Classes {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
    line_feeds: u64,
    nuls: u64,
    /// White space.
    blanks: u64,
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

impl Default for JsonScan {
    fn default() -> Self {
        Self { level: Level::new(), state: State::default() }
    }
}

impl JsonScan {
    /// Searches on, from offset `from` of `text`; the first byte of all is the opening bracket.
    pub(super) fn run(&mut self, text: &[u8], from: usize) -> Stop {
        let state = &mut self.state;
        dispatch!(self.level, simd => run_all(simd, state, text, from))
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "what the processor can is only known to the caller")]
fn run_all<S: Simd>(simd: S, state: &mut State, text: &[u8], from: usize) -> Stop {
    let mut at = from;
    while let Some(window) = text.get(at..).and_then(<[u8]>::first_chunk::<64>) {
        let next = match state.window(&classify(simd, window), window) {
            Some(next) => next.map(|()| at + 64).map_err(|stop| stop.behind(at)),
            None => state.one_by_one(text, at, at + 64),
        };
        match next {
            Ok(next) => at = next,
            Err(stop) => return stop,
        }
    }
    state.one_by_one(text, at, text.len()).err().unwrap_or(Stop::NotYet)
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn classify<S: Simd>(simd: S, octets: &[u8; 64]) -> Classes {
    let octets = u8x64::from_slice(simd, octets);
    let is = |octets: u8x64<S>, octet: u8| octets.simd_eq(u8x64::splat(simd, octet)).to_bitmask();
    // An opening bracket of either kind differs from the other in this bit, and so does a closing one.
    let brackets = octets | 0x20;
    let line_feeds = is(octets, b'\n');
    Classes {
        quotes: is(octets, b'"'),
        backslashes: is(octets, b'\\'),
        opening: is(brackets, b'{'),
        closing: is(brackets, b'}'),
        line_feeds,
        nuls: is(octets, 0),
        blanks: is(octets, b' ') | is(octets, b'\t') | is(octets, b'\r') | line_feeds,
    }
}

impl State {
    /// Looks at 64 octets together; nothing if they are to be looked at one by one.
    #[inline]
    fn window(&mut self, classes: &Classes, octets: &[u8; 64]) -> Option<Result<(), Stop>> {
        let Classes { quotes, backslashes, opening, closing, line_feeds, nuls, blanks } = *classes;
        if self.place == Place::Escape || self.new_line {
            return None;
        }
        let began_inside = if self.place == Place::String { u64::MAX } else { 0 };
        // Every quote turns what follows it inside out.
        let inside =
            [1, 2, 4, 8, 16, 32].iter().fold(quotes, |all, by| all ^ (all << by)) ^ began_inside;
        let mut depth = self.depth;
        let mut stops = ((opening | closing) & !inside) | nuls | (line_feeds & inside);
        let (mut end, mut stop) = (u64::MAX, None);
        while stops != 0 && stop.is_none() {
            let bit = stops & stops.wrapping_neg();
            let at = bit.trailing_zeros() as usize;
            if bit & opening & !inside != 0 {
                if depth == MAX_DEPTH {
                    stop = Some(Stop::TooDeep(at));
                }
                depth += 1;
            } else if bit & closing & !inside != 0 {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    stop = Some(Stop::Whole(at + 1));
                }
            } else {
                stop = Some(Stop::Broken(at));
            }
            if stop.is_some() {
                end = bit - 1;
            }
            stops ^= bit;
        }
        if (backslashes | (line_feeds & !inside)) & end != 0 {
            return None;
        }
        if let Some(stop) = stop {
            return Some(Err(stop));
        }
        self.depth = depth;
        let outside = !blanks & !inside;
        if inside >> 63 != 0 {
            (self.place, self.last) = (Place::String, b'"');
        } else {
            self.place = Place::Outside;
            let last = octets.get(63_usize.wrapping_sub(outside.leading_zeros() as usize));
            self.last = last.copied().unwrap_or(self.last);
        }
        Some(Ok(()))
    }

    /// Looks at `text` from `at` to `end`, or as far behind as a string goes there. Where that is, if
    /// the search goes on.
    fn one_by_one(&mut self, text: &[u8], mut at: usize, end: usize) -> Result<usize, Stop> {
        while at < end
            && let Some(&byte) = text.get(at)
        {
            match self.place {
                Place::Outside => {
                    if let Some(stop) = self.outside(byte, at) {
                        return Err(stop);
                    }
                }
                Place::String => {
                    let rest = text.get(at..).unwrap_or_default();
                    let hit = memchr3(b'"', b'\\', b'\n', rest);
                    let string = hit.and_then(|hit| rest.get(..hit)).unwrap_or(rest);
                    if let Some(nul) = memchr(0, string) {
                        return Err(Stop::Broken(at + nul));
                    }
                    let Some(hit) = hit else { return Err(Stop::NotYet) };
                    at += hit;
                    self.place = match rest.get(hit) {
                        Some(b'"') => Place::Outside,
                        Some(b'\\') => Place::Escape,
                        _ => return Err(Stop::Broken(at)),
                    };
                }
                Place::Escape if matches!(byte, b'\n' | 0) => return Err(Stop::Broken(at)),
                Place::Escape => self.place = Place::String,
            }
            at += 1;
        }
        Ok(at)
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

impl Stop {
    /// The same, in a text of which so many bytes were before.
    fn behind(self, before: usize) -> Self {
        match self {
            Self::Whole(at) => Self::Whole(before + at),
            Self::Broken(at) => Self::Broken(before + at),
            Self::TooDeep(at) => Self::TooDeep(before + at),
            Self::NotYet => Self::NotYet,
        }
    }
}

/// Brackets within brackets. No parser of ours goes deeper, so a value that does is text.
pub(super) const MAX_DEPTH: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// 64 octets together say what they say one by one, wherever the text comes in two parts.
        #[test]
        fn as_octet_by_octet(
            parts in prop::collection::vec(prop_oneof![
                8 => prop::sample::select(vec!["{", "[", "]", "}", "\"", ",", ":", " ", "\n"]),
                8 => prop::sample::select(vec!["\"some text\"", "\"key\":", "1234567890", "true, "]),
                1 => prop::sample::select(vec!["\\", "\"\\\"\"", "\0", "\"a string that is long enough\""]),
            ], 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let text = format!("{{{}", parts.concat());
            let text = text.as_bytes();
            let mut state = State::default();
            let want = state.one_by_one(text, 0, text.len()).err().unwrap_or(Stop::NotYet);
            prop_assert_eq!(JsonScan::default().run(text, 0), want);
            let (mut scan, cut) = (JsonScan::default(), cut.index(text.len()));
            let stopped = match scan.run(&text[..cut], 0) {
                Stop::NotYet => scan.run(text, cut),
                stopped => stopped,
            };
            prop_assert_eq!(stopped, want);
            if want == Stop::NotYet {
                prop_assert_eq!(scan.state, state);
            }
        }
    }

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
