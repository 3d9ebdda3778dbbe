//! Syslog messages: RFC 5424, RFC 3164 and its real-life forms, told apart message by message.
//!
//! ```text
//!  [KEY ]<PRI>1 TIME HOST APP PROCID MSGID [SD] MSG      rfc5424
//!  [KEY ]<PRI>TIME HOST TAG[PID]: MSG                    rfc3164
//!  [KEY ]<PRI>SEQ: HOST: *TIME: %FAC-SEV-MNEMONIC: MSG   cisco, then rfc3164
//!  [KEY ]anything else                                   all message, priority 13
//! ```
//!
//! What is optional may be missing anywhere. Parsers find *where* things are ([`header`]) and hold
//! nothing else; only the last step makes text of it. A header that breaks off keeps the parts in
//! front of the break, as long as they cannot be anything else, and the rest is the message.

mod cisco;
#[cfg(test)]
mod corpus;
mod credential;
#[cfg(test)]
mod faults;
mod header;
mod priority;
mod rfc3164;
mod rfc5424;
mod source;

pub(super) use self::credential::in_front;
pub(super) use self::source::Source;

use self::header::Header;
use super::Context;
use crate::event::Event;

/// Fills `event` (already clear) from one message; cannot fail, worst case all text, tagged.
pub fn syslog<'a>(raw: &'a [u8], cx: &Context, event: &mut Event<'a>) {
    let mut source = Source::new(raw);
    let start = in_front(&mut source, event);
    let text = source.body();
    let mut header = Header::default();
    if let Some(priority) = priority::read(text, start) {
        header.priority = priority.digits;
        header.lossy = priority.is_padded;
        if text.get(priority.end..).is_some_and(|rest| rest.starts_with(b"1 ")) {
            rfc5424::read(&mut source, priority.end, cx, event, &mut header);
        } else {
            rfc3164::read(text, priority.end, cx, &mut header);
        }
    } else if text.get(start) == Some(&b'<') {
        header.break_off(text, start);
    } else {
        rfc3164::read_without_priority(text, start, cx, &mut header);
    }
    credential::in_message(&mut source, &mut header, event);
    header.fill(&source, cx, event);
}
