//! Keeps the lists that come from files as those files are.
//!
//! A file that cannot be used changes nothing: what was read before still counts, in this run and,
//! by a copy in the data folder, in the next. So a list that was emptied or cut by mistake, or by
//! someone who wants to get in, opens nothing.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags, open};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::list_urls::ListUrl;
use crate::gate::{self, Countries, Gate, ListFileError, ListSource, SourceConfig};
use crate::ingest::now;
use crate::ship::Outbound;

/// The files of the lists.
#[derive(Debug)]
pub(super) struct ListFiles {
    gate: Arc<Gate>,
    files: Vec<ListFile>,
    countries: Option<CountryFile>,
    urls: Vec<(SourceConfig, PathBuf)>,
}

/// The database of countries.
#[derive(Debug)]
struct CountryFile {
    path: PathBuf,
    seen: Option<Look>,
    has_failed: bool,
}

/// One of them.
#[derive(Debug)]
struct ListFile {
    config: SourceConfig,
    path: PathBuf,
    /// What was last found to be usable.
    copy: PathBuf,
    /// What the file looked like when it was read.
    seen: Option<Look>,
}

/// What tells that a file is another, or has other content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    device: u64,
    number: u64,
    len: u64,
    modified: Option<SystemTime>,
    /// Whether nobody has written to it for a while.
    is_settled: bool,
}

/// Hands on what is read, and keeps a copy.
struct Tee<R, W>(R, W);

impl ListFiles {
    /// Reads all files once; what cannot be used is replaced by what was in the run before.
    pub(super) fn read(gate: Arc<Gate>, config: &gate::Config, data_dir: &Path) -> Self {
        let folder = data_dir.join(FOLDER);
        let file = |config: &SourceConfig| {
            let (config, path) = (config.clone(), config.path.clone()?);
            let copy = folder.join(&config.name);
            Some(ListFile { config, path, copy, seen: None })
        };
        let files = config.sources.iter().filter_map(file).collect();
        let countries = config.countries.clone();
        let countries = countries.map(|path| CountryFile { path, seen: None, has_failed: false });
        let urls = config.sources.iter().filter(|source| source.url.is_some());
        let urls = urls.map(|source| (source.clone(), folder.join(&source.name))).collect();
        let mut lists = Self { gate, files, countries, urls };
        let of_files = lists.files.iter().map(|file| (&file.config, &file.copy));
        for (config, copy) in of_files.chain(lists.urls.iter().map(|(config, copy)| (config, copy)))
        {
            if let Ok(source) = read(&config.name, copy, true, io::sink()) {
                lists.gate.source_read(config, Ok(source), now());
            }
        }
        lists.look();
        lists
    }

    /// The lists that are to be fetched.
    pub(super) fn urls(&mut self, outbound: &Outbound) -> Vec<ListUrl> {
        let url = |(config, copy)| {
            let (gate, outbound) = (Arc::clone(&self.gate), outbound.clone());
            ListUrl { gate, config, copy, outbound }
        };
        std::mem::take(&mut self.urls).into_iter().map(url).collect()
    }

    /// Looks every few seconds for files that have changed, until the stop.
    pub(super) async fn keep(mut self, stop: CancellationToken) {
        let mut tick = interval(LOOK);
        while !self.files.is_empty() || self.countries.is_some() {
            tokio::select! {
                _ = tick.tick() => {}
                () = stop.cancelled() => return,
            }
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(lists) => self = lists,
                Err(error) => return warn!(%error, "cannot look after the lists any longer"),
            }
        }
    }

    fn look(&mut self) {
        if let Some(countries) = &mut self.countries {
            countries.look(&self.gate);
        }
        for file in &mut self.files {
            let look = Look::at(&file.path);
            if look.is_some() && look == file.seen {
                continue;
            }
            // One that is not there is told of once.
            let told = look.is_none() && file.seen.is_none();
            file.seen = look;
            let is_settled = look.is_some_and(|look| look.is_settled);
            let read = file.take(is_settled);
            let name = &file.config.name;
            match &read {
                Ok(list) => info!(%name, ranges = list.len(), "a list was read"),
                Err(ListFileError::Unfinished { .. }) if !is_settled => continue,
                Err(error) => {
                    let path = file.path.display();
                    let known = self.gate.list_sources();
                    let known = known.iter().any(|s| s.name == *name && s.error.is_some());
                    if !(told && known) {
                        warn!(%name, %path, %error, "a list cannot be used; the one before stays");
                    }
                }
            }
            self.gate.source_read(&file.config, read.map_err(|error| error.to_string()), now());
        }
    }
}

impl ListFile {
    /// Reads the file, and keeps a copy of it if it can be used.
    fn take(&self, is_settled: bool) -> Result<ListSource, ListFileError> {
        let folder = self.copy.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let new = self.copy.with_added_extension("new");
        let mut copy = BufWriter::new(File::create(&new)?);
        let list = read(&self.config.name, &self.path, is_settled, &mut copy);
        let kept = list.as_ref().ok().map(|_| {
            copy.into_inner()?.sync_all()?;
            fs::rename(&new, &self.copy)
        });
        match kept {
            Some(Err(error)) => warn!(%error, "cannot keep a copy of a list"),
            Some(Ok(())) => {}
            None => fs::remove_file(&new)?,
        }
        list
    }
}

impl CountryFile {
    /// Reads the database where it is another; what cannot be read leaves the one before.
    fn look(&mut self, gate: &Gate) {
        let look = Look::at(&self.path).map(|look| Look { is_settled: true, ..look });
        if look == self.seen && (look.is_some() || self.has_failed) {
            return;
        }
        self.seen = look;
        let read = read_whole(&self.path).map_err(|error| error.to_string());
        let read = read.and_then(|bytes| Countries::new(bytes).map_err(|e| e.to_string()));
        self.has_failed = read.is_err();
        let path = self.path.display();
        match read {
            Ok(countries) => {
                info!(%path, "a database of countries was read");
                gate.set_countries(countries);
            }
            Err(error) => {
                warn!(%path, %error, "a database of countries cannot be used; the one before stays");
            }
        }
    }
}

/// All of a file, and not a map of it: one that is cut short while it is mapped ends the process.
fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.len() > MAX_COUNTRIES {
        return Err(io::Error::other("expected a file of at most 512 MiB, but found another"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_COUNTRIES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Look {
    fn at(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        let modified = found.modified().ok();
        let age = modified.and_then(|at| at.elapsed().ok());
        let is_settled = age.is_some_and(|age| age >= SETTLED);
        let (device, number, len) = (found.dev(), found.ino(), found.len());
        Some(Self { device, number, len, modified, is_settled })
    }
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(buffer)?;
        self.1.write_all(buffer.get(..len).unwrap_or_default())?;
        Ok(len)
    }
}

/// Reads a list from a file, and writes to `copy` what it reads.
///
/// A link is not followed: who may write to the folder could lead the daemon to any file by it, and
/// its errors show the beginning of a line. What is no file, and would perhaps never end, is not
/// read either. The last line may lack its end only where nobody is writing any more.
fn read(
    name: &str,
    path: &Path,
    is_settled: bool,
    copy: impl Write,
) -> Result<ListSource, ListFileError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| match error {
        rustix::io::Errno::LOOP => io::Error::other("expected a file, but found a link"),
        error => error.into(),
    })?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("expected a file, but found something else").into());
    }
    let end: &[u8] = if is_settled { b"\n" } else { b"" };
    ListSource::read(name, BufReader::new(Tee(file.chain(end), copy)))
}

/// The largest database of countries, in bytes.
const MAX_COUNTRIES: u64 = 512 << 20;

/// Where copies of lists are, in the data folder.
const FOLDER: &str = "lists";

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// A file that nobody has written to for so long is whole.
const SETTLED: Duration = Duration::from_secs(10);
