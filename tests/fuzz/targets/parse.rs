//! Any message becomes an event that can be shown.
//!
//! Input: which parser; then the message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::event::{Event, Known};
use logtrace_fuzz::ids;
use logtrace_fuzz::parse::{BodyFormat, Context, flatten, hello, json, line, syslog};
use logtrace_fuzz::time::Timestamp;

fuzz_target!(|data: &[u8]| {
    let [kind, raw @ ..] = data else { return };
    let cx = Context {
        received_at: Timestamp::from_micros(1_781_524_800_000_000),
        zone_offset: if kind & 4 == 0 { 0 } else { -12_600 },
        keep_original: kind & 8 != 0,
    };
    let mut event = Event::default();
    match kind % 4 {
        0 => syslog(raw, &cx, &mut event),
        1 => line(raw, &cx, &mut event),
        2 => {
            let mut events = 0;
            let result = json::json(raw, &cx, &mut event, &mut |event| {
                events += 1;
                show(event, raw, &cx);
            });
            assert!(result.is_ok() || events == 1, "what does not parse is one event");
            return;
        }
        _ => {
            if let Some(secret) = hello(raw) {
                assert!(!secret.is_empty() && secret.len() < raw.len());
            }
            let mut indices = Vec::new();
            let mut each = |index, log: Result<&mut Event<'_>, &dyn std::fmt::Display>| {
                indices.push(index);
                if let Ok(event) = log {
                    show(event, raw, &cx);
                }
            };
            let mut format = json::IngestBody { max_events: MAX_EVENTS };
            if format.read(raw, &cx, &mut event, &mut each).is_ok() {
                assert!(indices.len() <= MAX_EVENTS && indices.is_sorted());
            }
            return;
        }
    }
    if !raw.is_empty() {
        let text = event.find(Known::Message).or_else(|| event.find(Known::Original));
        assert!(text.is_some(), "the text is recoverable");
    }
    show(&event, raw, &cx);
});

fn show(event: &Event<'_>, raw: &[u8], cx: &Context) {
    assert!(!serde_json::Value::Object(flatten(event, cx)).to_string().is_empty());
    let Some(found) = &event.credential else { return };
    let secret = &*found.secret;
    // One that is sent twice is masked by who stores it.
    let is_sent_once = raw.windows(secret.len().max(1)).filter(|at| *at == secret).count() == 1;
    if ids::is_secret(secret) && is_sent_once {
        let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|at| at == secret);
        for field in &event.fields {
            assert!(!holds(field.value.as_ref().bytes), "{} has the key", field.name.as_str());
        }
    }
}

const MAX_EVENTS: usize = 50;
