//! Looks into a value that was kept as JSON text, for those who read events.

use super::MAX_DEPTH;
use super::error::JsonError;
use super::scan::{Scanner, Token};
use crate::event::{Kind, ValueRef};

/// Calls `each` with every scalar at the dotted `path` in a JSON text, in the order of the text.
///
/// Arrays are descended into wherever they are and have no part in the path; an empty path means
/// the text itself and what its arrays hold. A name that has dots in it is found by them too.
/// Strings come without escapes. Text that is no JSON yields what stands before its fault.
pub fn scalars(json: &[u8], path: &str, each: &mut dyn FnMut(ValueRef<'_>)) {
    let Ok(text) = std::str::from_utf8(json) else { return };
    let path = Some(path).filter(|path| !path.is_empty());
    // An error ends the search; there is nobody left to tell.
    value(&mut Scanner::new(text), path, 0, each).ok();
}

/// Reads a value; `path` is what is left of the path, `None` at its end.
fn value(
    scan: &mut Scanner<'_>,
    path: Option<&str>,
    depth: u32,
    each: &mut dyn FnMut(ValueRef<'_>),
) -> Result<(), JsonError> {
    let token = scan.value()?;
    if depth >= MAX_DEPTH {
        return Ok(());
    }
    match (token, path) {
        (Token::Array, _) => {
            let mut more = !scan.eat(b']');
            while more {
                value(scan, path, depth + 1, each)?;
                more = scan.more(b']')?;
            }
        }
        (Token::Object, Some(path)) => {
            let mut more = !scan.eat(b'}');
            while more {
                let name = scan.name()?.decode();
                match rest(path, &name) {
                    Some(rest) => value(scan, rest, depth + 1, each)?,
                    None => scan.skip_value(depth)?,
                }
                more = scan.more(b'}')?;
            }
        }
        (Token::Object, None) => scan.skip(b'}', depth)?,
        (_, Some(_)) => {}
        (Token::Text(text), None) => each(ValueRef::text(&text.decode())),
        (Token::Number(digits), None) => each(ValueRef::new(Kind::Number, digits.as_bytes())),
        (Token::Bool(true), None) => each(ValueRef::new(Kind::Bool, b"true")),
        (Token::Bool(false), None) => each(ValueRef::new(Kind::Bool, b"false")),
        (Token::Null, None) => each(ValueRef::new(Kind::Null, b"null")),
    }
    Ok(())
}

/// What is left of `path` below a member of this name, if the path leads there.
fn rest<'p>(path: &'p str, name: &str) -> Option<Option<&'p str>> {
    let rest = path.strip_prefix(name)?;
    if rest.is_empty() { Some(None) } else { rest.strip_prefix('.').map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        scalars(json.as_bytes(), path, &mut |value| {
            found.push(format!("{:?} {}", value.kind, value.to_text()));
        });
        found
    }

    #[test]
    fn scalars_are_found_by_path() {
        let json =
            r#"[1,"t\u0077o",[true,null],{"a":{"b":3,"c":[4]},"a.b":5,"":6},{"a":[{"b":-0}]},{}]"#;
        let table: [(&str, &[&str]); 9] = [
            ("", &["Number 1", "Text two", "Bool true", "Null null"]),
            ("a.b", &["Number 3", "Number 5", "Number -0"]),
            ("a.c", &["Number 4"]),
            ("a", &[]),
            ("a.", &[]),
            ("b", &[]),
            (".", &[]),
            ("a.b.c", &[]),
            ("ab", &[]),
        ];
        for (path, want) in table {
            assert_eq!(found(json, path), want, "{path}");
        }
        assert_eq!(found(r#"{"":{"":7}}"#, "."), ["Number 7"]);
        assert_eq!(found("{}", ""), [""; 0]);
    }

    #[test]
    fn damage_ends_the_search() {
        assert_eq!(found("[1,2", ""), ["Number 1", "Number 2"]);
        assert_eq!(found("[1,x,2]", ""), ["Number 1"]);
        assert_eq!(found(&"[".repeat(1_000_000), ""), [""; 0]);
        let deep = format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
        assert_eq!(found(&deep, &vec!["a"; 1_000].join(".")), [""; 0]);
        scalars(b"[\"\xff\"]", "", &mut |value| panic!("expected nothing, but found {value:?}"));
    }
}
