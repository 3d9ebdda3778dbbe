//! Fluentd's forward protocol: chunks are acknowledged when they are stored.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::support::{Daemon, FLUENT, LISTENERS, PATIENCE, wait_for, yesterday, yesterday_begins};

#[track_caller]
fn start(folder: &Path, config: &str) -> Daemon {
    Daemon::with_listeners(folder, config, &format!("{LISTENERS}{FLUENT}"))
}

#[test]
fn an_entry_in_is_an_event_out() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), "");
    let record = [text("log"), text("order 7 failed"), text("level"), text("error")].concat();
    let record = [&b"\x83"[..], &record, &text("sum"), b"\x81", &text("eur"), b"\x05"].concat();
    // 12:15:58.5 of yesterday, with nanoseconds.
    let seconds = yesterday_begins() + 12 * 3600 + 15 * 60 + 58;
    let seconds = u32::try_from(seconds).unwrap().to_be_bytes();
    let time = [&b"\xd7\x00"[..], &seconds, &500_000_000_u32.to_be_bytes()].concat();
    daemon.send("fluent", &[&b"\x93"[..], &text("shop.web"), &time, &record].concat());
    let event = daemon.find("message:\"order 7 failed\"");
    let table = [
        ("@timestamp", json!(format!("{}T12:15:58.500Z", yesterday()))),
        ("fluent.tag", json!("shop.web")),
        ("level", json!("ERROR")),
        ("sum.eur", json!(5)),
        ("tags", json!([])),
        ("listener", json!("fluent")),
    ];
    for (name, want) in table {
        assert_eq!(event[name], want, "{name} of {event:#}");
    }
    daemon.settle("fluent", 1);
}

#[test]
fn a_key_in_the_record_is_used_and_kept_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let listeners = format!("{LISTENERS}{FLUENT}require_key = true\n");
    let daemon = Daemon::with_listeners(folder.path(), "", &listeners);
    let (id, secret) = daemon.create_key(&json!({"name": "shop", "scopes": ["write:logs"]}));
    let mut stream = daemon.connect("fluent");
    let entry = |message: &str| {
        let record = [text("message"), text(message), text("token"), text(&secret)].concat();
        [&b"\x92\x01\x82"[..], &record].concat()
    };
    let secret_in_text = entry(&format!("a secret {secret}"));
    let packed = [entry("let in"), secret_in_text, b"\x92\x01\x80".to_vec()].concat();
    stream.write_all(&message(&gzip(&packed), "chunk-1")).unwrap();
    assert_eq!(acknowledged(&mut stream).as_deref(), Some("chunk-1"));
    assert_eq!(daemon.find("message:\"let in\"")["key"], json!(id));
    let event = daemon.find("message:\"a secret\"");
    assert!(!event.to_string().contains(&secret), "{event:#}");
    daemon.settle("fluent", 3);
    assert_eq!(daemon.metrics().ledger("fluent").blocked, 1);
}

#[test]
fn a_stream_that_is_something_else_is_closed_and_noted() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), "");
    let mut stream = daemon.connect("fluent");
    stream.write_all(b"{\"message\": \"json\"}\n").unwrap();
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0, "it is closed");
    daemon.find_in("failed", "message:\"expected a list of 2 to 4 elements\"");
    daemon.settle("fluent", 1);
}

#[test]
fn acknowledged_is_stored_however_often_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut sent = BTreeSet::new();
    for round in 0..6 {
        let daemon = start(folder.path(), "[store]\nseal_after = \"100ms\"\n");
        let mut stream = daemon.connect("fluent");
        let (pid, chunks) = (daemon.pid(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&chunks);
        let killer = std::thread::spawn(move || {
            // In the middle of its work, however fast that is.
            let enough = || (counted.load(Ordering::Relaxed) >= 2 + 3 * round).then_some(());
            wait_for("acknowledgements", enough);
            kill_process(pid, Signal::KILL).unwrap();
        });
        for chunk in 0.. {
            let messages: Vec<String> =
                (0..50).map(|n| format!("round {round} chunk {chunk} entry {n}")).collect();
            let entries = messages
                .iter()
                .map(|message| [&b"\x92\x01\x81"[..], &text("message"), &text(message)].concat());
            let packed: Vec<u8> = entries.collect::<Vec<_>>().concat();
            let id = format!("{round}-{chunk}");
            let body = if chunk % 2 == 0 { packed } else { gzip(&packed) };
            if stream.write_all(&message(&body, &id)).is_err() {
                break;
            }
            match acknowledged(&mut stream) {
                Some(acknowledged) => assert_eq!(acknowledged, id),
                None => break,
            }
            sent.extend(messages);
            chunks.fetch_add(1, Ordering::Relaxed);
        }
        killer.join().unwrap();
        daemon.kill();
    }
    let daemon = start(folder.path(), "");
    let mut stored = BTreeSet::new();
    let mut query = json!({"from": "-365d", "limit": 10_000, "fields": ["message"]});
    query["from"] = json!("1900-01-01");
    loop {
        let (status, answer) = daemon.call("POST", "/v1/logs/query", None, Some(&query));
        assert_eq!(status, 200, "{answer}");
        let logs = answer["logs"].as_array().unwrap();
        stored.extend(logs.iter().map(|log| log["message"].as_str().unwrap().to_owned()));
        query["cursor"] = answer["meta"]["next_cursor"].clone();
        if query["cursor"].is_null() || logs.is_empty() {
            break;
        }
    }
    assert!(sent.len() > 500, "only {} acknowledged", sent.len());
    let lost: Vec<_> = sent.difference(&stored).take(5).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

/// Text of up to 255 bytes, in `MessagePack`.
pub(crate) fn text(text: &str) -> Vec<u8> {
    [&[0xd9, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
}

/// A message of packed entries whose sender waits for its acknowledgement.
pub(crate) fn message(packed: &[u8], chunk: &str) -> Vec<u8> {
    let len = u32::try_from(packed.len()).unwrap().to_be_bytes();
    let option = [&b"\x81"[..], &text("chunk"), &text(chunk)].concat();
    [&b"\x93"[..], &text("shop"), b"\xc6", &len, packed, &option].concat()
}

/// The chunk that is acknowledged next; none where the connection ended before.
pub(crate) fn acknowledged(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = [0; 6];
    stream.read_exact(&mut head).ok()?;
    assert_eq!(&head[..5], b"\x81\xa3ack");
    let mut chunk = vec![0; usize::from(head[5] & 0x1f)];
    stream.read_exact(&mut chunk).ok()?;
    Some(String::from_utf8(chunk).unwrap())
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(content).unwrap();
    to.finish().unwrap()
}

#[test]
fn a_chunk_whose_connection_broke_before_its_acknowledgement_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), "");
    let entry = |n: u8| {
        [&b"\x92\xce\x6a\xff\x00\x00\x81"[..], &text("log"), &text(&format!("resent {n}"))].concat()
    };
    let chunk = message(&gzip(&(0..20).flat_map(entry).collect::<Vec<u8>>()), "chunk-1");
    for round in 1..=2 {
        let mut stream = daemon.connect("fluent");
        stream.write_all(&chunk).unwrap();
        if round == 2 {
            assert_eq!(acknowledged(&mut stream).as_deref(), Some("chunk-1"));
        }
        drop(stream);
        daemon.settle("fluent", 20 * round);
    }
    assert_eq!(daemon.query("message:resent").len(), 20);
}
