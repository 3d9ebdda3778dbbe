//! Times that are far from ours.

use std::sync::Arc;
use std::time::Duration;

use super::Ingest;
use super::sender::Sender;
use super::session::Session;
use crate::event::{Event, Tag, Value};
use crate::journal::Advisory;
use crate::time::{DAY, Timestamp};

/// Shows it of an event whose time is far from that of its receipt. One that no clock of today can
/// show gets the time of its receipt, as nobody would look for it there, and the time that its
/// sender gave is kept as `event.created`.
pub(super) fn show(event: &mut Event<'_>, received_at: Timestamp) {
    let Some(time) = event.timestamp else { return };
    let usual = received_at.plus(-MAX_LATE)..=received_at.plus(MAX_EARLY);
    if usual.contains(&time) {
        return;
    }
    event.tag(Tag::ClockSkew);
    let kept = received_at.plus(-MAX_KEPT)..=received_at.plus(MAX_KEPT);
    if !kept.contains(&time) {
        event.timestamp = Some(received_at);
        event.put("event.created".into(), Value::Text(time.to_string().into()));
    }
}

/// Tells, once in a while, that times of a sender are far from ours.
pub(super) fn tell(ingest: &Ingest, session: &Session, sender: Option<&Sender>) {
    let key = sender.and_then(Sender::masked).map(|key| format!(" with key {key}"));
    let (name, peer) = (&session.listener.name, session.peer);
    let subject = format!("{peer} at {name}{}", key.unwrap_or_default());
    let advice = "events come with times far from those at which they came: see to the sender's \
                  clock and time zone, or to what it kept for so long";
    let advisory = Advisory {
        kind: "clock_off",
        subject,
        advice: advice.to_owned(),
        project: sender.map(|sender| Arc::clone(&sender.origin.project)),
        ..Advisory::default()
    };
    ingest.advise_once(TELL_EVERY, advisory);
}

/// How often it is told that the clock of one sender is off.
const TELL_EVERY: Duration = Duration::from_secs(3600);

/// How far ahead of ours a clock may be, in microseconds: a zone that is wrong is no more.
const MAX_EARLY: i64 = DAY;

/// How old an event may be: what was kept elsewhere may be sent here.
const MAX_LATE: i64 = 365 * DAY;

/// How far a time may be from ours and still be that of the event.
const MAX_KEPT: i64 = 20 * 365 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_23_times_far_from_ours() {
        let received_at = Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap();
        // When it says it was, and whether that is tagged and kept.
        let table = [
            ("1970-01-01T00:00:00Z", true, false),
            ("2006-06-20T11:59:59Z", true, false),
            ("2006-06-20T12:00:00Z", true, true),
            ("2025-06-15T11:59:59Z", true, true),
            ("2025-06-15T12:00:00Z", false, true),
            ("2026-06-15T12:00:00Z", false, true),
            ("2026-06-16T12:00:00Z", false, true),
            ("2026-06-16T12:00:01Z", true, true),
            ("2036-06-15T12:00:00Z", true, true),
            ("2100-01-01T00:00:00Z", true, false),
        ];
        for (text, is_tagged, is_kept) in table {
            let sent = Timestamp::parse_rfc3339(text.as_bytes()).unwrap();
            let mut event = Event { timestamp: Some(sent), ..Event::default() };
            show(&mut event, received_at);
            let want = if is_kept { sent } else { received_at };
            assert_eq!(event.timestamp, Some(want), "{text}");
            assert_eq!(event.tags.contains(&Tag::ClockSkew), is_tagged, "{text}");
            assert_eq!(event.fields.len(), usize::from(!is_kept), "{text}");
        }
    }
}
