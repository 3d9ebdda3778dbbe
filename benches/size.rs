//! How small logs become: `cargo bench --bench size -- FOLDER`, each file of which is the log of a
//! service, a message on every line. Prints, for each and for all, the bytes of the text, the bytes
//! on disk once sealed and once settled, index included, how many times smaller than the text that
//! is, and how long the last merges took.
//!
//! What is merged, and how, is what the daemon's merger does with a store that nothing arrives at.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use logtrace::db::{Db, Options};
use logtrace::event::{Event, Known, Value};
use logtrace::store::{Config, Merge, Origin, Rows, Store};

fn main() -> io::Result<()> {
    let Some(folder) = env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        println!("give a folder of logs: cargo bench --bench size -- FOLDER");
        return Ok(());
    };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    let (log, text, sealed, settled) = ("log", "text", "sealed", "settled");
    println!(
        "{log:<24} {text:>10} {sealed:>9} {:>6} {settled:>9} {:>6} {:>6}",
        "times", "times", "ms"
    );
    for file in &files {
        print(&name(file), std::slice::from_ref(file))?;
    }
    print("all", &files)
}

fn print(title: &str, files: &[PathBuf]) -> io::Result<()> {
    let Sizes { text, sealed, settled, took } = sizes(files)?;
    #[expect(clippy::cast_precision_loss, reason = "a ratio to be read")]
    let times = |stored: u64| text as f64 / stored.max(1) as f64;
    let (first, last, took) = (times(sealed), times(settled), took.as_millis());
    println!("{title:<24} {text:>10} {sealed:>9} {first:>6.2} {settled:>9} {last:>6.2} {took:>6}");
    Ok(())
}

/// How large logs are.
struct Sizes {
    /// Bytes of the text.
    text: u64,
    /// Bytes of the segments that hold it.
    sealed: u64,
    /// The same once there is nothing left to merge.
    settled: u64,
    /// How long that took.
    took: Duration,
}

fn sizes(files: &[PathBuf]) -> io::Result<Sizes> {
    let folder = tempfile::tempdir()?;
    let db = Db::open(folder.path(), &Options::default()).map_err(io::Error::other)?;
    let store = Store::open(Arc::new(db), Config::default()).map_err(io::Error::other)?;
    let origin = Arc::new(Origin {
        project: "default".into(),
        listener: "syslog-tcp".into(),
        peer: None,
        key: None,
        auth: None,
    });
    let (mut text, mut now) = (0, 1_790_000_000_000_000);
    for file in files {
        let log = fs::read(file)?;
        text += log.len() as u64;
        for lines in log.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>().chunks(1000) {
            let mut rows = Rows::default();
            rows.begin(&origin, now);
            for line in lines {
                let line = String::from_utf8_lossy(line.trim_ascii_end());
                let mut event = Event::default();
                event.set(Known::Message, Value::Text(line));
                event.set(Known::AppName, Value::Text(name(file).into()));
                rows.push(&event);
            }
            store.stage([&rows]).map_err(io::Error::other)?;
            now += 5000;
        }
    }
    store.seal().map_err(io::Error::other)?;
    let sealed = store.usage().segment_bytes;
    let began = Instant::now();
    while store.merge(Merge::Last, |_| ControlFlow::Continue(())).map_err(io::Error::other)? {}
    Ok(Sizes { text, sealed, settled: store.usage().segment_bytes, took: began.elapsed() })
}

fn name(file: &std::path::Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
