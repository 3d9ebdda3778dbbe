//! How small logs become: `cargo bench --bench size -- FOLDER`, each file of which is the log of a
//! service, a message on every line. Prints, for each and for all, the bytes of the text, the bytes
//! on disk once sealed, index included, and how many times smaller that is.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]

use std::path::PathBuf;
use std::sync::Arc;
use std::{env, fs, io};

use logtrace::db::{Db, Options};
use logtrace::event::{Event, Known, Value};
use logtrace::store::{Config, Origin, Rows, Store};

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
    println!("{:<24} {:>10} {:>10} {:>7}", "log", "text", "stored", "times");
    for file in &files {
        print(&name(file), std::slice::from_ref(file))?;
    }
    print("all", &files)
}

fn print(title: &str, files: &[PathBuf]) -> io::Result<()> {
    let (text, stored) = sizes(files)?;
    #[expect(clippy::cast_precision_loss, reason = "a ratio to be read")]
    let times = text as f64 / stored as f64;
    println!("{title:<24} {text:>10} {stored:>10} {times:>7.2}");
    Ok(())
}

/// The bytes of the text, and of the segments that hold it.
fn sizes(files: &[PathBuf]) -> io::Result<(u64, u64)> {
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
    Ok((text, store.usage().segment_bytes))
}

fn name(file: &std::path::Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
