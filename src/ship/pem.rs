//! Certificates and private keys in files.

use std::path::{Path, PathBuf};

use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a file does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It is missing, or is no PEM file of that.
    #[error("{path}: expected {expected} in PEM form, but {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What was found.
        error: pem::Error,
    },
    /// It holds no certificate.
    #[error("{0}: expected a certificate in PEM form, but found none")]
    Empty(PathBuf),
}

/// All certificates of a file, of which there is one at least.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| PemError::File {
        path: path.to_owned(),
        expected: "certificates",
        error,
    })?;
    if certificates.is_empty() { Err(PemError::Empty(path.to_owned())) } else { Ok(certificates) }
}

/// The first private key of a file.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| PemError::File {
        path: path.to_owned(),
        expected: "a private key",
        error,
    })
}
