//! TLS 1.2 and 1.3 for streams (RFC 5425), with rustls.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use blake3::{Hash, Hasher};
use parking_lot::Mutex;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::server::VerifierBuilderError;
use tokio_rustls::rustls::{self, CertificateError, OtherError, ServerConfig};
use tracing::warn;

use super::clients;
use super::config::TlsConfig;
use super::validity::not_after;
use crate::ship::{PemError, certificates, private_key};
use crate::time::Timestamp;

/// What answers the handshakes of a listener, as its files are by now.
#[derive(Debug)]
pub(super) struct Tls {
    config: TlsConfig,
    server: ArcSwap<ServerConfig>,
    /// When the first of its certificates ends.
    expires_at: ArcSwapOption<Timestamp>,
    files: Mutex<Files>,
}

/// What was seen of the files, as hashes.
#[derive(Debug)]
struct Files {
    /// Those that count.
    used: Hash,
    /// Those that were last found to be of no use.
    refused: Option<Hash>,
}

/// What became of certificates that were looked at.
#[derive(Debug)]
pub enum Look {
    /// They are as they were.
    Same,
    /// They are others, and count from now on.
    Swapped,
    /// They are others and cannot be used; those before still count. Told of once.
    Refused(TlsError),
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file does not hold what it should.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A certificate is no longer good.
    #[error("{path}: expected a certificate that is good, but found one that ended at {end}")]
    Expired {
        /// The file.
        path: PathBuf,
        /// When it ended.
        end: Timestamp,
    },
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("{path}: {error}")]
    Pair {
        /// The certificate.
        path: PathBuf,
        /// What rustls says.
        error: rustls::Error,
    },
    /// A list of certificates that were revoked cannot be used.
    #[error("{path}: {what}")]
    Revoked {
        /// The file.
        path: PathBuf,
        /// What was expected, and what was found.
        what: String,
    },
    /// Everyone on the machine can read the private key.
    #[error("{path}: expected a private key that others cannot read, but found mode {mode:04o}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The certificates of those who vouch for clients cannot be used.
    #[error("{path}: {error}")]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What rustls says.
        error: VerifierBuilderError,
    },
}

impl Tls {
    /// Reads the files of `config`.
    pub(super) fn open(config: &TlsConfig) -> Result<Self, TlsError> {
        let used = hash(config);
        let (server, expires_at) = server(config)?;
        Ok(Self {
            config: config.clone(),
            server: ArcSwap::from_pointee(server),
            expires_at: ArcSwapOption::from_pointee(expires_at),
            files: Mutex::new(Files { used, refused: None }),
        })
    }

    /// What answers a handshake now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.server.load_full())
    }

    /// When the first of its certificates ends.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at.load().as_deref().copied()
    }

    /// Whether the files as they are can be used.
    pub(super) fn check(&self) -> Result<(), TlsError> {
        if hash(&self.config) == self.files.lock().used {
            return Ok(());
        }
        server(&self.config).map(drop)
    }

    /// Takes the files as they are, all together, if they are others and can be used. A new
    /// certificate whose key is not there yet does not fit the old one, and waits for it; nor does
    /// one take the place of another that has ended already.
    pub(super) fn look(&self, now: Timestamp) -> Look {
        let mut files = self.files.lock();
        let found = hash(&self.config);
        if found == files.used {
            files.refused = None;
            return Look::Same;
        }
        if files.refused == Some(found) {
            return Look::Same;
        }
        let read = server(&self.config).and_then(|(server, end)| match end {
            Some(end) if end <= now => {
                Err(TlsError::Expired { path: self.config.cert.clone(), end })
            }
            end => Ok((server, end)),
        });
        // Somebody may have written to them between the two readings.
        let is_settled = hash(&self.config) == found;
        match read {
            Ok(_) if !is_settled => Look::Same,
            Ok((server, end)) => {
                self.server.store(Arc::new(server));
                self.expires_at.store(end.map(Arc::new));
                *files = Files { used: found, refused: None };
                Look::Swapped
            }
            Err(error) => {
                files.refused = Some(found);
                Look::Refused(error)
            }
        }
    }
}

/// What is in the files, or that they cannot be read.
fn hash(config: &TlsConfig) -> Hash {
    let mut hasher = Hasher::new();
    let (authorities, revoked) = (config.client_ca.as_ref(), config.client_crl.as_ref());
    let paths = [Some(&config.cert), Some(&config.key), authorities, revoked];
    for path in paths.into_iter().flatten() {
        let file = File::open(path).map(|file| file.take(MAX_FILE));
        let read = file.and_then(|file| Ok(hasher.update_reader(file)?.count()));
        let end = read.map_or_else(|error| error.kind().to_string(), |count| count.to_string());
        hasher.update(end.as_bytes());
    }
    hasher.finalize()
}

fn server(config: &TlsConfig) -> Result<(ServerConfig, Option<Timestamp>), TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .expect("the provider knows TLS 1.2 and 1.3");
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let authorities = certificates(path)?;
            let verifier = clients::verifier(config, path, authorities, provider)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    look_at_rights(config)?;
    let key = private_key(&config.key)?;
    let chain = certificates(&config.cert)?;
    let end = chain.iter().filter_map(|certificate| not_after(certificate)).min();
    let server = builder.with_single_cert(chain, key);
    let server = server.map_err(|error| TlsError::Pair { path: config.cert.clone(), error })?;
    Ok((server, end))
}

/// Makes sure that a private key is private: an operator is told if it is not, or the start ends.
fn look_at_rights(config: &TlsConfig) -> Result<(), TlsError> {
    // That it cannot be read at all is said by whoever reads it next.
    let mode = fs::metadata(&config.key).map_or(0, |found| found.permissions().mode() & 0o777);
    if mode & READ_BY_OTHERS == 0 {
        return Ok(());
    }
    let error = TlsError::Exposed { path: config.key.clone(), mode };
    if config.refuse_exposed_key {
        return Err(error);
    }
    warn!(%error, "a private key is not private");
    Ok(())
}

/// Whether a failed handshake broke the protocol, and did not only break off, or find no agreement.
pub(super) fn is_malformed(error: &io::Error) -> bool {
    use rustls::Error::{
        InappropriateHandshakeMessage, InappropriateMessage, InvalidMessage, PeerMisbehaved,
    };
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        inner,
        Some(
            InvalidMessage(_)
                | PeerMisbehaved(_)
                | InappropriateMessage { .. }
                | InappropriateHandshakeMessage { .. }
        )
    )
}

/// What a failed handshake looks like, for the journal.
pub(super) fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("expected a TLS handshake, but found what looks like plain text ({error})")
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(why)))) => {
            format!("expected a client with a certificate that is good, but {why}")
        }
        _ => format!("expected a TLS handshake, but {error}"),
    }
}

/// As much of a file is compared.
const MAX_FILE: u64 = 4 << 20;
/// The right of everyone to read a file.
const READ_BY_OTHERS: u32 = 0o004;
