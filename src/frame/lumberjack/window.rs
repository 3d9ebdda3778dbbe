//! Windows: how many events are acknowledged together, and with which number.

use super::fault::Fault;
use super::frames::Id;

/// The window that is being filled, and the answers to those that were.
#[derive(Debug)]
pub(super) struct Windows {
    /// Of the frame that opened the window: the answer has the same.
    version: u8,
    /// Events of the last window that was announced.
    announced: u32,
    /// Events to come. 0 between windows.
    left: u32,
    /// Events that came, and their bytes.
    came: u32,
    bytes: u64,
    /// The highest number among them.
    highest: u32,
    /// Windows without an event since the answers were last taken, or since the last event.
    empty: u32,
    answers: Vec<u8>,
}

impl Windows {
    pub(super) fn new() -> Self {
        Self {
            version: b'2',
            announced: 1,
            left: 0,
            came: 0,
            bytes: 0,
            highest: 0,
            empty: 0,
            answers: Vec::new(),
        }
    }

    /// Opens a window of `count` events. One before it that is not full is answered as it is; one
    /// for no events at once.
    pub(super) fn open(&mut self, version: u8, count: u32) -> Result<(), Fault> {
        if count > MAX_WINDOW {
            return Err(Fault::Window(count));
        }
        self.end();
        self.empty += 1;
        if self.empty >= MAX_EMPTY {
            return Err(Fault::EmptyWindows);
        }
        (self.version, self.left) = (version, count);
        match count {
            0 => self.answer(0),
            _ => self.announced = count,
        }
        Ok(())
    }

    /// Takes an event of so many bytes. Where no window is open, it begins one like the last: in
    /// version 1 a window is announced once and holds until another is.
    pub(super) fn event(&mut self, id: Id, len: u64) -> Result<(), Fault> {
        let Id { version, sequence } = id;
        if self.left == 0 {
            (self.version, self.left) = (version, self.announced);
        }
        self.highest = if self.came == 0 { sequence } else { self.highest.max(sequence) };
        (self.left, self.came, self.empty) = (self.left - 1, self.came + 1, 0);
        self.bytes += len;
        if self.bytes > MAX_WINDOW_BYTES {
            return Err(Fault::WindowBytes);
        }
        if self.left == 0 {
            self.end();
        }
        Ok(())
    }

    /// Ends the window, and answers it if anything came.
    pub(super) fn end(&mut self) {
        if self.came > 0 {
            self.answer(self.highest);
        }
        (self.left, self.came, self.bytes, self.highest) = (0, 0, 0, 0);
    }

    /// Appends the answers since the last call to `out`.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        self.empty = 0;
        out.append(&mut self.answers);
    }

    /// Events of the window that is being filled.
    pub(super) fn unanswered(&self) -> u64 {
        u64::from(self.came)
    }

    /// What says that the answer is still to come.
    pub(super) fn keep_alive(&self) -> &'static [u8] {
        if self.version == b'1' { b"1A\0\0\0\0" } else { b"2A\0\0\0\0" }
    }

    fn answer(&mut self, sequence: u32) {
        self.answers.extend([self.version, b'A']);
        self.answers.extend(sequence.to_be_bytes());
    }
}

/// The most events of a window: Filebeat sends 2048 unless told otherwise.
pub(super) const MAX_WINDOW: u32 = 65_536;

/// The most bytes of the events of a window, 1 GiB: none of them is held here, but all of them are
/// sent again if the connection breaks.
pub(super) const MAX_WINDOW_BYTES: u64 = 1 << 30;

/// Windows without an event, one after the other, each of which is answered.
pub(super) const MAX_EMPTY: u32 = 32_768;
