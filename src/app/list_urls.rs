//! Keeps the lists that come from URLs as what is there.
//!
//! They are fetched as webhooks are called: where [`crate::ship`] lets calls go. What cannot be
//! fetched or used changes nothing; and a copy outlives a restart, as with files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::gate::{Gate, ListSource, SourceConfig};
use crate::ingest::now;
use crate::ship::{Fetched, Outbound};

/// A list at a URL.
#[derive(Debug)]
pub(super) struct ListUrl {
    pub(super) gate: Arc<Gate>,
    pub(super) config: SourceConfig,
    /// What was last found to be usable.
    pub(super) copy: PathBuf,
    pub(super) outbound: Outbound,
}

impl ListUrl {
    /// Fetches the list now and again, until the stop.
    pub(super) async fn keep(self, stop: CancellationToken) {
        let Some(url) = self.config.url.clone() else { return };
        let mut tag: Option<String> = None;
        loop {
            let fetched = tokio::select! {
                fetched = self.outbound.fetch(&url, tag.as_deref(), MAX_BYTES) => fetched,
                () = stop.cancelled() => return,
            };
            let (read, etag) = match fetched {
                Ok(Fetched::Same) => (None, tag.take()),
                Ok(Fetched::New { body, etag }) => (Some(self.take(body.to_vec()).await), etag),
                Err(error) => (Some(Err(error.to_string())), None),
            };
            let has_failed = matches!(read, Some(Err(_)));
            tag = etag.filter(|_| !has_failed);
            if let Some(read) = read {
                let name = &self.config.name;
                match &read {
                    Ok(list) => info!(%name, ranges = list.len(), "a list was fetched"),
                    Err(error) => {
                        warn!(%name, %error, "a list cannot be used; the one before stays");
                    }
                }
                self.gate.source_read(&self.config, read, now());
            }
            let pause = if has_failed { self.config.every.min(AGAIN) } else { self.config.every };
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Reads what was fetched, and keeps a copy if it can be used.
    async fn take(&self, mut body: Vec<u8>) -> Result<ListSource, String> {
        let (name, copy) = (self.config.name.clone(), self.copy.clone());
        let work = move || {
            // Its length was announced, so the last line is whole.
            body.push(b'\n');
            let list = ListSource::read(&name, &*body).map_err(|error| error.to_string())?;
            if let Err(error) = keep_copy(&copy, &body) {
                warn!(%error, "cannot keep a copy of a list");
            }
            Ok(list)
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
    }
}

fn keep_copy(copy: &Path, body: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(copy.parent().unwrap_or(Path::new(".")))?;
    let new = copy.with_added_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(body)?;
    file.sync_all()?;
    fs::rename(&new, copy)
}

/// The longest list that is fetched, in bytes.
const MAX_BYTES: usize = 32 << 20;

/// How soon a list that could not be fetched is asked for again, at most.
const AGAIN: Duration = Duration::from_secs(300);
