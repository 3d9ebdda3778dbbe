//! Files and URLs that lists are read from, and what became of the last reading.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Gate;
use super::lists::{ListKind, ListSource};
use super::rfc3339;
use crate::time::Timestamp;

/// A file or URL that a list is read from: a range a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// What the journal and the API call it: letters, digits, `-`, `_` and `.`, at most 64.
    pub name: String,
    /// The list that it adds to. Default: "block".
    #[serde(default = "block")]
    pub list: ListKind,
    /// The file. One of `path` and `url` is given.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// The URL.
    #[serde(default)]
    pub url: Option<String>,
    /// How often the URL is asked. A file is looked at every two seconds. Default: 1h.
    /// Range: 1min to 30d.
    #[serde(default = "hourly", with = "humantime_serde")]
    pub every: Duration,
}

/// What became of the last reading of a file or URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceState {
    /// What the configuration calls it.
    pub name: String,
    /// The list that it adds to.
    pub list: ListKind,
    /// The file or URL.
    pub from: String,
    /// How many ranges count.
    pub ranges: usize,
    /// When they were read; `None` if they never were.
    #[serde(with = "rfc3339::option")]
    pub loaded_at: Option<Timestamp>,
    /// Why what is there now does not count, where that is so.
    pub error: Option<String>,
}

impl SourceConfig {
    /// The file or URL.
    pub fn from(&self) -> String {
        let path = self.path.as_ref().map(|path| path.display().to_string());
        path.or_else(|| self.url.clone()).unwrap_or_default()
    }
}

impl Gate {
    /// The files and URLs of both lists.
    pub fn list_sources(&self) -> Vec<SourceState> {
        self.sources_read.lock().clone()
    }

    /// Takes what was read from a file or URL at `now`; where that failed, what was read before
    /// still counts.
    pub fn source_read(
        &self,
        config: &SourceConfig,
        read: Result<ListSource, String>,
        now: Timestamp,
    ) {
        let mut states = self.sources_read.lock();
        let at = states.iter().position(|state| state.name == config.name);
        let mut state = match at {
            Some(at) => states.swap_remove(at),
            None => SourceState {
                name: config.name.clone(),
                list: config.list,
                from: config.from(),
                ranges: 0,
                loaded_at: None,
                error: None,
            },
        };
        match read {
            Ok(source) => {
                (state.ranges, state.loaded_at, state.error) = (source.len(), Some(now), None);
                self.set_source(config.list, source);
            }
            Err(error) => state.error = Some(error),
        }
        states.push(state);
        states.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// What makes no sense of them.
pub(super) fn source_problems(sources: &[SourceConfig]) -> Vec<String> {
    let mut problems = Vec::new();
    if sources.len() > MAX_SOURCES {
        let found = sources.len();
        problems.push(format!("expected at most {MAX_SOURCES} sources, but found {found}"));
    }
    let mut names = HashSet::new();
    for SourceConfig { name, path, url, every, .. } in sources {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(plain) {
            problems.push(format!("expected a name of letters and digits, but found {name:?}"));
        }
        if !names.insert(name) {
            problems.push(format!("expected a name of its own for each, but found {name:?} twice"));
        }
        if path.is_some() == url.is_some() {
            problems.push(format!("expected {name:?} to have one of path and url"));
        }
        let is_http = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        if url.as_deref().is_some_and(|url| !is_http(url)) {
            problems.push(format!("expected {name:?} to have an http or https URL"));
        }
        if !(MIN_EVERY..=MAX_EVERY).contains(every) {
            let found = humantime::format_duration(*every);
            problems.push(format!("expected every {name:?} 1m to 30d, but found {found}"));
        }
    }
    problems
}

fn block() -> ListKind {
    ListKind::Block
}

fn hourly() -> Duration {
    Duration::from_secs(3600)
}

const MAX_SOURCES: usize = 64;

const MIN_EVERY: Duration = Duration::from_secs(60);

const MAX_EVERY: Duration = Duration::from_secs(30 * 86_400);
