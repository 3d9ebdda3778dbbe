//! TLS 1.2 and 1.3 as the one who connects, with rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tracing::debug;

use super::pem::{PemError, certificates, private_key};

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file does not hold what it should.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Nobody can have a certificate for what is no name and no address.
    #[error("expected a host that can have a certificate, but found {0:?}")]
    Name(String),
    /// A certificate cannot be used, or its key does not fit.
    #[error("{path}: {error}")]
    Pair {
        /// The certificate.
        path: PathBuf,
        /// What rustls says.
        error: rustls::Error,
    },
}

/// Whom to trust: those who signed what is in the file `ca`; without one those whom this machine
/// trusts, or, where it has no list of them, those of Mozilla's.
pub(super) fn roots(ca: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        for certificate in certificates(path)? {
            let added = roots.add(certificate);
            added.map_err(|error| TlsError::Pair { path: path.to_owned(), error })?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        debug!(%error, "a certificate that this machine trusts cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

/// What makes the handshakes; `own` are the files of our certificate and its key.
pub(super) fn client(
    roots: RootCertStore,
    own: Option<(&Path, &Path)>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(rustls::DEFAULT_VERSIONS)
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let Some((cert, key)) = own else { return Ok(builder.with_no_client_auth()) };
    let key = private_key(key)?;
    let client = builder.with_client_auth_cert(certificates(cert)?, key);
    client.map_err(|error| TlsError::Pair { path: cert.to_owned(), error })
}
