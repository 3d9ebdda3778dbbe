//! An entry of systemd's journal (systemd.journal-fields(7)), as [`JournalExport`] hands it out.
//!
//! [`JournalExport`]: crate::frame::JournalExport
//!
//! | field                               | becomes                                           |
//! |-------------------------------------|---------------------------------------------------|
//! | `MESSAGE`                           | the message                                       |
//! | `__REALTIME_TIMESTAMP`              | the time                                          |
//! | `PRIORITY`, `SYSLOG_FACILITY`       | `log.syslog.priority`, and so severity and level  |
//! | `SYSLOG_IDENTIFIER`; or `_COMM`     | `log.syslog.appname`, and so the service          |
//! | `SYSLOG_PID`; or `_PID`             | `log.syslog.procid`                               |
//! | `_HOSTNAME`                         | `log.syslog.hostname`, and so `host.name`         |
//! | those of [`NAMES`]                  | fields by ECS's names                             |
//! | `__CURSOR`                          | what the entry is known by when it comes again    |
//! | any other, and that                 | a field by its name in lower case                 |

use std::borrow::Cow;

use super::json::{Mapping, Member, Role, Schema};
use super::{Context, fallback, octets};
use crate::event::{Event, Identity, Known, Tag, Value};
use crate::ids;
use crate::time::Timestamp;

/// What is gathered of an entry before it is said of its event.
#[derive(Debug, Default)]
struct Gathered<'a> {
    message: Option<&'a [u8]>,
    severity: Option<u8>,
    facility: Option<u8>,
    identifier: Option<&'a [u8]>,
    /// Does for an identifier.
    command: Option<&'a [u8]>,
    /// The process as syslog has it, and as the journal does.
    syslog_process: Option<&'a [u8]>,
    process: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    time: Option<i64>,
    /// Its place in its journal, which no other entry has.
    cursor: Option<&'a str>,
}

/// Fills `event` (already clear) from one entry; cannot fail.
pub fn journal<'a>(raw: &'a [u8], cx: &Context, event: &mut Event<'a>) {
    let mut mapping = Mapping::new(Schema::Logstash, cx.zone_offset, event);
    mapping.begin();
    let (mut gathered, mut rest) = (Gathered::default(), raw);
    while let Some((name, value, behind)) = field(rest) {
        rest = behind;
        if !gathered.take(name, value) {
            put(&mut mapping, name, value);
        }
    }
    if mapping.finish() {
        event.tag(Tag::TooManyFields);
    }
    fallback::fill(event);
    event.identity = gathered.cursor.map(|cursor| Identity {
        space: JOURNAL.into(),
        id: cursor.into(),
        content: raw,
        may_replace: true,
    });
    gathered.put(event);
    let has_key = event.credential.as_ref().is_some_and(|found| !ids::is_secret(&found.secret));
    if cx.keep_original && !has_key {
        event.set(Known::Original, Value::Bytes(ids::scrub(raw)));
    }
}

impl<'a> Gathered<'a> {
    /// Takes a field that has a place of its own; false where it is one like any other.
    fn take(&mut self, name: &[u8], value: &'a [u8]) -> bool {
        let number = || std::str::from_utf8(value).ok()?.trim().parse::<i64>().ok();
        let small = |max: u8| number().and_then(|n| u8::try_from(n).ok()).filter(|n| *n <= max);
        match name {
            b"MESSAGE" => self.message = Some(value),
            b"PRIORITY" => match small(7) {
                Some(severity) => self.severity = Some(severity),
                None => return false,
            },
            b"SYSLOG_FACILITY" => match small(23) {
                Some(facility) => self.facility = Some(facility),
                None => return false,
            },
            b"SYSLOG_IDENTIFIER" => self.identifier = Some(value),
            b"SYSLOG_PID" => self.syslog_process = Some(value),
            b"_HOSTNAME" => self.host = Some(value),
            b"__REALTIME_TIMESTAMP" => match number() {
                Some(time) => self.time = Some(time),
                None => return false,
            },
            b"__CURSOR" => {
                self.cursor = std::str::from_utf8(value).ok().filter(|cursor| !cursor.is_empty());
                return false;
            }
            b"_COMM" => {
                self.command = Some(value);
                return false;
            }
            b"_PID" => {
                self.process = Some(value);
                return false;
            }
            _ => return false,
        }
        true
    }

    fn put(self, event: &mut Event<'a>) {
        if let Some(severity) = self.severity {
            // As rsyslog's imjournal has it where the journal names no facility.
            let priority = self.facility.unwrap_or(USER) * 8 + severity;
            event.set(Known::Priority, Value::Number(priority.to_string().into()));
        }
        for (known, value) in [
            (Known::AppName, self.identifier.or(self.command)),
            (Known::ProcId, self.syslog_process.or(self.process)),
            (Known::Hostname, self.host),
        ] {
            if let Some(value) = value {
                let text = octets::text(event, value);
                event.set(known, Value::Text(text));
            }
        }
        if let Some(message) = self.message {
            octets::message(event, message);
        }
        let time = self.time.map(Timestamp::from_micros);
        event.timestamp = time.filter(|time| (Timestamp::MIN..=Timestamp::MAX).contains(time));
    }
}

/// Puts a field of no meaning of its own into an event.
fn put<'a>(mapping: &mut Mapping<'_, 'a>, name: &'a [u8], value: &'a [u8]) {
    let known = NAMES.iter().find(|(theirs, ..)| theirs.as_bytes() == name);
    let is_number = known.is_some_and(|(_, _, is_number)| *is_number) && is_whole(value);
    let name = match known {
        Some((_, ours, _)) => Cow::Borrowed(*ours),
        None => Cow::Owned(String::from_utf8_lossy(name).to_ascii_lowercase()),
    };
    let value = match std::str::from_utf8(value) {
        Ok(digits) if is_number => Value::Number(digits.into()),
        Ok(text) => Value::Text(text.into()),
        Err(_) => Value::Bytes(value.into()),
    };
    mapping.put(Role::of(&name), Member::Top(name), value, 0..0);
}

/// Whether octets are a whole number as JSON writes one.
fn is_whole(value: &[u8]) -> bool {
    let is_short = (1..=18).contains(&value.len());
    let is_padded = value.len() > 1 && value.first() == Some(&b'0');
    is_short && !is_padded && value.iter().all(u8::is_ascii_digit)
}

/// The name and the value of the first field, and what follows it.
fn field(entry: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = memchr::memchr2(b'=', b'\n', entry)?;
    let (name, rest) = entry.split_at_checked(end)?;
    let (separator, rest) = rest.split_first()?;
    if *separator == b'=' {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (value, rest) = rest.split_at_checked(end)?;
        return Some((name, value, rest.get(1..).unwrap_or_default()));
    }
    let (len, rest) = rest.split_first_chunk::<8>()?;
    let len = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
    let (value, rest) = rest.split_at_checked(len.min(rest.len()))?;
    Some((name, value, rest.get(1..).unwrap_or_default()))
}

/// Fields that ECS, or Filebeat's journald input, has names for; and whether they are numbers.
const NAMES: &[(&str, &str, bool)] = &[
    ("_PID", "process.pid", true),
    ("_COMM", "process.name", false),
    ("_EXE", "process.executable", false),
    ("_CMDLINE", "process.command_line", false),
    ("_UID", "user.id", false),
    ("_GID", "group.id", false),
    ("_MACHINE_ID", "host.id", false),
    ("_BOOT_ID", "host.boot.id", false),
    ("CODE_FILE", "log.origin.file.name", false),
    ("CODE_LINE", "log.origin.file.line", true),
    ("CODE_FUNC", "log.origin.function", false),
    ("CONTAINER_ID", "container.id", false),
    ("CONTAINER_NAME", "container.name", false),
    ("IMAGE_NAME", "container.image.name", false),
    ("_SYSTEMD_UNIT", "systemd.unit", false),
    ("_SYSTEMD_USER_UNIT", "systemd.user_unit", false),
    ("_SYSTEMD_SLICE", "systemd.slice", false),
    ("_SYSTEMD_CGROUP", "systemd.cgroup", false),
    ("_SYSTEMD_SESSION", "systemd.session", false),
    ("_SYSTEMD_INVOCATION_ID", "systemd.invocation_id", false),
    ("_TRANSPORT", "systemd.transport", false),
];

/// Within what cursors are their own.
const JOURNAL: &str = "journal";

/// The facility of programs that name none.
const USER: u8 = 1;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parse::testing::{CX, shown};

    #[test]
    fn fields_find_their_places() {
        let mut raw = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1781524801000002\n\
            __MONOTONIC_TIMESTAMP=5\nPRIORITY=3\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=sshd\n\
            _PID=812\n_COMM=ssh\n_UID=0\n_HOSTNAME=web\n_SYSTEMD_UNIT=ssh.service\nMY_FIELD=x\n\
            KEY=mine\nCODE_LINE=007\n"
            .to_vec();
        raw.extend_from_slice(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nBLOB\n\x02\0\0\0\0\0\0\0\xff\0\n");
        let mut event = Event::default();
        journal(&raw, &CX, &mut event);
        let want = json!({
            "@timestamp": "2026-06-15T12:00:01.000002Z", "message": "a\nb", "level": "ERROR",
            "log.syslog.priority": 27, "log.syslog.facility.code": 3,
            "log.syslog.facility.name": "daemon", "log.syslog.severity.code": 3,
            "log.syslog.severity.name": "Error", "log.syslog.appname": "sshd", "service": "sshd",
            "log.syslog.procid": "812", "log.syslog.hostname": "web", "host.name": "web",
            "process.pid": 812, "process.name": "ssh", "user.id": "0",
            "systemd.unit": "ssh.service", "my_field": "x", "sender.key": "mine",
            "__cursor": "s=1;i=2", "__monotonic_timestamp": "5", "blob": "\u{fffd}\0",
            "log.origin.file.line": "007", "tags": ["reserved_field"],
        });
        assert_eq!(shown(&event), want);
        let identity = event.identity.unwrap();
        assert_eq!((&*identity.space, &*identity.id), ("journal", "s=1;i=2"));
        assert_eq!((identity.content, identity.may_replace), (&raw[..], true));
    }

    #[test]
    fn what_is_missing_or_odd_is_made_do() {
        let raw =
            b"_COMM=cron\nPRIORITY=9\nMESSAGE\n\x01\0\0\0\0\0\0\0\xff\nSYSLOG_PID=3\n_PID=4\n";
        let mut event = Event::default();
        journal(raw, &CX, &mut event);
        let event = shown(&event);
        assert_eq!((&event["service"], &event["priority"]), (&json!("cron"), &json!("9")));
        assert_eq!((&event["log.syslog.procid"], &event["process.pid"]), (&json!("3"), &json!(4)));
        assert_eq!(
            (&event["message"], &event["tags"]),
            (&json!("\u{fffd}"), &json!(["encoding_error"]))
        );
        assert_eq!(event["@timestamp"], "2026-06-15T12:00:00.000Z");
        for raw in
            [&b""[..], b"A", b"A\n\xff\xff\xff\xff\xff\xff\xff\xff", b"A\n\x09\0\0\0\0\0\0\0b"]
        {
            let mut event = Event::default();
            journal(raw, &CX, &mut event);
            assert_eq!(event.identity, None);
        }
    }
}
