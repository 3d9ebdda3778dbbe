//! What may be had of the memory by those who ask for it one by one: uploads, deletions and queries,
//! also where there is as little as there may be.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::memory::{CONFIG, LIMIT, assert_peak, given_back, many_descriptors, of};
use crate::support::{Daemon, LISTENERS, wait_for};

/// The least ceiling that is one with this little of everything that is fixed.
const LEAST: &str = r#"
memory.limit = "166 MiB"
store = { seal_bytes = "4 MiB", seal_after = "200ms", column_cache = "0 B", engine = { write_buffer = "1 MiB", block_cache = "1 MiB" } }
batch.max_bytes = "64 KiB"
"#;

/// Clients that ask at the same time.
const CLIENTS: usize = 16;

/// The beginning of a zstd frame with a window of 8 MiB that is filled, and in it that of an entry.
fn wide() -> Vec<u8> {
    let head = [&b"\x28\xb5\x2f\xfd\x00"[..], &[(23 - 10) << 3]].concat();
    let name = [&(8_u32 << 3).to_le_bytes()[..3], b"MESSAGE="].concat();
    let repeated = [&((128_u32 << 10) << 3 | 2).to_le_bytes()[..3], b"x"].concat();
    [head, name, repeated.repeat(70)].concat()
}

/// Begins an upload, and does not end it.
fn begin_upload(daemon: &Daemon, encoding: &str, begun: &[u8]) -> TcpStream {
    let head = format!(
        "POST /upload HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/vnd.fdo.journal\r\n\
         content-encoding: {encoding}\r\ncontent-length: 1073741824\r\n\r\n"
    );
    let mut stream = daemon.connect("api");
    stream.write_all(head.as_bytes()).unwrap();
    // Who is told to go in the midst of it is one of them as well.
    let _all_sent = stream.write_all(begun).is_ok();
    stream
}

fn upload(daemon: &Daemon, entry: &str) -> u16 {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let body = zstd::encode_all(entry.as_bytes(), 1).unwrap();
    let call = agent.post(format!("http://{}/upload", daemon.address("api")));
    let call = call.header("content-type", "application/vnd.fdo.journal");
    call.header("content-encoding", "zstd").send(&body[..]).unwrap().status().as_u16()
}

#[test]
fn st_21_uploads_ask_for_their_windows_and_their_long_entries() {
    many_descriptors();
    let folder = tempfile::tempdir().unwrap();
    let config = format!("{CONFIG}\napi.body_timeout = \"10min\"");
    let daemon = Daemon::start(folder.path(), &config);
    let (wide, long) = (wide(), format!("MESSAGE={}", "x".repeat(250 << 10)));
    // Together many times as much as there is.
    let open: Vec<_> = (0..300)
        .map(|number| match number % 3 {
            0 => begin_upload(&daemon, "identity", long.as_bytes()),
            _ => begin_upload(&daemon, "zstd", &wide),
        })
        .collect();
    wait_for("some to go", || (of(&daemon, "closed", "bodies") > 0).then_some(()));
    let entry = "__REALTIME_TIMESTAMP=1781524800000000\nMESSAGE=whole\n\n";
    wait_for("an upload to be taken", || {
        let status = upload(&daemon, entry);
        assert!(matches!(status, 202 | 503), "{status}");
        (status == 202).then_some(())
    });
    assert_peak(&daemon, LIMIT);
    drop(open);
    given_back(&daemon, "bodies");
    assert_peak(&daemon, LIMIT);
}

#[test]
fn st_21_a_deletion_without_room_is_refused_and_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), LEAST);
    daemon.send("tcp", "<13>1 - web api 1 - - payment\n".repeat(1000).as_bytes());
    daemon.settle("tcp", 1000);
    let shared = daemon.metrics().get("logtrace_memory_shared_bytes");
    let reserved = || daemon.metrics().get("logtrace_memory_reserved_bytes{by=\"messages\"}");
    // Senders have all but a little of it, and none of them waits for more.
    let begun = format!("<13>1 - h a - - - begun {}", "x".repeat(200 << 10));
    let mut open = Vec::new();
    while reserved() < shared / 4 * 3 {
        let before = reserved();
        let mut stream = daemon.connect("tcp");
        stream.write_all(begun.as_bytes()).unwrap();
        open.push(stream);
        wait_for("its memory", || (reserved() > before).then_some(()));
    }
    for dry_run in [true, false] {
        let body = json!({"filter": "payment", "dry_run": dry_run});
        let (status, answer) = daemon.call("POST", "/v1/logs/delete", None, Some(&body));
        assert_eq!((status, &answer["code"]), (503, &json!("no_memory")), "{answer}");
    }
    drop(open);
    given_back(&daemon, "messages");
    let body = json!({"filter": "payment"});
    let (status, answer) = daemon.call("POST", "/v1/logs/delete", None, Some(&body));
    assert_eq!((status, &answer["deleted"]), (200, &json!(1000)), "{answer}");
    given_back(&daemon, "queries");
}

/// What so many clients are answered who ask at the same time, each again and again.
fn ask(daemon: &Daemon, rounds: usize, body: &Value) -> Vec<(u16, Value)> {
    let together = Barrier::new(CLIENTS);
    let client = || -> Vec<(u16, Value)> {
        let round = |_| {
            together.wait();
            daemon.call("POST", "/v1/logs/query", None, Some(body))
        };
        (0..rounds).map(round).collect()
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn st_21_queries_that_come_together_have_their_turns_under_the_least_ceiling() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), LEAST);
    let line = format!("<13>1 - web api 1 - - payment {}\n", "of 5 EUR ".repeat(50));
    daemon.send("tcp", line.repeat(20_000).as_bytes());
    daemon.settle("tcp", 20_000);
    let small = json!({"filter": "payment", "from": "-1d", "limit": 10});
    for (status, answer) in ask(&daemon, 10, &small) {
        assert_eq!((status, &answer["meta"]["count"]), (200, &json!(10)), "{answer}");
    }
    // Those that want much are shorter, or refused at times, and the ceiling holds.
    let all = json!({"filter": "payment or not *y*", "from": "-1d", "limit": 10_000});
    for (status, answer) in ask(&daemon, 5, &all) {
        assert!(matches!(status, 200 | 503), "{status} {answer}");
    }
    assert_peak(&daemon, 166 << 20);
    given_back(&daemon, "queries");
}

#[test]
fn st_21_a_reload_that_asks_for_more_than_all_share_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(folder.path(), LEAST);
    // What the file says of the whole counts after a restart: until then there is what there was.
    let config = LEAST.replace("166 MiB", "4 GiB");
    let larger =
        LISTENERS.replacen("name = \"json\"", "name = \"json\"\nmax_message = \"16 MiB\"", 1);
    Daemon::configure(folder.path(), &config, &larger);
    let (status, answer) = daemon.reload();
    let text = answer.to_string();
    assert!((400..500).contains(&status), "{status} {text}");
    assert!(text.contains("listener.5.max_message: expected at most 8 MiB"), "{text}");
    daemon.send("json", b"{\"message\":\"goes on\"}\n");
    daemon.settle("json", 1);
    Daemon::configure(folder.path(), &config, LISTENERS);
    let (status, answer) = daemon.reload();
    assert_eq!((status, &answer["needs_restart"]), (200, &json!(["memory.limit"])), "{answer}");
}
