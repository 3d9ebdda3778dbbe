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

/// Longer ones only make a fuzzer slow.
const MAX_SEED: usize = 4096;

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
