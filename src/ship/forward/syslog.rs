//! Entries as RFC 5424, and how such messages are told apart on a stream.

use super::config::Framing;
use super::entry::{Entry, on_a_line, text};

/// Who says it.
#[derive(Clone, Debug)]
pub(super) struct Sayer {
    /// The name of this machine.
    pub(super) host: String,
    /// The number of this process.
    pub(super) process: u32,
}

impl Sayer {
    /// This machine and this process.
    pub(super) fn here() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let is_of_a_name = |c: &char| c.is_ascii_graphic();
        let host: String = host.chars().filter(is_of_a_name).take(MAX_HOST).collect();
        let host = if host.is_empty() { "-".to_owned() } else { host };
        Self { host, process: std::process::id() }
    }

    /// The header of a message (RFC 5424 §6.2): facility 13 is that of audits.
    pub(super) fn header(&self, entry: &Entry) -> String {
        let priority = FACILITY * 8 + entry.severity();
        let time = entry.time().map_or_else(|| "-".to_owned(), |time| time.to_string());
        let Self { host, process } = self;
        format!("<{priority}>1 {time} {host} logtrace {process} {}", entry.journal)
    }
}

/// An entry as a message whose structured data are its fields.
pub(super) fn rfc5424(sayer: &Sayer, entry: &Entry) -> String {
    let mut message = sayer.header(entry);
    message.push_str(" [logtrace@32473");
    for (name, value) in &entry.fields {
        let Some(value) = text(value).filter(|_| !OWN.contains(&name.as_str())) else { continue };
        message.push(' ');
        message.extend(name.chars().map(of_a_name).take(MAX_NAME));
        message.push_str("=\"");
        for c in on_a_line(&value).chars() {
            // RFC 5424 §6.3.3.
            if matches!(c, '"' | '\\' | ']') {
                message.push('\\');
            }
            message.push(c);
        }
        message.push('"');
    }
    message.push_str("] ");
    message.push_str(&on_a_line(&entry.message()));
    message
}

/// A message as it is written to a stream.
pub(super) fn frame(framing: Framing, message: &str, into: &mut Vec<u8>) {
    match framing {
        Framing::Octet => {
            into.extend_from_slice(format!("{} ", message.len()).as_bytes());
            into.extend_from_slice(message.as_bytes());
        }
        Framing::Lf => {
            into.extend_from_slice(message.as_bytes());
            into.push(b'\n');
        }
    }
}

/// A character as it may stand in a name of structured data.
fn of_a_name(c: char) -> char {
    if c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"') { c } else { '_' }
}

/// Fields that the message itself carries.
const OWN: [&str; 3] = ["@timestamp", "@version", "message"];

/// Log audit (RFC 5424 §6.2.1).
const FACILITY: u8 = 13;

/// The longest host name, in characters (RFC 5424 §6.2.4).
const MAX_HOST: usize = 255;

/// The longest name of a field, in characters (RFC 5424 §6.3.3).
const MAX_NAME: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_as_syslog() {
        let fields = json!({
            "@timestamp": "2026-11-21T12:00:00.500Z",
            "@version": "1",
            "message": "no\nline ]\"\\",
            "level": "WARN",
            "_id": "01",
            "sample": "a\"b]c\\d\r\ne\u{1b}[0m",
            "a b=c]d\"é": 7,
            "a_name_that_is_longer_than_thirty_two_characters": true,
            "nothing": null,
        });
        let fields = fields.as_object().unwrap().clone();
        let entry = Entry { journal: "blocked", position: 1, fields };
        let sayer = Sayer { host: "here".to_owned(), process: 42 };
        let message = rfc5424(&sayer, &entry);
        let want = "<108>1 2026-11-21T12:00:00.500Z here logtrace 42 blocked [logtrace@32473 ";
        assert!(message.starts_with(want), "{message}");
        for part in [
            " _id=\"01\"",
            " level=\"WARN\"",
            r#" sample="a\"b\]c\\d\\r\\ne�[0m""#,
            " a_b_c_d__=\"7\"",
            " a_name_that_is_longer_than_thirt=\"true\"",
        ] {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(message.ends_with("] no\\nline ]\"\\"), "{message}");
        assert!(!message.contains("nothing") && !message.contains('\n'));
        let mut stream = Vec::new();
        frame(Framing::Octet, "é", &mut stream);
        frame(Framing::Lf, "é", &mut stream);
        assert_eq!(stream, "2 éé\n".as_bytes());
    }
}
