//! From a file, the environment and the command line to a checked configuration.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::error::{ConfigErrors, Problem};
use super::overrides::{Override, from_environment, from_option};

/// Where a configuration comes from, to be read at the start and again at each reload.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// The file, if there is to be one.
    pub path: Option<PathBuf>,
    /// The data folder, if the command line names it.
    pub data: Option<PathBuf>,
    /// What the command line sets, each `section.key=value`.
    pub sets: Vec<String>,
}

impl Reader {
    /// Reads it as it is now.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub fn read(&self) -> Result<Config, ConfigErrors> {
        load(self.path.as_deref(), self.data.as_deref(), &self.sets)
    }
}

/// Reads the configuration: the defaults, over them the file at `path` if there is to be one, over
/// that the environment, over that `sets` (each `section.key=value`), over all `data` as the data
/// folder.
///
/// # Errors
///
/// Everything that makes no sense, or the first thing that kept us from looking.
pub fn load(
    path: Option<&Path>,
    data: Option<&Path>,
    sets: &[String],
) -> Result<Config, ConfigErrors> {
    let text = path.map_or_else(|| Ok(String::new()), read_file)?;
    let place = path.map_or_else(|| "default".to_owned(), |path| path.display().to_string());
    let mut overrides = from_environment(std::env::vars());
    for set in sets {
        overrides.push(from_option(set).map_err(ConfigErrors::one)?);
    }
    if let Some(data) = data {
        overrides.push(Override::new("--data", "data_dir", &data.display().to_string()));
    }
    parse(&text, &place, &overrides)
}

/// The text of a file. One that is empty was most likely cut by who is writing it: to take it for
/// all the defaults would close every listener at a reload.
fn read_file(path: &Path) -> Result<String, ConfigErrors> {
    let place = path.display().to_string();
    let wrong = |what| ConfigErrors::one(Problem { place, line: None, key: None, what });
    match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => {
            Err(wrong("expected settings, but found an empty file".to_owned()))
        }
        Ok(text) => Ok(text),
        Err(error) => Err(wrong(format!("expected a readable file, but {error}"))),
    }
}

/// Reads `text`, which came from `place`, with `overrides` over it.
pub(super) fn parse(
    text: &str,
    place: &str,
    overrides: &[Override],
) -> Result<Config, ConfigErrors> {
    let mut config: Config =
        toml::from_str(text).map_err(|error| ConfigErrors::one(wrong(text, place, &error)))?;
    if !overrides.is_empty() {
        // One after the other, so that the one which is wrong is named.
        let mut table: Table =
            toml::from_str(text).map_err(|error| ConfigErrors::one(wrong(text, place, &error)))?;
        for over in overrides {
            over.apply(&mut table).map_err(ConfigErrors::one)?;
            config = table.clone().try_into().map_err(|error: toml::de::Error| {
                ConfigErrors::one(over.problem(with_nearest(error.message())))
            })?;
        }
    }
    let problems = config.problems();
    if problems.is_empty() {
        return Ok(config);
    }
    let problems = problems.into_iter().map(|(key, what)| {
        let over = overrides.iter().rfind(|over| over.key == key);
        match over {
            Some(over) => over.problem(what),
            None => {
                let line = line_of(text, &key);
                Problem { place: place.to_owned(), line, key: Some(key), what }
            }
        }
    });
    Err(ConfigErrors { problems: problems.collect() })
}

/// A syntax or type error, with its line and key.
fn wrong(text: &str, place: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| line_at(text, span.start));
    let on_line = line.and_then(|line| text.lines().nth(line - 1)).unwrap_or_default();
    let (key, value) = on_line.split_once('=').unwrap_or_default();
    let key = Some(key.trim()).filter(|key| !key.is_empty());
    let section = line.and_then(|line| section_of(text, line));
    let key = key.map(|key| match section {
        Some(section) => format!("{section}.{key}"),
        None => key.to_owned(),
    });
    let what = match error.message() {
        "invalid socket address syntax" => {
            format!("expected {ADDRESS}, but found {}", value.trim())
        }
        "invalid type: map, expected a sequence" if on_line.starts_with('[') => {
            format!("expected [{}], but found {}", on_line.trim(), on_line.trim())
        }
        message => with_nearest(message),
    };
    Problem { place: place.to_owned(), line, key, what }
}

/// The section that a line is in, as in a dotted key: those of a list have numbers.
fn section_of(text: &str, line: usize) -> Option<String> {
    let headers = text.lines().take(line).map(str::trim).filter(|line| line.starts_with('['));
    let headers: Vec<_> = headers.collect();
    let header = headers.last()?;
    let name = header.trim_start_matches('[').split(']').next()?.trim();
    if header.starts_with("[[") {
        let number = headers.iter().filter(|other| *other == header).count() - 1;
        return Some(format!("{name}.{number}"));
    }
    Some(name.to_owned())
}

/// The message, and the known name that an unknown one is most like.
fn with_nearest(message: &str) -> String {
    let message = message.replace('\n', ", ");
    // serde says first what was found, and of what kind that is.
    for wrong in ["invalid type: ", "invalid value: ", "unknown variant "] {
        let parts = message.strip_prefix(wrong).and_then(|rest| rest.split_once(", expected "));
        if let Some((found, expected)) = parts {
            let expected = if expected == "socket address" { ADDRESS } else { expected };
            return format!("expected {expected}, but found {found}");
        }
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown field")) else {
        return message;
    };
    let alike = |name: &&str| strsim::damerau_levenshtein(unknown, name);
    match quoted.min_by_key(alike).filter(|name| alike(name) <= unknown.len() / 2 + 1) {
        Some(nearest) => {
            format!("expected a known key, but found `{unknown}`: did you mean `{nearest}`?")
        }
        None => message,
    }
}

/// The line that the dotted `key` is set on, if it is set.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut at = None;
    let mut path = key.split('.');
    while let Some(part) = path.next() {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == part) else {
            // The section is there and the key is not: its default is to blame.
            return at.map(|offset| line_at(text, offset));
        };
        at = Some(name.span().start);
        let mut value = value;
        if let DeValue::Array(items) = value.get_ref() {
            let number: usize = path.next()?.parse().ok()?;
            value = items.get(number)?;
            at = Some(value.span().start);
        }
        if let DeValue::Table(inner) = value.get_ref() {
            table = inner;
        }
    }
    at.map(|offset| line_at(text, offset))
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// What is expected where there is no address.
const ADDRESS: &str = "an address and a port, such as \"127.0.0.1:8514\"";
