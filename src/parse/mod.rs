//! Makes events of messages.
//!
//! ```text
//!  [frame] ──▶ one message, any bytes ──▶ [parse] ──▶ one event that borrows from it ──▶ [gate]
//! ```
//!
//! A parser answers *what does this message say, and under which key?* It does no I/O, keeps no
//! clock and holds no lock: the circumstances it cannot read from the message are its [`Context`].
//!
//! # Which parser
//!
//! | protocol                                       | parser              | source               |
//! |------------------------------------------------|---------------------|----------------------|
//! | syslog over TCP, TLS, UDP, unix sockets, RELP  | [`syslog()`]        | RFC 5424, RFC 3164   |
//! | Logstash tcp and udp, codec `line`             | [`line()`]          | Logstash             |
//! | GELF                                           | [`json::gelf`]      | GELF 1.1             |
//! | Loki's push                                    | [`loki`]            | Loki, HTTP API       |
//! | OTLP/HTTP logs                                 | [`otlp`]            | OTLP 1.x             |
//! | Splunk's HTTP Event Collector                  | [`hec`]             | Splunk               |
//! | systemd-journal-upload                         | [`journal()`]       | systemd              |
//! | Logstash `json_lines` and `json`, HTTP         | [`json`]            | RFC 8259, Logstash   |
//! | Beats, versions 1 and 2                        | [`json::beats`]     | Logstash             |
//! | the first line of a raw stream, `AUTH KEY`     | [`hello()`]         | SPEC §2.3            |
//!
//! And back: [`flatten`] shows an event as one JSON object, [`structured_data()`] and
//! [`parameter`] read what [`syslog()`] left as the text it came in.
//!
//! # Invariants
//!
//! * *It cannot fail*: there is no error to return. The worst that becomes of a message is an event
//!   that is all text, tagged with what is wrong with it.
//! * *One message in, one event out*, and a message never ends up in two.
//! * *An event borrows*: from the bytes of the message, for as long as it lives. What had to be
//!   changed (escapes, a key in the middle, text that is not UTF-8) is owned, and only that.
//! * *The text is recoverable*: whatever was received is in a field, or all of it is in
//!   `event.original`; there to the octet when it is not UTF-8. Only the bytes that end a message
//!   on the wire are no text.
//! * *A key is in no field*: it is in `Event::credential` and cut from everything else, also where
//!   the message does not parse.
//! * *Time is linear* in the length of the message, whatever is in it.

mod body;
mod context;
mod fallback;
mod flat;
mod forwarded;
pub mod hec;
mod hello;
mod http_page;
mod http_secret;
mod journal;
pub mod json;
mod line;
pub mod loki;
mod octets;
pub mod otlp;
mod records;
mod structured_data;
mod syslog;
#[cfg(test)]
mod testing;
mod wire;

pub use self::body::{BodyError, BodyFormat, Each};
pub use self::context::Context;
pub use self::flat::flatten;
pub use self::forwarded::{ForSomeone, ForwardedHeader, TrustedProxies};
pub use self::hello::hello;
pub use self::http_page::{from_web_page, http_head, is_loopback};
pub use self::http_secret::http_secret;
pub use self::journal::journal;
pub use self::line::line;
pub use self::records::{MAX_SHARED, RecordError, RecordLimits};
pub use self::structured_data::{parameter, structured_data, unescape};
pub use self::syslog::syslog;
pub use self::wire::WireError;
