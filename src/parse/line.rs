//! Logstash's `line` codec: the line is the message, and there is nothing to understand.

use super::Context;
use super::structured_data::Span;
use super::syslog::{Source, in_front};
use crate::event::{Event, Known, Tag, Value};

/// Fills `event` (already clear) from one line, which becomes its message; cannot fail.
///
/// A key in front of it, as in front of a syslog message, is noted and left out.
pub fn line<'a>(raw: &'a [u8], cx: &Context, event: &mut Event<'a>) {
    let mut source = Source::new(raw);
    let start = in_front(&mut source, event);
    let start = if event.credential.is_some() { start } else { 0 };
    let message = source.scrubbed_text(Span::new(start, source.body().len()));
    event.set(Known::Message, Value::Text(message));
    if !source.is_utf8() {
        event.tag(Tag::EncodingError);
    }
    if cx.keep_original || !source.is_utf8() {
        event.set(Known::Original, source.original());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::AuthMethod;
    use crate::time::Timestamp;

    const CX: Context =
        Context { received_at: Timestamp::from_micros(0), zone_offset: 0, keep_original: false };

    #[test]
    fn lines_are_messages() {
        let table = [
            ("hello", "hello"),
            ("<13>1 - - - - - - x\n", "<13>1 - - - - - - x"),
            ("  <13>x", "  <13>x"),
            ("  indented", "  indented"),
            ("lt_live_00 x", "lt_live_00 x"),
            ("", ""),
        ];
        for (raw, want) in table {
            let mut event = Event::default();
            line(raw.as_bytes(), &CX, &mut event);
            assert_eq!(event.find(Known::Message), Some(&Value::Text(want.into())), "{raw}");
            assert_eq!((event.fields.len(), event.credential), (1, None), "{raw}");
        }
    }

    #[test]
    fn a_key_in_front_is_taken_off() {
        let raw = "lt_live_0123456789abcdef0123456789abcdef hello";
        let mut event = Event::default();
        line(raw.as_bytes(), &Context { keep_original: true, ..CX }, &mut event);
        assert_eq!(event.find(Known::Message), Some(&Value::Text("hello".into())));
        assert_eq!(event.find(Known::Original), Some(&Value::Text("hello".into())));
        let credential = event.credential.unwrap();
        assert_eq!(credential.method, AuthMethod::Prefix);
        assert_eq!(&credential.secret[..], &raw.as_bytes()[..40]);
    }
}
