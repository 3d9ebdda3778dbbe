//! What an error of the disk means for whoever wanted to write.

use super::Error;

/// What kind of trouble an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// There is no room, or no quota is left. RocksDB refuses every write from then on, also when
    /// there is room again: [`Db::reopen`](super::Db::reopen) makes it write.
    Full,
    /// The file system is mounted read-only, or no longer lets this process write.
    ReadOnly,
    /// There are no file descriptors left.
    Descriptors,
    /// The folder, or a file in it, is gone.
    Gone,
    /// Anything else: a failed sync, a failed write, damage. What is on disk is not known until it
    /// is read by a new process; nothing may be written again to what is open.
    Fatal,
}

impl Error {
    /// What it means. RocksDB hands on no code, only its text and the system's words at the end of
    /// it (strerror(3), in English as long as nobody calls setlocale(3), which nobody does here).
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Engine(error) => of_text(error.as_ref()),
            Self::File { error, .. } => of_text(&error.to_string()),
            _ if self.is_consequence() => Trouble::Full,
            Self::Missing(_) | Self::NoMarker(_) => Trouble::Gone,
            _ => Trouble::Fatal,
        }
    }

    /// Whether it only follows from an earlier one, which has the reason.
    pub(super) const fn is_consequence(&self) -> bool {
        matches!(self, Self::Closed | Self::ReadOnly | Self::Busy | Self::Reopened)
    }

    /// Whether the disk may do the same again later.
    pub(super) fn is_of_the_disk(&self) -> bool {
        self.trouble().may_pass()
    }
}

/// Whether RocksDB says of something that the disk may do it later.
pub(super) fn is_of_the_disk(text: &str) -> bool {
    of_text(text).may_pass()
}

impl Trouble {
    const fn may_pass(self) -> bool {
        matches!(self, Self::Full | Self::ReadOnly | Self::Descriptors)
    }

    /// In a few words, without paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "the disk is full",
            Self::ReadOnly => "the disk cannot be written to",
            Self::Descriptors => "there are no file descriptors left",
            Self::Gone => "the data folder is gone",
            Self::Fatal => "the disk failed",
        }
    }
}

fn of_text(text: &str) -> Trouble {
    let found = WORDS.iter().find(|(words, _)| text.contains(words));
    found.map_or(Trouble::Fatal, |(_, trouble)| *trouble)
}

/// The system's words, and what they mean.
const WORDS: [(&str, Trouble); 7] = [
    ("No space left on device", Trouble::Full),
    ("Disk quota exceeded", Trouble::Full),
    ("Read-only file system", Trouble::ReadOnly),
    ("Permission denied", Trouble::ReadOnly),
    ("Too many open files", Trouble::Descriptors),
    ("No such file or directory", Trouble::Gone),
    ("Stale file handle", Trouble::Gone),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_decide() {
        let table = [
            (
                "IO error: No space left on device: While appending to file: x: No space left on device",
                Trouble::Full,
            ),
            ("IO error: While appending to file: /d/1.log: Disk quota exceeded", Trouble::Full),
            (
                "IO error: While open a file for appending: /d/1.log: Read-only file system",
                Trouble::ReadOnly,
            ),
            (
                "IO error: While open a file for appending: /d/1.sst: Too many open files",
                Trouble::Descriptors,
            ),
            (
                "IO error: No such file or directory: While open a file: /d/1.log: No such file or directory",
                Trouble::Gone,
            ),
            ("IO error: While fdatasync: /d/1.log: Input/output error", Trouble::Fatal),
            ("Corruption: block checksum mismatch", Trouble::Fatal),
        ];
        for (text, want) in table {
            assert_eq!(of_text(text), want, "{text}");
        }
        for (code, want) in [
            (28, Trouble::Full),
            (122, Trouble::Full),
            (30, Trouble::ReadOnly),
            (24, Trouble::Descriptors),
            (5, Trouble::Fatal),
        ] {
            let error = std::io::Error::from_raw_os_error(code);
            assert_eq!(Error::File { path: "x".into(), error }.trouble(), want, "{code}");
        }
    }
}
