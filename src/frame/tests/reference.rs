//! The rules of [`Frames`] once more, slow and plain: over the whole stream at once, byte by byte,
//! with none of the decoder's code.

use super::*;

/// What must come out of `stream`.
pub(super) fn cut_slowly(framing: Framing, max: usize, stream: &[u8]) -> Outcome {
    let mut reference = Reference {
        framing,
        max,
        rest: stream,
        after_counted: false,
        nul: None,
        out: Outcome { messages: Vec::new(), errors: FrameErrors::default() },
    };
    while !reference.rest.is_empty() {
        reference.one();
    }
    reference.out
}

struct Reference<'s> {
    framing: Framing,
    max: usize,
    rest: &'s [u8],
    after_counted: bool,
    /// Whether the first delimited message ended in NUL.
    nul: Option<bool>,
    out: Outcome,
}

#[derive(PartialEq)]
enum Until {
    Lf,
    Nul,
    Either,
    NulOrLfBeforeFrame,
    EitherOrCount,
}

impl<'s> Reference<'s> {
    fn one(&mut self) {
        if self.framing == Framing::None {
            return self.text(Until::Lf);
        }
        if blank(self.rest[0]) {
            self.after_counted &= self.framing == Framing::Octet;
            self.rest = &self.rest[1..];
            return;
        }
        match self.framing {
            Framing::Lf => return self.text(Until::Lf),
            Framing::Nul => return self.text(Until::Nul),
            Framing::Auto | Framing::Octet | Framing::None => {}
        }
        let auto = self.framing == Framing::Auto;
        let number = if self.rest[0] == b' ' { &self.rest[1..] } else { self.rest };
        let digits = run_of_digits(number);
        let message = number.get(digits + 1..).unwrap_or_default();
        let blank_behind = number.get(digits) == Some(&b' ');
        let counts = digits > 0 && number[0] != b'0';
        if counts && digits <= 10 && blank_behind && (!auto || starts_message(message)) {
            let len: u64 = std::str::from_utf8(&number[..digits]).unwrap().parse().unwrap();
            self.rest = message;
            self.after_counted = true;
            return self.counted(len);
        }
        let ends_here = number.len() == digits || (blank_behind && message.is_empty());
        if counts && digits <= 10 && ends_here && (!auto || self.after_counted) {
            self.out.errors.truncated_tail += 1;
            self.rest = &[];
            return;
        }
        if auto && self.rest[0] == b' ' && number.first() == Some(&b'<') {
            self.rest = number;
        } else if counts
            && digits > 10
            && (!auto || digits >= 24 || (blank_behind && starts_message(message)))
        {
            self.out.errors.bad_count += 1;
            return self.text(Until::EitherOrCount);
        }
        if auto && starts_message(self.rest) {
            return self.delimited();
        }
        if self.after_counted {
            self.out.errors.resync += 1;
            return self.text(Until::EitherOrCount);
        }
        self.out.errors.bad_count += u64::from(!auto || number.starts_with(b"0 "));
        self.delimited();
    }

    fn counted(&mut self, len: u64) {
        let len = match usize::try_from(len) {
            Ok(len) if len <= self.rest.len() => len,
            _ => {
                self.out.errors.truncated_tail += 1;
                self.rest.len()
            }
        };
        let (body, rest) = self.rest.split_at(len);
        self.rest = rest;
        self.message(body);
    }

    fn delimited(&mut self) {
        let until = if self.nul == Some(true) { Until::NulOrLfBeforeFrame } else { Until::Either };
        self.text(until);
    }

    fn text(&mut self, until: Until) {
        for at in 0..self.rest.len() {
            let (before, behind) = self.rest.split_at(at);
            let ends = match (behind[0], &until) {
                (b'\n', Until::Nul) | (0, Until::Lf) => false,
                (b'\n', Until::NulOrLfBeforeFrame) => starts_frame(&behind[1..]),
                (b'\n' | 0, _) => true,
                _ => until == Until::EitherOrCount && self.resumes(before, behind),
            };
            if !ends {
                continue;
            }
            let delimiter = usize::from(blank(behind[0]));
            if self.nul.is_none() && until == Until::Either && self.framing == Framing::Auto {
                self.nul = Some(behind[0] == 0);
            }
            self.rest = &behind[delimiter..];
            self.after_counted &= self.framing == Framing::Octet;
            return self.message(before);
        }
        let all = std::mem::take(&mut self.rest);
        self.message(all);
    }

    /// Whether a damaged message ends between `before` and the count that begins `behind`.
    fn resumes(&self, before: &[u8], behind: &[u8]) -> bool {
        let digits = run_of_digits(behind);
        if !starts_frame(behind) || digits == 0 {
            return false;
        }
        // The number that it belongs to, to the left and the right; of a very long one, the end.
        let left = before.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let left = left.min(24 - digits);
        let opening = &before[..before.len() - left];
        let opening = opening.strip_prefix(b" ").unwrap_or(opening);
        if [&b""[..], b"+", b"-", b"0x", b"0X"].contains(&opening) {
            return false;
        }
        let value = |digits: &[u8]| std::str::from_utf8(digits).unwrap().parse::<usize>().unwrap();
        // Longer counts, which begin further to the left, have been tried.
        value(&behind[..digits]) <= self.max
    }

    fn message(&mut self, text: &[u8]) {
        let mut text = text;
        if self.framing != Framing::None {
            while text.last().is_some_and(|b| blank(*b)) {
                text = &text[..text.len() - 1];
            }
            if text.is_empty() {
                return;
            }
        }
        let long = text.len() > self.max;
        self.out.errors.too_long += u64::from(long);
        let kept = if long { &text[..self.max] } else { text };
        self.out.messages.push((kept.to_vec(), long.then_some(text.len() as u64)));
    }
}

fn blank(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r' || byte == 0
}

fn run_of_digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn starts_message(text: &[u8]) -> bool {
    text.starts_with(b"<") || text.starts_with(b"{") || text.starts_with("\u{feff}".as_bytes())
}

/// `<PRI>`, or a count and `<PRI>`.
fn starts_frame(text: &[u8]) -> bool {
    let digits = run_of_digits(text);
    let priority = match digits {
        0 => text,
        1..=10 if text[0] != b'0' && text.get(digits) == Some(&b' ') => &text[digits + 1..],
        _ => return false,
    };
    let inner = priority.strip_prefix(b"<").unwrap_or_default();
    let digits = run_of_digits(inner);
    (1..=3).contains(&digits) && inner.get(digits) == Some(&b'>')
}
