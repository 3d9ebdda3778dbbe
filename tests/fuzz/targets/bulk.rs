//! Bodies of calls hold as many logs as they say, in order, and of each it is known what it was.
//!
//! Input: which format; then the body.

#![no_main]

use std::fmt::Display;

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::event::Event;
use logtrace_fuzz::parse::json::{BulkAction, BulkBody, DocumentBody, InputBody, InputContent};
use logtrace_fuzz::parse::{BodyFormat, Context, flatten};
use logtrace_fuzz::time::Timestamp;

fuzz_target!(|data: &[u8]| {
    let [kind, body @ ..] = data else { return };
    let cx = Context {
        received_at: Timestamp::from_micros(1_781_524_800_000_000),
        zone_offset: 0,
        keep_original: kind & 8 != 0,
    };
    match kind % 4 {
        0 => {
            let mut format = BulkBody { index: None, max_events: MAX_EVENTS, actions: Vec::new() };
            if let Some(count) = read(&mut format, body, &cx) {
                assert_eq!(count, format.actions.len(), "each action is answered");
            }
        }
        1 => {
            let action = BulkAction::Index;
            let mut format = DocumentBody { index: "i".into(), id: Some("1".into()), action };
            assert!(read(&mut format, body, &cx).is_none_or(|count| count == 1));
        }
        kind => {
            let contents = [InputContent::Text, InputContent::Json, InputContent::Gelf];
            let content = contents.get(usize::from(kind) - 2).copied().unwrap_or(InputContent::Json);
            let path = "/path".to_owned();
            let (max_message, max_events) = (64, MAX_EVENTS);
            let mut format = InputBody { content, path, max_message, max_events };
            let count = read(&mut format, body, &cx);
            assert!(count.is_none_or(|count| count <= MAX_EVENTS));
        }
    }
});

/// How many logs there were, unless the body was refused as a whole.
fn read(format: &mut dyn BodyFormat, body: &[u8], cx: &Context) -> Option<usize> {
    let (mut event, mut count) = (Event::default(), 0);
    let mut each = |index, log: Result<&mut Event<'_>, &dyn Display>| {
        assert_eq!(index, count);
        count += 1;
        match log {
            Ok(event) => {
                let shown = serde_json::Value::Object(flatten(event, cx)).to_string();
                assert!(!shown.is_empty());
            }
            Err(why) => assert!(why.to_string().starts_with("expected ")),
        }
    };
    let read = format.read(body, cx, &mut event, &mut each).is_ok();
    assert!(read || count == 0, "a body that is refused brought nothing");
    read.then_some(count)
}

const MAX_EVENTS: usize = 16;
