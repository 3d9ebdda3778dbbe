//! Who holds memory beside what came: frames that are inflated, and answers that nobody reads.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::acknowledged::Acknowledged;
use crate::memory::{CONFIG, SERVED, assert_below_the_ceiling, given_back, many_descriptors, of};
use crate::relp::session::frame;
use crate::support::{Daemon, LISTENERS, RELP, event, wait_for, window, zlib};

/// Connections that begin a message each, in a small frame or as it is, nearly as long as one may be.
const BEGUN: usize = 1000;
const LONG: usize = 250 * 1024;

/// Connections that read no answers.
const DEAF: usize = 10;

/// Connects, and sends these bytes as far as they are taken.
fn begin(daemon: &Daemon, listener: &str, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = daemon.connect(listener);
        let _all_sent = stream.write_all(bytes).is_ok();
        stream
    };
    thread::scope(|scope| {
        let parts: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| (0..count / 10).map(connect).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

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

/// Sends messages over RELP for as long as they are taken, and reads no answer.
fn deaf(daemon: &Daemon) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let address: std::net::SocketAddr = daemon.address("relp").parse().unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(frame(1, "open", "relp_version=0\ncommands=syslog").as_bytes()).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    for first in (2..).step_by(1000) {
        let frames: String =
            (first..first + 1000).map(|n| frame(n, "syslog", "<13>deaf")).collect();
        match stream.write_all(frames.as_bytes()) {
            Ok(()) => {}
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
                break;
            }
        }
    }
    stream
}

#[test]
fn st_21_answers_that_nobody_reads_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::with_listeners(folder.path(), CONFIG, &format!("{LISTENERS}{RELP}"));
    let deaf: Vec<TcpStream> = thread::scope(|scope| {
        let deaf: Vec<_> = (0..DEAF).map(|_| scope.spawn(|| deaf(&daemon))).collect();
        deaf.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let reserved = "logtrace_memory_reserved_bytes{by=\"messages\"}";
    wait_for("answers to be counted", || {
        (daemon.metrics().get(reserved) >= (DEAF as u64) * (32 << 10)).then_some(())
    });
    drop(deaf);
    given_back(&daemon, "messages");
    assert_below_the_ceiling(&daemon);
    daemon.metrics().ledger("relp").assert_adds_up();
}
