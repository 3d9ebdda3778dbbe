//! Any body that is pushed over HTTP is read or refused, record by record, and what is read can be
//! shown; entries of systemd's journal come out the same in reads of any size.
//!
//! Input: which format; then the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::event::Event;
use logtrace_fuzz::frame::{Dialogue, Encoding, JournalExport, Step, inflate};
use logtrace_fuzz::parse::hec::{HecBody, HecOrigin};
use logtrace_fuzz::parse::loki::LokiBody;
use logtrace_fuzz::parse::otlp::{OtlpBody, OtlpEncoding};
use logtrace_fuzz::parse::{BodyFormat, Context, RecordLimits, flatten, journal};
use logtrace_fuzz::time::Timestamp;

fuzz_target!(|data: &[u8]| {
    let [kind, body @ ..] = data else { return };
    let cx = Context {
        received_at: Timestamp::from_micros(1_781_524_800_000_000),
        zone_offset: 0,
        keep_original: kind & 8 != 0,
    };
    let limits = RecordLimits { records: MAX_RECORDS, shared: MAX_SHARED };
    let loki = |is_json| LokiBody { is_json, limits };
    let otlp = |encoding| OtlpBody { encoding, limits };
    let hec = |is_raw| HecBody {
        is_raw,
        origin: HecOrigin { source: Some("s".into()), ..HecOrigin::default() },
        max_line: 64,
        max_events: MAX_RECORDS,
        fault: None,
    };
    match kind % 8 {
        0 => read(loki(true), body, &cx),
        1 => read(loki(false), body, &cx),
        2 => read(otlp(OtlpEncoding::Json), body, &cx),
        3 => read(otlp(OtlpEncoding::Protobuf), body, &cx),
        4 => read(hec(false), body, &cx),
        5 => read(hec(true), body, &cx),
        6 => {
            if let Ok(content) = inflate(Encoding::Snappy, body, MAX_BODY) {
                assert!(content.len() <= MAX_BODY);
                read(loki(false), &content, &cx);
            }
        }
        _ => assert_eq!(entries(body, body.len(), &cx), entries(body, 3, &cx)),
    }
});

fn read(mut format: impl BodyFormat, body: &[u8], cx: &Context) {
    let (mut event, mut records) = (Event::default(), 0);
    let mut each = |index, record: Result<&mut Event<'_>, &dyn std::fmt::Display>| {
        assert_eq!(index, records);
        records += 1;
        match record {
            Ok(event) => show(event, cx),
            Err(error) => assert!(error.to_string().starts_with("expected ")),
        }
    };
    let result = format.read(body, cx, &mut event, &mut each);
    assert!(records <= MAX_RECORDS && (result.is_ok() || records == 0));
}

/// The entries of a stream that is read in parts of that size, and whether it broke.
fn entries(stream: &[u8], size: usize, cx: &Context) -> (Vec<Vec<u8>>, bool) {
    let (mut decoder, mut found, mut buffer) = (JournalExport::new(16), vec![], vec![]);
    let mut parts = stream.chunks(size.max(1)).peekable();
    loop {
        buffer.extend_from_slice(parts.next().unwrap_or_default());
        let eof = parts.peek().is_none();
        while let Step::Message { bytes, consumed, .. } = decoder.next(&buffer, eof) {
            let entry = bytes.to_vec();
            buffer.drain(..consumed);
            let mut event = Event::default();
            journal(&entry, cx, &mut event);
            show(&event, cx);
            found.push(entry);
        }
        // What is not whole was taken; more of it is wanted.
        buffer.clear();
        if eof || decoder.broken().is_some() {
            return (found, decoder.broken().is_some());
        }
    }
}

fn show(event: &Event<'_>, cx: &Context) {
    assert!(!serde_json::Value::Object(flatten(event, cx)).to_string().is_empty());
}

const MAX_RECORDS: usize = 50;

const MAX_SHARED: usize = 1 << 16;

const MAX_BODY: usize = 1 << 16;
