//! Why something may not pass: the codes of the `blocked` journal and of the metrics.

/// The checks of the gate in the order in which they are made (SPEC §2.4).
///
/// Those before the key protect the key check itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Allowlist, then blocklist.
    Address,
    /// The country of the address.
    Country,
    /// Framing and protocol.
    Form,
    /// Client software and content rules.
    Content,
    /// The key and what it may do.
    Key,
    /// Rates, open connections, quotas.
    Limits,
}

/// What a caller over HTTP who is refused is told: no more than its status says (SPEC §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Come with a valid key: to whoever has none, and to whoever is blocked, whom nothing is to tell
    /// that it is the address.
    Unknown,
    /// This is not for you: to a key that there is.
    Forbidden,
    /// Come later.
    Later,
}

/// Why something was refused, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The source address is on the blocklist.
    IpBlocklisted,
    /// The country of the source address is not served.
    GeoBlocked,
    /// It cannot be framed, or breaks the protocol.
    MalformedRequest,
    /// The client software is not served.
    UserAgentBlocked,
    /// A content rule matched.
    AbusePatternDetected,
    /// A content rule for SQL injection matched.
    SqlInjectionAttempt,
    /// No such key, or none where one is required.
    InvalidApiKey,
    /// The key was taken back.
    ApiKeyRevoked,
    /// The key is past its lifetime.
    ApiKeyExpired,
    /// The key belongs to another environment.
    EnvironmentMismatch,
    /// The key does not have the right that is asked for.
    ScopeMissing,
    /// The source address is not on the key's own allowlist.
    IpNotAllowed,
    /// A limit of the key or of the source address is reached.
    RateLimitExceeded,
}

impl Reason {
    /// Every reason, so that metrics can start all series at zero.
    pub const ALL: [Self; 13] = [
        Self::IpBlocklisted,
        Self::GeoBlocked,
        Self::MalformedRequest,
        Self::UserAgentBlocked,
        Self::AbusePatternDetected,
        Self::SqlInjectionAttempt,
        Self::InvalidApiKey,
        Self::ApiKeyRevoked,
        Self::ApiKeyExpired,
        Self::EnvironmentMismatch,
        Self::ScopeMissing,
        Self::IpNotAllowed,
        Self::RateLimitExceeded,
    ];

    /// The code: a metric label and a field of the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IpBlocklisted => "IP_BLOCKLISTED",
            Self::GeoBlocked => "GEO_BLOCKED",
            Self::MalformedRequest => "MALFORMED_REQUEST",
            Self::UserAgentBlocked => "USER_AGENT_BLOCKED",
            Self::AbusePatternDetected => "ABUSE_PATTERN_DETECTED",
            Self::SqlInjectionAttempt => "SQL_INJECTION_ATTEMPT",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::ApiKeyRevoked => "API_KEY_REVOKED",
            Self::ApiKeyExpired => "API_KEY_EXPIRED",
            Self::EnvironmentMismatch => "ENVIRONMENT_MISMATCH",
            Self::ScopeMissing => "SCOPE_MISSING",
            Self::IpNotAllowed => "IP_NOT_ALLOWED",
            Self::RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
        }
    }

    /// What a caller over HTTP is told.
    pub fn told(self) -> Told {
        match self {
            Self::IpBlocklisted
            | Self::GeoBlocked
            | Self::InvalidApiKey
            | Self::ApiKeyRevoked
            | Self::ApiKeyExpired => Told::Unknown,
            Self::RateLimitExceeded => Told::Later,
            _ => Told::Forbidden,
        }
    }

    /// Which check refuses for this reason.
    pub fn stage(self) -> Stage {
        match self {
            Self::IpBlocklisted => Stage::Address,
            Self::GeoBlocked => Stage::Country,
            Self::MalformedRequest => Stage::Form,
            Self::UserAgentBlocked | Self::AbusePatternDetected | Self::SqlInjectionAttempt => {
                Stage::Content
            }
            Self::InvalidApiKey
            | Self::ApiKeyRevoked
            | Self::ApiKeyExpired
            | Self::EnvironmentMismatch
            | Self::ScopeMissing
            | Self::IpNotAllowed => Stage::Key,
            Self::RateLimitExceeded => Stage::Limits,
        }
    }

    /// The threat score of a single refusal, 0 to 100: how rarely an honest sender earns it.
    pub fn base_score(self) -> u8 {
        match self {
            Self::ApiKeyExpired | Self::RateLimitExceeded => 10,
            Self::MalformedRequest | Self::EnvironmentMismatch => 20,
            Self::ScopeMissing => 30,
            Self::InvalidApiKey | Self::UserAgentBlocked => 40,
            Self::GeoBlocked => 50,
            Self::ApiKeyRevoked | Self::IpNotAllowed => 60,
            Self::IpBlocklisted => 70,
            Self::AbusePatternDetected => 80,
            Self::SqlInjectionAttempt => 90,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_the_order_of_the_checks() {
        assert!(Reason::ALL.is_sorted());
        assert!(Reason::ALL.is_sorted_by_key(|reason| reason.stage()));
    }

    #[test]
    fn codes_are_constants_of_their_own() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert!(codes.iter().all(|code| code.chars().all(|c| c == '_' || c.is_ascii_uppercase())));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn scores_are_percentages() {
        assert!(Reason::ALL.iter().all(|reason| (1..=100).contains(&reason.base_score())));
    }
}
