//! Message templates: what is left of a text where its variables are.
//!
//! A token, which is a maximal run of ASCII letters, digits, `_` and all that is not ASCII, is a
//! variable if it holds an ASCII digit. In a template [`VARIABLE`] stands for each.

use super::bitmap::Bitmap;
use crate::store::Column;

/// Calls `each` with the template of the value of every row of `within` that has one.
pub(super) fn for_each_template(
    column: &Column,
    within: &Bitmap,
    mut each: impl FnMut(&[u8], u32),
) {
    let mut scratch = Vec::new();
    column.for_each(|row, value| {
        if within.contains(row) {
            scratch.clear();
            template(value.bytes, &mut scratch);
            each(&scratch, row);
        }
    });
}

/// Appends the template of `text`.
fn template(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let constant = rest.iter().position(|byte| is_token(*byte)).unwrap_or(rest.len());
        let (constant, more) = rest.split_at_checked(constant).unwrap_or((rest, &[]));
        out.extend_from_slice(constant);
        let token = more.iter().position(|byte| !is_token(*byte)).unwrap_or(more.len());
        let (token, more) = more.split_at_checked(token).unwrap_or((more, &[]));
        match token.iter().any(u8::is_ascii_digit) {
            true => out.extend_from_slice(VARIABLE),
            false => out.extend_from_slice(token),
        }
        rest = more;
    }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// What stands for a variable.
const VARIABLE: &[u8] = b"<*>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_with_a_digit_are_variables() {
        let table = [
            ("", ""),
            ("17", "<*>"),
            ("connection refused", "connection refused"),
            ("timeout on db-primary-07 after 120 ms", "timeout on db-primary-<*> after <*> ms"),
            ("10.1.2.3:80", "<*>.<*>.<*>.<*>:<*>"),
            ("user_17=a", "<*>=a"),
            ("größe17 straße", "<*> straße"),
            ("rt=0.003s", "rt=<*>.<*>"),
            ("  x1 ", "  <*> "),
        ];
        for (text, want) in table {
            let mut out = Vec::new();
            template(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{text}");
        }
    }
}
