//! The metrics page, read back.

use std::collections::BTreeMap;

/// One reading of the page.
#[derive(Debug)]
pub(crate) struct Metrics(BTreeMap<String, String>);

impl Metrics {
    pub(crate) fn parse(page: &str) -> Self {
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        Self(series.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Every series.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value of a series, written as on the page: `logtrace_stored_total{listener="tcp"}`.
    #[track_caller]
    pub(crate) fn get(&self, series: &str) -> u64 {
        let value = self.0.get(series);
        value.unwrap_or_else(|| panic!("no series {series} in {:#?}", self.0)).parse().unwrap()
    }

    /// The value of a series that may have a fraction.
    #[track_caller]
    pub(crate) fn number(&self, series: &str) -> f64 {
        let value = self.0.get(series);
        value.unwrap_or_else(|| panic!("no series {series} in {:#?}", self.0)).parse().unwrap()
    }

    /// The sum of all series of a name with this label.
    pub(crate) fn sum(&self, name: &str, label: &str) -> u64 {
        let series = self.0.iter().filter(|(series, _)| {
            series
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('{') && rest.contains(label))
        });
        series.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
    }

    /// Both sides of the ledger of one listener.
    #[track_caller]
    pub(crate) fn ledger(&self, listener: &str) -> Ledger {
        let label = format!("listener=\"{listener}\"");
        Ledger {
            received: self.get(&format!("logtrace_received_total{{{label}}}")),
            stored: self.get(&format!("logtrace_stored_total{{{label}}}")),
            in_flight: self.get(&format!("logtrace_in_flight{{{label}}}")),
            blocked: self.sum("logtrace_blocked_total", &label),
            failed: self.sum("logtrace_failed_total", &label),
        }
    }
}

/// What became of the messages of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) received: u64,
    pub(crate) stored: u64,
    pub(crate) in_flight: u64,
    pub(crate) blocked: u64,
    pub(crate) failed: u64,
}

impl Ledger {
    #[track_caller]
    pub(crate) fn assert_adds_up(self) {
        let sum = self.stored + self.in_flight + self.blocked + self.failed;
        assert_eq!(self.received, sum, "{self:?}");
    }
}
