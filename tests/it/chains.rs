//! Clients that show certificates which cost much to look at: refused, cheaply, and alone.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::sign::{CertifiedKey, Signer, SigningKey};
use tokio_rustls::rustls::{
    self, ClientConfig, ClientConnection, DEFAULT_VERSIONS, RootCertStore, SignatureScheme,
    StreamOwned,
};

use crate::support::{Daemon, finish, tls, wait_for};

const MUTUAL: &str = r#"
[[listener]]
name = "mutual"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"

[listener.tls]
cert = "FOLDER/server.pem"
key = "FOLDER/server.key"
client_ca = "FOLDER/root.pem"
require_client_cert = true
"#;

/// Shows a chain that nobody has to have the key of.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Signs with as many bytes as a key of RSA has that is longer than any.
#[derive(Debug)]
struct Noise;

impl SigningKey for Noise {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self))
    }

    fn algorithm(&self) -> rustls::SignatureAlgorithm {
        rustls::SignatureAlgorithm::RSA
    }
}

impl Signer for Noise {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(vec![0x5a; RSA_BITS / 8])
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::RSA_PSS_SHA256
    }
}

/// A public key of RSA: what it is worth, nobody knows.
struct Rsa(Vec<u8>);

impl Rsa {
    /// `SEQUENCE { INTEGER modulus, INTEGER 65537 }` (RFC 8017 §A.1.1).
    fn new(bits: usize) -> Self {
        let modulus: Vec<u8> = std::iter::once(0).chain((0..bits / 8).map(|_| 0xb5)).collect();
        let integer = |bytes: &[u8]| [&[0x02][..], &len(bytes.len()), bytes].concat();
        let inside = [integer(&modulus), integer(&[1, 0, 1])].concat();
        Self([&[0x30][..], &len(inside.len()), &inside].concat())
    }
}

/// A length in DER.
fn len(len: usize) -> Vec<u8> {
    match u8::try_from(len) {
        Ok(short) if short < 0x80 => vec![short],
        _ => [&[0x82][..], &u16::try_from(len).unwrap().to_be_bytes()].concat(),
    }
}

impl PublicKeyData for Rsa {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn client() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["sender".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

/// The certificate of the client that `own` is the key of, and `count` above it, each vouched for by the
/// next. Where all have one name, each may be above each.
fn chain(
    own: &KeyPair,
    count: usize,
    name: impl Fn(usize) -> String,
    root: &Issuer<'_, KeyPair>,
) -> Vec<Certificate> {
    let mut issuer = Issuer::new(authority("root"), key_of(root));
    let mut above = Vec::new();
    for number in 0..count {
        let own_key = key();
        let params = authority(&name(number));
        above.insert(0, params.signed_by(&own_key, &issuer).unwrap());
        issuer = Issuer::new(params, own_key);
    }
    above.insert(0, client().signed_by(own, &issuer).unwrap());
    above
}

/// The chains, from the certificate of the client up, without the root of `folder`.
fn chains(folder: &Path) -> Vec<(&'static str, Vec<CertificateDer<'static>>)> {
    let root_key = key();
    let root = authority("root");
    fs::write(folder.join("root.pem"), root.self_signed(&root_key).unwrap().pem()).unwrap();
    let root = Issuer::new(root, root_key);
    // One good for the client that is, below authorities of its own.
    let good_key = key();
    let good = chain(&good_key, USUAL, |number| format!("number {number}"), &root);
    let good: String = good.iter().map(Certificate::pem).collect();
    fs::write(folder.join("good.pem"), good).unwrap();
    fs::write(folder.join("good.key"), good_key.serialize_pem()).unwrap();

    // Keys of 16,384 bits: of the client, and of who vouches for it.
    let huge = client().signed_by(&Rsa::new(RSA_BITS), &root).unwrap().der().clone();
    let between = authority("huge").signed_by(&Rsa::new(RSA_BITS), &root).unwrap().der().clone();
    let liar = Issuer::new(authority("huge"), key());
    let below = client().signed_by(&key(), &liar).unwrap().der().clone();
    let other = |count: usize, name: fn(usize) -> String| {
        let chain = chain(&key(), count, name, &root);
        chain.iter().map(|certificate| certificate.der().clone()).collect()
    };
    let same = |_: usize| "same".to_owned();
    vec![
        ("a chain of 100", other(LONG, |number| format!("number {number}"))),
        ("a chain of 100 with one name", other(LONG, same)),
        ("a chain of 8 with one name", other(ALLOWED, same)),
        ("a key of 16,384 bits", vec![huge]),
        ("an authority of 16,384 bits", vec![below, between]),
    ]
}

fn key_of(root: &Issuer<'_, KeyPair>) -> KeyPair {
    KeyPair::from_pem(&root.key().serialize_pem()).unwrap()
}

/// Shows `chain`, and waits until the daemon has ended the connection.
fn show(folder: &Path, socket: TcpStream, chain: Vec<CertificateDer<'static>>) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let shown = Shown(Arc::new(CertifiedKey::new(chain, Arc::new(Noise))));
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(shown));
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, socket);
    assert!(!matches!(stream.read(&mut [0]), Ok(1)), "nothing is said to it");
}

/// How long the daemon has computed so far, in ticks (proc(5), `utime` and `stime`).
fn ticks(daemon: &Daemon) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid().as_raw_nonzero())).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let words: Vec<&str> = rest.split(' ').collect();
    words[11..13].iter().map(|word| word.parse::<u64>().unwrap()).sum()
}

#[test]
fn tl_04_long_chains_and_huge_keys_are_refused_cheaply() {
    let folder = tempfile::tempdir().unwrap();
    let chains = chains(folder.path());
    let daemon = Daemon::with_listeners(folder.path(), "", MUTUAL);
    let good = |text: &str| {
        let mut stream = tls(folder.path(), daemon.connect("mutual"), Some("good"));
        stream.write_all(format!("<13>1 - h a - - - {text}\n").as_bytes()).unwrap();
        finish(stream).unwrap();
    };
    let before = ticks(&daemon);
    (0..ROUNDS).for_each(|_| good("usual"));
    let usual = ticks(&daemon) - before;
    let resident = || daemon.metrics().get("logtrace_resident_memory_bytes");
    let small = resident();
    for (name, chain) in &chains {
        let before = ticks(&daemon);
        for _ in 0..ROUNDS {
            show(folder.path(), daemon.connect("mutual"), chain.clone());
        }
        let took = ticks(&daemon) - before;
        println!("{name}: {took} ticks, {usual} usual");
        assert!(took <= 20 * (usual + 10), "{name}: {took} ticks, {usual} usual");
    }
    assert!(resident().saturating_sub(small) < 64 << 20, "{small} bytes, now {}", resident());
    good("after");
    daemon.find("message:after");
    let failures = "logtrace_tls_handshake_failures_total{listener=\"mutual\"}";
    let all = (chains.len() * ROUNDS) as u64;
    wait_for("all of them", || (daemon.metrics().get(failures) == all).then_some(()));
    let why = format!("error.code:TLS_HANDSHAKE and message:\"at most 8\" and message:{LONG}");
    daemon.find_in("failed", &why);
}

/// Authorities between a client and the root.
const USUAL: usize = 3;
const LONG: usize = 100;
/// As many as are looked at.
const ALLOWED: usize = 8;
const RSA_BITS: usize = 16_384;
/// Handshakes of each kind.
const ROUNDS: usize = 30;
