//! Shows the answer.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::super::failure::Failure;
use super::super::table::table;
use super::Answer;
use super::args::ReplayArgs;

/// Writes the table to `output`, and what there is to say of it to `notes`.
pub(super) fn show(
    args: &ReplayArgs,
    answer: &Answer,
    output: &mut impl Write,
    notes: &mut impl Write,
) -> Result<(), Failure> {
    let rows = &answer.rows;
    if args.json {
        let all = json!({
            "cut": rows, "interval": answer.interval, "notes": answer.notes,
            "not_looked_at": answer.not_looked_at, "meta": {"partial": answer.is_partial},
        });
        return Ok(writeln!(output, "{all}")?);
    }
    if rows.is_empty() {
        writeln!(output, "{}", answer.nobody)?;
    } else {
        let rows: Vec<Map<_, _>> = rows.iter().filter_map(Value::as_object).cloned().collect();
        writeln!(output, "{}", table(answer.columns, &rows))?;
    }
    output.flush()?;
    for note in &answer.notes {
        writeln!(notes, "logtrace: {note}")?;
    }
    if answer.not_looked_at > 0 {
        let rest = answer.not_looked_at;
        writeln!(notes, "logtrace: {rest} of those who sent least were not looked at")?;
    }
    if answer.is_partial {
        writeln!(notes, "logtrace: some may be missing")?;
    }
    Ok(())
}
