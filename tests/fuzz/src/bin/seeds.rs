//! Writes the cases of `tests/corpus/` as the inputs that the targets begin with.
//!
//! Its argument is a folder; each target finds its own in it.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("a folder is given");
    let folder = Path::new(&folder);
    for case in cases("framing_cases")? {
        let mode = ["auto", "octet", "lf", "nul"].iter().position(|mode| case["mode"] == *mode);
        let chunks = case["chunks_b64"].as_array().expect("cases of framing have chunks");
        let stream: Vec<u8> = chunks.iter().flat_map(octets).collect();
        if stream.len() <= MAX_SEED {
            let kind = u8::try_from(mode.unwrap_or_default()).unwrap_or_default();
            write(folder, "frame", &case, &[kind, 200, 0], &stream)?;
        }
    }
    for case in cases("syslog_cases")? {
        write(folder, "parse", &case, &[0], &octets(&case["raw_b64"]))?;
    }
    for case in cases("json_lines_cases")? {
        let line = octets(&case["line_b64"]);
        if line.len() <= MAX_SEED {
            write(folder, "parse", &case, &[2], &line)?;
            let action = [&b"{\"index\":{\"_id\":\"1\"}}\n"[..], &line, b"\n"].concat();
            write(folder, "bulk", &case, &[0], &action)?;
            write(folder, "bulk", &case, &[2], &line)?;
            let call = [&b"{\"logs\":["[..], &line, b"]}"].concat();
            write(folder, "parse", &case, &[3], &call)?;
            write(folder, "frame", &case, &[5, 200, 0], &line)?;
            write(folder, "block", &case, &[3], &line)?;
            write(folder, "tokens", &case, &[1], &line)?;
        }
    }
    for case in cases("kql_cases")? {
        let query = case["query"].as_str().expect("cases of KQL have a query");
        write(folder, "kql", &case, &[0], query.as_bytes())?;
    }
    for (number, (kind, body)) in PUSHED.iter().enumerate() {
        let case = serde_json::json!({"id": format!("pushed-{number}")});
        write(folder, "push", &case, &[*kind], body)?;
    }
    for (number, stream) in LUMBERJACK.iter().enumerate() {
        let case = serde_json::json!({"id": format!("stream-{number}")});
        write(folder, "lumberjack", &case, &[200, 9], stream)?;
    }
    for (number, (kind, stream)) in DIALOGUES.iter().enumerate() {
        let case = serde_json::json!({"id": format!("session-{number}")});
        write(folder, "dialogue", &case, &[*kind, 99, 3], stream)?;
    }
    for (number, message) in GELF.iter().enumerate() {
        let case = serde_json::json!({"id": format!("message-{number}")});
        let (first, second) = message.split_at(message.len() / 2);
        let chunk = |number, part: &[u8]| [b"\x1e\x0f12345678", &[number, 2][..], part].concat();
        let datagrams = [message.to_vec(), chunk(1, second), chunk(0, first)];
        let stream: Vec<u8> = datagrams
            .iter()
            .flat_map(|datagram| {
                let len = u8::try_from(datagram.len()).expect("messages are short");
                [&[len, 8][..], datagram].concat()
            })
            .collect();
        write(folder, "gelf", &case, &[], &stream)?;
    }
    for (number, (kind, message)) in KEYED.iter().enumerate() {
        let case = serde_json::json!({"id": format!("keyed-{number}")});
        let message = message.replace("KEY", "lt_live_0123456789abcdef0123456789abcdef");
        write(folder, "parse", &case, &[*kind], message.as_bytes())?;
    }
    Ok(())
}

fn cases(name: &str) -> std::io::Result<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../corpus/{name}.jsonl"));
    let text = fs::read_to_string(path)?;
    Ok(text.lines().map(|line| serde_json::from_str(line).expect("a case is JSON")).collect())
}

fn octets(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("octets are written as text");
    STANDARD.decode(text).expect("octets are written in base64")
}

fn write(
    folder: &Path,
    target: &str,
    case: &Value,
    prefix: &[u8],
    input: &[u8],
) -> std::io::Result<()> {
    let id = case["id"].as_str().expect("a case has an id");
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    let kind = prefix.first().copied().unwrap_or_default();
    fs::write(folder.join(format!("{id}-{kind}")), [prefix, input].concat())
}

/// Bodies by the formats of the target.
const PUSHED: [(u8, &[u8]); 8] = [
    (0, br#"{"streams":[{"stream":{"app":"a"},"values":[["1781524800000000000","l",{"t":"1"}]]}]}"#),
    (0, br#"{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"2026-06-15T12:00:00Z","line":"l"}]}]}"#),
    (
        2,
        br#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeLogs":[{"scope":{"name":"n"},"logRecords":[{"timeUnixNano":"1","severityNumber":9,"body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"},{"doubleValue":0.5},{"bytesValue":"AA=="}]}}}]}},"traceId":"01"}]}]}]}"#,
    ),
    (
        3,
        b"\x0a\x2a\x0a\x10\x0a\x0e\x0a\x03app\x12\x07\x0a\x05hello\x12\x16\x12\x14\x2a\x07\x0a\x05hello\x32\x09\x0a\x01k\x12\x04\x32\x02\x0a\x00",
    ),
    (4, br#"{"time":1.5,"host":"h","event":{"a":1},"fields":{"b":"c"}}{"event":"x"}"#),
    (5, b"one\ntwo\r\n\nthree"),
    (1, b"\x0a\x1d\x0a\x07{a=\"b\"}\x12\x12\x0a\x04\x08\x01\x10\x02\x12\x01l\x1a\x07\x0a\x01t\x12\x02id"),
    (7, b"MESSAGE=a\nX\n\x02\0\0\0\0\0\0\0\xff\n\n\nPRIORITY=3\nMESSAGE=b\n\n"),
];

/// Longer ones only make a fuzzer slow.
const MAX_SEED: usize = 4096;

/// Windows of both versions; of the second also one that is compressed.
const LUMBERJACK: [&[u8]; 4] = [
    b"2W\0\0\0\x022J\0\0\0\x01\0\0\0\x02{}2J\0\0\0\x02\0\0\0\x07{\"a\":1}",
    b"1W\0\0\0\x011D\0\0\0\x07\0\0\0\x02\0\0\0\x04line\0\0\0\x01x\0\0\0\x04host\0\0\0\x01h",
    b"2W\0\0\0\0",
    // A window of one event, `{}`, stored and not deflated (RFC 1951 §3.2.4).
    b"2C\0\0\0\x1d\x78\x01\x01\x12\0\xed\xff2W\0\0\0\x012J\0\0\0\x01\0\0\0\x02{}\x10\x70\x02\x02",
];

/// Messages that carry a key, and the parser that each is for.
const KEYED: [(u8, &str); 8] = [
    (0, "<13>1 - h a - - [lt@32473 key=\"KEY\"][x@1 y=\"z\"] m"),
    (0, "<13>1 - h a - - [KEY@41058 tag=\"x\"] m"),
    (0, "<13>1 - h a - - - KEY m"),
    (0, "<13>Oct 11 22:14:15 h a[1]: KEY m"),
    (0, "KEY <13>1 - h a - - - m"),
    (0, "[KEY] <13>1 - h a - - - m [type=t]"),
    (2, "{\"message\":\"m\",\"api_key\":\"KEY\"}"),
    (2, "{\"fields\":{\"token\":\"KEY\"},\"message\":\"m\"}"),
];

/// Messages of GELF: plain, and compressed as zlib and gzip have it.
const GELF: [&[u8]; 4] = [
    br#"{"version":"1.1","host":"h","short_message":"m","level":3,"_a":1}"#,
    br#"{"short_message":"m","full_message":"f","timestamp":1.5,"_id":"x","_token":"y"}"#,
    b"\x78\xda\xab\x56\x2a\xce\xc8\x2f\x2a\x89\xcf\x4d\x2d\x2e\x4e\x4c\x4f\x55\xb2\x52\xca\x55\xaa\x05\x00\x58\xc0\x07\x9c",
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\xce\xc8\x2f\x2a\x89\xcf\x4d\x2d\x2e\x4e\x4c\x4f\x55\xb2\x52\xca\x55\xaa\x05\x00\xb1\xe5\xe4\x75\x15\x00\x00\x00",
];

/// Sessions of protocols that answer, and which they are.
const DIALOGUES: [(u8, &[u8]); 6] = [
    (0, b"1 open 30 relp_version=0\ncommands=syslog\n2 syslog 5 <13>a\n3 syslog 0\n4 close 0\n"),
    (0, b"999999999 open 30 relp_version=0\ncommands=syslog\n1 syslog 5 <13>a\n0 hint 0\n"),
    (1, b"\x94\xa1t\x01\x82\xa1a\x93\x01\xc0\xa1b\xa1b\x81\xa1c\x05\x81\xa5chunk\xa2id"),
    (1, b"\x93\xa1t\x92\x92\x01\x81\xa1a\x01\x92\xd7\0\x65\0\0\0\0\0\0\x01\x80\x81\xa5chunk\xa2id"),
    (1, b"\x93\xa1t\xac\x92\x01\x81\xa1a\x01\x92\x02\x81\xa1a\x02\x81\xa5chunk\xa2id"),
    (1, b"\x92\xa1t\xb7\x1f\x8b\x08\0\0\0\0\0\0\x03\x9b\xc4\xd8\0\0\xfa\xe8\x88\x0d\x03\0\0\0"),
];
