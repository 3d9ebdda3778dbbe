//! FAULTS.md, group "Syslog parsing": what is done to a parser, and what must come of it.

use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::corpus::cases;
use super::syslog;
use crate::event::{Event, Known, Tag};
use crate::parse::{Context, flatten};
use crate::time::Timestamp;

/// 2026-06-15T12:00:00Z.
const NOW: i64 = 1_781_524_800_000_000;

fn cx() -> Context {
    let received_at = Timestamp::from_micros(NOW);
    Context { received_at, zone_offset: 0, keep_original: false }
}

/// The event of `raw`, flat, after what every event promises was checked.
fn flat(raw: &[u8]) -> Map<String, Json> {
    flat_in(raw, &cx())
}

fn flat_in(raw: &[u8], cx: &Context) -> Map<String, Json> {
    let mut event = Event::default();
    syslog(raw, cx, &mut event);
    assert!(is_recoverable(raw, &event), "{:?}: {event:?}", String::from_utf8_lossy(raw));
    let flat = flatten(&event, cx);
    assert!(number(&flat, "log.syslog.facility.code") < 24);
    assert!(number(&flat, "log.syslog.severity.code") < 8);
    assert!(flat["message"].is_string());
    flat
}

fn number(flat: &Map<String, Json>, name: &str) -> u64 {
    flat[name].as_u64().unwrap()
}

fn tags(flat: &Map<String, Json>) -> Vec<&str> {
    flat["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect()
}

/// Whether the text of `raw` is in the event: all of it in `event.original`, or each of its words
/// in a field, or in the priority, the version or the time.
fn is_recoverable(raw: &[u8], event: &Event<'_>) -> bool {
    if let Some(original) = event.find(Known::Original) {
        return original.as_ref().bytes == raw;
    }
    // A byte order mark is no text.
    let is_mark = |byte: u8| "\u{FEFF}".as_bytes().contains(&byte);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() && !is_mark(byte);
    let fields = event.fields.iter().map(|field| field.value.as_ref().to_text().into_owned());
    let fields = fields.collect::<Vec<_>>().join(" ").into_bytes();
    let kept = fields.split(|byte| !is_word(*byte)).collect::<std::collections::HashSet<_>>();
    let mut lost = raw.split(|byte| !is_word(*byte)).filter(|word| !kept.contains(word));
    let is_time = |word: &[u8]| {
        word.iter().all(|byte| byte.is_ascii_digit() || b"TtZz".contains(byte))
            || (word.len() <= 4 && word.iter().all(u8::is_ascii_alphabetic))
    };
    match event.timestamp {
        Some(_) => lost.all(is_time),
        // The version, and a number with zeros in front.
        None => lost.all(|word| word.iter().all(u8::is_ascii_digit)),
    }
}

#[test]
fn what_ended_the_message_before_is_no_part_of_this_one() {
    for front in ["", " ", "\n", "\r\n", "\0", "\t", "\u{FEFF}", "\u{FEFF}\n"] {
        for message in ["<13>Jun 15 11:59:58 h app: m", "<13>1 - h app - - - m"] {
            let flat = flat(format!("{front}{message}").as_bytes());
            assert_eq!([&flat["host.name"], &flat["message"]], ["h", "m"], "{front:?}");
        }
    }
    assert_eq!(flat(b" \tjust text")["message"], " \tjust text");
}

#[test]
fn sy_02_cases_cut_and_flipped_are_events() {
    for case in cases().filter(|case| case.raw.len() < 1000) {
        for at in 0..case.raw.len() {
            flat_in(&case.raw[..at], &case.cx);
            for flip in [0x01, 0x20, 0x80] {
                let mut raw = case.raw.clone();
                raw[at] ^= flip;
                flat_in(&raw, &case.cx);
            }
        }
    }
}

#[test]
fn sy_03_a_priority_that_is_none_stays_text() {
    for pri in ["<>", "<-1>", "<13", "<192>", "<999>", "<99999999999999999999>", "<abc>", "<１３>"]
    {
        let raw = format!("{pri} Mar  3 04:05:06 h app: text");
        let flat = flat(raw.as_bytes());
        assert_eq!(flat["message"], raw);
        assert_eq!(number(&flat, "log.syslog.priority"), 13, "{pri}");
        assert_eq!(tags(&flat), [Tag::SyslogParseFailure.as_str()]);
        assert_eq!(flat["@timestamp"], "2026-06-15T12:00:00.000Z");
    }
    for (pri, value) in [("<013>", 13), ("<000>", 0), ("<007>", 7), ("<0>", 0), ("<191>", 191)] {
        let flat = flat(format!("{pri}text").as_bytes());
        assert_eq!(
            (number(&flat, "log.syslog.priority"), &flat["message"]),
            (value, &"text".into())
        );
        assert_eq!(flat.contains_key("event.original"), pri.starts_with("<0") && pri.len() > 3);
    }
}

#[test]
fn sy_04_other_versions_are_text() {
    for version in ["0", "2", "10", "1000"] {
        for time in ["2026-06-15T11:00:00Z", "-"] {
            let text = format!("{version} {time} h a p m - text");
            let flat = flat(format!("<13>{text}").as_bytes());
            assert_eq!(flat["message"], text);
            assert_eq!(tags(&flat), [Tag::SyslogParseFailure.as_str()]);
            assert!(!flat.contains_key("log.syslog.hostname"), "{text}");
        }
    }
}

#[test]
fn sy_04_headers_that_are_cut_invent_no_field() {
    let whole = r#"<13>1 2026-06-15T11:00:00Z host app 42 id [x a="1"] text"#;
    let fields = [
        ("log.syslog.hostname", "host"),
        ("log.syslog.appname", "app"),
        ("log.syslog.procid", "42"),
        ("log.syslog.msgid", "id"),
    ];
    let data = whole.find('[').unwrap();
    for len in "<13>1".len()..=whole.len() {
        let flat = flat(&whole.as_bytes()[..len]);
        for (name, want) in fields {
            let value = flat.get(name).and_then(Json::as_str);
            assert!(value.is_none_or(|value| value == want), "{len}: {name} {value:?}");
            assert!(value.is_some() || len <= data, "{len}: {name}");
        }
        let is_whole = len > whole.find(']').unwrap();
        assert_eq!(tags(&flat).is_empty(), is_whole, "{len}: {flat:?}");
        assert_eq!(flat.contains_key("log.syslog.structured_data"), is_whole, "{len}");
    }
}

#[test]
fn sy_04_nilvalues_are_no_fields() {
    for raw in ["<13>1 - - - - - -", "<13>1 - - - - - - ", "<13>1 - - - - - -\n"] {
        let flat = flat(raw.as_bytes());
        let of_syslog = flat.keys().filter(|name| name.starts_with("log.syslog."));
        let of_syslog = of_syslog.filter(|name| !name.contains("ity")).collect::<Vec<_>>();
        assert!(of_syslog.is_empty(), "{of_syslog:?}");
        assert_eq!(flat["message"], "");
        assert!(tags(&flat).is_empty());
    }
}

#[test]
fn sy_05_structured_data_never_loses_the_message() {
    let many = r#"[x a="1"]"#.repeat(10_000);
    let open = r#"[x a=""#.repeat(100_000);
    let table = [
        (r#"[x a="\"\]\\"] text"#, true),
        (r#"[x a="1"][x a="2"] text"#, true),
        (r#"[x a="1" a="2"] text"#, true),
        (r#"[x ="1"] text"#, false),
        (r#"[ a="1"] text"#, false),
        (r#"[x a="1" text"#, false),
        (r#"[x a="1 text"#, false),
        (r#"[x a="1\" text"#, false),
        (r#"[x a="1"][y text"#, false),
        ("[ text", false),
        (&format!("{many} text"), true),
        (&format!("{many}[ text"), false),
        (&format!("{} text", "[".repeat(1_000_000)), false),
        (&format!("{open} text"), false),
    ];
    for (data, is_whole) in table {
        let flat = flat(format!("<13>1 2026-06-15T11:00:00Z h a - - {data}").as_bytes());
        assert_eq!(flat["message"] == "text", is_whole);
        assert!(flat["message"].as_str().unwrap().ends_with("text"));
        assert_eq!(tags(&flat).is_empty(), is_whole);
        assert_eq!(flat["log.syslog.appname"], "a");
    }
}

#[test]
fn sy_06_long_fields_are_kept() {
    let long = "x".repeat(10_000);
    let table = [
        (format!("<13>Jun 15 11:00:00 {long} app: m"), "log.syslog.hostname"),
        (format!("<13>Jun 15 11:00:00 h {long}: m"), "log.syslog.appname"),
        (format!("<13>Jun 15 11:00:00 h app[{long}]: m"), "log.syslog.procid"),
        (format!("<13>1 - {long} a p i - m"), "log.syslog.hostname"),
        (format!("<13>1 - h {long} p i - m"), "log.syslog.appname"),
        (format!("<13>1 - h a {long} i - m"), "log.syslog.procid"),
        (format!("<13>1 - h a p {long} - m"), "log.syslog.msgid"),
    ];
    for (raw, name) in table {
        let flat = flat(raw.as_bytes());
        assert_eq!(flat[name], long, "{name}");
        assert_eq!(flat["message"], "m", "{name}");
    }
}

#[test]
fn sy_07_what_is_not_utf_8_is_kept_to_the_octet() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let texts: [&[u8]; 8] = [
        b"latin-1 gr\xFC\xDFe",
        b"surrogate \xED\xA0\x80",
        b"overlong \xC0\xAF",
        b"cut \xE2\x82",
        b"\xEF\xBB\xBFmark \xFF",
        b"\xFF\xFEu\0t\0f\0-\x001\x006\0",
        b"\x80",
        b"nul \xFF\0",
    ];
    for text in texts {
        for head in ["<13>1 - h a - - - ", "<13>Jun 15 11:00:00 h a: ", "<13>", "", "<1000>"] {
            let raw = [head.as_bytes(), text].concat();
            let flat = flat(&raw);
            let original = STANDARD.decode(flat["event.original_base64"].as_str().unwrap());
            assert_eq!(original.unwrap(), raw);
            assert!(tags(&flat).contains(&Tag::EncodingError.as_str()));
            let shown = String::from_utf8_lossy(&raw).into_owned();
            assert_eq!(flat["event.original"], shown);
            let message = flat["message"].as_str().unwrap();
            assert!(!message.is_empty() && shown.trim_end_matches('\0').ends_with(message));
        }
    }
}

#[test]
fn sy_08_controls_are_stored_exactly() {
    let controls = (0..0x20_u8).map(char::from).chain('\u{7F}'..='\u{9F}').collect::<String>();
    for text in [
        &format!("a{controls}b"),
        "\u{1B}[31mred\u{1B}[0m \u{1B}]0;title\u{7}",
        "\u{202E}rtl\u{2066}x\u{2069} \u{200F}",
        "line\u{2028}paragraph\u{2029}next\u{85}end",
    ] {
        for head in ["<13>1 - h a - - - ", "<13>Jun 15 11:00:00 h a: "] {
            assert_eq!(flat(format!("{head}{text}").as_bytes())["message"], *text);
        }
        let named = flat(format!("<13>1 - h {} - - - m", text.replace(' ', "_")).as_bytes());
        assert_eq!(named["log.syslog.appname"], text.replace(' ', "_"));
    }
}

#[test]
fn sy_09_times_on_no_clock_are_the_time_of_receipt() {
    for (time, version) in [
        ("2026-13-01T00:00:00Z", "1 "),
        ("2023-02-29T00:00:00Z", "1 "),
        ("2026-01-01T24:00:00Z", "1 "),
        ("2016-12-31T23:59:60Z", "1 "),
        ("2026-01-01T00:00:00+99:99", "1 "),
        ("0000-01-01T00:00:00Z", "1 "),
        ("2026-13-01T00:00:00Z", ""),
        ("0000-01-01T00:00:00Z", ""),
        ("Jun 31 11:00:00", ""),
        ("Jun 15 24:00:00", ""),
        ("Jun 15 12:00:60", ""),
        ("Feb 29 2023 12:00:00", ""),
        ("Foo  3 12:08:33", ""),
    ] {
        let rest = if version.is_empty() { "h a: m" } else { "h a - - - m" };
        let raw = format!("<13>{version}{time} {rest}");
        let flat = flat(raw.as_bytes());
        assert_eq!(flat["@timestamp"], "2026-06-15T12:00:00.000Z", "{raw}");
        assert_eq!(flat["event.original"], raw);
        assert_eq!(tags(&flat), [Tag::TimestampParseFailure.as_str()], "{raw}");
        assert_eq!((&flat["log.syslog.hostname"], &flat["message"]), (&"h".into(), &"m".into()));
    }
    for digits in 7..=50 {
        let nines = "9".repeat(digits);
        let flat = flat(format!("<13>1 2026-06-15T11:59:59.{nines}Z h a - - - m").as_bytes());
        assert_eq!(flat["@timestamp"], "2026-06-15T11:59:59.999999Z");
        assert!(tags(&flat).is_empty());
    }
}

#[test]
fn sy_10_the_year_is_the_nearest_to_receipt() {
    for (received, time, want) in [
        ("2026-01-01T00:00:05Z", "Dec 31 23:59:58", "2025-12-31T23:59:58.000Z"),
        ("2025-12-31T23:59:58Z", "Jan  1 00:00:05", "2026-01-01T00:00:05.000Z"),
        ("2024-03-01T00:00:00Z", "Feb 29 23:59:58", "2024-02-29T23:59:58.000Z"),
    ] {
        let received_at = Timestamp::parse_rfc3339(received.as_bytes()).unwrap();
        let cx = Context { received_at, ..cx() };
        let flat = flat_in(format!("<13>{time} h a: m").as_bytes(), &cx);
        assert_eq!(flat["@timestamp"], want);
        assert!(tags(&flat).is_empty());
    }
}

#[test]
fn sy_12_parameters_cannot_forge_fields() {
    for name in ["key", "peer.ip", "received_at", "auth.method", "@timestamp", "_id", "@version"] {
        for id in ["x", name, "event", "log.syslog"] {
            let raw = format!(r#"<13>1 - h a - - [{id} {name}="forged"] m"#);
            let flat = flat(raw.as_bytes());
            let forged = flat.iter().filter(|(_, value)| value.to_string().contains("forged"));
            let forged = forged.map(|(name, _)| name.as_str()).collect::<Vec<_>>();
            assert_eq!(forged, ["log.syslog.structured_data"], "{raw}");
            assert_eq!(flat["@timestamp"], "2026-06-15T12:00:00.000Z");
            assert_eq!(flat["log.syslog.structured_data"][id][name], "forged");
        }
    }
}

#[test]
fn sy_14_what_others_evaluate_is_text() {
    for text in [
        "${jndi:ldap://x/a}",
        "%n%s%x",
        "{{7*7}}",
        "$(id)",
        "`id`",
        "../../etc/passwd",
        "a'--\"<b>",
    ] {
        let flat_v1 = flat(format!("<13>1 - {text} {text} {text} {text} - {text}").as_bytes());
        for name in ["hostname", "appname", "procid", "msgid"] {
            assert_eq!(flat_v1[&format!("log.syslog.{name}")], text);
        }
        assert_eq!(flat_v1["message"], text);
        assert_eq!((&flat_v1["host.name"], &flat_v1["service"]), (&text.into(), &text.into()));
        let flat = flat(format!("<13>Jun 15 11:00:00 h app[{text}]: {text}").as_bytes());
        assert_eq!((&flat["log.syslog.procid"], &flat["message"]), (&text.into(), &text.into()));
    }
}

const KEY: &str = "lt_live_0123456789abcdef0123456789abcdef";

/// Bits of syslog, whole and broken, to make messages of.
fn bits() -> impl Strategy<Value = Vec<u8>> {
    let bit = prop_oneof![
        8 => prop::sample::select(vec![
            "<13>", "<191>", "<1", ">", "1 ", " ", "-", "- ", ":", ": ", "[", "]", "[x ", "a=\"",
            "\"]", "\\", "\"", "2026-06-15T11:00:00Z ", "Jun 15 11:00:00 ", "Jun ", "*", "%ASA-6-1",
            "12", "host ", "app", "[42]", "\u{FEFF}", "\n", "\0", "ü", "{", "+02:00", ".5", "CEST",
            "00:01:01: ", "[lt@32473 key=\"", "@41058 ", "12: ", "1w2d: %",
        ]).prop_map(|bit| bit.as_bytes().to_vec()),
        1 => Just(KEY.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(bit, 0..24).prop_map(|bits| bits.concat())
}

proptest! {
    #[test]
    fn whatever_comes_is_one_event_with_all_its_text(raw in bits()) {
        let text = String::from_utf8_lossy(&raw);
        // What is cut with a key is not there to be found again.
        if !text.contains("lt") && !text.contains("@41058") {
            flat(&raw);
        }
    }

    #[test]
    fn a_key_that_was_found_or_may_be_there_is_in_no_field(raw in bits(), keep_original: bool) {
        let mut event = Event::default();
        syslog(&raw, &Context { keep_original, ..cx() }, &mut event);
        let found = event.credential.as_ref().map(|found| found.secret.to_vec());
        let is_broken = event.tags.contains(&Tag::SyslogParseFailure);
        let once = raw.windows(KEY.len()).filter(|at| *at == KEY.as_bytes()).count() == 1;
        if is_broken || (once && found.as_deref() == Some(KEY.as_bytes())) {
            for field in &event.fields {
                let text = field.value.as_ref().to_text();
                prop_assert!(!text.contains(KEY), "{}: {text}", field.name.as_str());
            }
        }
    }

    #[test]
    fn rfc_5424_is_read_as_it_was_written(
        priority in 0..192_u8,
        words in prop::array::uniform4("[!-Z^-~]{1,32}"),
        value in "[ -~é☕]{0,40}",
        message in "[!-~][ -~é☕\n]{0,60}[!-~]",
    ) {
        prop_assume!(words.iter().all(|word| word != "-") && !message.starts_with("lt_"));
        let [host, app, proc_id, msg_id] = &words;
        let escaped = value.replace('\\', r"\\").replace('"', "\\\"").replace(']', r"\]");
        let raw = format!(
            "<{priority}>1 2003-10-11T22:14:15.003Z {host} {app} {proc_id} {msg_id} \
             [id@1 name=\"{escaped}\"] {message}"
        );
        let flat = flat(raw.as_bytes());
        for (name, want) in [
            ("log.syslog.hostname", host),
            ("log.syslog.appname", app),
            ("log.syslog.procid", proc_id),
            ("log.syslog.msgid", msg_id),
            ("message", &message),
        ] {
            prop_assert_eq!(&flat[name], want);
        }
        prop_assert_eq!(&flat["log.syslog.structured_data"]["id@1"]["name"], &value);
        prop_assert_eq!(&flat["@timestamp"], "2003-10-11T22:14:15.003Z");
        prop_assert_eq!(number(&flat, "log.syslog.priority"), u64::from(priority));
        prop_assert!(tags(&flat).is_empty());
    }
}
