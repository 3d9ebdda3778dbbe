//! Message templates: what is left of a text where its variables are.
//!
//! They are cut as the store cuts them ([`Cutter`]); in a template [`VARIABLE`] stands for each.

use super::bitmap::Bitmap;
use crate::store::{Column, Cutter};

/// Calls `each` with the template of the value of every row of `within` that has one.
pub(super) fn for_each_template(
    column: &Column,
    within: &Bitmap,
    mut each: impl FnMut(&[u8], u32),
) {
    let (mut cutter, mut scratch) = (Cutter::default(), Vec::new());
    column.for_each(|row, value| {
        if within.contains(row) {
            scratch.clear();
            template(value.bytes, &mut cutter, &mut scratch);
            each(&scratch, row);
        }
    });
}

/// Appends the template of `text`.
fn template(text: &[u8], cutter: &mut Cutter, out: &mut Vec<u8>) {
    cutter.cut(text);
    let mut from = 0;
    for (start, end) in &cutter.variables {
        out.extend_from_slice(text.get(from..*start).unwrap_or_default());
        out.extend_from_slice(VARIABLE);
        from = *end;
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
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
            template(text.as_bytes(), &mut Cutter::default(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{text}");
        }
    }
}
