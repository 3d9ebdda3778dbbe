//! Reads KQL: recursive descent over the text, in one pass.
//!
//! ```text
//! query    := [or]                                   nothing is everything
//! or       := and  ( WS+ "or"  WS+ and   )*
//! and      := unary ( WS+ "and" WS+ unary )*
//! unary    := "not" WS+ primary | primary
//! primary  := "(" or ")" | field ":" "{" or "}" | field ":" values | field op literal | literal
//! values   := "(" the same or, and, not over literals ")" | literal
//! ```
//!
//! Nothing is ever read twice to be taken for something else, so time is linear in the text: after
//! a literal, the next character says what it was. A list of values is read by the same functions
//! as a query; `list` is then the field that the values belong to.

mod error;
mod literal;
mod loose;

pub use self::error::ParseError;

use self::error::describe;
use super::query::{Field, Parsed, Query, RangeOp, Syntax};
use super::{MAX_CLAUSES, MAX_DEPTH, MAX_LEN, MAX_NESTED};

/// Reads a query.
///
/// An empty one matches everything.
///
/// # Errors
///
/// The first place at which the text is no query, or a limit that it is over: [`MAX_LEN`],
/// [`MAX_DEPTH`], [`MAX_NESTED`], [`MAX_CLAUSES`], [`super::MAX_REGEXES`].
pub fn parse(text: &str, syntax: Syntax) -> Result<Parsed, ParseError> {
    if text.len() > MAX_LEN {
        let expected = format!("a query of at most {MAX_LEN} bytes");
        return Err(ParseError::new(MAX_LEN, expected, format!("{} bytes", text.len())));
    }
    let mut parser = Parser {
        text,
        syntax,
        at: 0,
        lenient: false,
        depth: 0,
        nested: 0,
        clauses: 0,
        regexes: 0,
        literal: 0,
    };
    let query = parser.whole()?;
    Ok(Parsed { query, lenient: parser.lenient })
}

/// A place in a query.
struct Parser<'a> {
    text: &'a str,
    syntax: Syntax,
    /// The next unread byte.
    at: usize,
    /// Whether a lenient form was met.
    lenient: bool,
    depth: usize,
    nested: usize,
    clauses: usize,
    regexes: usize,
    /// Where the last literal began, for advice.
    literal: usize,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Result<Query, ParseError> {
        self.skip_blanks();
        if self.rest().is_empty() {
            return Ok(Query::All);
        }
        let query = self.or(None)?;
        self.skip_blanks();
        if self.rest().is_empty() { Ok(query) } else { Err(self.leftover("the end of the query")) }
    }

    fn or(&mut self, list: Option<&Field>) -> Result<Query, ParseError> {
        let first = self.and(list)?;
        let mut parts = vec![first];
        while self.take_between("or") {
            parts.push(self.and(list)?);
        }
        Ok(single(parts).unwrap_or_else(Query::Or))
    }

    fn and(&mut self, list: Option<&Field>) -> Result<Query, ParseError> {
        let first = self.unary(list)?;
        let mut parts = vec![first];
        while self.take_between("and") {
            parts.push(self.unary(list)?);
        }
        Ok(single(parts).unwrap_or_else(Query::And))
    }

    fn unary(&mut self, list: Option<&Field>) -> Result<Query, ParseError> {
        if !self.take_not() {
            return self.primary(list);
        }
        let query = if self.is_loose() && self.keyword(self.at, "not").is_some() {
            self.lenient = true;
            self.enter()?;
            let query = self.unary(list)?;
            self.depth -= 1;
            query
        } else {
            self.primary(list)?
        };
        Ok(Query::Not(Box::new(query)))
    }

    fn primary(&mut self, list: Option<&Field>) -> Result<Query, ParseError> {
        if self.rest().starts_with('(') {
            return self.group(list);
        }
        match list {
            Some(field) => self.value(field),
            None => self.expression(),
        }
    }

    /// `( or )`, of a query or of a list of values.
    fn group(&mut self, list: Option<&Field>) -> Result<Query, ParseError> {
        let open = self.at;
        self.enter()?;
        self.at += 1;
        self.skip_blanks();
        let query = self.or(list)?;
        self.close(open, ')')?;
        self.depth -= 1;
        Ok(query)
    }

    /// A literal alone, or a field and what is asked of it.
    fn expression(&mut self) -> Result<Query, ParseError> {
        if let Some(query) = self.regex(None)? {
            return Ok(query);
        }
        let literal = self.name_or_value("a field, a value or `(`")?;
        let end = self.at;
        self.skip_blanks();
        if self.take(":") {
            self.skip_blanks();
            let field = Field::from(literal);
            return match self.peek() {
                Some('{') => self.nested(field),
                Some('(') => self.group(Some(&field)),
                _ => self.value(&field),
            };
        }
        if let Some(op) = self.take_comparison() {
            self.skip_blanks();
            let value = self.literal_value(&format!("a value after `{}`", op.symbol()))?;
            self.count()?;
            return Ok(Query::Range { field: Field::from(literal), op, value });
        }
        // The blanks are needed by the operator that may follow.
        self.at = end;
        self.count()?;
        Ok(Query::Is { field: None, value: literal })
    }

    /// `{ or }` after `field:`.
    fn nested(&mut self, field: Field) -> Result<Query, ParseError> {
        let open = self.at;
        if self.nested == MAX_NESTED {
            let expected = format!("at most {MAX_NESTED} nested fields in each other");
            return Err(ParseError::new(open, expected, "one more"));
        }
        self.enter()?;
        self.nested += 1;
        self.at += 1;
        self.skip_blanks();
        let query = self.or(None)?;
        self.close(open, '}')?;
        self.nested -= 1;
        self.depth -= 1;
        Ok(Query::Nested { field, query: Box::new(query) })
    }

    /// One value of `field`.
    fn value(&mut self, field: &Field) -> Result<Query, ParseError> {
        if let Some(query) = self.regex(Some(field))? {
            return Ok(query);
        }
        if let Some(query) = self.interval(field)? {
            return Ok(query);
        }
        let value = self.literal_value("a value, `(` or `{`")?;
        self.count()?;
        Ok(Query::is(field.clone(), value))
    }

    /// What closes the group that `open` opened.
    fn close(&mut self, open: usize, bracket: char) -> Result<(), ParseError> {
        self.skip_blanks();
        if self.rest().starts_with(bracket) {
            self.at += bracket.len_utf8();
            return Ok(());
        }
        Err(if self.rest().is_empty() {
            let opened = self.text.get(open..).and_then(|text| text.chars().next()).unwrap_or('(');
            self.unexpected(format!("`{bracket}` for the `{opened}` at {open}"))
        } else {
            self.leftover(&format!("`{bracket}`"))
        })
    }

    fn enter(&mut self) -> Result<(), ParseError> {
        if self.depth == MAX_DEPTH {
            let expected = format!("at most {MAX_DEPTH} groups in each other");
            return Err(ParseError::new(self.at, expected, "one more"));
        }
        self.depth += 1;
        Ok(())
    }

    /// Counts one more leaf.
    fn count(&mut self) -> Result<(), ParseError> {
        if self.clauses == MAX_CLAUSES {
            let expected = format!("at most {MAX_CLAUSES} conditions");
            return Err(ParseError::new(self.at, expected, "one more"));
        }
        self.clauses += 1;
        Ok(())
    }

    /// Takes `and` or `or` between two operands, with the blanks round it.
    fn take_between(&mut self, word: &str) -> bool {
        let blanks = blanks(self.rest());
        let Some(end) = self.keyword(self.at + blanks, word).filter(|_| blanks > 0) else {
            return false;
        };
        self.at = end;
        self.after_keyword();
        true
    }

    /// Takes `not` before an operand.
    fn take_not(&mut self) -> bool {
        let Some(end) = self.keyword(self.at, "not") else {
            return false;
        };
        self.at = end;
        self.after_keyword();
        true
    }

    fn after_keyword(&mut self) {
        self.lenient |= self.rest().starts_with('(');
        self.skip_blanks();
    }

    /// Where `word` ends, if it stands at `at` as a keyword: a blank follows, or leniently `(`.
    fn keyword(&self, at: usize, word: &str) -> Option<usize> {
        let rest = self.text.get(at..)?;
        rest.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word))?;
        let next = rest.get(word.len()..)?.chars().next()?;
        (is_blank(next) || next == '(' && self.is_loose()).then_some(at + word.len())
    }

    fn take_comparison(&mut self) -> Option<RangeOp> {
        // The longer ones first, as the shorter begin them.
        let all = [RangeOp::Lte, RangeOp::Gte, RangeOp::Lt, RangeOp::Gt];
        all.into_iter().find(|op| self.take(op.symbol()))
    }

    fn take(&mut self, symbol: &str) -> bool {
        let is_here = self.rest().starts_with(symbol);
        if is_here {
            self.at += symbol.len();
        }
        is_here
    }

    fn skip_blanks(&mut self) {
        self.at += blanks(self.rest());
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn is_loose(&self) -> bool {
        self.syntax == Syntax::Lenient
    }

    #[cold]
    fn unexpected(&self, expected: impl Into<String>) -> ParseError {
        ParseError::new(self.at, expected, describe(self.rest()))
    }

    /// Something follows a whole operand that cannot.
    #[cold]
    fn leftover(&self, end: &str) -> ParseError {
        let before = self.text.get(self.literal..self.at).unwrap_or_default();
        let expected = match self.peek() {
            Some(':') if before.contains(" && ") => "`and` instead of `&&`".to_owned(),
            Some(':') if before.contains(" || ") => "`or` instead of `||`".to_owned(),
            Some(':') => {
                format!("`and`, `or` or {end}; a value that holds `:` goes in quotes")
            }
            Some('n' | 'N') if self.keyword(self.at, "not").is_some() => {
                if before.ends_with(is_blank) || before.is_empty() {
                    "`and not` or `or not`".to_owned()
                } else {
                    format!("`and`, `or` or {end}; words that end in `not` go in quotes")
                }
            }
            Some('(') if ends_in_operator(before) => "a blank before `(`".to_owned(),
            Some('a' | 'A' | 'o' | 'O') if self.is_operator_ahead() => {
                "a blank on each side of the operator, and a value after it".to_owned()
            }
            _ => format!("`and`, `or` or {end}"),
        };
        self.unexpected(expected)
    }

    /// Whether `and` or `or` is next, if perhaps without its blanks.
    fn is_operator_ahead(&self) -> bool {
        let word = self.rest().split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        ["and", "or"].iter().any(|operator| word.eq_ignore_ascii_case(operator))
    }
}

/// The only one, or the many.
fn single(mut parts: Vec<Query>) -> Result<Query, Vec<Query>> {
    match parts.pop() {
        Some(part) if parts.is_empty() => Ok(part),
        last => {
            parts.extend(last);
            Err(parts)
        }
    }
}

fn ends_in_operator(text: &str) -> bool {
    let word = text.rsplit(is_blank).next().unwrap_or_default();
    ["and", "or", "not"].iter().any(|operator| word.eq_ignore_ascii_case(operator))
}

/// The bytes of blanks that `text` begins with.
fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_blank).len()
}

/// What parts words and operators.
const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{a0}')
}

#[cfg(test)]
mod tests;
