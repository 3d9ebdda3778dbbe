//! Why the gate cannot be opened or changed.

use crate::db;

use super::config::Problem;
use super::records::VERSION;

/// Why the gate cannot be opened or changed. What was asked has not been done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The configuration makes no sense.
    #[error("gate.{0}")]
    Config(#[from] Problem),
    /// The configuration gives a network a key that there is not.
    #[error("gate.networks: expected the id of a key, but found {0:?}")]
    NetworkKey(String),
    /// What was asked for makes no sense.
    #[error("{field}: expected {expected}, but found {found}")]
    Invalid {
        /// The field that is wrong.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// There is no such key.
    #[error("expected the id of a key, but found {0:?}")]
    UnknownKey(String),
    /// There is no such project or organization.
    #[error("expected the name of {what}, but found {name:?}")]
    UnknownPlace {
        /// What it should name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The project or organization cannot be changed as it is.
    #[error("expected {expected}, but found {name:?}")]
    Place {
        /// What it may be.
        expected: &'static str,
        /// Its name.
        name: String,
    },
    /// The key cannot be rotated as it is.
    #[error("expected {0}")]
    Rotation(&'static str),
    /// Another key has what names this one.
    #[error("{field}: expected what names no other key, but found that of {id}")]
    Taken {
        /// The field.
        field: &'static str,
        /// The other key.
        id: String,
    },
    /// The list has no such entry.
    #[error("expected a network that is on the list, but found {0}")]
    NotListed(ipnet::IpNet),
    /// The entry is in the configuration, and changes only there.
    #[error("expected a network that the configuration does not list, but found {0}")]
    Configured(ipnet::IpNet),
    /// There is no such rule.
    #[error("expected the id of a rule, but found {0:?}")]
    UnknownRule(String),
    /// The rule is in the configuration, and changes only there.
    #[error("expected a rule that the configuration does not have, but found {0:?}")]
    ConfiguredRule(String),
    /// There are as many as there may be.
    #[error("expected at most {max} {of}, but found as many and a new one")]
    Full {
        /// Of what.
        of: &'static str,
        /// How many there may be.
        max: usize,
    },
    /// A record in the store cannot be read; a newer version may have written it.
    #[error("{record}: expected a record of version {version}, but found {found}", version = VERSION)]
    Record {
        /// Its key in the store.
        record: String,
        /// What is there.
        found: String,
    },
    /// The keys are there and what their secrets were hashed with is not.
    #[error("expected the pepper of {keys} keys in the store, but found none")]
    PepperLost {
        /// How many keys cannot be used.
        keys: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Db(#[from] db::Error),
    /// The system has no random numbers.
    #[error("expected random bytes from the system, but found: {0}")]
    Random(#[from] getrandom::Error),
}

impl GateError {
    /// An [`Invalid`](Self::Invalid) field.
    pub(super) fn invalid(
        field: &'static str,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Self::Invalid { field, expected: expected.into(), found: found.to_string() }
    }
}
