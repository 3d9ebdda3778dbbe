//! `logtrace backup`, of a running daemon or of a data folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use serde_json::{Map, Value, json};

use super::args::BackupArgs;
use super::client::Client;
use super::failure::Failure;
use super::folder;
use super::progress::Shown;
use super::table::table;
use crate::audit::Act;
use crate::db::{Db, ENGINE};
use crate::ingest::now;
use crate::store::backup::{self, Done, Manifest, Options, Progress};

/// Makes a backup, or lists those that there are.
pub(super) fn run(args: &BackupArgs) -> Result<(), Failure> {
    if args.list {
        return list(args);
    }
    let began = Instant::now();
    let done = match &args.data {
        Some(data) => of_folder(args, data)?,
        None => of_daemon(args, &Client::new(&args.server))?,
    };
    show(args, &done, began.elapsed(), &mut io::stdout().lock())
}

/// A checkpoint of a data folder, gone with this value.
struct Own(PathBuf);

impl Drop for Own {
    fn drop(&mut self) {
        // A daemon that finds it at its start removes it.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn of_folder(args: &BackupArgs, data: &Path) -> Result<Done, Failure> {
    let db = Arc::new(folder::open(data)?);
    let act = Act::new("backup.begun", format!("backup/{}", args.folder.display()));
    folder::audit(&db)?.record(folder::who(), act).map_err(Failure::new)?;
    let own = Own(db.path().join("checkpoints"));
    let path = own.0.join(ENGINE);
    drop(Own(own.0.clone())); // of one that was cut short
    Db::checkpoint(&db, &path).map_err(Failure::new)?;
    drop(db);
    copy(args, &path, || Ok(()))
}

fn of_daemon(args: &BackupArgs, daemon: &Client) -> Result<Done, Failure> {
    let made = daemon.post("/v1/backup", &json!({}))?;
    let text = |name: &str| made.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (path, held) = (PathBuf::from(text("path")), format!("/v1/backup/{}", text("id")));
    let done = if path.is_dir() {
        let mut due = Instant::now() + KEEP_EVERY;
        copy(args, &path, || {
            if Instant::now() >= due {
                due = Instant::now() + KEEP_EVERY;
                daemon.post(&held, &json!({}))?;
            }
            Ok(())
        })
    } else {
        let what = "expected to find the daemon's data on this machine and to be let in";
        Err(Failure::Failed(format!("{}: {what}, but did not", path.display())))
    };
    let released = daemon.delete(&held, &[]);
    done.and_then(|done| released.map(|_| done))
}

/// Copies a checkpoint; `keep` is called again and again meanwhile.
fn copy(
    args: &BackupArgs,
    from: &Path,
    mut keep: impl FnMut() -> Result<(), Failure>,
) -> Result<Done, Failure> {
    let mut shown = Shown::new(args.json);
    let (mut kept, mut done) = (Ok(()), 0);
    let options = Options { keep: args.keep.map(usize::from), full: args.full };
    let each = |progress: &Progress| {
        shown.show(progress);
        if kept.is_ok() && progress.bytes != done {
            done = progress.bytes;
            kept = keep();
        }
    };
    let made = backup::backup(from, &args.folder, options, now(), each);
    // A file that is gone is told better by why it went.
    match (made, kept) {
        (Ok(made), _) => Ok(made),
        (Err(_), Err(failure)) => Err(failure),
        (Err(error), Ok(())) => Err(Failure::new(error)),
    }
}

fn show(
    args: &BackupArgs,
    done: &Done,
    took: Duration,
    output: &mut impl Write,
) -> Result<(), Failure> {
    if args.json {
        return Ok(writeln!(output, "{}", json!(done))?);
    }
    let Done { id, files, bytes, copied_files, copied_bytes, .. } = done;
    let (bytes, copied) = (ByteSize(*bytes), ByteSize(*copied_bytes));
    writeln!(
        output,
        "{id}: {files} files, {bytes}; {copied_files} new, {copied}; took {:.1}s",
        took.as_secs_f64(),
    )?;
    if done.forgotten > 0 {
        writeln!(output, "{} older forgotten", done.forgotten)?;
    }
    Ok(())
}

fn list(args: &BackupArgs) -> Result<(), Failure> {
    let backups = backup::list(&args.folder).map_err(Failure::new)?;
    let rows: Vec<_> = backups.iter().map(row).collect();
    let output = &mut io::stdout().lock();
    if args.json {
        return Ok(writeln!(output, "{}", json!({"backups": rows}))?);
    }
    Ok(writeln!(output, "{}", table(&COLUMNS, &rows))?)
}

/// What is said of a backup.
pub(super) fn row(backup: &Manifest) -> Map<String, Value> {
    let row = json!({
        "id": backup.id,
        "made_at": backup.made_at,
        "version": backup.version,
        "files": backup.files.len(),
        "bytes": backup.bytes(),
    });
    row.as_object().cloned().unwrap_or_default()
}

const COLUMNS: [(&str, &str); 5] = [
    ("backup", "id"),
    ("made", "made_at"),
    ("by version", "version"),
    ("files", "files"),
    ("bytes", "bytes"),
];

/// How often a daemon hears that its checkpoint is still needed: far more often than it forgets.
const KEEP_EVERY: Duration = Duration::from_secs(60);
