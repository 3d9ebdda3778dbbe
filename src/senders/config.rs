//! Section `[senders]` of the configuration.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who sends, and how long they may be quiet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Senders, hosts of a key, that are known at the same time; about 1 KiB of memory each. With 0
    /// none is known, and nobody is ever overdue. Default: 20000. Range: 0 to 1000000.
    pub max: usize,
    /// How long it is learned how often a sender speaks, before it can be overdue. Default: 1day.
    /// Range: 0s to 30days.
    #[serde(with = "humantime_serde")]
    pub learn_for: Duration,
    /// How often it must have been heard for that, at most once a second. Default: 10.
    /// Range: 2 to 1000.
    pub min_heard: u32,
    /// It is overdue once it is quiet for so many times its usual silence. Default: 3.
    /// Range: 2 to 100.
    pub overdue_factor: u32,
    /// … but not before this. Default: 10m. Range: 1s to 1day.
    #[serde(with = "humantime_serde")]
    pub overdue_min: Duration,
    /// … and no later than this, unless it is usually quiet for longer. Default: 3days.
    /// Range: 1s to 90days.
    #[serde(with = "humantime_serde")]
    pub overdue_max: Duration,
    /// How long after a start nobody becomes overdue: senders come back one by one. Default: 5m.
    /// Range: 0s to 1day.
    #[serde(with = "humantime_serde")]
    pub startup_grace: Duration,
    /// A sender that is quiet for this long is forgotten. Default: 30days. Range: 1m to 3650days.
    #[serde(with = "humantime_serde")]
    pub forget_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max: 20_000,
            learn_for: DAY,
            min_heard: 10,
            overdue_factor: 3,
            overdue_min: 10 * MINUTE,
            overdue_max: 3 * DAY,
            startup_grace: 5 * MINUTE,
            forget_after: 30 * DAY,
        }
    }
}

impl Config {
    /// Every value that makes no sense: its key, and what was expected.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut number = |key, found: u64, range: RangeInclusive<u64>| {
            if !range.contains(&found) {
                let (least, most) = range.into_inner();
                problems.push((key, format!("expected {least} to {most}, but found {found}")));
            }
        };
        number("max", self.max as u64, 0..=1_000_000);
        number("min_heard", self.min_heard.into(), 2..=1000);
        number("overdue_factor", self.overdue_factor.into(), 2..=100);
        let times = [
            ("learn_for", self.learn_for, "0s to 30days", Duration::ZERO..=30 * DAY),
            ("overdue_min", self.overdue_min, "1s to 1day", SECOND..=DAY),
            ("overdue_max", self.overdue_max, "1s to 90days", SECOND..=90 * DAY),
            ("startup_grace", self.startup_grace, "0s to 1day", Duration::ZERO..=DAY),
            ("forget_after", self.forget_after, "1m to 3650days", MINUTE..=3650 * DAY),
        ];
        for (key, found, words, range) in times {
            if !range.contains(&found) {
                let found = humantime::format_duration(found);
                problems.push((key, format!("expected {words}, but found {found}")));
            }
        }
        problems
    }
}

const SECOND: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cf_01_every_problem_is_named() {
        assert_eq!(Config::default().problems(), []);
        let text = r#"{"max":1000001,"learn_for":"31days","min_heard":1,"overdue_factor":1,
            "overdue_min":"1ms","overdue_max":"91days","startup_grace":"2days","forget_after":"1s"}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let problems: Vec<_> =
            config.problems().into_iter().map(|(key, what)| format!("{key}: {what}")).collect();
        insta::assert_snapshot!(problems.join("\n"), @r"
        max: expected 0 to 1000000, but found 1000001
        min_heard: expected 2 to 1000, but found 1
        overdue_factor: expected 2 to 100, but found 1
        learn_for: expected 0s to 30days, but found 1month 13h 26m 24s
        overdue_min: expected 1s to 1day, but found 1ms
        overdue_max: expected 1s to 90days, but found 2months 30days 2h 52m 48s
        startup_grace: expected 0s to 1day, but found 2days
        forget_after: expected 1m to 3650days, but found 1s
        ");
    }
}
