//! `logtrace verify`: whether an audit log is as it was signed.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::audit_args::VerifyArgs;
use super::failure::Failure;
use super::folder;
use crate::audit::verify::{self, Fault, Segments, Trust, Verified};
use crate::audit::{PublicKey, SignedNote};
use crate::db::Db;
use crate::store::{segment_hash, segment_ids};

/// Verifies a bundle, or the log and the segments of a data folder.
pub(super) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let mut keys = Vec::new();
    for key in &args.key {
        // A key, or the file that has it.
        let text = std::fs::read_to_string(key).unwrap_or_else(|_| key.clone());
        let wrong = || {
            Failure::Usage(format!(
                "expected a key, NAME+HASH+KEY, or a file with one, but found {key:?}"
            ))
        };
        keys.push(PublicKey::read(&text).ok_or_else(wrong)?);
    }
    let trust = Trust { keys, anchor: args.anchor.as_deref().map(anchor).transpose()? };
    let mut shown = Shown::new(args.json);
    let each = |count| shown.show(count);
    let done = match (&args.bundle, &args.data) {
        (Some(path), _) => {
            let file = File::open(path);
            let file =
                file.map_err(|error| Failure::new(format_args!("{}: {error}", path.display())))?;
            verify::bundle(BufReader::new(file), &trust, each)
        }
        (None, Some(data)) => {
            let db = folder::open(data)?;
            verify::data(&db, &Stored(&db), &trust, each)
        }
        (None, None) => {
            Err(Fault { entry: None, what: "expected a bundle or `--data`".to_owned() })
        }
    };
    show(args.json, done, &mut io::stdout().lock())
}

/// A checkpoint in a file.
pub(super) fn anchor(path: &Path) -> Result<SignedNote, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Failure::new(format_args!("{}: {error}", path.display())))?;
    let wrong = || {
        Failure::new(format_args!(
            "{}: expected a checkpoint, but found something else",
            path.display()
        ))
    };
    SignedNote::read(&text).ok_or_else(wrong)
}

fn show(json: bool, done: Result<Verified, Fault>, output: &mut impl Write) -> Result<(), Failure> {
    let done = match done {
        Ok(done) => done,
        Err(Fault { entry, what }) => {
            if json {
                writeln!(output, "{}", json!({"good": false, "entry": entry, "what": what}))?;
            }
            return Err(Failure::Failed(what));
        }
    };
    if json {
        let mut said = json!(done);
        if let Some(said) = said.as_object_mut() {
            said.insert("good".to_owned(), true.into());
        }
        return Ok(writeln!(output, "{said}")?);
    }
    let Verified { origin, from, to, checkpoints, keys, segments, notes, .. } = done;
    let count = to - from;
    writeln!(
        output,
        "{origin}: nothing was changed, dropped or reordered: {count} entries, from {from} on, as {checkpoints} checkpoints say"
    )?;
    if segments > 0 {
        writeln!(output, "{segments} segments are as they were sealed")?;
    }
    for key in keys {
        writeln!(output, "signed by {key}")?;
    }
    output.flush()?;
    for note in notes {
        writeln!(io::stderr(), "logtrace: {note}")?;
    }
    Ok(())
}

/// The segments of a store.
struct Stored<'d>(&'d Db);

impl Segments for Stored<'_> {
    fn ids(&self) -> Result<Vec<u64>, String> {
        segment_ids(self.0).map_err(|error| error.to_string())
    }

    fn hash(&self, id: u64) -> Result<String, String> {
        segment_hash(self.0, id).map_err(|error| error.to_string())
    }
}

/// How far it is, for whoever watches.
enum Shown {
    Bar(indicatif::ProgressBar),
    Lines(Instant),
    Quiet,
}

impl Shown {
    fn new(json: bool) -> Self {
        match (json, io::stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bar(indicatif::ProgressBar::new_spinner()),
            (false, false) => Self::Lines(Instant::now() + EVERY),
        }
    }

    fn show(&mut self, count: u64) {
        match self {
            Self::Bar(bar) => {
                bar.set_message(format!("{count} verified"));
                bar.tick();
            }
            Self::Lines(due) if Instant::now() >= *due => {
                *due = Instant::now() + EVERY;
                // Nobody may be there to see it.
                writeln!(io::stderr(), "logtrace: {count} verified").ok();
            }
            Self::Lines(_) | Self::Quiet => {}
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// How often a line is written.
const EVERY: Duration = Duration::from_secs(5);
