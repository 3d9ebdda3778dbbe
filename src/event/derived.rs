//! Fields that follow from others and so are never stored: one table of rules for all readers.

use super::Known;

/// A field that is computed when events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derived {
    /// `log.syslog.facility.code`.
    FacilityCode,
    /// `log.syslog.facility.name`.
    FacilityName,
    /// `log.syslog.severity.code`.
    SeverityCode,
    /// `log.syslog.severity.name`.
    SeverityName,
}

impl Derived {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 4] =
        [Self::FacilityCode, Self::FacilityName, Self::SeverityCode, Self::SeverityName];

    /// The dotted name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FacilityCode => "log.syslog.facility.code",
            Self::FacilityName => "log.syslog.facility.name",
            Self::SeverityCode => "log.syslog.severity.code",
            Self::SeverityName => "log.syslog.severity.name",
        }
    }

    /// The derived field that `name` spells.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|derived| derived.as_str() == name)
    }

    /// Its value for a priority, as text; the two codes are numbers.
    pub fn of(self, priority: u8) -> Option<&'static str> {
        let (facility, severity) = (usize::from(priority / 8), usize::from(priority % 8));
        match self {
            Self::FacilityCode => DIGITS.get(facility).copied().filter(|_| facility < 24),
            Self::FacilityName => FACILITIES.get(facility).copied(),
            Self::SeverityCode => DIGITS.get(severity).copied(),
            Self::SeverityName => SEVERITIES.get(severity).copied(),
        }
    }

    /// Whether the value is a number.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::FacilityCode | Self::SeverityCode)
    }
}

/// Where a field that must always be there is taken from when no sender gave it, first to last.
pub const fn fallback(name: Known) -> &'static [Known] {
    match name {
        Known::Service => &[Known::AppName],
        Known::HostName => &[Known::Hostname],
        Known::Level => &[Known::Priority],
        _ => &[],
    }
}

/// The level that a severity stands for.
pub fn level(priority: u8) -> &'static str {
    match priority % 8 {
        0..=2 => "FATAL",
        3 => "ERROR",
        4 => "WARN",
        5 | 6 => "INFO",
        _ => "DEBUG",
    }
}

/// `PRIVAL` read back from its digits.
pub fn priority(digits: &[u8]) -> Option<u8> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|prival| *prival < 192)
}

/// RFC 5424 §6.2.1, table 1, by the short names of syslog(3).
const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];

/// RFC 5424 §6.2.1, table 2.
const SEVERITIES: [&str; 8] =
    ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];

const DIGITS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_165_is_local4_notice() {
        let all = Derived::ALL.map(|derived| derived.of(165).unwrap());
        assert_eq!(all, ["20", "local4", "5", "Notice"]);
        assert_eq!(level(165), "INFO");
    }
}
