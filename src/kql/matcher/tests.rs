//! What matches what, and what each kind of matcher costs to be wrong about.

use super::super::{Field, RangeOp, Syntax, parse};
use super::*;

fn now() -> Timestamp {
    Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap()
}

/// The matcher of the one condition that `text` is.
fn matcher(text: &str) -> Matcher {
    let query = parse(text, Syntax::Lenient).unwrap().query;
    let name = match &query {
        Query::Is { field: Some(Field::Name(name)), .. } => name.clone(),
        Query::Range { field: Field::Name(name), .. } => name.clone(),
        Query::Regex { field: Some(Field::Name(name)), .. } => name.clone(),
        other => panic!("{other:?}"),
    };
    Matcher::new(&query, &name, now())
}

/// `7`, `true` and `null` as JSON; anything else is text.
fn value(text: &str) -> ValueRef<'_> {
    let kind = match text {
        "null" => Kind::Null,
        "true" | "false" => Kind::Bool,
        _ if serde_json::from_str::<serde_json::Number>(text).is_ok() => Kind::Number,
        _ => return ValueRef::text(text.trim_matches('\'')),
    };
    ValueRef::new(kind, text.as_bytes())
}

#[test]
fn messages() {
    let table = [
        ("message:disk", "Disk full", true),
        ("message:disk", "disks full", false),
        ("message:disk", "a_disk", false),
        ("message:disk", "hdisk, then disk.", true),
        ("message:DISK FULL", "nearly full", true),
        ("message:DISK FULL", "nearly", false),
        ("message:\"disk full\"", "x disk: FULL", true),
        ("message:\"disk full\"", "full disk", false),
        ("message:\"disk full\"", "disk almost full", false),
        ("message:\"disk full\"", "disk fullness", false),
        ("message:\"full disk full\"", "disk full disk full", true),
        ("message:198.51.100.7", "from 198.51.100.7 port", true),
        ("message:198.51.100.7", "from 198.51.100.8 and 7", false),
        ("message:index.html other", "GET /index.html", true),
        ("message:GRÖßE", "die größe!", true),
        ("message:größe", "Großgröße", false),
        ("message:k", "\u{212a}", false),
        ("message:\"->\"", "a -> b", true),
        ("message:\"->\"", "a - > b", false),
        ("message:\"\"", "a", false),
        ("message:7", "7", true),
        ("message:true", "it is TRUE", true),
        ("message:null", "null", true),
        ("message:x", "null", false),
        ("message:null", "a null b", false),
        ("message:accept*", "Accepted", true),
        ("message:accept*", "unaccepted", false),
        ("message:*cept*", "unaccepted", true),
        ("message:a*d", "Accept bed", false),
        ("message:a*d", "x accepted y", true),
        ("message:*メッセージ*", "日本語のメッセージ", true),
        ("message:*said \\\"hi*", "User said \"hi there\"", true),
        ("message:said h*re", "user said here", true),
        ("message:said h*re", "unsaid here", false),
        ("message:~/time(out|r)/", "a timeout", true),
        ("message:~/time(out|r)/", "a TIMEOUT", false),
        ("message:~/(?i)time(out|r)/", "a TIMEOUT", true),
        ("message:a b c d e f g h i j k-l", "zz K-L", true),
        ("message:a b c d e f g h i j k-l", "zz J", true),
        ("message:a b c d e f g h i j k-l", "k m l", false),
        ("event.original:disk", "DISK", true),
    ];
    for (query, text, want) in table {
        assert_eq!(matcher(query).matches(value(text)), want, "{query} {text}");
    }
    let octets = ValueRef::new(Kind::Bytes, b"\xff disk\xff");
    assert!(matcher("message:disk").matches(octets));
}

#[test]
fn exact_values() {
    let table = [
        ("a:x", "x", true),
        ("a:x", "X", false),
        ("a:\"x y\"", "x y", true),
        ("a:x y", "x y", true),
        ("a:x y", "x", false),
        ("a:5", "5.0", true),
        ("a:5", "'5.0'", false),
        ("a:\"5\"", "5", true),
        ("a:5", "'5'", true),
        ("a:9007199254740993", "9007199254740992", false),
        ("a:9007199254740993", "9007199254740993", true),
        ("a:070", "70", true),
        ("a:true", "true", true),
        ("a:\"true\"", "true", true),
        ("a:true", "false", false),
        ("a:true", "'true'", true),
        ("a:null", "null", true),
        ("a:\"null\"", "null", false),
        ("a:x", "null", false),
        ("a:web*", "web01", true),
        ("a:web*", "Web01", false),
        ("a:w*1", "web01", true),
        ("a:w*1", "1", false),
        ("a:5*", "504", true),
        ("a:10.0.0.0/8", "10.1.2.3", true),
        ("a:10.0.0.0/8", "11.1.2.3", false),
        ("a:\"2001:DB8::0:1\"", "2001:db8::1", true),
        ("a:~/^web\\d+$/", "web01", true),
        ("a:~/^web\\d+$/", "xweb01", false),
        ("level:error", "ERROR", true),
        ("level:ERROR", "Error", true),
        ("level:err*", "ERROR", true),
        ("level:error", "ERR", false),
        ("level:30", "30", true),
    ];
    for (query, text, want) in table {
        assert_eq!(matcher(query).matches(value(text)), want, "{query} {text}");
    }
}

#[test]
fn comparisons() {
    let table = [
        ("a > 5", "10", true),
        ("a > 5", "5", false),
        ("a >= 5", "5.0", true),
        ("a < 0.3", "0.25", true),
        ("a <= -1", "-1", true),
        ("a > 100", "'4242'", true),
        ("a > 100", "'77'", false),
        ("a > 5", "true", false),
        ("a > 5", "null", false),
        ("a > x", "7", false),
        ("a >= m", "m", true),
        ("a >= m", "lab", false),
        ("a > 5", "web", true),
        ("a < é", "z", true),
        ("a > b*", "c", false),
    ];
    for (query, text, want) in table {
        assert_eq!(matcher(query).matches(value(text)), want, "{query} {text}");
    }
}

#[test]
fn times() {
    let table = [
        ("@timestamp:2026-06-15", "2026-06-15T23:59:59.999999Z", true),
        ("@timestamp:2026-06-15", "2026-06-16T00:00:00Z", false),
        ("@timestamp > 2026-06-15", "2026-06-15T23:59:59.999999Z", false),
        ("@timestamp > 2026-06-15", "2026-06-16T00:00:00Z", true),
        ("@timestamp >= 2026-06-15", "2026-06-15T00:00:00Z", true),
        ("@timestamp < 2026-06-15", "2026-06-15T00:00:00Z", false),
        ("@timestamp <= 2026-06-15", "2026-06-15T12:00:00Z", true),
        ("@timestamp >= now-1h", "2026-06-15T11:00:00Z", true),
        ("@timestamp >= now-1h", "2026-06-15T10:59:59.999999Z", false),
        ("@timestamp:\"2026-06-15T11:00:00.000Z\"", "2026-06-15T13:00:00+02:00", true),
        ("received_at < now/d", "2026-06-14T23:00:00Z", true),
        ("received_at:1781524800", "1781524800", true),
        ("@timestamp:2026-06-15", "soon", false),
        ("@timestamp:soon", "soon", false),
        ("@timestamp:2026-06-15T*", "2026-06-15T11:00:00.000Z", true),
        ("other > 2026-06-15", "2026-06-15T00:00:00Z", true),
    ];
    for (query, text, want) in table {
        let matcher = matcher(query);
        assert_eq!(matcher.matches(value(text)), want, "{query} {text}");
        if let Some(at) = Timestamp::parse_rfc3339(text.as_bytes())
            && query.contains("@timestamp")
        {
            assert_eq!(matcher.matches_time(at), want, "{query} {text}");
            let is_inside = matcher.time_bounds().is_none_or(|(a, b)| (a..=b).contains(&at));
            assert!(is_inside || !want, "{query} {text}");
        }
    }
    assert!(matcher("@timestamp:soon").is_never());
    assert_eq!(matcher("a:1").time_bounds(), None);
}

#[test]
fn words_that_an_index_can_be_asked_for() {
    let table: &[(&str, &[&str])] = &[
        ("message:Disk", &["disk"]),
        ("message:disk full", &["disk", "full"]),
        ("message:a-b c", &["a b", "c"]),
        ("message:\"Disk full\"", &["disk full"]),
        ("message:198.51.100.7", &["198 51 100 7"]),
        ("message:\"->\"", &[]),
        ("message:acc*", &[]),
        ("message:user said h*re now", &["user said now"]),
        ("message:*x y z*", &["y"]),
        ("message:*x-*-y*", &[]),
        ("message:a *", &["a"]),
        ("message:~/disk/", &[]),
        ("host:web-01", &["web 01"]),
        ("host:5", &["5"]),
        ("host:-5.0", &["5", "5 0"]),
        ("host:007", &["7", "007"]),
        ("host:0.5", &[]),
        ("host:18446744073709551616", &[]),
        ("host:192.0.2.1", &[]),
        ("host:10.0.0.0/8", &[]),
        ("host:true", &["true"]),
        ("host:\"\"", &[]),
        ("host:\"-\"", &[]),
        ("host:null", &[]),
        ("host:web*", &[]),
        ("host:WEB-*.example", &["web example"]),
        ("host > a", &[]),
        ("level:Error", &["error"]),
        ("level:Er*-x", &["x"]),
    ];
    for (query, want) in table {
        let required: Vec<String> =
            matcher(query).required_words().iter().map(|words| words.join(" ")).collect();
        assert_eq!(required, *want, "{query}");
    }
}

#[test]
fn qy_03_hostile_queries_take_one_pass() {
    let message = "a".repeat(64 * 1024);
    let pieces = "*a*b".repeat(10_000);
    let words = (0..10_000).map(|n| format!("b{n}")).collect::<Vec<_>>().join(" ");
    let half = "a".repeat(32 * 1024);
    for query in
        [format!("message:{pieces}"), format!("message:{words}"), format!("message:{half}")]
    {
        let matcher = matcher(&query);
        for message in [message.clone(), "a ".repeat(32 * 1024), "ä".repeat(32 * 1024)] {
            assert!(!matcher.matches(ValueRef::text(&message)));
        }
    }
}

#[test]
fn what_is_no_leaf_matches_nothing() {
    let leaf = Query::Range {
        field: Field::Name("a".into()),
        op: RangeOp::Gt,
        value: Literal::Wild(vec![String::new(); 2]),
    };
    let empty = Query::Is { field: Some(Field::Wild(vec![])), value: Literal::Wild(vec![]) };
    assert!(!Matcher::new(&empty, "message", now()).matches(ValueRef::text("a")));
    for query in [Query::All, Query::And(vec![]), leaf] {
        assert!(Matcher::new(&query, "a", now()).is_never());
    }
}
