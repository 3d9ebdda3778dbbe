//! Cuts a text into what is constant and what varies: a token that holds a digit varies.
//!
//! The rule comes within two percent of templates that people made by hand, and needs no learning.

use fearless_simd::{Level, dispatch, prelude::*};

use super::super::octets::{Classes, classify, classify_rest};

/// Finds what varies, and keeps its memory from text to text.
#[derive(Clone, Debug)]
pub struct Cutter {
    /// What the processor can.
    level: Level,
    /// Where the tokens are that vary: start and end, in order.
    pub variables: Vec<(usize, usize)>,
    /// Whether the text has the octet 0xff in it, which none in UTF-8 has.
    pub is_marked: bool,
}

/// A token that reaches the end of what was looked at.
#[derive(Clone, Copy)]
struct Open {
    start: usize,
    /// Whether it holds a digit so far.
    varies: bool,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { level: Level::new(), variables: Vec::new(), is_marked: false }
    }
}

impl Cutter {
    /// Finds the variables of `text`, in order.
    pub fn cut(&mut self, text: &[u8]) {
        self.cut_up_to(usize::MAX, text);
    }

    /// The same, but looks no further once it has more than `enough`.
    pub(super) fn cut_up_to(&mut self, enough: usize, text: &[u8]) {
        self.variables.clear();
        let variables = &mut self.variables;
        self.is_marked = dispatch!(self.level, simd => cut_all(simd, text, enough, variables));
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "what the processor can is only known to the caller")]
fn cut_all<S: Simd>(
    simd: S,
    text: &[u8],
    enough: usize,
    variables: &mut Vec<(usize, usize)>,
) -> bool {
    let (windows, rest) = text.as_chunks::<64>();
    let (mut base, mut open, mut all_marks) = (0, None, 0);
    for window in windows {
        let Classes { digits, tokens, marks, .. } = classify(simd, window);
        all_marks |= marks;
        open = cut_window(base, digits, tokens, open, variables);
        base += 64;
        if variables.len() > enough {
            return all_marks != 0;
        }
    }
    if !rest.is_empty() {
        let Classes { digits, tokens, marks, .. } = classify_rest(simd, text, rest);
        all_marks |= marks;
        open = cut_window(base, digits, tokens, open, variables);
    }
    if let Some(Open { start, varies: true }) = open {
        variables.push((start, text.len()));
    }
    all_marks != 0
}

/// Finds what varies in 64 octets from `base` on; returns the token that may go on behind them.
/// `digits` and `tokens` have a bit for each octet: is it a digit, is it of a token?
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn cut_window(
    base: usize,
    mut digits: u64,
    tokens: u64,
    open: Option<Open>,
    variables: &mut Vec<(usize, usize)>,
) -> Option<Open> {
    let gaps = !tokens;
    if let Some(Open { start, varies }) = open {
        let behind = match gaps {
            0 => return Some(Open { start, varies: varies || digits != 0 }),
            _ => u64::MAX << gaps.trailing_zeros(),
        };
        if varies || digits & !behind != 0 {
            variables.push((start, base + gaps.trailing_zeros() as usize));
        }
        digits &= behind;
    }
    while digits != 0 {
        let behind = u64::MAX << digits.trailing_zeros();
        let start = base + 64 - (gaps & !behind).leading_zeros() as usize;
        let end = match gaps & behind {
            0 => return Some(Open { start, varies: true }),
            gaps => gaps.trailing_zeros(),
        };
        variables.push((start, base + end as usize));
        digits &= u64::MAX << end;
    }
    let last = gaps.leading_zeros() as usize;
    (last > 0).then_some(Open { start: base + 64 - last, varies: false })
}

#[cfg(test)]
mod tests {
    use super::super::super::octets::is_token;
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &[u8]) -> Vec<&[u8]> {
        let mut cutter = Cutter::default();
        cutter.cut(text);
        cutter.variables.iter().map(|(start, end)| &text[*start..*end]).collect()
    }

    #[test]
    fn what_varies() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("no digits here", &[]),
            ("1", &["1"]),
            ("GET /a/b?id=42 HTTP/1.1", &["42", "1", "1"]),
            ("from 10.2.3.4 port 22", &["10", "2", "3", "4", "22"]),
            ("web-007.prod sha256:ab12_x", &["007", "sha256", "ab12_x"]),
            ("größe9 = ½ µ3", &["größe9", "µ3"]),
        ];
        for (text, want) in table {
            let want: Vec<&[u8]> = want.iter().map(|text| text.as_bytes()).collect();
            assert_eq!(cut(text.as_bytes()), want, "{text}");
        }
    }

    proptest! {
        /// The same as looking at one octet after the other.
        #[test]
        fn as_octet_by_octet(text in prop_oneof![
            "[a-z0-9 ./=\\-_]{0,300}".prop_map(String::into_bytes),
            "([a-z]{60,70}[0-9 ]){0,5}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..300),
        ]) {
            let want: Vec<&[u8]> = text
                .split(|b| !is_token(*b))
                .filter(|token| token.iter().any(u8::is_ascii_digit))
                .collect();
            prop_assert_eq!(cut(&text), &*want);
            let mut cutter = Cutter::default();
            cutter.cut(&text);
            prop_assert_eq!(cutter.is_marked, text.contains(&0xff));
            for enough in 0..want.len() {
                cutter.cut_up_to(enough, &text);
                prop_assert!(cutter.variables.len() > enough);
            }
            cutter.cut_up_to(want.len(), &text);
            prop_assert_eq!(cutter.variables.len(), want.len());
        }
    }
}
