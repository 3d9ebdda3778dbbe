//! Why a call could not be made.

use std::error::Error;
use std::time::Duration;

use tokio_rustls::rustls;

/// Why a call could not be made, or its answer is of no use. Says nothing of what was answered but
/// the status, so that nobody reads with our eyes what is behind a wall.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// It is no URL that may be called at all.
    #[error("expected {expected}, but found {found}")]
    Url {
        /// What it should have been.
        expected: &'static str,
        /// What it was, without credentials.
        found: String,
    },
    /// It is at an address that no call may go to.
    #[error(
        "expected an address on the internet or in ship.allow_networks, but found {0}, which is \
         neither"
    )]
    Internal(String),
    /// Nobody knows the name.
    #[error("expected a host that has an address, but found none for {0}")]
    Unknown(String),
    /// The receiver could not be reached, or went away.
    #[error("expected a receiver that answers, but {0}")]
    Unreachable(String),
    /// The receiver cannot show who it is.
    #[error("expected a certificate that can be trusted, but {0}")]
    Certificate(String),
    /// It took too long.
    #[error("expected an answer in {}, but found none", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// It pointed elsewhere.
    #[error("expected an answer, but found a redirect ({0}), which is not followed")]
    Redirect(u16),
    /// It refused, or failed.
    #[error("expected status 200, but found {0}")]
    Status(u16),
    /// What it is to be signed with is lost.
    #[error(
        "expected the secret of the webhook, but its key is lost: remove the webhook and make it \
         anew"
    )]
    SecretLost,
    /// What was fetched is longer than may be.
    #[error("expected at most {0} bytes, but found more")]
    TooLarge(usize),
}

/// What the resolver says, inside the errors of the HTTP client.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("{0} is not on the internet")]
    Internal(String),
    #[error("{0} has no address")]
    Unknown(String),
}

impl OutboundError {
    /// Whether the same call may do later.
    pub const fn may_pass(&self) -> bool {
        !matches!(self, Self::Url { .. })
    }

    /// What the HTTP client says, in our words.
    pub(super) fn of(error: &reqwest::Error, timeout: Duration) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut last = String::new();
        while let Some(inner) = cause {
            if let Some(refused) = inner.downcast_ref::<ResolveError>() {
                return match refused.clone() {
                    ResolveError::Internal(host) => Self::Internal(host),
                    ResolveError::Unknown(host) => Self::Unknown(host),
                };
            }
            if let Some(error) = tls_error(inner) {
                return Self::Certificate(error.to_string());
            }
            last = inner.to_string();
            cause = inner.source();
        }
        if error.is_timeout() { Self::TimedOut(timeout) } else { Self::Unreachable(last) }
    }
}

/// The TLS error that an error is; I/O errors hide what they were made of from `source`.
fn tls_error<'e>(mut error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    while let Some(inner) = error.downcast_ref::<std::io::Error>() {
        error = inner.get_ref()?;
    }
    error.downcast_ref()
}
