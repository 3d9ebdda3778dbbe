//! Section `[people]` of the configuration.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long people stay signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long an access token is good for. Default: 1h. Range: 1m to 1day.
    #[serde(with = "humantime_serde")]
    pub access_lifetime: Duration,
    /// How long a refresh token is, if it is not used before. Default: 30days. Range: 1m to 365days.
    #[serde(with = "humantime_serde")]
    pub refresh_lifetime: Duration,
    /// A session ends when nothing was done in it for this long. Default: 30days.
    /// Range: 1m to 365days.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// … and in any case when it is this old. Default: 90days. Range: 1m to 365days.
    #[serde(with = "humantime_serde")]
    pub max_lifetime: Duration,
    /// Passwords that are checked at the same time, each in 19 MiB of memory; others wait.
    /// Default: 2. Range: 1 to 64.
    pub max_checks: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_secs(3600),
            refresh_lifetime: 30 * DAY,
            idle_timeout: 30 * DAY,
            max_lifetime: 90 * DAY,
            max_checks: 2,
        }
    }
}

impl Config {
    /// Every value that makes no sense: its key, and what was expected.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut time = |key, found: Duration, words, range: RangeInclusive<Duration>| {
            if !range.contains(&found) {
                let found = humantime::format_duration(found);
                problems.push((key, format!("expected {words}, but found {found}")));
            }
        };
        let year = MINUTE..=365 * DAY;
        time("access_lifetime", self.access_lifetime, "1m to 1day", MINUTE..=DAY);
        time("refresh_lifetime", self.refresh_lifetime, "1m to 365days", year.clone());
        time("idle_timeout", self.idle_timeout, "1m to 365days", year.clone());
        time("max_lifetime", self.max_lifetime, "1m to 365days", year);
        if !(1..=MAX_CHECKS).contains(&self.max_checks) {
            let found = self.max_checks;
            problems.push(("max_checks", format!("expected 1 to {MAX_CHECKS}, but found {found}")));
        }
        problems
    }
}

const MINUTE: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(86_400);

const MAX_CHECKS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_named() {
        let all = Config::default;
        let table = [
            (all(), None),
            (Config { access_lifetime: Duration::ZERO, ..all() }, Some("access_lifetime")),
            (Config { refresh_lifetime: 366 * DAY, ..all() }, Some("refresh_lifetime")),
            (Config { idle_timeout: Duration::ZERO, ..all() }, Some("idle_timeout")),
            (Config { max_lifetime: 366 * DAY, ..all() }, Some("max_lifetime")),
            (Config { max_checks: 0, ..all() }, Some("max_checks")),
            (Config { max_checks: 65, ..all() }, Some("max_checks")),
        ];
        for (config, want) in table {
            assert_eq!(config.problems().first().map(|(key, _)| *key), want, "{config:?}");
        }
    }
}
