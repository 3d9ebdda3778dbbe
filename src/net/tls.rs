//! TLS 1.2 and 1.3 for streams (RFC 5425), with rustls.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use super::config::TlsConfig;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, or is no PEM file of what it should hold.
    #[error("{path}: expected {expected} in PEM form, but {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What was found.
        error: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{0}: expected a certificate in PEM form, but found none")]
    Empty(PathBuf),
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("{path}: {error}")]
    Pair {
        /// The certificate.
        path: PathBuf,
        /// What rustls says.
        error: rustls::Error,
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

/// What answers the handshakes of a listener.
pub(super) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .expect("the provider knows TLS 1.2 and 1.3");
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                let added = roots.add(certificate);
                added.map_err(|error| TlsError::Pair { path: path.clone(), error })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match config.require_client_cert {
                true => verifier,
                false => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build();
            builder.with_client_cert_verifier(
                verifier.map_err(|error| TlsError::ClientCa { path: path.clone(), error })?,
            )
        }
    };
    let key = PrivateKeyDer::from_pem_file(&config.key).map_err(|error| TlsError::File {
        path: config.key.clone(),
        expected: "a private key",
        error,
    })?;
    let server = builder.with_single_cert(certificates(&config.cert)?, key);
    let server = server.map_err(|error| TlsError::Pair { path: config.cert.clone(), error })?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// What a failed handshake looks like, for the journal.
pub(super) fn explain(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("expected a TLS handshake, but found what looks like plain text ({error})")
        }
        _ => format!("expected a TLS handshake, but {error}"),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| TlsError::File {
        path: path.to_owned(),
        expected: "certificates",
        error,
    })?;
    if certificates.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(certificates) }
}
