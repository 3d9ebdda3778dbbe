//! The body of `POST /loki/api/v1/push` (Grafana Loki, HTTP API, "Ingest logs").
//!
//! A push holds streams; a stream has labels, and entries of a time, a line and, since version 3,
//! metadata of its own. Each entry is an event: the line its message, labels and metadata fields
//! under their names. Both forms are read, JSON and a protocol buffers message in a snappy block,
//! and the older ones that `/api/prom/push` took.
//!
//! A push is refused as a whole, before the first event of it is handed out, if it is not formed
//! as it should be. A line is kept as it is, whatever it holds.

mod json;
mod labels;
mod message;
#[cfg(test)]
mod tests;

use self::json::LokiJson;
use self::message::LokiMessage;
use super::records::{RecordLimits, hand_out};
use super::{BodyError, BodyFormat, Context, Each};
use crate::event::{Event, Tag};
use crate::time::Timestamp;

/// The body of a push.
#[derive(Clone, Copy, Debug)]
pub struct LokiBody {
    /// Whether it is JSON; else it is a message.
    pub is_json: bool,
    /// How much it may hold.
    pub limits: RecordLimits,
}

impl BodyFormat for LokiBody {
    fn read<'a>(
        &'a mut self,
        body: &'a [u8],
        cx: &Context,
        event: &mut Event<'a>,
        each: Each<'_, 'a>,
    ) -> Result<(), BodyError> {
        if self.is_json {
            hand_out(LokiJson::open(body, self.limits, cx)?, event, each, |_, _| {});
        } else {
            hand_out(LokiMessage::open(body, self.limits, cx)?, event, each, |_, _| {});
        }
        Ok(())
    }
}

/// Sets the time of an event; one that no calendar has is the time of receipt, and is tagged.
fn set_time(event: &mut Event<'_>, nanos: Option<i128>) {
    let micros = nanos.and_then(|nanos| i64::try_from(nanos.div_euclid(1000)).ok());
    let time = micros.map(Timestamp::from_micros);
    event.timestamp = time.filter(|time| (Timestamp::MIN..=Timestamp::MAX).contains(time));
    if event.timestamp.is_none() {
        event.tag(Tag::TimestampParseFailure);
    }
}
