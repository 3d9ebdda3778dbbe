//! What is known of a refusal: its reason and the rule that spoke.

use std::fmt;
use std::sync::Arc;

use super::reason::Reason;

/// Why something may not pass, and by which rule.
///
/// For the journal and the metrics only: the client that was refused gets the same answer
/// whatever this says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{reason} by {rule}")]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// The rule that spoke.
    pub rule: RuleId,
}

/// The short name of a rule, such as `blocklist:10.0.0.0/8` or `limit:key:events`.
///
/// Made when the rule is, so that a flood of refusals allocates nothing.
#[derive(Clone, Debug)]
pub struct RuleId(Name);

#[derive(Clone, Debug)]
enum Name {
    Fixed(&'static str),
    Made(Arc<str>),
}

impl Refusal {
    /// A refusal by a rule of that name.
    pub const fn fixed(reason: Reason, rule: &'static str) -> Self {
        Self { reason, rule: RuleId(Name::Fixed(rule)) }
    }

    /// No key came where one is required.
    pub const fn key_required() -> Self {
        Self::fixed(Reason::InvalidApiKey, "key:required")
    }

    /// A web page came without a key, where whoever is there needs none.
    pub const fn web_page() -> Self {
        Self::fixed(Reason::InvalidApiKey, "key:web_page")
    }

    /// A key came that there is not.
    pub const fn key_unknown() -> Self {
        Self::fixed(Reason::InvalidApiKey, "key:unknown")
    }

    /// The key belongs to another environment than the place that it was used at.
    pub const fn environment_mismatch() -> Self {
        Self::fixed(Reason::EnvironmentMismatch, "key:environment")
    }

    /// What came cannot be framed or breaks the protocol; `rule` names what of it.
    pub const fn malformed(rule: &'static str) -> Self {
        Self::fixed(Reason::MalformedRequest, rule)
    }
}

impl RuleId {
    /// The id of a rule that was made at run time.
    pub(super) fn made(name: &str) -> Self {
        Self(Name::Made(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Fixed(name) => name,
            Name::Made(name) => name,
        }
    }
}

impl PartialEq for RuleId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RuleId {}

impl std::hash::Hash for RuleId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
