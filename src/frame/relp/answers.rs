//! What a RELP sender is told, in the order of its frames.

use std::io::Write;

use super::MAX_NUMBER;

/// Answers that wait for what they stand for to be durable.
///
/// An `open` comes before all messages and what ends a session after them, and the numbers of
/// messages follow each other; so this is small, however many there are.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// To `open`.
    first: Vec<u8>,
    /// The number of the first message, and how many there are.
    messages: Option<(u32, u32)>,
    /// To what ended the session.
    last: Vec<u8>,
}

impl Answers {
    /// `open` was good: `data` says what we offer.
    pub(super) fn open(&mut self, number: u32, data: &str) {
        respond(&mut self.first, number, data);
    }

    /// A message is to be acknowledged. Its number is the one after the last message's.
    #[inline]
    pub(super) fn accept(&mut self, number: u32) {
        let (_, count) = self.messages.get_or_insert((number, 0));
        *count += 1;
    }

    /// `close`: the session ends as it should.
    pub(super) fn close(&mut self, number: u32) {
        respond(&mut self.last, number, "");
        self.last.extend_from_slice(SERVER_CLOSE);
    }

    /// The session ends as it should not, with a frame that is refused for a reason.
    pub(super) fn end(&mut self, refused: Option<(u32, &'static str)>) {
        if let Some((number, why)) = refused {
            respond(&mut self.last, number, &format!("500 {why}"));
        }
        self.last.extend_from_slice(SERVER_CLOSE);
    }

    /// Moves all of them to the end of `out`.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.first);
        if let Some((first, count)) = self.messages.take() {
            let mut number = first;
            for _ in 0..count {
                respond(out, number, "200 OK");
                number = if number == MAX_NUMBER { 1 } else { number + 1 };
            }
        }
        out.append(&mut self.last);
    }
}

/// Appends an answer to a frame.
fn respond(out: &mut Vec<u8>, number: u32, data: &str) {
    let blank = if data.is_empty() { "" } else { " " };
    writeln!(out, "{number} rsp {}{blank}{data}", data.len()).expect("a vector takes all");
}

/// That we close, and nothing after this is read.
pub(super) const SERVER_CLOSE: &[u8] = b"0 serverclose 0\n";
