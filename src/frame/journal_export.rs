//! systemd's Journal Export Format, as systemd-journal-upload sends it (systemd, "Journal Export
//! Formats").
//!
//! ```text
//!  NAME=text LF            a field that is text without LF
//!  NAME LF len[8] octets LF  any other; the length is little-endian
//!  LF                      the end of an entry
//! ```

use memchr::{memchr, memchr2};

use super::{Dialogue, ProtocolError, Step};

/// Cuts a stream of entries. What it hands out is an entry in the same format, less what of it was
/// too long: its fields are whole, and each has its LF.
#[derive(Debug)]
pub struct JournalExport {
    max_message: usize,
    /// What is kept of the entry that is being read.
    entry: Vec<u8>,
    /// Bytes of that entry so far.
    len: u64,
    is_cut: bool,
    state: State,
    /// Whether `entry` was handed out.
    is_done: bool,
    broken: Option<ProtocolError>,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The rest of a name, which begins at this place of the entry.
    Name { start: usize },
    /// The rest of a text that may grow up to this length of the entry.
    Text { max: usize },
    /// The rest of a length.
    Length { octets: [u8; 8], read: usize, max: usize },
    /// The rest of octets, and the LF behind them.
    Octets { left: u64, at: usize, max: usize },
}

impl JournalExport {
    /// A decoder that keeps at most `max_message` bytes of a `MESSAGE`, and far less of any other
    /// field.
    pub fn new(max_message: usize) -> Self {
        Self {
            max_message,
            entry: Vec::new(),
            len: 0,
            is_cut: false,
            state: State::Name { start: 0 },
            is_done: false,
            broken: None,
        }
    }

    /// Reads on in `buffer`: how much of it was used, and whether an entry has ended.
    fn read(&mut self, buffer: &[u8]) -> (usize, bool) {
        let mut rest = buffer;
        while !rest.is_empty() && self.broken.is_none() {
            let (used, ends) = match self.state {
                State::Name { start } => self.name(rest, start),
                State::Text { max } => (self.text(rest, max), false),
                State::Length { octets, read, max } => {
                    (self.length(rest, octets, read, max), false)
                }
                State::Octets { left, at, max } => (self.octets(rest, left, at, max), false),
            };
            self.len += used as u64;
            rest = rest.get(used..).unwrap_or_default();
            if ends {
                return (buffer.len() - rest.len(), true);
            }
        }
        (buffer.len() - rest.len(), false)
    }

    fn name(&mut self, rest: &[u8], start: usize) -> (usize, bool) {
        let end = memchr2(b'=', b'\n', rest);
        let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.entry.extend_from_slice(name);
        let so_far = self.entry.get(start..).unwrap_or_default();
        if so_far.len() > MAX_NAME || !so_far.iter().all(is_of_name) {
            self.break_off("expected the name of a field, but found something else");
            return (name.len(), false);
        }
        let Some(end) = end else { return (name.len(), false) };
        let is_blank = so_far.is_empty();
        let max = self.room(start);
        match rest.get(end) {
            Some(b'\n') if is_blank => {
                // Blank lines between entries are not entries.
                let ends = !self.entry.is_empty();
                if !ends {
                    self.len = 0;
                }
                return (end + 1, ends);
            }
            Some(b'\n') => {
                self.entry.push(b'\n');
                self.state = State::Length { octets: [0; 8], read: 0, max };
            }
            _ if is_blank => self.break_off("expected the name of a field, but found none"),
            _ => {
                self.entry.push(b'=');
                self.state = State::Text { max };
            }
        }
        (end + 1, false)
    }

    fn text(&mut self, rest: &[u8], max: usize) -> usize {
        let end = memchr(b'\n', rest);
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.keep(text, max);
        let Some(end) = end else { return text.len() };
        self.end_field();
        end + 1
    }

    fn length(&mut self, rest: &[u8], mut octets: [u8; 8], read: usize, max: usize) -> usize {
        let wanted = octets.get_mut(read..).unwrap_or_default();
        let used = wanted.len().min(rest.len());
        for (octet, byte) in wanted.iter_mut().zip(rest) {
            *octet = *byte;
        }
        if read + used < octets.len() {
            self.state = State::Length { octets, read: read + used, max };
            return used;
        }
        let left = u64::from_le_bytes(octets);
        if left > MAX_DATA {
            self.break_off("expected a field of at most 768 MiB, but found a longer one");
            return used;
        }
        let at = self.entry.len();
        self.entry.extend_from_slice(&octets);
        self.state = State::Octets { left, at, max: max.max(self.entry.len()) };
        used
    }

    fn octets(&mut self, rest: &[u8], left: u64, at: usize, max: usize) -> usize {
        if left > 0 {
            let used = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            self.keep(rest.get(..used).unwrap_or_default(), max);
            self.state = State::Octets { left: left - used as u64, at, max };
            return used;
        }
        if rest.first() != Some(&b'\n') {
            self.break_off("expected a line feed behind a field, but found something else");
            return 0;
        }
        // As long as what is kept of it.
        let kept = self.entry.len().saturating_sub(at + 8) as u64;
        if let Some(length) = self.entry.get_mut(at..at + 8) {
            length.copy_from_slice(&kept.to_le_bytes());
        }
        self.end_field();
        1
    }

    /// Keeps `bytes` of a field as far as the entry may grow.
    fn keep(&mut self, bytes: &[u8], max: usize) {
        let room = max.saturating_sub(self.entry.len());
        self.is_cut |= bytes.len() > room;
        self.entry.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    fn end_field(&mut self) {
        self.entry.push(b'\n');
        self.state = State::Name { start: self.entry.len() };
    }

    /// The length of the entry up to which the field may grow whose name begins at `start`.
    fn room(&self, start: usize) -> usize {
        let is_message = self.entry.get(start..) == Some(b"MESSAGE");
        let max_field = if is_message { self.max_message } else { MAX_FIELD };
        let max_entry = self.max_message + MAX_FIELDS;
        let max = self.entry.len() + 1 + max_field;
        // However many fields there are, a message has room.
        if is_message { max } else { max.min(max_entry) }
    }

    fn break_off(&mut self, message: &str) {
        self.broken = Some(ProtocolError { code: "journal.export", message: message.to_owned() });
    }
}

impl Dialogue for JournalExport {
    fn next<'b>(&'b mut self, buffer: &'b [u8], eof: bool) -> Step<'b> {
        if std::mem::take(&mut self.is_done) {
            self.entry.clear();
            (self.len, self.is_cut) = (0, false);
            self.state = State::Name { start: 0 };
        }
        // Names alone, of fields for which there was no room, may not fill it either.
        if self.entry.len() > 2 * self.max_message + 2 * MAX_FIELDS {
            self.break_off("expected the end of an entry, but found more fields than one has");
        }
        let (consumed, mut ends) = self.read(buffer);
        let is_between = matches!(self.state, State::Name { start } if start == self.entry.len());
        if eof && !ends && self.broken.is_none() && consumed == buffer.len() {
            if !is_between {
                self.break_off("expected the rest of an entry, but found the end");
            } else if !self.entry.is_empty() {
                ends = true;
            }
        }
        if !ends {
            return Step::More { consumed };
        }
        self.is_done = true;
        let original_len = self.is_cut.then_some(self.len);
        Step::Message { bytes: &self.entry, consumed, original_len }
    }

    fn answers(&mut self, _out: &mut Vec<u8>) {}

    fn broken(&self) -> Option<ProtocolError> {
        self.broken.clone()
    }

    fn held(&self) -> usize {
        if self.is_done { 0 } else { self.entry.len() }
    }
}

fn is_of_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// The longest name of a field. The journal itself takes 64 bytes.
const MAX_NAME: usize = 256;

/// The most that is kept of a field other than the message: a core dump is one, too.
const MAX_FIELD: usize = 16 * 1024;

/// The most that is kept of all fields together, beside the message.
const MAX_FIELDS: usize = 256 * 1024;

/// The longest field, as systemd-journal-remote has it (`DATA_SIZE_MAX`).
const MAX_DATA: u64 = 768 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Entries = Vec<(Vec<u8>, Option<u64>)>;

    fn read(stream: &[u8], size: usize, max: usize) -> (Entries, Option<String>) {
        let (mut decoder, mut entries, mut buffer) = (JournalExport::new(max), vec![], vec![]);
        let mut chunks = stream.chunks(size.max(1)).peekable();
        loop {
            buffer.extend_from_slice(chunks.next().unwrap_or_default());
            let eof = chunks.peek().is_none();
            loop {
                let (consumed, ends) = match decoder.next(&buffer, eof) {
                    Step::More { consumed } => (consumed, true),
                    Step::Message { bytes, consumed, original_len } => {
                        entries.push((bytes.to_vec(), original_len));
                        (consumed, false)
                    }
                };
                buffer.drain(..consumed);
                assert!(decoder.held() <= 3 * max + 3 * MAX_FIELDS);
                if ends {
                    break;
                }
            }
            if eof || decoder.broken().is_some() {
                return (entries, decoder.broken().map(|error| error.to_string()));
            }
        }
    }

    fn octets(name: &str, value: &[u8]) -> Vec<u8> {
        let len = (value.len() as u64).to_le_bytes();
        [name.as_bytes(), b"\n", &len, value, b"\n"].concat()
    }

    #[test]
    fn entries_of_text_and_octets() {
        let one = [&b"__CURSOR=s=1;i=2\nMESSAGE=a = b\n"[..], &octets("X", b"1\n\n2\0")].concat();
        let two = b"MESSAGE=\n_PID=7\n";
        let stream = [&b"\n\n"[..], &one, b"\n\n", two, b"\n"].concat();
        for size in 1..stream.len() + 1 {
            let want = vec![(one.clone(), None), (two.to_vec(), None)];
            assert_eq!(read(&stream, size, 100), (want.clone(), None), "{size}");
            // The last one may go without its blank line.
            let without = &stream[..stream.len() - 1];
            assert_eq!(read(without, size, 100), (want, None), "{size}");
        }
        assert_eq!(read(b"", 1, 100), (vec![], None));
    }

    #[test]
    fn what_is_too_long_is_cut_once() {
        let big = vec![b'x'; MAX_FIELD + 10];
        let entry = [&octets("COREDUMP", &big)[..], b"MESSAGE=0123456789abc\nA=b\n"].concat();
        let stream = [&entry[..], b"\nMESSAGE=next\n\n"].concat();
        let want = [&octets("COREDUMP", &big[..MAX_FIELD - 8])[..], b"MESSAGE=0123456789\nA=b\n"];
        for size in [1, 7, 4096, stream.len()] {
            let (entries, broken) = read(&stream, size, 10);
            assert_eq!(broken, None);
            assert_eq!(entries[0].1, Some(entry.len() as u64 + 1));
            assert!(
                entries[0].0.len().abs_diff(want.concat().len()) <= 8,
                "{}",
                entries[0].0.len()
            );
            assert!(entries[0].0.ends_with(want[1]));
            assert_eq!(entries[1], (b"MESSAGE=next\n".to_vec(), None));
        }
    }

    #[test]
    fn what_is_no_entry_ends_the_stream_behind_those_that_are() {
        let table: [(&[u8], &str); 6] = [
            (b"hello, world\n", "expected the name of a field, but found something else"),
            (b"=x\n", "expected the name of a field, but found none"),
            (
                b"A\n\xff\xff\xff\xff\xff\xff\xff\xffx",
                "expected a field of at most 768 MiB, but found a longer one",
            ),
            (
                b"A\n\x01\0\0\0\0\0\0\0xy",
                "expected a line feed behind a field, but found something else",
            ),
            (b"A=b", "expected the rest of an entry, but found the end"),
            (b"A\n\x01\0\0", "expected the rest of an entry, but found the end"),
        ];
        for (bad, want) in table {
            let stream = [b"MESSAGE=good\n\n", bad].concat();
            for size in [1, 3, stream.len()] {
                let (entries, broken) = read(&stream, size, 100);
                assert_eq!(entries, [(b"MESSAGE=good\n".to_vec(), None)], "{bad:?}");
                assert_eq!(broken.as_deref(), Some(want), "{bad:?}");
            }
        }
        let endless = b"A=b\n".repeat(1 << 20);
        let (entries, broken) = read(&endless, 1 << 16, 100);
        assert_eq!((entries.len(), broken.is_some()), (0, true));
    }

    proptest! {
        #[test]
        fn splits_do_not_matter(
            parts in prop::collection::vec(prop_oneof![
                "[A-Z_]{1,3}=[a-z=]{0,12}\n".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..12).prop_map(|value| octets("B", &value)),
                Just(b"\n".to_vec()),
                prop::collection::vec(any::<u8>(), 0..3),
            ], 0..12),
            size in 1_usize..9,
        ) {
            let stream = parts.concat();
            prop_assert_eq!(read(&stream, size, 8), read(&stream, stream.len(), 8));
        }
    }
}
