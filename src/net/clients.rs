//! Which client certificates are good: who vouches for them, and what was revoked since.
//!
//! A client that is turned away is not told why: the alert is the same for all reasons, and the
//! journal has the reason.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, RootCertStore,
    SignatureScheme,
};

use super::config::TlsConfig;
use super::der::{GENERALIZED_TIME, SEQUENCE, UTC_TIME, time, value};
use super::tls::TlsError;
use crate::ingest::now;
use crate::time::Timestamp;

/// What looks at the certificates of clients, for whom `authorities` vouch.
pub(super) fn verifier(
    config: &TlsConfig,
    path: &Path,
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        let added = roots.add(certificate);
        added.map_err(|error| TlsError::Pair { path: path.to_owned(), error })?;
    }
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if !config.require_client_cert {
        verifier = verifier.allow_unauthenticated();
    }
    if let Some(path) = &config.client_crl {
        verifier = verifier
            .with_crls(revoked(path, now())?)
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration();
    }
    let path = config.client_crl.as_deref().unwrap_or(path);
    let verifier =
        verifier.build().map_err(|error| TlsError::ClientCa { path: path.to_owned(), error })?;
    Ok(Arc::new(Discreet(verifier)))
}

/// The lists of revoked certificates in a file.
fn revoked(
    path: &Path,
    now: Timestamp,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let refused = |what: String| TlsError::Revoked { path: path.to_owned(), what };
    let len = fs::metadata(path).map_err(|error| refused(error.to_string()))?.len();
    if len > MAX_LISTS {
        return Err(refused(format!("expected at most {MAX_LISTS} bytes, but found {len}")));
    }
    let read = CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect);
    let lists: Vec<CertificateRevocationListDer<'_>> = read
        .map_err(|error| refused(format!("expected revocation lists in PEM form, but {error}")))?;
    if lists.is_empty() {
        return Err(refused("expected a revocation list in PEM form, but found none".to_owned()));
    }
    for list in &lists {
        if let Some(end) = next_update(list).filter(|end| *end <= now) {
            let what = "expected a revocation list that is still good, but found one that ended at";
            return Err(refused(format!("{what} {end}")));
        }
    }
    Ok(lists)
}

/// When a list is to be followed by another (RFC 5280 §5.1.2.5), if it says so.
fn next_update(list: &[u8]) -> Option<Timestamp> {
    let (SEQUENCE, all, _) = value(list)? else { return None };
    let (SEQUENCE, mut rest, _) = value(all)? else { return None };
    let mut times = 0;
    // Version, algorithm and issuer come before the two times, and none of them is a time.
    for _ in 0..5 {
        let (kind, content, behind) = value(rest)?;
        rest = behind;
        times += usize::from(matches!(kind, UTC_TIME | GENERALIZED_TIME));
        if times == 2 {
            return time(kind, content);
        }
    }
    None
}

/// A verifier whose refusals look all the same to the client.
#[derive(Debug)]
struct Discreet(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Discreet {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = if intermediates.len() > MAX_INTERMEDIATES {
            Err(rustls::Error::General(format!(
                "expected at most {MAX_INTERMEDIATES} certificates above that of the client, but \
                 found {}",
                intermediates.len()
            )))
        } else {
            self.0.verify_client_cert(certificate, intermediates, now)
        };
        verified.map_err(|error| {
            let error = OtherError(Arc::new(error));
            rustls::Error::InvalidCertificate(CertificateError::Other(error))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Certificates that a client may send besides its own. A path is six of them long at the most; a list
/// of a hundred with one name, any of which may be above any, took 78 ms to look through.
const MAX_INTERMEDIATES: usize = 8;

/// Bytes of a file of revocation lists: some 400,000 certificates.
const MAX_LISTS: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer,
        KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
    };

    use super::*;

    /// A list that ends with that year.
    fn list(year: i32) -> String {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
        let authority = Issuer::new(params, KeyPair::generate().unwrap());
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(year, 12, 31),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&authority).unwrap().pem().unwrap()
    }

    #[test]
    fn tl_05_a_list_that_cannot_be_used_is_refused_with_a_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crl.pem");
        let now = Timestamp::parse_rfc3339(b"2026-06-15T12:00:00Z").unwrap();
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            revoked(&path, now)
                .map(|lists| lists.len())
                .map_err(|error| error.to_string().replace(path.to_str().unwrap(), "crl.pem"))
        };
        assert_eq!(read(&list(2049)), Ok(1));
        assert_eq!(read(&list(2051)), Ok(1));
        assert_eq!(read(&[list(2049), list(2050)].concat()), Ok(2));
        let none = "crl.pem: expected a revocation list in PEM form, but found none";
        assert_eq!(read(""), Err(none.to_owned()));
        assert_eq!(read("no list at all\n"), Err(none.to_owned()));
        let what =
            "crl.pem: expected a revocation list that is still good, but found one that ended at";
        assert_eq!(read(&list(2025)), Err(format!("{what} 2025-12-31T00:00:00.000Z")));
        assert!(read("-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n").is_err());
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(100 << 20).unwrap();
        let what = "expected at most 16777216 bytes, but found 104857600";
        assert!(revoked(&path, now).unwrap_err().to_string().ends_with(what));
        assert!(revoked(&folder.path().join("none"), now).is_err());
    }

    #[test]
    fn what_is_no_list_has_no_time() {
        for der in [&b""[..], b"\x30\x02\x30\x00", b"\x31\x02\x30\x00"] {
            assert_eq!(next_update(der), None);
        }
    }
}
