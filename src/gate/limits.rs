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
    /// What events of level ERROR and worse may have beside the burst, in percent of it: they are
    /// the last to be shed. Default: 10. Range: 0 to 100.
    pub severe_reserve: u8,
    /// How much may be over the limit under the policy `queue`: what the rates above let pass in
    /// this time. Default: 10m. Range: 0s to 24h.
    #[serde(with = "humantime_serde")]
    pub queue: Duration,
    /// Under the policy `sample`, one in so many of what is over the limit is kept. Default: 10.
    /// Range: 1 to 1000000.
    pub sample_one_in: u32,
    /// Whether these limits only note what they would do, and let all pass. Default: false.
    pub shadow: bool,
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
    /// It is stored all the same, tagged `queued`, until too much of it is; the rest is dropped.
    Queue,
    /// One in so many is stored, tagged `sampled`; the rest is dropped.
    Sample,
}

impl Policy {
    /// Its name in the configuration, the metrics and the journals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Pace => "pace",
            Self::Queue => "queue",
            Self::Sample => "sample",
        }
    }
}

impl Limits {
    /// The first of the settings that is not what it may be: its name, what it may be, what it is.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str, String)> {
        if !(MIN_BURST..=MAX_BURST).contains(&self.burst) {
            return Some(("burst", "10ms to 1h", duration_text(self.burst)));
        }
        if self.severe_reserve > 100 {
            return Some(("severe_reserve", "0 to 100", self.severe_reserve.to_string()));
        }
        if self.queue > MAX_QUEUE {
            return Some(("queue", "0s to 24h", duration_text(self.queue)));
        }
        let found = self.sample_one_in;
        let bad = !(1..=MAX_ONE_IN).contains(&found);
        bad.then(|| ("sample_one_in", "1 to 1000000", found.to_string()))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events_per_second: None,
            bytes_per_second: None,
            burst: Duration::from_secs(1),
            connections: None,
            severe_reserve: 10,
            queue: Duration::from_secs(600),
            sample_one_in: 10,
            shadow: false,
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

const MAX_QUEUE: Duration = Duration::from_secs(86_400);

const MAX_ONE_IN: u32 = 1_000_000;

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
            r#"{"sample_one_in":-1}"#,
            r#"{"severe_reserve":256}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("{}").unwrap(), Limits::default());
        for (text, want) in [
            (r#"{"burst":"1ms"}"#, "burst"),
            (r#"{"severe_reserve":101}"#, "severe_reserve"),
            (r#"{"queue":"25h"}"#, "queue"),
            (r#"{"sample_one_in":0}"#, "sample_one_in"),
        ] {
            assert_eq!(read(text).unwrap().problem().map(|(name, ..)| name), Some(want));
        }
        assert_eq!(Limits::default().problem(), None);
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
            severe_reserve: 25,
            queue: Duration::ZERO,
            sample_one_in: 3,
            shadow: true,
        };
        let text = serde_json::to_string(&limits).unwrap();
        insta::assert_snapshot!(text, @r#"{"events_per_second":18446744073709551615,"bytes_per_second":1234567,"burst":"1s 500ms","connections":0,"severe_reserve":25,"queue":"0s","sample_one_in":3,"shadow":true}"#);
        assert_eq!(read(&text).unwrap(), limits);
    }
}
