//! Values for a program for tables, as rows (RFC 4180).
//!
//! Such programs take text that begins like a formula for one, and what is shown was written by
//! strangers: such text gets a `'` in front.

use serde_json::Value;

/// Rows as text.
pub(super) fn written(rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let terminator = csv::Terminator::CRLF;
    let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row).expect("memory takes all, and rows are of one length");
    }
    writer.into_inner().expect("memory takes all")
}

/// A value as a cell.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => safe(text),
        // What is below zero is a number, and begins with a `-` by right.
        Value::Number(number) => number.to_string(),
        other => safe(&other.to_string()),
    }
}

/// The heading of a column: the name of its field, and of `@timestamp` without what makes a formula
/// of it.
pub(super) fn heading(name: &str) -> String {
    safe(name.strip_prefix('@').unwrap_or(name))
}

/// Text that no program for tables takes for a formula.
fn safe(text: &str) -> String {
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1", "＝1"] {
            assert_eq!(cell(&json!(text)), format!("'{text}"), "{text:?}");
        }
        let table = [
            (json!("a=b"), "a=b"),
            (json!(-5), "-5"),
            (json!(null), ""),
            (json!(true), "true"),
            (json!([{"field": "x"}]), r#"[{"field":"x"}]"#),
            (json!("2026-06-15T12:00:00.000Z"), "2026-06-15T12:00:00.000Z"),
        ];
        for (value, want) in table {
            assert_eq!(cell(&value), want);
        }
    }

    #[test]
    fn no_heading_is_a_formula() {
        for (name, want) in [("@timestamp", "timestamp"), ("=1", "'=1"), ("@=1", "'=1")] {
            assert_eq!(heading(name), want);
        }
    }

    #[test]
    fn what_parts_cells_is_quoted() {
        let row = ["a,b", "c\"d", "e\r\nf", ""].map(str::to_owned).to_vec();
        assert_eq!(written(std::iter::once(row)), b"\"a,b\",\"c\"\"d\",\"e\r\nf\",\r\n");
    }
}
