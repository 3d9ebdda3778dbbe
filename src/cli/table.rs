//! Tables on a terminal.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use super::visible::visible;

/// A table of `rows` with a column for each of `fields`: its title, and its name in the rows.
///
/// On a terminal it is as wide as that; elsewhere as it needs. No row breaks a line or moves a
/// cursor, whatever is in it.
pub(super) fn table(fields: &[(&str, &str)], rows: &[Map<String, Value>]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(fields.iter().map(|(title, _)| visible(title)));
    for row in rows {
        table.add_row(fields.iter().map(|(_, name)| row.get(*name).map(cell).unwrap_or_default()));
    }
    table.trim_fmt()
}

/// A value in a table.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => visible(text),
        Value::Array(values) if values.iter().all(|value| !value.is_object()) => {
            values.iter().map(cell).collect::<Vec<_>>().join(", ")
        }
        _ => visible(&value.to_string()),
    }
}
