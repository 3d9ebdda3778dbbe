//! The body of `POST /loki/api/v1/push` (Grafana Loki, HTTP API, "Ingest logs").
//!
//! A push holds streams; a stream has labels, and entries of a time, a line and, since version 3,
//! metadata of its own. Each entry is an event: the line its message, labels and metadata fields
//! under their names. Both forms are read, JSON and a protocol buffers message in a snappy block,
//! and the older ones that `/api/prom/push` took.
//!
//! A push is refused as a whole, before the first event of it is handed out, if it is not formed
//! as it should be. A line is kept as it is, whatever it holds.

mod block;
mod json;
mod labels;
mod message;
#[cfg(test)]
mod tests;

pub use self::block::{MAX_BLOCK, unsnap};
pub use self::json::LokiJson;
pub use self::message::LokiMessage;

use crate::event::{Event, Tag};
use crate::time::Timestamp;

/// Sets the time of an event; one that no calendar has is the time of receipt, and is tagged.
fn set_time(event: &mut Event<'_>, nanos: Option<i128>) {
    let micros = nanos.and_then(|nanos| i64::try_from(nanos.div_euclid(1000)).ok());
    let time = micros.map(Timestamp::from_micros);
    event.timestamp = time.filter(|time| (Timestamp::MIN..=Timestamp::MAX).contains(time));
    if event.timestamp.is_none() {
        event.tag(Tag::TimestampParseFailure);
    }
}
