//! Streams of JSON values.

use super::super::json_scan::MAX_DEPTH;
use super::*;

fn values(stream: &[u8]) -> String {
    show(|| JsonValues::new(30), stream)
}

#[test]
fn js_07_values_one_after_the_other() {
    #[rustfmt::skip]
    let table: &[(&str, &str)] = &[
        ("",                                   ""),
        ("{\"a\":1}",                          "{\"a\":1}"),
        ("{\"a\":1}{\"b\":2}",                 "{\"a\":1}|{\"b\":2}"),
        ("{\"a\":1}\n\r\n {\"b\":2}\n",        "{\"a\":1}|{\"b\":2}"),
        ("[{\"a\":1},\n{\"b\":2}]\n[]",        "[{\"a\":1},\\n{\"b\":2}]|[]"),
        ("{\n \"a\": {\n  \"b\": 1 }\n}{}",    "{\\n \"a\": {\\n  \"b\": 1 }\\n}|{}"),
        ("\u{feff}{\"a\":1}\n\u{feff}{}",      "{\"a\":1}|{}"),
        ("{\"a\":\"}\\\"{\"}{}",               "{\"a\":\"}\\\\\"{\"}|{}"),
        ("true\n12 {\"a\":1}\n\"x\"\r\n{}\n",  "true|12 {\"a\":1}|\"x\"|{}"),
        ("{}} {}\n{}",                         "{}|} {}|{}"),
        ("null",                               "null"),
    ];
    for (stream, want) in table {
        assert_eq!(values(stream.as_bytes()).replace("\\\"", "\""), *want, "{stream}");
    }
    assert_eq!(
        values(b"{\"a\":\"\xff\xfe\"}{}").replace("\\\"", "\""),
        "{\"a\":\"\\xff\\xfe\"}|{}"
    );
}

#[test]
fn js_07_values_left_open_do_not_swallow_the_next() {
    #[rustfmt::skip]
    let table: &[(&str, &str)] = &[
        ("{\"a\":1\n{\"b\":2}\n{\"c\":3}",     "{\"a\":1|{\"b\":2}|{\"c\":3} !resync=1"),
        ("{\"a\":\"b}\r\n{\"c\":3}",           "{\"a\":\"b}|{\"c\":3} !resync=1"),
        ("{\"a\":\"b\\\n{\"c\":3}",            "{\"a\":\"b\\\\|{\"c\":3} !resync=1"),
        ("{\"a\":[1,2]\n  [3]",                "{\"a\":[1,2]|[3] !resync=1"),
        ("{}{\"a\":1",                         "{}|{\"a\":1 !truncated_tail=1"),
    ];
    for (stream, want) in table {
        assert_eq!(values(stream.as_bytes()).replace("\\\"", "\""), *want, "{stream}");
    }
}

#[test]
fn js_02_nested_too_deep_is_text_up_to_lf() {
    for close in ["", "]"] {
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), close.repeat(MAX_DEPTH + 1));
        let stream = format!("{deep}\n{{}}");
        let (outcome, _) = run(JsonValues::new(4096), [stream.as_bytes()]);
        assert_eq!(outcome.messages, [(deep.into_bytes(), None), (b"{}".to_vec(), None)]);
        assert_eq!(outcome.errors, FrameErrors { resync: 1, ..FrameErrors::default() });
    }
    let hostile = "[".repeat(1_000_000);
    let (outcome, peak) = run(JsonValues::new(4096), hostile.as_bytes().chunks(1000));
    assert_eq!(outcome.messages, [(vec![b'['; 4096], Some(1_000_000))]);
    assert!(peak <= 4096 + 64, "{peak}");
}

#[test]
fn js_08_value_over_the_limit() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(40));
    for between in ["", "\n", "  \n"] {
        let stream = format!("{long}{between}{{\"b\":2}}");
        let want = format!("{}+48|{{\"b\":2}} !too_long=1", head(&long, 30));
        assert_eq!(values(stream.as_bytes()).replace("\\\"", "\""), want);
    }
    // Left open as well: the line after it is found all the same.
    let stream = format!("{}\n{{\"b\":2}}", head(&long, 40));
    let want = format!("{}+40|{{\"b\":2}} !resync=1 !too_long=1", head(&long, 30));
    assert_eq!(values(stream.as_bytes()).replace("\\\"", "\""), want);
}
