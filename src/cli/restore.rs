//! `logtrace restore`: a data folder of a backup.

use std::io::{self, Write};

use serde_json::Value;

use super::args::RestoreArgs;
use super::backup::row;
use super::failure::Failure;
use super::progress::Shown;
use crate::store::backup;

/// Restores a backup, or only compares it with its hashes.
pub(super) fn run(args: &RestoreArgs) -> Result<(), Failure> {
    let (from, id) = (&args.folder, args.backup.as_deref());
    let mut shown = Shown::new(args.json);
    let done = match &args.data {
        Some(data) => backup::restore(from, id, data, |progress| shown.show(progress)),
        None => backup::check(from, id, |progress| shown.show(progress)),
    };
    drop(shown);
    let manifest = done.map_err(Failure::new)?;
    let output = &mut io::stdout().lock();
    if args.json {
        return Ok(writeln!(output, "{}", Value::Object(row(&manifest)))?);
    }
    let (id, files) = (&manifest.id, manifest.files.len());
    match &args.data {
        Some(data) => {
            writeln!(output, "{id}: {files} files verified and restored to {}", data.display())?;
        }
        None => writeln!(output, "{id}: {files} files verified")?,
    }
    Ok(())
}
