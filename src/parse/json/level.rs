//! The names that loggers give to severities, as the five of `level` (SPEC §2.2).

use std::borrow::Cow;

use crate::event::Value;

/// `level` as it is stored: a known name or number becomes one of the five, all else stays.
pub(in crate::parse) fn canonical(value: Value<'_>) -> Value<'_> {
    let name = match &value {
        Value::Text(text) => of_name(text),
        Value::Number(digits) => of_number(digits),
        _ => None,
    };
    name.map_or(value, |name| Value::Text(Cow::Borrowed(name)))
}

fn of_name(text: &str) -> Option<&'static str> {
    // Most senders write one of these, as it is stored.
    match text {
        "INFO" => return Some("INFO"),
        "ERROR" => return Some("ERROR"),
        "WARN" => return Some("WARN"),
        "DEBUG" => return Some("DEBUG"),
        _ => {}
    }
    let named = |(name, _): &&(&str, &'static str)| text.eq_ignore_ascii_case(name);
    NAMES.iter().find(named).map(|(_, level)| *level)
}

/// The numbers of pino and bunyan.
fn of_number(digits: &str) -> Option<&'static str> {
    match digits {
        "10" | "20" => Some("DEBUG"),
        "30" => Some("INFO"),
        "40" => Some("WARN"),
        "50" => Some("ERROR"),
        "60" => Some("FATAL"),
        _ => None,
    }
}

const NAMES: [(&str, &str); 18] = [
    ("info", "INFO"),
    ("error", "ERROR"),
    ("warn", "WARN"),
    ("debug", "DEBUG"),
    ("warning", "WARN"),
    ("fatal", "FATAL"),
    ("trace", "DEBUG"),
    ("err", "ERROR"),
    ("notice", "INFO"),
    ("critical", "FATAL"),
    ("crit", "FATAL"),
    ("alert", "FATAL"),
    ("emerg", "FATAL"),
    ("emergency", "FATAL"),
    ("panic", "FATAL"),
    ("information", "INFO"),
    ("informational", "INFO"),
    ("verbose", "DEBUG"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        let table = [
            ("info", "INFO"),
            ("Warning", "WARN"),
            ("ERR", "ERROR"),
            ("crit", "FATAL"),
            ("panic", "FATAL"),
            ("Notice", "INFO"),
            ("trace", "DEBUG"),
            ("ERROR", "ERROR"),
            ("audit", "audit"),
            ("", ""),
        ];
        for (text, want) in table {
            assert_eq!(canonical(Value::Text(text.into())), Value::Text(want.into()), "{text}");
        }
    }

    #[test]
    fn numbers() {
        let number = |digits: &'static str| canonical(Value::Number(digits.into()));
        assert_eq!(number("30"), Value::Text("INFO".into()));
        assert_eq!(number("60"), Value::Text("FATAL".into()));
        assert_eq!(number("35"), Value::Number("35".into()));
        assert_eq!(canonical(Value::Bool(true)), Value::Bool(true));
    }
}
