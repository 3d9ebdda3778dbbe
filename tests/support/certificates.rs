//! A certificate authority for one test.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Writes `ca.pem`, and of a server named `localhost` and a client named `sender` the certificates
/// and keys, as `server.pem`, `server.key`, `client.pem` and `client.key`.
pub(crate) fn write(folder: &Path) {
    write_until(folder, 4096);
}

/// The same, with a server whose certificate ends with the beginning of that year.
pub(crate) fn write_until(folder: &Path, year: i32) {
    let mut params = named("interop authority", &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let authority = Issuer::new(params, key);

    let mut server = named("localhost", &["localhost", "127.0.0.1"]);
    server.not_after = date_time_ymd(year, 1, 1);
    issue(folder, "server", server, ExtendedKeyUsagePurpose::ServerAuth, &authority);
    let client = named("sender", &["sender"]);
    issue(folder, "client", client, ExtendedKeyUsagePurpose::ClientAuth, &authority);
}

fn named(common_name: &str, others: &[&str]) -> CertificateParams {
    let others: Vec<_> = others.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(others).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn issue(
    folder: &Path,
    name: &str,
    mut params: CertificateParams,
    usage: ExtendedKeyUsagePurpose,
    authority: &Issuer<'_, KeyPair>,
) {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}
