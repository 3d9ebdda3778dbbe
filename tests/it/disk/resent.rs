//! What is sent again while a slow disk still holds back the answers to what a broken connection
//! brought.

use std::io::Write;

use serde_json::json;

use super::faults::Faults;
use crate::fluent;
use crate::relp::session::frame;
use crate::support::{FLUENT, LISTENERS, RELP, event, wait_for, window, yesterday};

/// Reads whose answers may be held back: then a connection is not read any longer.
const HELD: u32 = 64;

/// Messages, one a read, so that some are not read any longer, and neither is the end.
const MESSAGES: u32 = HELD + 6;

/// Sends each message for itself, and ends while none is answered. Then sends all of them again.
#[track_caller]
fn resend(listener: &str, greeting: &[u8], message: impl Fn(u32) -> Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let faults = Faults::new(folder.path());
    let daemon = faults.start_with(folder.path(), &format!("{LISTENERS}{RELP}{FLUENT}"));
    faults.set("sync", -600_000, ".log");
    let mut first = daemon.connect(listener);
    first.write_all(greeting).unwrap();
    for n in 0..MESSAGES {
        first.write_all(&message(n)).unwrap();
        let came = u64::from(n + 1).min(HELD.into());
        let has_come = || (daemon.metrics().ledger(listener).received >= came).then_some(());
        wait_for("the message to be read", has_come);
    }
    drop(first);
    let mut second = daemon.connect(listener);
    let all: Vec<u8> = (0..MESSAGES).flat_map(&message).collect();
    second.write_all(&[greeting, &all].concat()).unwrap();
    let open = format!("logtrace_connections{{listener=\"{listener}\"}}");
    wait_for("it to come again", || (daemon.metrics().get(&open) == 2).then_some(()));
    assert_eq!(daemon.metrics().ledger(listener).stored, 0, "the disk was not slow");
    faults.clear();
    wait_for("all of them to be taken", || {
        let ledger = daemon.metrics().ledger(listener);
        (ledger.received >= u64::from(HELD + MESSAGES) && ledger.in_flight == 0).then_some(())
    });
    let stored = daemon.metrics().ledger(listener).stored;
    assert_eq!(stored, u64::from(MESSAGES), "each is there once");
    assert_eq!(daemon.query("message:resent").len(), MESSAGES as usize);
}

#[test]
fn windows_of_beats_are_there_once() {
    resend("beats", b"", |n| {
        let time = format!("{}T11:59:58.123Z", yesterday());
        let text = json!({"@timestamp": time, "message": format!("resent beats {n}")});
        [window(b'2', 1), event(1, &text.to_string())].concat()
    });
}

#[test]
fn frames_of_relp_are_there_once() {
    let open = frame(1, "open", "relp_version=0\nrelp_software=test\ncommands=syslog");
    resend("relp", open.as_bytes(), |n| {
        let line = format!("<13>1 {}T11:59:58.123Z h a - - - resent relp {n}", yesterday());
        frame(n + 2, "syslog", &line).into_bytes()
    });
}

#[test]
fn chunks_of_fluentd_are_there_once() {
    resend("fluent", b"", |n| {
        let record = [fluent::text("log"), fluent::text(&format!("resent fluent {n}"))].concat();
        let entry = [&b"\x92\xce\x6a\xff\x00\x00\x81"[..], &record].concat();
        fluent::message(&entry, &format!("chunk-{n}"))
    });
}
