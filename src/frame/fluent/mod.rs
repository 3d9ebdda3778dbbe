//! Fluentd's forward protocol, as Fluentd, Fluent Bit and the loggers of many languages speak it.
//!
//! ```text
//!  [tag, time, record, option]                       Message
//!  [tag, [[time, record], …], option]                Forward
//!  [tag, bin of [time, record] …, option]            PackedForward
//!  [tag, bin of the same in gzip, option]            CompressedPackedForward
//!
//!  option {"chunk": "p8n9gmxTQVC8/nh2wlKKeQ=="}  ──▶  {"ack": "p8n9gmxTQVC8/nh2wlKKeQ=="}
//! ```
//!
//! Source: Fluentd's Forward Protocol Specification v1, and version 2 of Fluent Bit's events, whose
//! time may have metadata with it. All is `MessagePack` ([`msgpack`]). Each entry is handed out as
//! the JSON object that it stands for ([`json`]), so that one mapping serves both.
//!
//! # Invariants
//!
//! * *No message is held as a whole*: entries are handed out as they come, also out of gzip, so that
//!   chunks may be of any size. An entry too long is cut; its JSON is then the beginning of one.
//! * *A chunk is acknowledged after its last entry*, and only where its sender asks for it.
//! * *Lengths are believed when their bytes are there*: nothing is allocated for them.
//!
//! Where a listener has a secret of its own, a [`handshake`] comes before all that: it proves a
//! secret that both sides know. Of keys we know only a hash: those are shown in records, or by a
//! certificate.

mod compressed;
mod handshake;
mod inflate;
mod json;
mod msgpack;
mod option;
#[cfg(test)]
mod tests;

pub use self::handshake::SharedKey;

use self::handshake::Handshake;
use self::inflate::Inflate;
use self::json::Writer;
use self::msgpack::{Front, Head, Kind, Passed, Scan, front};
use super::oversize::Oversize;
use super::{Dialogue, FrameErrors, ProtocolError, Step};

/// The decoder of one connection: entries whose JSON has at most `max_len` bytes, and the
/// acknowledgements of chunks.
#[derive(Debug)]
pub struct Fluent {
    max_len: usize,
    /// The handshake, until it is done.
    handshake: Option<Box<Handshake>>,
    state: State,
    tag: Vec<u8>,
    scan: Scan,
    /// The entry that is on its way, where it is too long to be kept in the buffer.
    oversize: Oversize,
    json: Writer,
    /// The length of the entry handed out last, where that was too long.
    original_len: Option<u64>,
    inflate: Option<Box<Inflate>>,
    /// What was unpacked, and how much of it was used.
    plain: Vec<u8>,
    plain_used: usize,
    /// The memory that unpacking may take, and how much more it needs to go on, in bytes.
    granted: usize,
    wants: usize,
    /// Entries of the message that is being read.
    entries: u64,
    answers: Vec<u8>,
    errors: FrameErrors,
    broken: Option<ProtocolError>,
}

/// Where the front of the buffer lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before what proves a secret.
    Ping,
    /// Before a message.
    Start,
    /// Before its tag; it has so many elements.
    Tag { elements: usize },
    /// Behind its tag.
    Body { elements: usize },
    /// Before the time and the record of a message that has one entry.
    Single { elements: usize },
    /// Before the entries of a list.
    List { entries: usize, has_option: bool },
    /// Before so many bytes of packed entries.
    Packed { left: usize, has_option: bool },
    /// Before so many bytes of compressed ones.
    Compressed { left: usize, has_option: bool },
    /// Before the option, where there is one.
    Option { has_option: bool },
    /// It is broken: what still comes is dropped.
    Over,
}

/// What a step came to.
enum Found {
    /// The entry in `json`.
    Entry,
    /// Something else was read: go on.
    Next,
    /// More is needed.
    More,
}

/// How far the values of an entry came.
enum Entry {
    /// It is whole, and in `json`; so many bytes were used.
    Whole(usize),
    /// It is not; so many bytes need not be shown again.
    Part(usize),
    Bad,
}

impl Fluent {
    /// A decoder for one connection. `max_len` in bytes.
    pub fn new(max_len: usize) -> Self {
        Self {
            max_len,
            handshake: None,
            state: State::Start,
            tag: Vec::new(),
            scan: Scan::new(1),
            oversize: Oversize::new(max_len, |_| false),
            json: Writer::new(max_len),
            original_len: None,
            inflate: None,
            plain: Vec::new(),
            plain_used: 0,
            granted: 0,
            wants: 0,
            entries: 0,
            answers: Vec::new(),
            errors: FrameErrors::default(),
            broken: None,
        }
    }

    /// The same, for senders who first prove that they know a secret. `nonce`: 16 bytes that nobody
    /// can know before.
    pub fn secret(max_len: usize, key: SharedKey, nonce: [u8; 16]) -> Self {
        let handshake = Handshake::new(key, nonce);
        let answers = handshake.hello();
        let handshake = Some(Box::new(handshake));
        Self { handshake, state: State::Ping, answers, ..Self::new(max_len) }
    }

    /// Reads on at `at`, and moves it behind what was read.
    fn advance(&mut self, buffer: &[u8], at: &mut usize) -> Found {
        let rest = buffer.get(*at..).unwrap_or_default();
        match self.state {
            State::Ping => self.ping(rest, at),
            State::Start => self.start(rest, at),
            State::Tag { elements } => self.tag(rest, at, elements),
            State::Body { elements } => self.body(rest, at, elements),
            State::Single { elements } => match self.entry(rest, false) {
                Entry::Whole(len) => {
                    *at += len;
                    self.enter(State::Option { has_option: elements == 4 });
                    Found::Entry
                }
                Entry::Part(len) => more(at, len),
                Entry::Bad => self.end("fluent.entry", "a time and a record, but found neither"),
            },
            State::List { entries: 0, has_option } => self.enter(State::Option { has_option }),
            State::List { entries, has_option } => match self.entry(rest, true) {
                Entry::Whole(len) => {
                    *at += len;
                    self.state = State::List { entries: entries - 1, has_option };
                    self.scan = Scan::new(1);
                    Found::Entry
                }
                Entry::Part(len) => more(at, len),
                Entry::Bad => self.end("fluent.entry", NO_ENTRY),
            },
            State::Packed { left, has_option } => self.packed(rest, at, left, has_option),
            State::Compressed { left, has_option } => self.compressed(rest, at, left, has_option),
            State::Option { has_option } => self.option(rest, at, has_option),
            State::Over => {
                *at = buffer.len();
                Found::More
            }
        }
    }

    fn enter(&mut self, state: State) -> Found {
        self.state = state;
        self.scan = Scan::new(1);
        Found::Next
    }

    fn start(&mut self, rest: &[u8], at: &mut usize) -> Found {
        match front(rest) {
            Front::Short => Found::More,
            // A heartbeat.
            Front::Head(Head { kind: Kind::Nil, size, .. }) => {
                *at += size;
                Found::Next
            }
            Front::Head(Head { kind: Kind::Array, size, len: elements @ 2..=4 }) => {
                *at += size;
                self.enter(State::Tag { elements })
            }
            Front::Head(Head { kind: Kind::Array, len: 6, .. }) => self.end(
                "fluent.handshake",
                "a message, but found a handshake, and there is no shared_key",
            ),
            Front::Head(_) | Front::Bad => {
                self.end("fluent.message", "a list of 2 to 4 elements, but found something else")
            }
        }
    }

    fn tag(&mut self, rest: &[u8], at: &mut usize, elements: usize) -> Found {
        match front(rest) {
            Front::Short => Found::More,
            Front::Head(Head { kind: Kind::Str | Kind::Bin, size, len }) if len <= MAX_TAG => {
                let Some(tag) = rest.get(size..size + len) else { return Found::More };
                self.tag.clear();
                self.tag.extend_from_slice(tag);
                *at += size + len;
                self.enter(State::Body { elements })
            }
            Front::Head(_) | Front::Bad => {
                self.end("fluent.message", "a tag of at most 4 KiB, but found something else")
            }
        }
    }

    fn body(&mut self, rest: &[u8], at: &mut usize, elements: usize) -> Found {
        let has_option = elements == 3;
        let Head { kind, size, len } = match front(rest) {
            Front::Short => return Found::More,
            Front::Bad => return self.end("fluent.message", "entries, but found no value"),
            Front::Head(head) => head,
        };
        match kind {
            Kind::Array if elements < 4 => {
                *at += size;
                self.enter(State::List { entries: len, has_option })
            }
            Kind::Str | Kind::Bin if elements < 4 => {
                let Some(first) = rest.get(size..size + len.min(2)) else { return Found::More };
                *at += size;
                if first != GZIP {
                    return self.enter(State::Packed { left: len, has_option });
                }
                self.inflate = Some(Box::new(Inflate::new()));
                self.enter(State::Compressed { left: len, has_option })
            }
            _ if elements > 2 => {
                self.state = State::Single { elements };
                self.scan = Scan::new(2);
                Found::Next
            }
            _ => self.end("fluent.message", "entries, but found another value"),
        }
    }

    /// Reads an entry: two values, or a list of them. `rest` is all that there is of it.
    fn entry(&mut self, rest: &[u8], is_list: bool) -> Entry {
        if is_list && !self.oversize.is_active() {
            match front(rest) {
                Front::Short => return Entry::Part(0),
                Front::Head(Head { kind: Kind::Array, len: 2, .. }) => {}
                Front::Head(_) | Front::Bad => return Entry::Bad,
            }
        }
        match self.scan.run(rest) {
            Passed::Bad => Entry::Bad,
            Passed::All(end) => {
                let mut entry = rest.get(..end).unwrap_or_default();
                let mut len = end as u64;
                if self.oversize.is_active() {
                    self.oversize.push(entry);
                    (entry, len) = match self.oversize.finish() {
                        (head, Some(len)) => (head, len),
                        (whole, None) => (whole, whole.len() as u64),
                    };
                }
                // However it came, of one too long the same is used.
                entry = entry.get(..self.max_len).unwrap_or(entry);
                let head = list_head(entry, is_list);
                self.json.entry(&self.tag, entry.get(head..).unwrap_or_default());
                let cut = (len > self.max_len as u64).then_some(len);
                self.original_len = self.json.original_len().max(cut);
                Entry::Whole(end)
            }
            Passed::Some if rest.len() <= self.max_len && !self.oversize.is_active() => {
                Entry::Part(0)
            }
            Passed::Some => {
                let taken = self.scan.take(rest);
                self.oversize.push(rest.get(..taken).unwrap_or_default());
                Entry::Part(taken)
            }
        }
    }

    fn packed(&mut self, rest: &[u8], at: &mut usize, left: usize, has_option: bool) -> Found {
        if left == 0 && !self.oversize.is_active() {
            return self.enter(State::Option { has_option });
        }
        let is_all = rest.len() >= left;
        let taken = match self.entry(rest.get(..left).unwrap_or(rest), true) {
            Entry::Whole(len) => {
                *at += len;
                self.state = State::Packed { left: left - len, has_option };
                self.scan = Scan::new(1);
                return Found::Entry;
            }
            Entry::Part(_) if is_all => return self.end("fluent.entry", CUT),
            Entry::Part(len) => len,
            Entry::Bad => return self.end("fluent.entry", NO_ENTRY),
        };
        self.state = State::Packed { left: left - taken, has_option };
        more(at, taken)
    }

    fn option(&mut self, rest: &[u8], at: &mut usize, has_option: bool) -> Found {
        if !has_option {
            self.entries = 0;
            return self.enter(State::Start);
        }
        match self.scan.run(rest) {
            Passed::All(end) => {
                if let Some(chunk) = option::chunk(rest.get(..end).unwrap_or_default()) {
                    option::acknowledge(chunk, &mut self.answers);
                }
                *at += end;
                self.entries = 0;
                self.enter(State::Start)
            }
            Passed::Some if rest.len() <= MAX_OPTION => Found::More,
            Passed::Some | Passed::Bad => {
                self.end("fluent.option", "an option of at most 16 KiB, but found something else")
            }
        }
    }

    #[cold]
    fn end(&mut self, code: &'static str, expected: &str) -> Found {
        let message = format!("expected {expected}");
        self.broken = Some(ProtocolError { code, message });
        self.drop_rest();
        Found::Next
    }

    /// Forgets what there is of a message.
    fn drop_rest(&mut self) {
        self.state = State::Over;
        self.oversize.clear();
        self.drop_packed();
    }
}

impl Dialogue for Fluent {
    /// An unfinished message is dropped at the end of the stream, but for the entries of it that
    /// were handed out: it has no acknowledgement.
    fn next<'b>(&'b mut self, buffer: &'b [u8], eof: bool) -> Step<'b> {
        self.oversize.recycle();
        let mut consumed = 0;
        loop {
            match self.advance(buffer, &mut consumed) {
                Found::Next => {}
                Found::Entry => {
                    let original_len = self.original_len;
                    self.entries += 1;
                    self.errors.too_long += u64::from(original_len.is_some());
                    return Step::Message { bytes: self.json.text(), consumed, original_len };
                }
                Found::More if !eof || self.wants > 0 => {
                    self.json.rest();
                    return Step::More { consumed };
                }
                Found::More => {
                    let is_between = self.state == State::Start && consumed == buffer.len();
                    if !is_between && self.state != State::Over {
                        self.errors.truncated_tail += 1;
                        self.drop_rest();
                    }
                    return Step::More { consumed: buffer.len() };
                }
            }
        }
    }

    fn speaks_first(&self) -> bool {
        self.handshake.is_some()
    }

    fn answers(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.answers);
    }

    fn unanswered(&self) -> u64 {
        self.entries
    }

    fn broken(&self) -> Option<ProtocolError> {
        self.broken.clone()
    }

    fn errors(&self) -> FrameErrors {
        self.errors
    }

    fn held(&self) -> usize {
        self.oversize.held() + self.plain.len() - self.plain_used.min(self.plain.len())
    }

    fn memory(&self) -> usize {
        let inflating = self.inflate.as_ref().map_or(0, |inflate| inflate.memory());
        self.oversize.held() + self.plain.capacity() + inflating + self.json.memory()
    }

    fn wants(&self) -> usize {
        self.wants
    }

    fn grant(&mut self) {
        self.granted += std::mem::take(&mut self.wants);
    }
}

fn more(at: &mut usize, taken: usize) -> Found {
    *at += taken;
    Found::More
}

/// How much of an entry is the head of its list.
fn list_head(entry: &[u8], is_list: bool) -> usize {
    match front(entry) {
        Front::Head(Head { size, .. }) if is_list => size,
        _ => 0,
    }
}

const NO_ENTRY: &str = "an entry of a time and a record, but found something else";

const CUT: &str = "whole entries, but found one that is cut short";

/// What gzip begins with (RFC 1952 §2.3.1). As `MessagePack` it is a number, which is no entry.
const GZIP: &[u8] = b"\x1f\x8b";

/// Bytes of a tag.
const MAX_TAG: usize = 4 << 10;

/// Bytes of an option. What Fluentd sends has about 60.
const MAX_OPTION: usize = 16 << 10;
