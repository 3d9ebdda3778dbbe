//! What leaves the daemon, and is not lost when either side is killed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{Daemon, wait_for};

/// The head of a call, and the JSON of its body.
type Taken = (Vec<String>, Value);

/// Something that takes calls, and says of the first so many that it cannot.
struct Receiver {
    at: SocketAddr,
    /// Bodies, as they were taken.
    came: Arc<Mutex<Vec<Taken>>>,
}

impl Receiver {
    fn start(refusals: usize) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, came) = (socket.local_addr().unwrap(), Arc::default());
        let refusals = AtomicUsize::new(refusals);
        let own = Self { at, came: Arc::clone(&came) };
        thread::spawn(move || {
            for stream in socket.incoming() {
                let (head, body) = call(stream.as_ref().unwrap());
                let one_less = |left: usize| left.checked_sub(1);
                let refused =
                    refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
                if !refused {
                    came.lock().push((head, body));
                }
                let status = if refused { "503 X" } else { "200 OK" };
                let head = "connection: close\r\ncontent-length: 0";
                let answer = format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n");
                // A daemon that was killed does not wait for it.
                stream.unwrap().write_all(answer.as_bytes()).ok();
            }
        });
        own
    }

    fn bodies(&self) -> Vec<Value> {
        self.came.lock().iter().map(|(_, body)| body.clone()).collect()
    }
}

/// Reads a call; the body of one that was cut is nothing.
fn call(stream: &TcpStream) -> Taken {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let len = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; len.unwrap_or(0)];
    let is_whole = reader.read_exact(&mut body).is_ok();
    let body = serde_json::from_slice(&body).ok().filter(|_| is_whole);
    (head, body.unwrap_or(Value::Null))
}

/// Lets this machine be called.
const OPEN: &str = r#"
[ship]
allow_networks = ["127.0.0.0/8"]
allow_http = true

[ship.webhooks]
first_retry = "100ms"
max_retry = "500ms"
"#;

#[test]
fn co_15_a_webhook_is_told_of_changes_whoever_is_killed_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(3);
    let daemon = Daemon::start(folder.path(), OPEN);
    let new = json!({"url": format!("http://{}/hook", receiver.at), "events": ["api_key.*"]});
    let (status, made) = daemon.call("POST", "/v1/webhooks", None, Some(&new));
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap().to_owned();
    let make = |daemon: &Daemon, n: u32| {
        let new = json!({"name": format!("key{n}"), "scopes": ["write:logs"]});
        daemon.create_key(&new).1
    };
    let mut secrets: Vec<_> = (0..3).map(|n| make(&daemon, n)).collect();
    // Whatever was told by now, none of it was taken yet, or some was.
    daemon.kill();
    let daemon = Daemon::start(folder.path(), OPEN);
    secrets.push(make(&daemon, 3));
    let told = || -> BTreeSet<String> {
        let bodies = receiver.bodies().into_iter();
        let created = bodies.filter(|body| body["type"] == "api_key.created");
        created.map(|body| body["data"]["details"]["new"].to_string()).collect()
    };
    wait_for("four keys", || (told().len() >= 4).then_some(()));
    let all = told().into_iter().collect::<String>();
    assert!((0..4).all(|n| all.contains(&format!("key{n}"))), "{all}");
    assert!(!secrets.iter().any(|secret| all.contains(secret)), "{all}");
    let (head, _) = receiver.came.lock()[0].clone();
    for name in ["webhook-id: msg_", "webhook-timestamp: ", "webhook-signature: v1,"] {
        assert!(head.iter().any(|line| line.starts_with(name)), "{name} in {head:?}");
    }
    let id = made["id"].as_str().unwrap();
    wait_for("nothing on its way", || {
        let (_, shown) = daemon.call("GET", &format!("/v1/webhooks/{id}"), None, None);
        (shown["queued"] == 0).then_some(())
    });
    assert!(daemon.metrics().get(r#"logtrace_webhook_deliveries_total{result="delivered"}"#) > 0);
    let audited = daemon.call("GET", "/v1/audit", None, None).1.to_string();
    assert!(audited.contains("webhook.created"), "{audited}");
    for text in [audited, daemon.said()] {
        assert!(!text.contains(&secret), "a secret is in {text}");
    }
}

#[test]
fn journals_are_forwarded_at_least_once_whoever_is_killed_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(2);
    let stream = Stream::start();
    let config = format!(
        r#"{OPEN}
        [[forward]]
        name = "json"
        journals = ["blocked", "audit"]
        to = "http://{}/in"
        headers = {{ authorization = "Splunk hunter2" }}

        [[forward]]
        name = "syslog"
        journals = ["blocked"]
        to = "tcp://{}"
        "#,
        receiver.at, stream.at
    );
    let mut daemon = Daemon::start(folder.path(), &config);
    // From the start, and not only once something was sent.
    for target in ["json", "syslog"] {
        daemon.metrics().get(&format!("logtrace_forward_lag_seconds{{target=\"{target}\"}}"));
    }
    for round in 0..3 {
        for n in 0..20 {
            // Each is an entry of its own: another path.
            let path = format!("/v1/keys/{round}-{n}");
            let (status, _) = daemon.call("GET", &path, Some(UNKNOWN), None);
            assert_eq!(status, 401);
        }
        let noted = format!("endpoint:\"/v1/keys/{round}-19\"");
        daemon.find_in("blocked", &noted);
        stream.break_off();
        daemon.kill();
        daemon = Daemon::start(folder.path(), &config);
    }
    let wanted: BTreeSet<String> =
        (0..3).flat_map(|r| (0..20).map(move |n| format!("/v1/keys/{r}-{n}"))).collect();
    wait_for("all entries as JSON", || {
        let bodies = receiver.bodies().into_iter();
        let entries = bodies.flat_map(|body| body.as_array().cloned().unwrap_or_default());
        let blocked = entries.filter(|entry| entry["journal"] == "blocked");
        let paths: BTreeSet<_> =
            blocked.filter_map(|e| Some(e["endpoint"].as_str()?.to_owned())).collect();
        wanted.is_subset(&paths).then_some(())
    });
    wait_for("all entries as syslog", || {
        let text = stream.text();
        wanted.iter().all(|path| text.contains(&format!("endpoint=\"{path}\""))).then_some(())
    });
    wait_for("nothing left", || {
        let metrics = daemon.metrics();
        let lag = |name| metrics.get(&format!("logtrace_forward_lag_seconds{{target=\"{name}\"}}"));
        (lag("json") == 0 && lag("syslog") == 0).then_some(())
    });
    assert!(!daemon.said().contains("hunter2"));
}

const UNKNOWN: &str = "lt_live_00000000000000000000000000000000";

/// Something that reads a stream; what it had not read to the end when it broke off is lost.
struct Stream {
    at: SocketAddr,
    text: Arc<Mutex<String>>,
    broken: Arc<AtomicUsize>,
}

impl Stream {
    fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, text) = (socket.local_addr().unwrap(), Arc::<Mutex<String>>::default());
        let broken = Arc::new(AtomicUsize::new(0));
        let (kept, breaks) = (Arc::clone(&text), Arc::clone(&broken));
        thread::spawn(move || {
            for stream in socket.incoming() {
                let (mut stream, mut bytes) = (stream.unwrap(), Vec::new());
                let began = breaks.load(Ordering::SeqCst);
                let mut part = [0; 4096];
                let is_whole = loop {
                    match stream.read(&mut part) {
                        Ok(0) => break true,
                        Ok(len) => bytes.extend_from_slice(part.get(..len).unwrap()),
                        Err(_) => break false,
                    }
                    if breaks.load(Ordering::SeqCst) != began {
                        break false;
                    }
                };
                if is_whole {
                    kept.lock().push_str(&String::from_utf8_lossy(&bytes));
                }
            }
        });
        Self { at, text, broken }
    }

    /// Forgets what came over the connection that there is, and ends it with what comes next.
    fn break_off(&self) {
        self.broken.fetch_add(1, Ordering::SeqCst);
    }

    fn text(&self) -> String {
        self.text.lock().clone()
    }
}
