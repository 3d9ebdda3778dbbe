//! Who holds memory beside what came: frames that are inflated.

use serde_json::json;

use crate::acknowledged::Acknowledged;
use crate::memory::{
    CONFIG, SERVED, assert_below_the_ceiling, begin, given_back, many_descriptors, of,
};
use crate::support::{Daemon, event, wait_for, window, zlib};

/// Connections that begin a message each, in a small frame or as it is, nearly as long as one may be.
const BEGUN: usize = 1000;
const LONG: usize = 250 * 1024;

/// Waits until so many calls were acknowledged.
fn served(daemon: &Daemon, logs: &Acknowledged) {
    wait_for("calls to be served", || {
        logs.send(daemon, 100);
        (logs.len() >= SERVED * 100).then_some(())
    });
}

#[test]
fn st_21_what_is_inflated_is_asked_for_before_it_is_there() {
    many_descriptors();
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), CONFIG);
    let text = json!({"message": "x".repeat(LONG)}).to_string();
    let whole = zlib(&event(1, &text));
    // The end of it lacks, so that it is kept.
    let begun = [&window(b'2', 1), &whole[..whole.len() - 20]].concat();
    let open = begin(&daemon, "beats", BEGUN, &begun);
    wait_for("readers to wait", || (of(&daemon, "waits", "messages") > 0).then_some(()));
    let logs = Acknowledged::new("fresh", 0);
    served(&daemon, &logs);
    assert!(of(&daemon, "closed", "messages") > 0);
    assert_below_the_ceiling(&daemon);
    drop(open);
    given_back(&daemon, "messages");
    logs.assert_stored_once(&daemon);
    daemon.metrics().ledger("beats").assert_adds_up();
}
