//! Writes a tree as KQL that both syntaxes read back to the same tree.

use super::query::{Field, Literal, Query};

impl Query {
    /// The query in Kibana's syntax: reading it, strictly or leniently, gives this tree again.
    ///
    /// Only a [`Query::Regex`] has no such form; it is written in ours.
    pub fn to_kql(&self) -> String {
        match self {
            Self::All => "*:*".to_owned(),
            Self::And(parts) => {
                let is_group = |part: &Self| matches!(part, Self::And(_) | Self::Or(_));
                join(parts.iter().map(|part| part.operand(is_group(part))).collect(), " and ")
            }
            Self::Or(parts) => {
                let is_group = |part: &Self| matches!(part, Self::Or(_));
                join(parts.iter().map(|part| part.operand(is_group(part))).collect(), " or ")
            }
            Self::Not(query) => {
                let is_group = matches!(**query, Self::And(_) | Self::Or(_) | Self::Not(_));
                format!("not {}", query.operand(is_group))
            }
            Self::Is { field: None, value } => value.to_kql(),
            Self::Is { field: Some(field), value } => {
                format!("{}:{}", field.to_kql(), value.to_kql())
            }
            Self::Range { field, op, value } => {
                let (name, op, value) = (field.to_kql(), op.symbol(), value.to_kql());
                // A blank after a name that ends in `not` would make a keyword of it.
                let blank = if ends_in_not(&name) { "" } else { " " };
                format!("{name}{blank}{op} {value}")
            }
            Self::Exists(field) => format!("{}:*", field.to_kql()),
            Self::Nested { field, query } => format!("{}:{{ {} }}", field.to_kql(), {
                let text = query.to_kql();
                if ends_in_not(&text) { spell_last(text) } else { text }
            }),
            Self::Regex { field, pattern } => {
                let pattern = pattern.replace('/', "\\/");
                match field {
                    Some(field) => format!("{}:~/{pattern}/", field.to_kql()),
                    None => format!("~/{pattern}/"),
                }
            }
        }
    }

    fn operand(&self, is_group: bool) -> String {
        if is_group { format!("({})", self.to_kql()) } else { self.to_kql() }
    }
}

impl Field {
    fn to_kql(&self) -> String {
        let name = match self {
            Self::Wild(pieces) => return unquoted(pieces),
            Self::Name(name) => name,
        };
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-' | '#');
        if !name.is_empty() && name.chars().all(is_plain) { name.clone() } else { quoted(name) }
    }
}

impl Literal {
    fn to_kql(&self) -> String {
        match self {
            Self::Term(text) => unquoted(std::slice::from_ref(text)),
            Self::Wild(pieces) => unquoted(pieces),
            Self::Phrase(text) => quoted(text),
            Self::Bool(truth) => truth.to_string(),
            Self::Null => "null".to_owned(),
        }
    }
}

/// Joins operands; one that ends in `not` must not meet the blank that follows it.
fn join(mut parts: Vec<String>, operator: &str) -> String {
    let last = parts.pop();
    let spelt =
        parts.into_iter().map(|part| if ends_in_not(&part) { spell_last(part) } else { part });
    spelt.chain(last).collect::<Vec<_>>().join(operator)
}

/// The same literal with its last letter as an escape.
fn spell_last(mut text: String) -> String {
    if let Some(c) = text.pop() {
        text.push_str(&escaped(c));
    }
    text
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The pieces with `*` between them, and escapes where a character or a word means something else.
fn unquoted(pieces: &[String]) -> String {
    let mut raw = String::new();
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            raw.push('*');
        }
        for c in piece.chars() {
            match c {
                '\\' | '(' | ')' | ':' | '<' | '>' | '"' | '*' | '{' | '}' => raw.extend(['\\', c]),
                '\t' => raw.push_str("\\t"),
                '\r' => raw.push_str("\\r"),
                '\n' => raw.push_str("\\n"),
                _ => raw.push(c),
            }
        }
    }
    if raw.is_empty() {
        // Blanks that are trimmed away, but not before they were something.
        return "\\t".to_owned();
    }
    without_keywords(&raw)
}

fn without_keywords(raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw;
    // Leniently these would begin something else.
    if rest.starts_with('[') || rest.starts_with("~/") {
        let mut chars = rest.chars();
        out.extend(chars.next().map(escaped));
        rest = chars.as_str();
    }
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let follows_blank = before.is_some_and(is_blank);
        let keyword = ["and", "or"].into_iter().find(|word| follows_blank && stands(rest, word));
        if keyword.is_some() {
            out.push('\\');
        }
        if is_blank(c) && ends_in_not(&out) {
            out.push_str(&escaped(c));
        } else {
            out.push(c);
        }
        before = Some(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

/// Whether `text` begins with `word`, and a blank or nothing follows.
fn stands(text: &str, word: &str) -> bool {
    let Some((head, rest)) = text.split_at_checked(word.len()) else { return false };
    head.eq_ignore_ascii_case(word) && rest.chars().next().is_none_or(is_blank)
}

fn ends_in_not(text: &str) -> bool {
    let start = text.len().saturating_sub(3);
    text.get(start..).is_some_and(|end| end.eq_ignore_ascii_case("not"))
}

/// `\uXXXX`, for characters that one code unit holds.
fn escaped(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}')
}

#[cfg(test)]
mod tests {
    use super::super::{Syntax, parse};

    #[test]
    fn canonical_forms() {
        let table = [
            ("", "*:*"),
            ("a:1 AND b:(x or \"y z\")", "a:1 and (b:x or b:\"y z\")"),
            ("a:1 or b:2 and not c:3", "a:1 or b:2 and not c:3"),
            ("not not a:1", "not (not a:1)"),
            ("cannot connect", "cannot\\u0020connect"),
            ("message:(cannot or refused)", "message:canno\\u0074 or message:refused"),
            ("a:{b:cannot}", "a:{ b:canno\\u0074 }"),
            ("foo:x \\and y", "foo:x \\and y"),
            ("a: 1 and", "a:1 \\and"),
            ("\"field name\":x", "\"field name\":x"),
            ("url:http://x:80/", "url:http\\://x\\:80/"),
            ("bytes:[1 TO 5}", "bytes >= 1 and bytes < 5"),
            ("path:~/a\\/b/", "path:~/a\\/b/"),
            ("x*not>1", "x*not> 1"),
            ("a:\\t", "a:\\t"),
        ];
        for (text, want) in table {
            let got = parse(text, Syntax::Lenient).unwrap().query.to_kql();
            assert_eq!(got, want, "{text}");
        }
    }
}
