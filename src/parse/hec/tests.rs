//! What becomes of events and lines.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Events, HecOrigin, Lines};
use crate::parse::testing::{CX, events};

type Read = Vec<Result<Json, String>>;

fn read(body: &str) -> Read {
    let origin = HecOrigin { index: Some("main".into()), ..HecOrigin::default() };
    let mut opened = Events::open(body.as_bytes(), origin, &CX).unwrap();
    let count = opened.count();
    let events = events(&mut opened);
    assert_eq!(events.len(), count, "{body}");
    events
}

/// The one event of a body, less what all of them have.
#[track_caller]
fn one(body: &str) -> Json {
    let mut events = read(body);
    assert_eq!(events.len(), 1, "{body}");
    let mut event = events.remove(0).unwrap();
    let fields = event.as_object_mut().unwrap();
    fields.remove("index");
    fields.retain(|name, value| name != "@timestamp" || *value != "2026-06-15T12:00:00.000Z");
    event
}

#[test]
fn envelopes() {
    let table = [
        (r#"{"event":"hello"}"#, json!({"message": "hello"})),
        (r#"{"event":5}"#, json!({"message": 5})),
        (r#"{"event":false}"#, json!({"message": false})),
        (r#"{"event":[1,{"a":2}]}"#, json!({"message": "[1,{\"a\":2}]"})),
        (
            r#"{"event":{"message":"m","level":"warning","a":{"b":[1]}}}"#,
            json!({"message": "m", "level": "WARN", "a.b": [1]}),
        ),
        (
            r#"{"time":1781524801.25,"host":"h","source":"shop","sourcetype":"json","event":"e",
                "fields":{"region":"eu","severity":"error","n":["a"]},"more":[{}]}"#,
            json!({
                "@timestamp": "2026-06-15T12:00:01.250Z", "host.name": "h", "source": "shop",
                "sourcetype": "json", "message": "e", "region": "eu", "severity": "error",
                "level": "ERROR", "n": ["a"], "service": "shop",
            }),
        ),
        (
            r#"{"event":"e","time":"1781524801","source":"/var/log/a.log"}"#,
            json!({"@timestamp": "2026-06-15T12:00:01.000Z", "source": "/var/log/a.log", "message": "e"}),
        ),
        (
            r#"{"event":{"service":"own"},"source":"shop"}"#,
            json!({"service": "own", "source": "shop"}),
        ),
        (
            r#"{"event":"e","time":"soon"}"#,
            json!({"message": "e", "time": "soon", "tags": ["_timestampparsefailure"]}),
        ),
        (r#"{"event":"e","time":{},"host":[1],"fields":3}"#, json!({"message": "e"})),
        (r#"{"event":{"key":"x"}}"#, json!({"sender.key": "x", "tags": ["reserved_field"]})),
    ];
    for (body, want) in table {
        assert_eq!(one(body), want, "{body}");
    }
}

#[test]
fn events_follow_each_other() {
    for body in [
        r#"{"event":"a"}{"event":"b","index":"own"}"#,
        " {\"event\":\"a\"}\n\n{\"event\":\"b\",\"index\":\"own\"}\n",
        r#"[{"event":"a"} , {"event":"b","index":"own"}]"#,
    ] {
        let events: Vec<_> = read(body).into_iter().map(Result::unwrap).collect();
        let [a, b] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((&a["message"], &a["index"]), (&json!("a"), &json!("main")));
        assert_eq!((&b["message"], &b["index"]), (&json!("b"), &json!("own")));
    }
    for body in ["", " \n", "[]", "[ ] "] {
        assert_eq!(read(body), [], "{body:?}");
    }
}

#[test]
fn what_is_no_event_is_refused_by_itself_as_long_as_there_is_json() {
    let none = "expected a member \"event\", but found none";
    let blank = "expected an event that is not blank, but found a blank one";
    let table = [
        (r#"{"a":1}{"event":"b"}"#, vec![Err(none), Ok(())]),
        (r#"{"event":""}{"event":" "}{"event":null}{"event":{}}"#, vec![Err(blank); 4]),
        (
            r#"{"event":"a"}{"event":"b"{"event":"c"}"#,
            vec![Ok(()), Err("expected a comma or a closing brace at byte 25, but found `{`")],
        ),
        (
            r#"{"event":"a"} text {"event":"c"}"#,
            vec![Ok(()), Err("expected an object at byte 14, but found `t`")],
        ),
        (
            r#"[{"event":"a"}{"event":"c"}]"#,
            vec![Err("expected a comma or a closing bracket at byte 14, but found `{`")],
        ),
    ];
    for (body, want) in table {
        let events = read(body);
        let results: Vec<_> =
            events.iter().map(|event| event.as_ref().map(|_| ()).map_err(String::as_str)).collect();
        assert_eq!(results, want, "{body}");
    }
    let deep = format!("{{\"event\":\"a\"}}{{\"event\":{}", "[".repeat(1_000_000));
    let events = read(&deep);
    assert_eq!((events.len(), events[0].is_ok(), events[1].is_ok()), (2, true, false));
}

#[test]
fn lines() {
    let origin =
        HecOrigin { host: Some("h".into()), source: Some("shop".into()), ..HecOrigin::default() };
    let mut lines = Lines::open(b"one\r\n\n  two \nthree is long\nx\xff", origin, 8, &CX);
    let events: Vec<_> = events(&mut lines).into_iter().map(Result::unwrap).collect();
    let messages: Vec<_> = events.iter().map(|event| event["message"].clone()).collect();
    assert_eq!(messages, ["one", "  two", "three is", "x\u{fffd}"]);
    assert!(events.iter().all(|event| event["host.name"] == "h" && event["service"] == "shop"));
    assert_eq!(events[2]["tags"], json!(["truncated"]));
    assert_eq!(events[2]["event.original_length"], 13);
    assert_eq!(events[3]["tags"], json!(["encoding_error"]));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(body in "[\\[\\]{}\",:a-c0 \n]{0,60}|\\PC{0,60}") {
        drop(read(&body));
        let all = body.lines().filter(|line| !line.trim_ascii().is_empty()).count();
        let lines = events(&mut Lines::open(body.as_bytes(), HecOrigin::default(), 8, &CX));
        prop_assert_eq!(lines.len(), all);
    }
}
