//! The tree of a query: what was asked, free of how it was written.

use serde_json::{Value, json};

/// Which language is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syntax {
    /// Kibana's, and the forms that the table of [`crate::kql`] lists.
    #[default]
    Lenient,
    /// Kibana's alone.
    Strict,
}

/// A query, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Every event.
    All,
    /// All of two or more.
    And(Vec<Self>),
    /// At least one of two or more.
    Or(Vec<Self>),
    /// What does not match.
    Not(Box<Self>),
    /// `field:value`, or a bare value, which asks every field.
    Is {
        /// The fields asked; `None` is all of them.
        field: Option<Field>,
        /// What they must be.
        value: Literal,
    },
    /// `field < value` and its like.
    Range {
        /// The fields asked.
        field: Field,
        /// The comparison.
        op: RangeOp,
        /// What they are compared with.
        value: Literal,
    },
    /// `field:*`: there is a value, and it is not `null`.
    Exists(Field),
    /// `field:{ query }`: some object under `field` matches, by the names of its own members.
    Nested {
        /// Where the objects are.
        field: Field,
        /// What one of them must match.
        query: Box<Self>,
    },
    /// `field:~/pattern/`, lenient only: the pattern occurs in the value.
    Regex {
        /// The fields asked; `None` is all of them.
        field: Option<Field>,
        /// In the syntax of the `regex` crate.
        pattern: String,
    },
}

/// The name of a field, or of several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// This one, dotted.
    Name(String),
    /// All that these pieces, joined by anything, spell: `user.*` is `["user.", ""]`.
    Wild(Vec<String>),
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Unquoted: numbers stay the text they are.
    Term(String),
    /// Quoted.
    Phrase(String),
    /// Unquoted with `*`: the pieces between the stars, at least two.
    Wild(Vec<String>),
    /// `true` or `false`, unquoted.
    Bool(bool),
    /// `null`, unquoted.
    Null,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeOp {
    /// `>`
    Gt,
    /// `>=`
    Gte,
    /// `<`
    Lt,
    /// `<=`
    Lte,
}

/// A query that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Its tree.
    pub query: Query,
    /// Whether it needed a form that Kibana does not have.
    pub lenient: bool,
}

impl Query {
    /// `field:value`, where `field:*` asks for existence and `*:*` for everything.
    pub(super) fn is(field: Field, value: Literal) -> Self {
        if !value.is_star() {
            return Self::Is { field: Some(field), value };
        }
        if field.is_star() { Self::All } else { Self::Exists(field) }
    }

    /// The tree as JSON.
    ///
    /// `{"and":[…]}`, `{"or":[…]}`, `{"not":…}`, `{"is":{"field","value"}}`,
    /// `{"range":{"field","op","value"}}`, `{"exists":field}`, `{"nested":{"field","query"}}`,
    /// `{"regex":{"field","pattern"}}`, `{"all":true}`. A field is text, `{"wild":[…]}`, or `null`
    /// for all; a value `{"term"}`, `{"phrase"}`, `{"wild"}`, `{"bool"}` or `{"null":true}`.
    pub fn to_json(&self) -> Value {
        let all = |parts: &[Self]| Value::Array(parts.iter().map(Self::to_json).collect());
        match self {
            Self::All => json!({"all": true}),
            Self::And(parts) => json!({"and": all(parts)}),
            Self::Or(parts) => json!({"or": all(parts)}),
            Self::Not(query) => json!({"not": query.to_json()}),
            Self::Is { field, value } => {
                json!({"is": {"field": optional(field), "value": value.to_json()}})
            }
            Self::Range { field, op, value } => {
                let (field, value) = (field.to_json(), value.to_json());
                json!({"range": {"field": field, "op": op.as_str(), "value": value}})
            }
            Self::Exists(field) => json!({"exists": field.to_json()}),
            Self::Nested { field, query } => {
                json!({"nested": {"field": field.to_json(), "query": query.to_json()}})
            }
            Self::Regex { field, pattern } => {
                json!({"regex": {"field": optional(field), "pattern": pattern}})
            }
        }
    }
}

impl Field {
    /// Whether this is, or includes, the field called `name`.
    pub fn accepts(&self, name: &str) -> bool {
        let pieces = match self {
            Self::Name(own) => return own == name,
            Self::Wild(pieces) => pieces,
        };
        let Some((first, rest)) = pieces.split_first() else { return false };
        let Some((last, middle)) = rest.split_last() else { return false };
        let inner = name.strip_prefix(first.as_str());
        let Some(mut inner) = inner.and_then(|name| name.strip_suffix(last.as_str())) else {
            return false;
        };
        for piece in middle {
            let Some((_, after)) = inner.split_once(piece.as_str()) else { return false };
            inner = after;
        }
        true
    }

    /// The same field below `prefix`: `name` below `user` is `user.name`.
    pub(super) fn below(&self, prefix: &Self) -> Self {
        let mut pieces = prefix.pieces().to_vec();
        let Some((first, rest)) = self.pieces().split_first() else { return prefix.clone() };
        if let Some(last) = pieces.last_mut() {
            last.push('.');
            last.push_str(first);
        }
        pieces.extend_from_slice(rest);
        match pieces.pop() {
            Some(name) if pieces.is_empty() => Self::Name(name),
            last => Self::Wild(pieces.into_iter().chain(last).collect()),
        }
    }

    /// Every field.
    pub(super) fn star() -> Self {
        Self::Wild(vec![String::new(); 2])
    }

    /// Whether it is a lone `*`.
    fn is_star(&self) -> bool {
        matches!(self, Self::Wild(pieces) if is_star(pieces))
    }

    /// What stands between the stars.
    fn pieces(&self) -> &[String] {
        match self {
            Self::Name(name) => std::slice::from_ref(name),
            Self::Wild(pieces) => pieces,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Name(name) => json!(name),
            Self::Wild(pieces) => json!({"wild": pieces}),
        }
    }
}

impl Literal {
    /// Whether it is a lone `*`.
    pub(super) fn is_star(&self) -> bool {
        matches!(self, Self::Wild(pieces) if is_star(pieces))
    }

    /// Its text, if it is a text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Term(text) | Self::Phrase(text) => Some(text),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Null => Some("null"),
            Self::Wild(_) => None,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Term(text) => json!({"term": text}),
            Self::Phrase(text) => json!({"phrase": text}),
            Self::Wild(pieces) => json!({"wild": pieces}),
            Self::Bool(truth) => json!({"bool": truth}),
            Self::Null => json!({"null": true}),
        }
    }
}

/// What stands before a colon or a comparison names a field, whatever else it could be.
impl From<Literal> for Field {
    fn from(literal: Literal) -> Self {
        match literal {
            Literal::Wild(pieces) => Self::Wild(pieces),
            Literal::Term(text) | Literal::Phrase(text) => Self::Name(text),
            Literal::Bool(_) | Literal::Null => {
                Self::Name(literal.as_text().unwrap_or_default().to_owned())
            }
        }
    }
}

impl RangeOp {
    /// The name in the tree's JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
        }
    }

    /// As it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Lt => "<",
            Self::Lte => "<=",
        }
    }
}

/// Whether there is one star and nothing round it.
fn is_star(pieces: &[String]) -> bool {
    pieces.len() == 2 && pieces.iter().all(String::is_empty)
}

fn optional(field: &Option<Field>) -> Value {
    field.as_ref().map_or(Value::Null, Field::to_json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wild(pattern: &str) -> Field {
        match pattern.split('*').map(str::to_owned).collect::<Vec<_>>() {
            pieces if pieces.len() == 1 => Field::Name(pieces[0].clone()),
            pieces => Field::Wild(pieces),
        }
    }

    #[test]
    fn fields_accept_names() {
        let table = [
            ("a", "a", true),
            ("a", "A", false),
            ("*", "", true),
            ("user.*", "user.name", true),
            ("user.*", "user", false),
            ("*.id", "user.id", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("größe*", "größe.x", true),
        ];
        for (pattern, name, want) in table {
            assert_eq!(wild(pattern).accepts(name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn fields_go_below_others() {
        let table = [
            ("a", "b", "a.b"),
            ("a*", "b", "a*.b"),
            ("a", "*b", "a.*b"),
            ("a*b", "c*d", "a*b.c*d"),
        ];
        for (prefix, field, want) in table {
            assert_eq!(wild(field).below(&wild(prefix)), wild(want));
        }
    }
}
