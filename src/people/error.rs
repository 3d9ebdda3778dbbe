//! Why something could not be done with people.

use std::time::Duration;

use super::records::VERSION;
use super::session::Ended;
use crate::db;

/// Why something could not be done with people. What was asked has not been done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeopleError {
    /// What was asked for makes no sense.
    #[error("{field}: expected {expected}, but found {found}")]
    Invalid {
        /// The field that is wrong.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is; never a password.
        found: String,
    },
    /// Whoever asks is not who they say, or may not sign in.
    #[error("expected the e-mail address and the password of a user, but found others")]
    Refused,
    /// The token is that of no session.
    #[error("expected a refresh token that was not used, but found another")]
    NoSession,
    /// The token was used before: somebody else has it too. Its session has been ended.
    #[error("expected a refresh token that was not used, but found one that was")]
    Reused(Box<Ended>),
    /// Too many attempts failed; the next may be made after this.
    #[error("expected no attempt before {0:?} have passed")]
    Slow(Duration),
    /// There is no such user.
    #[error("expected the id of a user, but found another")]
    UnknownUser,
    /// There is no such session.
    #[error("expected the id of a session, but found another")]
    UnknownSession,
    /// Somebody else has this address.
    #[error("email: expected an address that no user has, but found that of one")]
    Taken,
    /// Nobody would own the project `default`.
    #[error("expected one owner of project `default` at the least, but found the last one")]
    LastOwner,
    /// Somebody gives themselves a role that they do not have.
    #[error("roles: expected no higher role for yourself, but found one")]
    OwnRole,
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
    /// A password could not be hashed.
    #[error("expected the hash of a password, but found: {0}")]
    Hash(String),
    /// The store failed.
    #[error(transparent)]
    Db(#[from] db::Error),
    /// The system has no random numbers.
    #[error("expected random bytes from the system, but found: {0}")]
    Random(#[from] getrandom::Error),
}

impl PeopleError {
    /// An [`Invalid`](Self::Invalid) field.
    pub(super) fn invalid(
        field: &'static str,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Self::Invalid { field, expected: expected.into(), found: found.to_string() }
    }
}
