//! Who may write to a unix socket: mode, owner and group of its file.

use std::fs;

use serde::{Deserialize, Serialize};

/// What is configured of the file of a unix socket.
///
/// The default lets every process of the machine write to it, as rsyslog, syslog-ng and systemd
/// have it: a log that a program may not write to is of no use to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SocketOwner {
    /// Its mode in octal; who may write to it may send. Default: "0666".
    pub mode: String,
    /// Its owner, by name or number. Default: the daemon's own.
    pub owner: Option<String>,
    /// Its group, by name or number. Default: the daemon's own.
    pub group: Option<String>,
}

impl Default for SocketOwner {
    fn default() -> Self {
        Self { mode: "0666".to_owned(), owner: None, group: None }
    }
}

impl SocketOwner {
    /// The mode as a number, if it is one.
    pub(super) fn bits(&self) -> Option<u32> {
        let is_octal = (1..=4).contains(&self.mode.len())
            && self.mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let bits = is_octal.then(|| u32::from_str_radix(&self.mode, 8).ok())?;
        bits.filter(|bits| *bits <= 0o777)
    }

    /// Every setting that makes no sense: its key, and what was expected.
    pub(in super::super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.bits().is_none() {
            let what = format!("expected \"0000\" to \"0777\", but found {:?}", self.mode);
            problems.push(("socket.mode", what));
        }
        for (key, name) in [("socket.owner", &self.owner), ("socket.group", &self.group)] {
            if name.as_ref().is_some_and(|name| name.is_empty() || name.contains(':')) {
                problems.push((key, "expected a name or a number, but found neither".to_owned()));
            }
        }
        problems
    }

    /// The numbers of owner and group.
    pub(super) fn ids(&self) -> Result<(Option<u32>, Option<u32>), String> {
        let user = self.owner.as_ref().map(|name| id(name, "/etc/passwd"));
        let group = self.group.as_ref().map(|name| id(name, "/etc/group"));
        Ok((user.transpose()?, group.transpose()?))
    }
}

/// The number of the one called `name`: itself, or that of its line in `file` (`passwd(5)`,
/// `group(5)`). Names that only a directory service knows are not found.
fn id(name: &str, file: &str) -> Result<u32, String> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let lines = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let found = lines.lines().find_map(|line| number_of(line, name));
    found.ok_or_else(|| format!("expected a name in {file}, but found {name:?}"))
}

/// The third column, if `name` is the first.
fn number_of(line: &str, name: &str) -> Option<u32> {
    let mut columns = line.split(':');
    (columns.next() == Some(name)).then(|| columns.nth(1)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        let table = [
            ("0666", Some(0o666)),
            ("660", Some(0o660)),
            ("0", Some(0)),
            ("1666", None),
            ("888", None),
            ("+66", None),
            ("", None),
            ("00666", None),
        ];
        for (mode, want) in table {
            let owner = SocketOwner { mode: mode.to_owned(), ..SocketOwner::default() };
            assert_eq!(owner.bits(), want, "{mode}");
            assert_eq!(owner.problems().is_empty(), want.is_some(), "{mode}");
        }
    }

    #[test]
    fn names_have_numbers() {
        assert_eq!(number_of("adm:x:4:syslog,me", "adm"), Some(4));
        assert_eq!(number_of("admin:x:4:", "adm"), None);
        assert_eq!(number_of("adm", "adm"), None);
        assert_eq!(id("1234", "/nowhere"), Ok(1234));
        assert_eq!(id("root", "/etc/passwd"), Ok(0));
        assert!(id("no such name", "/etc/passwd").is_err());
    }
}
