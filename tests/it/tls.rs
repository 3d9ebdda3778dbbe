//! TLS: handshakes that stall, certificates that are not good, and streams that end early.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DEFAULT_VERSIONS, RootCertStore, StreamOwned,
};

use crate::support::{Daemon, finish, tls, wait_for};

const TLS: &str = r#"
[[listener]]
name = "tls"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "hasty"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
handshake_timeout = "2s"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key" }

[[listener]]
name = "mutual"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"

[listener.tls]
cert = "FOLDER/server.pem"
key = "FOLDER/server.key"
client_ca = "FOLDER/ca.pem"
client_crl = "FOLDER/crl.pem"
require_client_cert = true

[[listener]]
name = "named"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"
tls = { cert = "FOLDER/server.pem", key = "FOLDER/server.key", key_domain = "logs.example" }
"#;

/// Those who are turned away, each by a certificate of its own, and what the journal says of it.
const BAD: [(&str, &str); 6] = [
    ("expired", "expired"),
    ("early", "not valid yet"),
    ("stranger", "UnknownIssuer"),
    ("server-only", "extended key usage"),
    ("revoked", "Revoked"),
    ("selfmade", "UnknownIssuer"),
];

/// An authority, a server, a client that is good, and those of [`BAD`].
fn write_certificates(folder: &Path) -> Issuer<'static, KeyPair> {
    let (authority, text) = authority("authority");
    fs::write(folder.join("ca.pem"), text).unwrap();
    let (stranger, _) = self::authority("another authority");
    for name in ["server", "client"].into_iter().chain(BAD.map(|(name, _)| name)) {
        let names = ["localhost", "web.logs.example", "nobody.logs.example"];
        let mut params = CertificateParams::new(names.map(str::to_owned)).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(name.len() as u64));
        params.extended_key_usages = vec![match name {
            "server" | "server-only" => ExtendedKeyUsagePurpose::ServerAuth,
            _ => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        match name {
            "expired" => params.not_after = date_time_ymd(2020, 1, 1),
            "early" => params.not_before = date_time_ymd(2090, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().unwrap();
        let certificate = match name {
            "selfmade" => params.self_signed(&key),
            "stranger" => params.signed_by(&key, &stranger),
            _ => params.signed_by(&key, &authority),
        };
        fs::write(folder.join(format!("{name}.pem")), certificate.unwrap().pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from("revoked".len() as u64),
        revocation_time: date_time_ymd(2024, 1, 1),
        reason_code: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    };
    fs::write(folder.join("crl.pem"), list(&authority, vec![revoked])).unwrap();
    authority
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().unwrap();
    let text = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), text)
}

fn list(authority: &Issuer<'_, KeyPair>, revoked: Vec<RevokedCertParams>) -> String {
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 1, 1),
        next_update: date_time_ymd(2090, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(authority).unwrap().pem().unwrap()
}

fn start(folder: &Path) -> Daemon {
    write_certificates(folder);
    Daemon::with_listeners(folder, "", TLS)
}

/// What a server answers to these bytes until it ends the connection.
fn answer(mut socket: TcpStream, bytes: &[u8]) -> Vec<u8> {
    socket.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let _reset = socket.read_to_end(&mut answer).is_err();
    answer
}

/// A `ClientHello` of that version, with that body behind the random number.
fn hello(version: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let message = hello_message(version, rest);
    let record = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&[0x16, 3, 1], &record[..], &message].concat()
}

/// No session, `cipher` alone, that compression, and `extensions`.
fn offer(cipher: [u8; 2], compression: u8, extensions: &[u8]) -> Vec<u8> {
    let len = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    [&[0, 0, 2], &cipher[..], &[1, compression], &len, extensions].concat()
}

/// Handshakes that are begun at once, and not ended.
const STALLED: usize = 1000;

/// What a client of today begins with.
fn good_hello() -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

#[test]
fn tl_01_handshakes_that_stall_or_are_none_end_in_time_and_others_go_on() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let whole = good_hello();
    let begun = [&whole[..1], &whole[..whole.len() - 1], &whole[..]];
    let stalled: Vec<_> = (0..STALLED)
        .map(|number| {
            let mut socket = daemon.connect("hasty");
            // Who says it late finds nobody there, which is a handshake that stalled.
            let _in_time = socket.write_all(begun[number % begun.len()]).is_ok();
            socket
        })
        .collect();
    // A client that is too slow itself comes again.
    let mut late = 0;
    wait_for("a good one", || {
        let mut stream = tls(folder.path(), daemon.connect("hasty"), None);
        let sent = stream.write_all(b"<13>1 - h a - - - meanwhile\n");
        late += 1;
        sent.and_then(|()| finish(stream)).ok()
    });
    wait_for("its line", || (!daemon.query("message:meanwhile").is_empty()).then_some(()));
    let all = STALLED as u64..STALLED as u64 + late;
    for mut socket in stalled {
        let _reset = socket.read_to_end(&mut Vec::new()).is_err();
    }
    let failures =
        || daemon.metrics().get("logtrace_tls_handshake_failures_total{listener=\"hasty\"}");
    wait_for("all of them", || all.contains(&failures()).then_some(()));
    let entry = daemon.find_in("failed", "error.code:TLS_HANDSHAKE and message:time");
    assert_eq!(entry["message"], "expected a TLS handshake in time, but it did not end");
    // Equal ones are told of together: far fewer entries than handshakes, and none is missing.
    let entries = || {
        let query =
            json!({"filter": "error.code:TLS_HANDSHAKE", "journal": "failed", "from": "-1h"});
        let found = daemon.query_with(&query);
        let count = |entry: &Value| entry["count"].as_u64().unwrap_or(1);
        all.contains(&found.iter().map(count).sum::<u64>()).then_some(found.len())
    };
    assert!(wait_for("the entries", entries) <= STALLED / 10);
    let garbage: Vec<u8> = (0..8).flat_map(|_| 1..=250).collect();
    answer(daemon.connect("tls"), &garbage);
    daemon.find_in("failed", "error.code:TLS_HANDSHAKE and message:\"plain text\"");
}

#[test]
fn tl_02_old_versions_and_what_they_could_do_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let groups = [0, 10, 0, 4, 0, 2, 0, 0x1d];
    let signatures = [0, 13, 0, 4, 0, 2, 4, 3];
    let extensions = [groups, signatures].concat();
    let table = [
        ("SSL 3", hello([3, 0], &offer([0, 0x2f], 0, &[]))),
        ("TLS 1.0", hello([3, 1], &offer([0, 0x2f], 0, &[]))),
        ("TLS 1.1", hello([3, 2], &offer([0, 0x2f], 0, &extensions))),
        ("no common cipher", hello([3, 3], &offer([0, 0x2f], 0, &extensions))),
        ("compression", hello([3, 3], &offer([0xc0, 0x2b], 1, &extensions))),
    ];
    for (number, (name, bytes)) in (1..).zip(table) {
        let answer = answer(daemon.connect("tls"), &bytes);
        assert_eq!((answer.first(), answer.get(5)), (Some(&0x15), Some(&2)), "{name}: an alert");
        let failures =
            || daemon.metrics().get("logtrace_tls_handshake_failures_total{listener=\"tls\"}");
        wait_for(name, || (failures() == number).then_some(()));
    }
    daemon.find_in("failed", "error.code:TLS_HANDSHAKE and endpoint:tls");
}

#[test]
fn tl_03_clients_whose_certificates_are_not_good_learn_no_reason() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let mut stream = tls(folder.path(), daemon.connect("mutual"), Some("client"));
    stream.write_all(b"<13>1 - h a - - - good\n").unwrap();
    finish(stream).unwrap();
    daemon.find("message:good");
    // Nothing is sent, so that nothing unread has the system throw away the server's last word.
    let refused = |client: Option<&str>| {
        let mut stream = tls(folder.path(), daemon.connect("mutual"), client);
        stream.read(&mut [0]).unwrap_err().to_string()
    };
    refused(None);
    daemon.find_in("failed", "error.code:TLS_HANDSHAKE and message:\"no certificates\"");
    let mut told = Vec::new();
    for (name, reason) in BAD {
        told.push(refused(Some(name)));
        let filter =
            format!("error.code:TLS_HANDSHAKE and endpoint:mutual and message:\"{reason}\"");
        daemon.find_in("failed", &filter);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "all are told the same: {told:?}");
    assert_eq!(daemon.metrics().ledger("mutual").received, 1);
}

#[test]
fn tl_05_tl_10_files_that_cannot_be_used_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    write_certificates(folder.path());
    let refused = |listeners: &str| {
        let ended = Daemon::try_start(folder.path(), "", listeners, &[]);
        assert!(ended.is_err_and(|ended| !ended.success()));
        fs::read_to_string(folder.path().join("daemon.log")).unwrap()
    };
    fs::write(folder.path().join("crl.pem"), "").unwrap();
    let said = refused(TLS);
    assert!(said.contains("expected a revocation list in PEM form, but found none"), "{said}");
    let (other, _) = authority("authority");
    fs::write(folder.path().join("crl.pem"), list(&other, Vec::new())).unwrap();
    // A key that everyone may read: a warning, or the end.
    let key = folder.path().join("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let strict = TLS.replace("key_domain", "refuse_exposed_key = true, key_domain");
    let said = refused(&strict);
    assert!(said.contains("expected a private key that others cannot read"), "{said}");
    let daemon = Daemon::with_listeners(folder.path(), "", TLS);
    assert!(daemon.said().contains("private key"), "{}", daemon.said());
    drop(daemon);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(folder.path().join("daemon.log"), "").unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", &strict);
    assert!(!daemon.said().contains("private key"), "{}", daemon.said());
}

#[test]
fn tl_05_a_list_that_cannot_be_used_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let authority = write_certificates(folder.path());
    let daemon = Daemon::with_listeners(folder.path(), "", TLS);
    let talks = |client: &str| {
        let mut stream = tls(folder.path(), daemon.connect("mutual"), Some(client));
        let sent = stream.write_all(b"<13>1 - h a - - - talks\n");
        sent.is_ok() && finish(stream).is_ok()
    };
    let failures =
        || daemon.metrics().get("logtrace_certificate_reload_failures_total{listener=\"mutual\"}");
    let (path, good) = (folder.path().join("crl.pem"), list(&authority, Vec::new()));
    let put = |text: &str, len: Option<u64>| {
        let draft = folder.path().join("draft");
        fs::write(&draft, text).unwrap();
        let file = fs::File::options().write(true).open(&draft).unwrap();
        len.into_iter().for_each(|len| file.set_len(len).unwrap());
        fs::rename(draft, &path).unwrap();
    };
    let (half, _) = good.split_at(good.len() / 2);
    let cut = format!("{half}\n-----END X509 CRL-----\n");
    for (text, len) in [("", None), ("no list", None), (&*cut, None), (&*good, Some(100 << 20))] {
        let before = failures();
        put(text, len);
        wait_for("a failure", || (failures() > before).then_some(()));
        assert!(talks("client") && !talks("revoked"), "the one before stays");
    }
    // One that no longer names it counts at once.
    put(&good, None);
    wait_for("the new list", || talks("revoked").then_some(()));
    assert!(daemon.said().contains("the one before stays"), "{}", daemon.said());
}

#[test]
fn tl_06_a_name_that_shows_no_key_is_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let key = json!({"name": "web", "label": "web", "scopes": ["write:logs"]});
    let (id, _) = daemon.create_key(&key);
    // Of any name the handshake is the same; only what is sent then tells.
    for (name, text) in [("web.logs.example", "known"), ("nobody.logs.example", "unknown")] {
        let mut stream = tls_to(folder.path(), daemon.connect("named"), name);
        stream.write_all(format!("<13>1 - h a - - - {text}\n").as_bytes()).unwrap();
        finish(stream).unwrap();
    }
    let event = daemon.find("message:known");
    assert_eq!((&event["key"], &event["auth.method"]), (&json!(id), &json!("sni")));
    daemon.find_in("blocked", "endpoint:named and reason:INVALID_API_KEY");
    assert_eq!(daemon.query("message:unknown"), [Value::Null; 0]);
    // Names that are none: of 60,000 bytes, and of bytes that are no text.
    for name in [vec![b'a'; 60_000], b"\xff\xfe.logs.example".to_vec()] {
        let len = |more: usize| u16::try_from(name.len() + more).unwrap().to_be_bytes();
        let names = [&len(5)[..], &len(3), &[0], &len(0), &name].concat();
        let extension = [&[0, 0][..], &names].concat();
        let body = offer([0xc0, 0x2b], 0, &extension);
        let message = hello_message([3, 3], &body);
        let records = message.chunks(16_000).flat_map(|part| {
            let len = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&[0x16, 3, 1], &len[..], part].concat()
        });
        let answer = answer(daemon.connect("named"), &records.collect::<Vec<_>>());
        assert_eq!(answer.first(), Some(&0x15), "an alert");
    }
}

/// Speaks TLS to the server of that name.
fn tls_to(
    folder: &Path,
    socket: TcpStream,
    name: &str,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
}

fn hello_message(version: [u8; 2], rest: &[u8]) -> Vec<u8> {
    let body = [&version[..], &[7; 32], rest].concat();
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1, len[1], len[2], len[3]], &body[..]].concat()
}

#[test]
fn tl_08_a_stream_that_ends_early_keeps_what_was_whole() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    // Without a word of farewell.
    let mut stream = tls(folder.path(), daemon.connect("tls"), None);
    stream.write_all(b"<13>1 - h a - - - first\n<13>1 - h a - - - rest").unwrap();
    stream.flush().unwrap();
    stream.sock.shutdown(Shutdown::Write).unwrap();
    let _end = stream.sock.read_to_end(&mut Vec::new()).is_ok();
    daemon.find("message:first");
    daemon.find("message:rest");
    // In the middle of a record, and of a counted message.
    let mut stream = tls(folder.path(), daemon.connect("tls"), None);
    stream.write_all(b"24 <13>1 - h a - - - second90 <13>1 - h a - - - part").unwrap();
    stream.flush().unwrap();
    stream.sock.write_all(&[0x17, 3, 3, 0, 200, 1, 2, 3]).unwrap();
    stream.sock.shutdown(Shutdown::Write).unwrap();
    let _end = stream.sock.read_to_end(&mut Vec::new()).is_ok();
    daemon.find("message:second");
    let cut = || daemon.metrics().sum("logtrace_framing_errors_total", "reason=\"truncated_tail\"");
    wait_for("the tail", || (cut() == 1).then_some(()));
    // In records of one byte each.
    let mut stream = tls(folder.path(), daemon.connect("tls"), None);
    for byte in b"<13>1 - h a - - - bytewise\n" {
        stream.write_all(&[*byte]).unwrap();
        stream.flush().unwrap();
    }
    finish(stream).unwrap();
    daemon.find("message:bytewise");
}
