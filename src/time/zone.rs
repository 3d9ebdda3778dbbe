//! Zones as senders of syslog write them behind a time of day.

use super::rfc3339::two;

/// What a text says of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// Nothing, or a name that is known to nobody but its sender.
    Unknown,
    /// Seconds east of UTC.
    East(i64),
    /// It has the form of an offset that is on no map, such as `+99:99`.
    Impossible,
}

/// The zone that is glued to a time: `Z`, `+hh:mm`, `+hhmm`, `+hh`; and what follows it.
pub(super) fn glued(rest: &[u8]) -> (Zone, &[u8]) {
    let (sign, digits) = match rest {
        [b'Z' | b'z', rest @ ..] => return (Zone::East(0), rest),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return (Zone::Unknown, rest),
    };
    let &[h1, h2, ref minutes @ ..] = digits else { return (Zone::Unknown, rest) };
    let Some(hours) = two(h1, h2) else { return (Zone::Unknown, rest) };
    let (minutes, after) = match *minutes {
        [b':', m1, m2, ref after @ ..] | [m1, m2, ref after @ ..] => match two(m1, m2) {
            Some(found) => (found, after),
            None => (0, minutes),
        },
        _ => (0, minutes),
    };
    if hours > 23 || minutes > 59 {
        return (Zone::Impossible, after);
    }
    (Zone::East(sign * (hours * 3600 + minutes * 60)), after)
}

/// The zone that follows a blank, by name or as an offset; and what follows it.
///
/// A name that is not in the table is a zone only where `: %` shows that a Cisco device wrote it;
/// anywhere else it would be taken from the host name.
pub(super) fn named(rest: &[u8]) -> (Zone, &[u8]) {
    let Some(word) = rest.strip_prefix(b" ") else { return (Zone::Unknown, rest) };
    if matches!(word, [b'+' | b'-', ..]) {
        return match glued(word) {
            (Zone::Unknown, _) => (Zone::Unknown, rest),
            found => found,
        };
    }
    let len = word.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let (name, after) = word.split_at(len);
    let by_name = |&&(known, _): &&(&str, i64)| known.as_bytes() == name;
    match NAMES.iter().find(by_name).filter(|_| matches!(after.first(), None | Some(b' ' | b':'))) {
        Some((_, quarters)) => (Zone::East(quarters * 900), after),
        None if (2..=5).contains(&len) && after.starts_with(b": %") => (Zone::Unknown, after),
        None => (Zone::Unknown, rest),
    }
}

/// RFC 5322 §4.3, and the names that devices in Europe and Japan are set to; in quarters of an
/// hour. Names that stand for several zones are left out.
const NAMES: [(&str, i64); 20] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("EST", -20),
    ("EDT", -16),
    ("CST", -24),
    ("CDT", -20),
    ("MST", -28),
    ("MDT", -24),
    ("PST", -32),
    ("PDT", -28),
    ("WET", 0),
    ("WEST", 4),
    ("CET", 4),
    ("CEST", 8),
    ("MET", 4),
    ("EET", 8),
    ("EEST", 12),
    ("MSK", 12),
    ("JST", 36),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        let table = [
            ("Z host", Zone::East(0), " host"),
            ("+02:00 host", Zone::East(7200), " host"),
            ("-0730 host", Zone::East(-27_000), " host"),
            ("+05 host", Zone::East(18_000), " host"),
            ("+99:99 host", Zone::Impossible, " host"),
            (" host", Zone::Unknown, " host"),
            ("-x", Zone::Unknown, "-x"),
        ];
        for (text, zone, rest) in table {
            assert_eq!(glued(text.as_bytes()), (zone, rest.as_bytes()), "{text}");
        }
    }

    #[test]
    fn names() {
        let table = [
            (" CEST: %SYS", Zone::East(7200), ": %SYS"),
            (" UTC host", Zone::East(0), " host"),
            (" +0100 host", Zone::East(3600), " host"),
            (" AEST: %SYS", Zone::Unknown, ": %SYS"),
            (" AEST: app", Zone::Unknown, " AEST: app"),
            (" UTCHOST x", Zone::Unknown, " UTCHOST x"),
            (" utc x", Zone::Unknown, " utc x"),
            (" - x", Zone::Unknown, " - x"),
        ];
        for (text, zone, rest) in table {
            assert_eq!(named(text.as_bytes()), (zone, rest.as_bytes()), "{text}");
        }
    }
}
