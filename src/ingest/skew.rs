//! Times that no clock set right can have shown.

use crate::event::{Event, Tag, Value};
use crate::time::{DAY, Timestamp};

/// Gives an event the time of its receipt if its own is out of bounds: who looks for what has just
/// come would not find it, or nothing else. The time that its sender gave is kept as
/// `event.created`.
pub(super) fn set_right(event: &mut Event<'_>, received_at: Timestamp) {
    let Some(time) = event.timestamp else { return };
    let bounds = received_at.plus(-MAX_LATE)..=received_at.plus(MAX_EARLY);
    if !bounds.contains(&time) {
        event.timestamp = Some(received_at);
        event.put("event.created".into(), Value::Text(time.to_string().into()));
        event.tag(Tag::ClockSkew);
    }
}

/// How far ahead of ours a clock may be, in microseconds: a zone that is wrong is no more.
const MAX_EARLY: i64 = DAY;

/// How old an event may be: what was kept elsewhere may be sent here, and what a machine without a
/// clock says of 1970 is not that.
const MAX_LATE: i64 = 20 * 365 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_23_times_out_of_bounds_are_those_of_receipt() {
        let received_at = Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap();
        let table = [
            ("1970-01-01T00:00:00Z", false),
            ("2006-06-20T11:59:59Z", false),
            ("2006-06-20T12:00:00Z", true),
            ("2026-06-15T12:00:00Z", true),
            ("2026-06-16T12:00:00Z", true),
            ("2026-06-16T12:00:01Z", false),
            ("2100-01-01T00:00:00Z", false),
        ];
        for (text, is_kept) in table {
            let sent = Timestamp::parse_rfc3339(text.as_bytes()).unwrap();
            let mut event = Event { timestamp: Some(sent), ..Event::default() };
            set_right(&mut event, received_at);
            let want = if is_kept { sent } else { received_at };
            assert_eq!(event.timestamp, Some(want), "{text}");
            assert_eq!(event.tags.contains(&Tag::ClockSkew), !is_kept, "{text}");
            assert_eq!(event.fields.len(), usize::from(!is_kept), "{text}");
        }
    }
}
