//! Values that the environment or the command line put in place of the file's.

use toml::{Table, Value};

use super::error::Problem;

/// A value for a dotted key, and where it was given.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Override {
    pub(super) place: String,
    pub(super) key: String,
    value: Value,
}

/// What variables of the form `LOGTRACE_SECTION__KEY` say, and `LOGTRACE_DATA_DIR`. Others that
/// begin alike, such as `LOGTRACE_SERVER`, are not the configuration's.
pub(super) fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Override> {
    let mut overrides: Vec<Override> = variables
        .filter_map(|(name, value)| {
            let key = name.strip_prefix("LOGTRACE_")?;
            let known = key.contains("__") || key == "DATA_DIR";
            let key = key.to_ascii_lowercase().replace("__", ".");
            known.then(|| Override { place: name, key, value: literal(&value) })
        })
        .collect();
    overrides.sort_by(|a, b| a.place.cmp(&b.place));
    overrides
}

/// What `--set section.key=value` says.
pub(super) fn from_option(option: &str) -> Result<Override, Problem> {
    let place = format!("--set {option}");
    match option.split_once('=') {
        Some((key, value)) => {
            Ok(Override { place, key: key.trim().to_owned(), value: literal(value.trim()) })
        }
        None => Err(Problem {
            place,
            line: None,
            key: None,
            what: "expected section.key=value, but found no \"=\"".to_owned(),
        }),
    }
}

impl Override {
    /// A value given by the program itself for one of its options.
    pub(super) fn new(place: &str, key: &str, value: &str) -> Self {
        Self {
            place: place.to_owned(),
            key: key.to_owned(),
            value: Value::String(value.to_owned()),
        }
    }

    /// Puts the value into `table`.
    pub(super) fn apply(&self, table: &mut Table) -> Result<(), Problem> {
        let mut path: Vec<&str> = self.key.split('.').collect();
        let last = path.pop().unwrap_or_default();
        let mut at = table;
        for part in path {
            let entry = at.entry(part).or_insert_with(|| Value::Table(Table::new()));
            at = match entry {
                Value::Table(table) => table,
                _ => return Err(self.problem("expected a section, but found a value".to_owned())),
            };
        }
        at.insert(last.to_owned(), self.value.clone());
        Ok(())
    }

    pub(super) fn problem(&self, what: String) -> Problem {
        Problem { place: self.place.clone(), line: None, key: Some(self.key.clone()), what }
    }
}

/// A TOML value where the text is one, else the text itself: `5`, `true`, `"x"` and `1 MiB` alike.
fn literal(text: &str) -> Value {
    let read = toml::from_str::<Table>(&format!("value = {text}"));
    let value = read.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}
