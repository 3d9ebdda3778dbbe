//! Entries for a spreadsheet.

use std::io::Write;

use super::entry::Entry;

/// Writes entries as rows (RFC 4180), with a row of names in front.
#[derive(Debug)]
pub struct Rows<W: Write>(csv::Writer<W>);

impl<W: Write> Rows<W> {
    /// Rows to be written there.
    ///
    /// # Errors
    ///
    /// Nobody takes them.
    pub fn new(to: W) -> csv::Result<Self> {
        let mut rows = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(to);
        rows.write_record(NAMES)?;
        Ok(Self(rows))
    }

    /// Writes a row.
    ///
    /// # Errors
    ///
    /// Nobody takes it.
    pub fn add(&mut self, entry: &Entry) -> csv::Result<()> {
        let detail = |name| entry.details.get(name).map(ToString::to_string).unwrap_or_default();
        let row = [
            entry.index.to_string(),
            entry.time.clone(),
            entry.actor.clone(),
            entry.operator.clone().unwrap_or_default(),
            entry.address.map(|address| address.to_string()).unwrap_or_default(),
            entry.event.clone(),
            entry.resource.clone(),
            detail("old"),
            detail("new"),
            entry.previous.clone(),
        ];
        self.0.write_record(row.iter().map(|cell| inert(cell).into_owned()))
    }

    /// Where they were written to.
    ///
    /// # Errors
    ///
    /// Nobody takes the last of them.
    pub fn finish(self) -> std::io::Result<W> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// The text of a cell that no spreadsheet takes for a formula: those begin with one of these, or
/// with its full-width form, also behind white space.
fn inert(text: &str) -> std::borrow::Cow<'_, str> {
    let begins = text.trim_start().starts_with(FORMULA) || text.starts_with(['\t', '\r', '\n']);
    if begins { format!("'{text}").into() } else { text.into() }
}

const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

const NAMES: [&str; 10] = [
    "index", "time", "actor", "operator", "address", "event", "resource", "old", "new", "previous",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Act, Hash, Who};
    use crate::time::Timestamp;

    #[test]
    fn co_13_no_cell_is_a_formula_and_a_reader_reads_them_all() {
        let hostile =
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", " =1", "a,\"b\"\r\nc", "a"];
        let mut rows = Rows::new(Vec::new()).unwrap();
        for text in hostile {
            let who = Who { actor: text.to_owned(), ..Who::default() };
            let act = Act::new("a.b", text);
            let entry = Entry::new(0, Hash::default(), Timestamp::from_micros(0), &who, act);
            rows.add(&entry).unwrap();
        }
        let text = rows.finish().unwrap();
        let mut reader = csv::Reader::from_reader(&*text);
        assert_eq!(reader.headers().unwrap(), &NAMES[..]);
        for (row, text) in reader.records().zip(hostile) {
            let row = row.unwrap();
            let (actor, resource) = (row.get(2).unwrap(), row.get(6).unwrap());
            assert_eq!(actor, resource);
            assert_eq!(actor.trim_start_matches('\''), text);
            assert!(!actor.trim_start().starts_with(FORMULA) && !actor.starts_with(['\t', '\r']));
        }
    }
}
