//! Any text is a query or an error with a place, and a query written out is read as the same.
//!
//! Input: which syntax; then the query.

#![no_main]

use libfuzzer_sys::fuzz_target;
use logtrace_fuzz::kql::{Object, Prepared, Syntax, matches, parse};
use logtrace_fuzz::time::Timestamp;

fuzz_target!(|data: &[u8]| {
    let [kind, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let syntax = if kind % 2 == 0 { Syntax::Lenient } else { Syntax::Strict };
    let parsed = match parse(text, syntax) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(syntax == Syntax::Lenient || !parsed.lenient);
    let written = parsed.query.to_kql();
    let again = parse(&written, Syntax::Lenient);
    let again = again.unwrap_or_else(|error| panic!("{written:?}: {error}"));
    assert_eq!(again.query, parsed.query, "{written:?}");
    let now = Timestamp::from_micros(1_781_524_800_000_000);
    let Ok(prepared) = Prepared::new(&parsed.query, now) else { return };
    for event in EVENTS {
        let serde_json::Value::Object(members) = serde_json::from_str(event).expect("it is JSON")
        else {
            unreachable!("each is an object")
        };
        matches(&prepared, &Object::new(members));
    }
});

const EVENTS: [&str; 3] = [
    "{}",
    r#"{"@timestamp":"2026-06-15T12:00:00Z","message":"Cannot connect to 10.0.0.7:5432, disk-full",
        "level":"ERROR","bytes":5.0,"a":{"b":[1,"x",null,{"c":true}]},"path":"/var/log/x"}"#,
    r#"{"message":"","url":"http://x/?a=b","n":null,"big":123456789012345678901234567890}"#,
];
