//! RFC 3164 as it is sent: `TIME HOST TAG[PID]: MSG`, each of them there or not.
//!
//! RFC 3164 describes what was seen, not what is right, so this is a list of decisions:
//!
//! * A word that ends in a colon or has a bracket is the tag, so the host is missing.
//! * Behind a host the first word is the tag, colon or not, as rsyslog and syslog-ng have it.
//! * Without a time there is no host, and a tag only where a colon ends it.
//! * Without a priority *and* a time there is nothing but text, and the same goes for what looks
//!   like the log file of an application.
//! * CEF and LEEF records, JSON, and what begins with a bracket stay whole.

use memchr::memchr;

use super::cisco;
use super::header::Header;
use super::source::skip_blanks;
use crate::parse::Context;
use crate::parse::structured_data::Span;
use crate::time;

/// Reads what follows a priority, from `start` on.
pub(super) fn read(text: &[u8], start: usize, cx: &Context, header: &mut Header) {
    let at = skip_blanks(text, start);
    header.message = Span::new(start, text.len());
    if is_record(text, at) {
        return;
    }
    if let Some(found) = leading(text, at, cx) {
        header.set_time(found.time);
        read_host(text, past_time(text, at + found.len), header);
    } else if let Some(next) = cisco::read(text, at, cx, header) {
        read_host(text, next, header);
    } else if is_other_version(text, at) {
        header.break_off(text, start);
    } else {
        read_timeless(text, at, header);
    }
}

/// Reads a message without a priority, from `start` on.
pub(super) fn read_without_priority(text: &[u8], start: usize, cx: &Context, header: &mut Header) {
    let all = Span::new(start, text.len());
    header.message = all;
    header.may_hold_key = true;
    let Some(found) = leading(text, start, cx).filter(|found| found.time.is_some()) else {
        return;
    };
    header.set_time(found.time);
    let tag = read_host(text, past_time(text, start + found.len), header);
    // Many an application begins its own lines with a date like that, and then the level.
    let is_iso = text.get(start).is_some_and(u8::is_ascii_digit);
    let is_own = is_iso && !(found.has_zone && tag == Some(End::Colon));
    if is_own {
        *header = Header { message: all, may_hold_key: true, ..Header::default() };
    }
}

fn leading(text: &[u8], at: usize, cx: &Context) -> Option<time::Leading> {
    time::leading(text.get(at..)?, cx.zone_offset, cx.received_at)
}

/// What follows a time: behind the colon that may end it and all blanks. Two of them begin an
/// IPv6 address.
fn past_time(text: &[u8], at: usize) -> usize {
    let at = skip_blanks(text, at);
    match text.get(at..) {
        Some([b':', b':', ..]) => at,
        Some([b':', ..]) => skip_blanks(text, at + 1),
        _ => at,
    }
}

/// Whether a header of RFC 5424 was meant at `at`: a version that does not exist and then a time,
/// a version that a tab ends, or nothing but the version.
fn is_other_version(text: &[u8], at: usize) -> bool {
    let len = text.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count();
    let (version, rest) = text.get(at..).unwrap_or_default().split_at(len);
    match rest {
        [] => version == b"1",
        [b' ' | b'\t', y1, y2, _, _, b'-', _, _, b'-', ..] => {
            len > 0 && y1.is_ascii_digit() && y2.is_ascii_digit()
        }
        rest => len > 0 && rest.starts_with(b" - "),
    }
}

/// Whether what begins at `at` is a record that has its own header, or none.
fn is_record(text: &[u8], at: usize) -> bool {
    matches!(
        text.get(at..).unwrap_or_default(),
        [b'{' | b'[' | b'"', ..]
            | [b'C', b'E', b'F', b':', b'0'..=b'9', ..]
            | [b'L', b'E', b'E', b'F', b':', b'0'..=b'9', ..]
    )
}

/// Reads a message that has no time.
fn read_timeless(text: &[u8], at: usize, header: &mut Header) {
    // A count is no tag, and neither is a word that goes on behind its colon.
    let is_tag = |tag: &Tag| {
        let is_parted = tag.next == text.len() || text.get(tag.next - 1) == Some(&b' ');
        tag.end == End::Colon && is_parted && !is_number(tag.name.of(text))
    };
    if let Some(tag) = Tag::read(text, at).filter(is_tag) {
        tag.fill(text, header);
    } else if let Some(next) = host(text, at).filter(|next| text.get(*next) == Some(&b'%')) {
        // Cisco ASA: a host and then the mnemonic.
        if Tag::read(text, next).is_some_and(|tag| tag.end == End::Colon) {
            read_host(text, at, header);
        }
    }
}

/// Reads what follows the time: host, tag and message. How the tag ended, if there is one.
fn read_host(text: &[u8], at: usize, header: &mut Header) -> Option<End> {
    let mut at = at;
    if header.hostname.is_empty()
        && let Some(next) = host(text, at)
    {
        let name = word_at(text, at);
        header.hostname = if name.of(text) == NIL { Span::default() } else { name };
        at = next;
    }
    header.message = Span::new(at, text.len());
    if word_at(text, at).of(text) == NIL {
        header.message.start = (at + 2).min(text.len());
        return None;
    }
    let tag = Tag::nameless(text, at).or_else(|| Tag::read(text, at))?;
    header.lossy |= tag.name.is_empty();
    tag.fill(text, header);
    Some(tag.end)
}

/// Where what follows the host at `at` begins; `None` if what stands there is no host.
fn host(text: &[u8], at: usize) -> Option<usize> {
    let name = word_at(text, at);
    let is_host = match name.of(text) {
        [] | [b'%', ..] | [.., b':'] => false,
        [b'[', address @ .., b']'] => {
            address.contains(&b':')
                && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.%".contains(byte))
        }
        name => !is_record(text, at) && memchr(b'[', name).is_none(),
    };
    if !is_host {
        return None;
    }
    let next = skip_blanks(text, name.end);
    // Cisco parts the host from its mnemonic like that.
    let behind_colon = skip_blanks(text, next + 1);
    let has_colon = text.get(next) == Some(&b':') && text.get(behind_colon) == Some(&b'%');
    Some(if has_colon { behind_colon } else { next })
}

/// From `at` to the next blank, or the end.
fn word_at(text: &[u8], at: usize) -> Span {
    let rest = text.get(at..).unwrap_or_default();
    Span::new(at, at + memchr(b' ', rest).unwrap_or(rest.len()))
}

/// What ends a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Colon,
    Blank,
}

/// `TAG:`, `TAG[PID]:`, or the same without the colon.
#[derive(Clone, Copy, Debug)]
struct Tag {
    name: Span,
    pid: Span,
    end: End,
    /// Where the message begins: one blank is passed.
    next: usize,
}

impl Tag {
    /// The tag at `at`; `None` if what stands there is part of the message.
    fn read(text: &[u8], at: usize) -> Option<Self> {
        if is_record(text, at) {
            return None;
        }
        let rest = text.get(at..)?;
        let len = Self::name_len(rest);
        let name = Span::new(at, at + len);
        name.of(text).iter().find(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())?;
        let (pid, end) = match text.get(name.end) {
            Some(b'[') => {
                let inside = text.get(name.end + 1..)?;
                let pid = Span::new(name.end + 1, name.end + 1 + memchr(b']', inside)?);
                (pid, pid.end + 1)
            }
            _ => (Span::default(), name.end),
        };
        let (end, next) = match text.get(end) {
            Some(b':') => (End::Colon, end + 1),
            // What stands in brackets in a sentence is no pid.
            None | Some(b' ') if memchr(b' ', pid.of(text)).is_none() => (End::Blank, end),
            _ => return None,
        };
        Some(Self { name, pid, end, next: past_blank(text, next) })
    }

    /// What is left of a tag whose name is empty: `: m`, or `[1]: m`.
    fn nameless(text: &[u8], at: usize) -> Option<Self> {
        let mut pid = Span::default();
        let mut colon = at;
        if text.get(at) == Some(&b'[') {
            let digits = text.iter().skip(at + 1).take_while(|byte| byte.is_ascii_digit()).count();
            pid = Span::new(at + 1, at + 1 + digits);
            colon = pid.end + 1;
            (digits > 0 && text.get(pid.end) == Some(&b']')).then_some(())?;
        }
        (text.get(colon) == Some(&b':')).then_some(())?;
        let next = past_blank(text, colon + 1);
        Some(Self { name: Span::default(), pid, end: End::Colon, next })
    }

    /// Up to a blank, a bracket, or a colon that is not part of a name such as `Foo::Bar`. A time
    /// of day has no end, and so is no tag.
    fn name_len(rest: &[u8]) -> usize {
        let mut at = 0;
        loop {
            match rest.get(at..).unwrap_or_default() {
                [] | [b' ' | b'[', ..] => return at,
                [b':', b':', next, ..] if next.is_ascii_alphanumeric() => at += 2,
                [b':', b'0'..=b'9', ..] if is_number(rest.get(..at).unwrap_or_default()) => {
                    return 0;
                }
                [b':', ..] => return at,
                _ => at += 1,
            }
        }
    }

    fn fill(&self, text: &[u8], header: &mut Header) {
        header.app_name = self.name;
        header.proc_id = self.pid;
        header.message = Span::new(self.next, text.len());
    }
}

/// Behind the blank at `at`, if there is one.
fn past_blank(text: &[u8], at: usize) -> usize {
    if text.get(at) == Some(&b' ') { at + 1 } else { at }
}

fn is_number(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

/// RFC 5424's NILVALUE, which some send in RFC 3164 too.
const NIL: &[u8] = b"-";

#[cfg(test)]
mod tests {
    use super::*;

    /// Host, tag, pid and message, as they were found; and the device's own counts.
    fn parts(raw: &str, has_priority: bool) -> [&str; 5] {
        let cx = Context {
            received_at: time::Timestamp::from_micros(1_781_524_800_000_000),
            zone_offset: 0,
            keep_original: false,
        };
        let mut header = Header::default();
        if has_priority {
            read(raw.as_bytes(), 0, &cx, &mut header);
        } else {
            read_without_priority(raw.as_bytes(), 0, &cx, &mut header);
        }
        let [sequence, _] = header.sequences;
        [header.hostname, header.app_name, header.proc_id, header.message, sequence]
            .map(|span| raw.get(span.start..span.end).unwrap())
    }

    #[test]
    fn hosts_and_tags() {
        let table = [
            ("Jun 15 11:59:58 h app[1]: m", ["h", "app", "1", "m"]),
            ("Jun 15 11:59:58 h app: m", ["h", "app", "", "m"]),
            ("Jun 15 11:59:58 h app:m", ["h", "app", "", "m"]),
            ("Jun 15 11:59:58 h app m n", ["h", "app", "", "m n"]),
            ("Jun 15 11:59:58 h (sd-pam)[7]: m", ["h", "(sd-pam)", "7", "m"]),
            ("Jun 15 11:59:58 h Foo::Bar: m", ["h", "Foo::Bar", "", "m"]),
            ("Jun 15 11:59:58 h a[b c]: m", ["h", "a", "b c", "m"]),
            ("Jun 15 11:59:58 h a[b m", ["h", "", "", "a[b m"]),
            ("Jun 15 11:59:58 h a[0]=5 m", ["h", "", "", "a[0]=5 m"]),
            ("Jun 15 11:59:58 h 12:30:45 m", ["h", "", "", "12:30:45 m"]),
            ("Jun 15 11:59:58 h -- MARK --", ["h", "", "", "-- MARK --"]),
            ("Jun 15 11:59:58 h [x] m", ["h", "", "", "[x] m"]),
            ("Jun 15 11:59:58 h [x]: m", ["h", "", "", "[x]: m"]),
            ("Jun 15 11:59:58 h [12]: m", ["h", "", "12", "m"]),
            ("Jun 15 11:59:58 h [12] m", ["h", "", "", "[12] m"]),
            ("Jun 15 11:59:58 h : m n", ["h", "", "", "m n"]),
            ("Jun 15 11:59:58 h :m n", ["h", "", "", "m n"]),
            ("Jun 15 11:59:58 h error[code 5] in f", ["h", "", "", "error[code 5] in f"]),
            ("Jun 15 11:59:58 asa1 :  %ASA-7-609001: m", ["asa1", "%ASA-7-609001", "", "m"]),
            ("Jun 15 11:59:58 ::1 app: m", ["::1", "app", "", "m"]),
            ("Jun 15 11:59:58: ::ffff:192.0.2.1 app: m", ["::ffff:192.0.2.1", "app", "", "m"]),
            ("Jun 15 11:59:58 h CEF:0|a|b", ["h", "", "", "CEF:0|a|b"]),
            ("Jun 15 11:59:58 app: m", ["", "app", "", "m"]),
            ("Jun 15 11:59:58 app[1] m", ["", "app", "1", "m"]),
            ("Jun 15 11:59:58 [fe80::1] app: m", ["[fe80::1]", "app", "", "m"]),
            ("Jun 15 11:59:58 fe80::1 app: m", ["fe80::1", "app", "", "m"]),
            ("Jun 15 11:59:58 CEF:0|a|b c", ["", "", "", "CEF:0|a|b c"]),
            ("Jun 15 11:59:58 - app: m", ["", "app", "", "m"]),
            ("Jun 15 11:59:58 h - m", ["h", "", "", "m"]),
            ("Jun 15 11:59:58 h", ["h", "", "", ""]),
            ("Jun 15 11:59:58", ["", "", "", ""]),
            ("2026-06-15T11:59:58Z h app: m", ["h", "app", "", "m"]),
            ("app[1]: m", ["", "app", "1", "m"]),
            ("app:m", ["", "", "", "app:m"]),
            ("65536: ", ["", "", "", "65536: "]),
            ("MiniSwitch mac,model: m", ["", "", "", "MiniSwitch mac,model: m"]),
            ("10.0.0.1 %ASA-7-609001: m", ["10.0.0.1", "%ASA-7-609001", "", "m"]),
            ("asa1 : %ASA-7-609001: m", ["asa1", "%ASA-7-609001", "", "m"]),
            ("{\"a\": 1}", ["", "", "", "{\"a\": 1}"]),
        ];
        for (raw, [host, app, pid, message]) in table {
            assert_eq!(parts(raw, true), [host, app, pid, message, ""], "{raw}");
        }
    }

    #[test]
    fn without_a_priority_there_must_be_a_syslog_time() {
        let table = [
            ("Jun 15 11:59:58 h app: m", ["h", "app", "m"]),
            ("2026-06-15T11:59:58+02:00 h app: m", ["h", "app", "m"]),
            ("2026-06-15T11:59:58Z INFO started", ["", "", "2026-06-15T11:59:58Z INFO started"]),
            ("2026-06-15 11:59:58,1 x y: m", ["", "", "2026-06-15 11:59:58,1 x y: m"]),
            ("Jun 31 11:59:58 h app: m", ["", "", "Jun 31 11:59:58 h app: m"]),
            ("app: m", ["", "", "app: m"]),
        ];
        for (raw, [host, app, message]) in table {
            assert_eq!(parts(raw, false), [host, app, "", message, ""], "{raw}");
        }
    }

    #[test]
    fn cisco() {
        let tag = "%SYS-5-X";
        let table = [
            ("91: *Oct 07 03:10:04: %SYS-5-X: m", ["", tag, "91"]),
            ("000091: 12: .Oct 07 03:10:04.123 CDT: %SYS-5-X: m", ["", tag, "91"]),
            ("91: r1: Oct 07 03:10:04: %SYS-5-X: m", ["r1", tag, "91"]),
            ("r1: 2026 Oct 07 03:10:04: %SYS-5-X: m", ["r1", tag, ""]),
            ("91: Oct 07 03:10:04: r1 %SYS-5-X: m", ["r1", tag, "91"]),
            ("20: 00:01:01: %SYS-5-X: m", ["", tag, "20"]),
            ("20: 2y10w: %SYS-5-X: m", ["", tag, "20"]),
            (":Oct 07 03:10:04 UTC: %SYS-5-X: m", ["", tag, ""]),
            ("91: r1: 000123: *Oct 07 03:10:04: %SYS-5-X: m", ["r1", tag, "91"]),
            ("r1: 000123: Oct 07 03:10:04: %SYS-5-X: m", ["r1", tag, "123"]),
            ("91: x1 RP/0/RSP0/CPU0:Oct 07 03:10:04.1 UTC: bgp[1]: m", ["x1", "bgp", "91"]),
            ("RP/0/RSP0/CPU0:Oct 07 03:10:04.123 : bgp[1]: m", ["", "bgp", ""]),
        ];
        for (raw, [host, app, sequence]) in table {
            let pid = if app == "bgp" { "1" } else { "" };
            assert_eq!(parts(raw, true), [host, app, pid, "m", sequence], "{raw}");
        }
        let [host, app, _, message, _] = parts("app: Oct 07 03:10:04: started", true);
        assert_eq!([host, app, message], ["", "app", "Oct 07 03:10:04: started"]);
    }
}
