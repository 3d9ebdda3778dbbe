//! Whose key a TLS handshake shows: by the client's certificate, else by the server name.

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::event::AuthMethod;
use crate::gate::{CertificateName, Gate, Label};

/// The public id of the key, and what showed it. A certificate was verified by then.
///
/// A label under `key_domain` that stands for no key is an id that there is not: who names a key is
/// not let in without one.
pub(super) fn key(
    gate: &Gate,
    connection: &ServerConnection,
    key_domain: Option<&str>,
) -> Option<(String, AuthMethod)> {
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    let by_certificate = certificate.and_then(|shown| gate.certificate_key(&names(shown)));
    if let Some(id) = by_certificate {
        return Some((id.to_string(), AuthMethod::Certificate));
    }
    let label = label(connection.server_name()?, key_domain?)?;
    let known = Label::parse(label).and_then(|label| gate.label_key(&label));
    let id = known.map_or_else(|| label.to_owned(), |id| id.to_string());
    Some((id, AuthMethod::Sni))
}

/// All that a certificate can be named by: its fingerprint first.
fn names(certificate: &CertificateDer<'_>) -> Vec<CertificateName> {
    let mut names = vec![CertificateName::fingerprint(Sha256::digest(certificate).into())];
    if let Ok(certificate) = EndEntityCert::try_from(certificate) {
        names.extend(certificate.valid_dns_names().take(MAX_NAMES).map(CertificateName::san));
        names.extend(certificate.valid_uri_names().take(MAX_NAMES).map(CertificateName::san));
    }
    names
}

/// The label in front of `domain`, where there is one and no more.
fn label<'n>(name: &'n str, domain: &str) -> Option<&'n str> {
    let at = name.len().checked_sub(domain.len())?;
    let (front, end) = (name.get(..at)?, name.get(at..)?);
    let label = front.strip_suffix('.')?;
    (end.eq_ignore_ascii_case(domain) && !label.is_empty() && !label.contains('.')).then_some(label)
}

/// Names of each kind in a certificate that are looked up.
const MAX_NAMES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tl_04_odd_names_are_no_names_of_others_and_many_are_bounded() {
        let names_of = |names: Vec<String>| {
            let mut params = rcgen::CertificateParams::default();
            let name = |name: String| rcgen::SanType::DnsName(name.try_into().unwrap());
            params.subject_alt_names = names.into_iter().map(name).collect();
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            super::names(certificate.der())
        };
        let web = CertificateName::san("web.logs.example");
        // The fingerprint, and the name as it is.
        assert_eq!(names_of(vec!["web.logs.example".into()]).len(), 2);
        assert!(names_of(vec!["web.logs.example".into()]).contains(&web));
        for odd in [
            "web.logs.example\0.evil.example",
            "*.logs.example",
            "w*.logs.example",
            "web.*.example",
            "*",
            "web.logs.example.",
            "xweb.logs.example",
            "",
        ] {
            assert!(!names_of(vec![odd.into()]).contains(&web), "{odd:?}");
        }
        let many =
            |count: u32| names_of((0..count).map(|n| format!("n{n}.logs.example")).collect());
        assert_eq!(many(1000).len(), 1 + MAX_NAMES);
        // A certificate of more than 64 KiB is not read: its fingerprint is all that it has.
        assert_eq!(many(10_000).len(), 1);
    }

    #[test]
    fn a_label_is_what_stands_before_the_domain() {
        let table = [
            ("web-7.logs.example", Some("web-7")),
            ("web-7.LOGS.example", Some("web-7")),
            ("logs.example", None),
            (".logs.example", None),
            ("a.b.logs.example", None),
            ("weblogs.example", None),
            ("web-7.logs.example.org", None),
            ("", None),
        ];
        for (name, want) in table {
            assert_eq!(label(name, "logs.example"), want, "{name}");
        }
    }
}
