//! Section `[audit]` of the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The record of changes. It cannot be switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A checkpoint is signed once there are so many entries since the last. Default: 256.
    /// Range: 1 to 1000000.
    pub checkpoint_entries: u64,
    /// …or once the first of them is as old as this. Default: 1m. Range: 1s to 1day.
    #[serde(with = "humantime_serde")]
    pub checkpoint_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { checkpoint_entries: 256, checkpoint_interval: Duration::from_secs(60) }
    }
}

impl Config {
    /// Every value that makes no sense: its key, and what was expected.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=1_000_000).contains(&self.checkpoint_entries) {
            let what = format!("expected 1 to 1000000, but found {}", self.checkpoint_entries);
            problems.push(("checkpoint_entries", what));
        }
        let range = Duration::from_secs(1)..=Duration::from_secs(86_400);
        if !range.contains(&self.checkpoint_interval) {
            let found = humantime::format_duration(self.checkpoint_interval);
            problems
                .push(("checkpoint_interval", format!("expected 1s to 1day, but found {found}")));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cf_01_every_problem_is_named() {
        assert_eq!(Config::default().problems(), []);
        let text = r#"{"checkpoint_entries":0,"checkpoint_interval":"10ms"}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let problems: Vec<_> =
            config.problems().into_iter().map(|(key, what)| format!("{key}: {what}")).collect();
        insta::assert_snapshot!(problems.join("\n"), @r"
        checkpoint_entries: expected 1 to 1000000, but found 0
        checkpoint_interval: expected 1s to 1day, but found 10ms
        ");
    }
}
