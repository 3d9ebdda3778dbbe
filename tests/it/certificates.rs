//! Certificates that are replaced while the daemon runs.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::support::{Daemon, finish, tls, wait_for, write_certificates_until};

const LISTENER: &str = "[[listener]]\nname = \"tls\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\n\
    listen = \"127.0.0.1:0\"\ntls = { cert = \"FOLDER/server.pem\", key = \"FOLDER/server.key\" }\n";

/// Whether the daemon shows a certificate of the authority in `folder`, and takes a line.
fn talks(daemon: &Daemon, folder: &Path, line: &str) -> bool {
    let mut stream = tls(folder, daemon.connect("tls"), None);
    stream.write_all(line.as_bytes()).is_ok() && finish(stream).is_ok()
}

fn put(from: &Path, to: &Path, name: &str) {
    fs::copy(from.join(name), to.join("draft")).unwrap();
    fs::rename(to.join("draft"), to.join(name)).unwrap();
}

#[test]
fn tl_07_a_pair_is_swapped_once_both_fit() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), "", LISTENER);
    let old = folder.path().join("old");
    fs::create_dir(&old).unwrap();
    for name in ["ca.pem", "server.pem", "server.key"] {
        put(folder.path(), &old, name);
    }
    let mut open = tls(&old, daemon.connect("tls"), None);
    open.write_all(b"<13>1 - h a - - - first\n").unwrap();
    let failures =
        || daemon.metrics().get("logtrace_certificate_reload_failures_total{listener=\"tls\"}");
    let expiry =
        || daemon.metrics().get("logtrace_certificate_expiry_timestamp_seconds{listener=\"tls\"}");
    let before = wait_for("the end of the certificate", || Some(expiry()).filter(|end| *end > 0));
    assert!(talks(&daemon, &old, "<13>1 - h a - - - second\n"));
    assert_eq!(failures(), 0);

    let [new, ended] = ["new", "ended"].map(|name| folder.path().join(name));
    for (folder, year) in [(&new, 2100), (&ended, 2001)] {
        fs::create_dir(folder).unwrap();
        write_certificates_until(folder, year);
    }
    let pem = fs::read(new.join("server.pem")).unwrap();
    // The certificate without its key; half of it; one that has ended, with its key; none.
    let steps: [&dyn Fn(); 4] = [
        &|| put(&new, folder.path(), "server.pem"),
        &|| fs::write(folder.path().join("server.pem"), &pem[..pem.len() / 2]).unwrap(),
        &|| {
            fs::remove_file(folder.path().join("server.pem")).unwrap();
            put(&ended, folder.path(), "server.key");
            put(&ended, folder.path(), "server.pem");
        },
        &|| fs::remove_file(folder.path().join("server.pem")).unwrap(),
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let count = failures();
        step();
        wait_for("a failure", || (failures() > count).then_some(()));
        assert!(talks(&daemon, &old, "<13>1 - h a - - - third\n"), "step {number}");
        assert_eq!(expiry(), before);
    }
    let said = daemon.said();
    assert!(
        said.contains("the one before stays") && said.contains("ended at 2001-01-01"),
        "{said}"
    );

    put(&new, folder.path(), "server.pem");
    put(&new, folder.path(), "server.key");
    wait_for("the new pair", || (expiry() == 4_102_444_800).then_some(()));
    assert!(talks(&daemon, &new, "<13>1 - h a - - - fourth\n"));
    assert!(!talks(&daemon, &old, "<13>1 - h a - - - never\n"));
    open.write_all(b"<13>1 - h a - - - fifth\n").unwrap();
    finish(open).unwrap();
    daemon.find("fifth");
    assert_eq!(daemon.query("third").len(), 4);
}
