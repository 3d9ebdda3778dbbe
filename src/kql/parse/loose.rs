//! The lenient values with a form of their own: `[a TO b]` and `~/pattern/`.

use super::super::matcher::compile;
use super::super::query::{Field, Literal, Query, RangeOp};
use super::super::{MAX_REGEXES, parse::ParseError};
use super::literal::is_trimmed;
use super::{Parser, blanks, is_blank};

impl Parser<'_> {
    /// `~/pattern/`, where a value ends after it; anything else is text.
    pub(super) fn regex(&mut self, field: Option<&Field>) -> Result<Option<Query>, ParseError> {
        if !self.is_loose() || !self.rest().starts_with("~/") {
            return Ok(None);
        }
        let start = self.at + 2;
        let Some((pattern, len)) = self.text.get(start..).and_then(delimited) else {
            return Ok(None);
        };
        if !self.ends_value(start + len) {
            return Ok(None);
        }
        if self.regexes == MAX_REGEXES {
            let expected = format!("at most {MAX_REGEXES} regular expressions");
            return Err(ParseError::new(self.at, expected, "one more"));
        }
        if let Err(error) = compile(&pattern) {
            return Err(ParseError::new(start, "a regular expression", reason(&error)));
        }
        self.count()?;
        self.regexes += 1;
        self.at = start + len;
        self.lenient = true;
        Ok(Some(Query::Regex { field: field.cloned(), pattern }))
    }

    /// `[a TO b]`, or `[a TO b}` without `b` itself; `*` is no bound. Anything else is text.
    pub(super) fn interval(&mut self, field: &Field) -> Result<Option<Query>, ParseError> {
        if !self.is_loose() || !self.rest().starts_with('[') {
            return Ok(None);
        }
        let start = self.at;
        let found = self.bounds();
        let end = std::mem::replace(&mut self.at, start);
        let Some((low, high, upper)) = found.filter(|_| self.ends_value(end)) else {
            return Ok(None);
        };
        self.enter()?;
        self.depth -= 1;
        self.at = end;
        self.lenient = true;
        let sides = [(RangeOp::Gte, low), (upper, high)];
        let mut parts = vec![];
        for (op, value) in sides {
            if !value.is_star() {
                self.count()?;
                parts.push(Query::Range { field: field.clone(), op, value });
            }
        }
        Ok(Some(match super::single(parts) {
            Ok(part) => part,
            Err(parts) if parts.is_empty() => Query::is(field.clone(), star()),
            Err(parts) => Query::And(parts),
        }))
    }

    /// The bounds of an interval, and the comparison with the upper.
    fn bounds(&mut self) -> Option<(Literal, Literal, RangeOp)> {
        self.at += 1;
        self.skip_blanks();
        let low = self.bound()?;
        let parted = blanks(self.rest());
        self.skip_blanks();
        let is_word = parted > 0 && self.take("TO") && self.rest().starts_with(is_blank);
        if !is_word {
            return None;
        }
        self.skip_blanks();
        let high = self.bound()?;
        self.skip_blanks();
        if self.take("]") {
            return Some((low, high, RangeOp::Lte));
        }
        self.take("}").then_some((low, high, RangeOp::Lt))
    }

    fn bound(&mut self) -> Option<Literal> {
        if self.rest().starts_with('"') {
            return self.quoted().ok().map(Literal::Phrase);
        }
        let ends = |c: char| is_trimmed(c) || matches!(c, ']' | '}' | '"' | '\\' | '(' | ')' | '{');
        let rest = self.rest();
        let text = rest.get(..rest.find(ends).unwrap_or(rest.len()))?;
        self.at += text.len();
        match text {
            "*" => Some(star()),
            // These would be no text if they stood alone.
            "" | "true" | "false" | "null" => None,
            _ if text.contains('*') => None,
            _ => Some(Literal::Term(text.to_owned())),
        }
    }

    /// Whether a value that ends at `at` is followed by nothing more of it.
    fn ends_value(&self, at: usize) -> bool {
        let rest = self.text.get(at..).unwrap_or_default();
        let len = blanks(rest);
        let follows_keyword =
            || len > 0 && ["and", "or"].iter().any(|word| self.keyword(at + len, word).is_some());
        match rest.get(len..).and_then(|rest| rest.chars().next()) {
            None | Some(')' | '}') => true,
            Some(_) => follows_keyword(),
        }
    }
}

/// The pattern up to its closing slash, and the bytes up to and with it; `\/` is a slash.
fn delimited(text: &str) -> Option<(String, usize)> {
    let mut pattern = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '/' if pattern.is_empty() => return None,
            '/' => return Some((pattern, at + 1)),
            '\\' => match chars.next()?.1 {
                '/' => pattern.push('/'),
                other => pattern.extend(['\\', other]),
            },
            _ => pattern.push(c),
        }
    }
    None
}

/// The last line of a message that may draw the pattern first.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").trim().to_owned()
}

fn star() -> Literal {
    Literal::Wild(vec![String::new(); 2])
}
