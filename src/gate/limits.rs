//! Limits as they are written: in the configuration, and with a key.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize, Serializer};

/// What one key or one source address may send. A limit that is absent is none; 0 lets nothing
/// pass; one that no machine can reach is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Events a second. Default: no limit. Range: from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<u64>,
    /// Bytes a second, as they came off the wire. Default: no limit. Range: from 0.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exactly")]
    pub bytes_per_second: Option<ByteSize>,
    /// How much may come at once: what the rates above let pass in this time.
    /// Default: 1s. Range: 10ms to 1h.
    #[serde(with = "humantime_serde")]
    pub burst: Duration,
    /// Open connections. Default: no limit. Range: from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
}

/// What happens to what is over a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It is dropped and counted.
    #[default]
    Drop,
    /// It is read more slowly, and nothing is lost; what has no flow control (UDP) is dropped.
    Pace,
}

impl Limits {
    /// What the burst may be.
    pub(super) const BURST: &str = "10ms to 1h";

    /// The burst, where it is not what it may be.
    pub(super) fn bad_burst(&self) -> Option<String> {
        let good = (MIN_BURST..=MAX_BURST).contains(&self.burst);
        (!good).then(|| duration_text(self.burst))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events_per_second: None,
            bytes_per_second: None,
            burst: Duration::from_secs(1),
            connections: None,
        }
    }
}

/// A duration as one would write it: in the largest unit that leaves no rest.
pub(super) fn duration_text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let unit = UNITS.iter().find(|(size, _)| nanos.is_multiple_of(*size) && nanos > 0);
    unit.map_or_else(|| "0s".to_owned(), |(size, name)| format!("{}{name}", nanos / size))
}

/// In bytes: the text of a size is rounded, and a limit that was stored must not drift.
fn exactly<S: Serializer>(size: &Option<ByteSize>, serializer: S) -> Result<S::Ok, S::Error> {
    size.map(|size| size.as_u64()).serialize(serializer)
}

/// Nanoseconds of each unit of time, the largest first.
const UNITS: [(u128, &str); 7] = [
    (86_400_000_000_000, "d"),
    (3_600_000_000_000, "h"),
    (60_000_000_000, "m"),
    (1_000_000_000, "s"),
    (1_000_000, "ms"),
    (1000, "us"),
    (1, "ns"),
];

const MIN_BURST: Duration = Duration::from_millis(10);

const MAX_BURST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Limits, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn rl_05_what_is_no_number_of_things_is_refused() {
        for text in [
            r#"{"events_per_second":-1}"#,
            r#"{"events_per_second":0.5}"#,
            r#"{"events_per_second":"many"}"#,
            r#"{"bytes_per_second":-1}"#,
            r#"{"bytes_per_second":"-1 KiB"}"#,
            r#"{"connections":4294967296}"#,
            r#"{"connections":1.0}"#,
            r#"{"event_per_second":1}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("{}").unwrap(), Limits::default());
        assert!(read(r#"{"burst":"1ms"}"#).unwrap().bad_burst().is_some());
    }

    #[test]
    fn durations_are_shown_as_one_would_write_them() {
        let table = [(0, "0s"), (1_500, "1500ms"), (90_000, "90s"), (3_600_000, "1h"), (1, "1ms")];
        for (millis, want) in table {
            assert_eq!(duration_text(Duration::from_millis(millis)), want);
        }
        assert_eq!(duration_text(Duration::from_secs(366 * 86_400)), "366d");
    }

    #[test]
    fn stored_exactly() {
        let limits = Limits {
            events_per_second: Some(u64::MAX),
            bytes_per_second: Some(ByteSize::b(1_234_567)),
            burst: Duration::from_millis(1500),
            connections: Some(0),
        };
        let text = serde_json::to_string(&limits).unwrap();
        insta::assert_snapshot!(text, @r#"{"events_per_second":18446744073709551615,"bytes_per_second":1234567,"burst":"1s 500ms","connections":0}"#);
        assert_eq!(read(&text).unwrap(), limits);
    }
}
