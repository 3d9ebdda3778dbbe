//! Rules about what comes, and by which software, from which country.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::automatic::MAX_MEMBERS;
use super::error::GateError;
use super::list_admin::{check_end, check_note};
use super::lists::Origin;
use super::reason::Reason;
use super::rfc3339;
use crate::time::Timestamp;

/// A rule: what it looks for, where, and what then happens.
///
/// The same in the configuration, over the API and in the store. Fields that its kind has no use for
/// are empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What journals and metrics call it: letters, digits, `-`, `_` and `.`, at most 64. Default:
    /// a name is made.
    #[serde(default)]
    pub id: String,
    /// What it looks for.
    pub kind: RuleKind,
    /// The text or the regular expression, at most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pattern: String,
    /// Whether upper and lower case are two things to a literal. Default: false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub case_sensitive: bool,
    /// What is said of what matches: `abuse` or `sql_injection`. Default: "abuse".
    #[serde(default, skip_serializing_if = "is_default")]
    pub abuse: Abuse,
    /// Countries, by two letters (ISO 3166-1), or `unknown`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub countries: Vec<String>,
    /// Whether all countries but those are meant. Default: false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub except: bool,
    /// How many failures make an automatic block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub threshold: u32,
    /// Within which time.
    #[serde(default, skip_serializing_if = "is_default", with = "humantime_serde")]
    pub window: Duration,
    /// How long the block lasts.
    #[serde(default, skip_serializing_if = "is_default", with = "humantime_serde")]
    pub duration: Duration,
    /// What happens. Default: "block".
    #[serde(default)]
    pub action: Action,
    /// The project that it is about. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The listener that it is about; `http` is the one of calls. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// Why it is there.
    #[serde(default)]
    pub note: String,
    /// The first moment at which it does not count any more. Default: never.
    #[serde(default, with = "rfc3339::option")]
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    #[serde(default = "long_ago", with = "rfc3339")]
    pub created_at: Timestamp,
    /// Where it comes from.
    #[serde(default)]
    pub origin: Origin,
}

/// What a rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// A text in a message.
    Literal,
    /// A regular expression that matches in a message; of bytes, without Unicode classes unless it
    /// says `(?u)`.
    Regex,
    /// A text in the name of the client software of a call, in any case.
    UserAgent,
    /// The country of the source address.
    Country,
    /// Many failures from one address: an automatic block of it.
    Address,
    /// Many failures from one network, an IPv4 /24 or an IPv6 /48: a block of it.
    Network,
    /// Many failures with keys that begin alike, from any addresses: a block of those addresses.
    KeyPrefix,
    /// Keys that are counted through from one address: a block of it.
    Guessing,
    /// Many different keys that fail from one address: a block of it.
    ManyKeys,
    /// One key that fails from many addresses: a block of those addresses.
    ManyAddresses,
}

/// What a content rule finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abuse {
    /// Abuse of some kind: `ABUSE_PATTERN_DETECTED`.
    #[default]
    Abuse,
    /// SQL that was put where text belongs: `SQL_INJECTION_ATTEMPT`.
    SqlInjection,
}

/// What a rule does with what it finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Turns it away.
    #[default]
    Block,
    /// Lets it pass, and records that it would have been turned away.
    DryRun,
}

impl RuleKind {
    /// Whether it looks into messages.
    pub fn is_content(self) -> bool {
        matches!(self, Self::Literal | Self::Regex)
    }

    /// Whether it makes blocks of what was refused.
    pub fn is_automatic(self) -> bool {
        self >= Self::Address
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Literal => "literal",
            Self::Regex => "regex",
            Self::UserAgent => "user_agent",
            Self::Country => "country",
            Self::Address => "address",
            Self::Network => "network",
            Self::KeyPrefix => "key_prefix",
            Self::Guessing => "guessing",
            Self::ManyKeys => "many_keys",
            Self::ManyAddresses => "many_addresses",
        }
    }
}

impl Rule {
    /// An automatic rule, as it is without a word of the configuration.
    pub(super) fn automatic(id: &str, kind: RuleKind, threshold: u32, hours: u64) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            pattern: String::new(),
            case_sensitive: false,
            abuse: Abuse::Abuse,
            countries: Vec::new(),
            except: false,
            threshold,
            window: Duration::from_secs(600),
            duration: Duration::from_secs(hours * 3600),
            action: Action::Block,
            project: None,
            listener: None,
            note: String::new(),
            expires_at: None,
            created_at: long_ago(),
            origin: Origin::Added,
        }
    }

    /// Whether it still counts.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it is about this listener.
    pub fn is_about(&self, listener: &str) -> bool {
        self.listener.as_deref().is_none_or(|own| own == listener)
    }

    /// Why it turns away what it finds.
    pub fn reason(&self) -> Reason {
        match (self.kind, self.abuse) {
            (RuleKind::Literal | RuleKind::Regex, Abuse::Abuse) => Reason::AbusePatternDetected,
            (RuleKind::Literal | RuleKind::Regex, Abuse::SqlInjection) => {
                Reason::SqlInjectionAttempt
            }
            (RuleKind::UserAgent, _) => Reason::UserAgentBlocked,
            (RuleKind::Country, _) => Reason::GeoBlocked,
            _ => Reason::IpBlocklisted,
        }
    }

    /// Whether what is there makes sense for its kind. A pattern is looked at by whoever compiles it.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), GateError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.id.is_empty() || self.id.len() > 64 || !self.id.chars().all(plain) {
            return Err(GateError::invalid("id", "letters, digits, -, _ and .", quoted(&self.id)));
        }
        check_note(&self.note)?;
        check_end(self.expires_at, now)?;
        let kind = self.kind;
        let has_pattern = kind.is_content() || kind == RuleKind::UserAgent;
        let len = self.pattern.len();
        if has_pattern && !(1..=MAX_PATTERN).contains(&len) {
            let expected = format!("1 to {MAX_PATTERN} bytes");
            return Err(GateError::invalid("pattern", expected, format_args!("{len} bytes")));
        }
        if !has_pattern && len > 0 {
            let expected = format!("none with the kind {}", kind.as_str());
            return Err(GateError::invalid("pattern", expected, format_args!("{len} bytes")));
        }
        self.check_countries()?;
        self.check_automatic()?;
        if self.project.is_some() && !kind.is_content() {
            let expected = "none, because it is asked before the key is known";
            return Err(GateError::invalid("project", expected, "one"));
        }
        if self.listener.is_some() && (kind.is_automatic() || kind == RuleKind::Country) {
            let expected = "none with a kind that is about all listeners";
            return Err(GateError::invalid("listener", expected, "one"));
        }
        Ok(())
    }

    fn check_countries(&self) -> Result<(), GateError> {
        if (self.kind == RuleKind::Country) == self.countries.is_empty() {
            let expected = "countries with the kind country, and with no other";
            return Err(GateError::invalid("countries", expected, self.countries.len()));
        }
        for country in &self.countries {
            let letters = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
            if !(letters || country == "unknown") {
                let expected = "two capital letters, or unknown";
                return Err(GateError::invalid("countries", expected, quoted(country)));
            }
        }
        Ok(())
    }

    fn check_automatic(&self) -> Result<(), GateError> {
        let automatic = self.kind.is_automatic();
        let in_range = |time: Duration, max| (Duration::from_secs(1)..=max).contains(&time);
        let (threshold, expected) = match self.kind {
            // No more of them are known of anyone.
            RuleKind::ManyKeys | RuleKind::ManyAddresses => (2..=MAX_MEMBERS, "2 to 1024"),
            _ if automatic => (2..=1_000_000, "2 to 1000000"),
            _ => (0..=0, "none with this kind"),
        };
        if !threshold.contains(&(self.threshold as usize)) {
            return Err(GateError::invalid("threshold", expected, self.threshold));
        }
        let times =
            [("window", self.window, MAX_WINDOW), ("duration", self.duration, MAX_DURATION)];
        for (field, time, max) in times {
            if automatic != in_range(time, max) {
                let max = humantime::format_duration(max);
                let expected = if automatic {
                    format!("1s to {max}")
                } else {
                    "none with this kind".to_owned()
                };
                return Err(GateError::invalid(field, expected, humantime::format_duration(time)));
            }
        }
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(64).collect::<String>())
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn long_ago() -> Timestamp {
    Timestamp::from_micros(0)
}

/// The longest pattern, in bytes.
pub(super) const MAX_PATTERN: usize = 4096;

const MAX_WINDOW: Duration = Duration::from_secs(86_400);

const MAX_DURATION: Duration = Duration::from_secs(3650 * 86_400);
