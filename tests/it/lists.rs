//! Lists: where they come from, whom they cut, and what nobody may do by mistake.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Address, Daemon, LISTENERS, PATIENCE, tls, wait_for};

const LINE: &[u8] = b"<13>1 - h a - - - from a stranger\n";

#[test]
fn bl_02_a_block_of_oneself_is_to_be_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let block = |net: &str, confirm: bool| {
        let entry = json!({"net": net, "confirm": confirm});
        let (status, answer) = daemon.call("POST", "/v1/blocklist", None, Some(&entry));
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    // Loopback, and so everything, cannot be blocked, not even by someone who insists.
    for net in ["0.0.0.0/0", "::/0", "127.0.0.1", "::1", "0.0.0.0/1"] {
        assert!((400..500).contains(&block(net, false).0), "{net}");
        assert_eq!(block(net, true).0, 400, "{net}");
    }
    assert_eq!(block("11.0.0.0/7", false), (409, "confirm_required".to_owned()));
    assert_eq!(block("11.0.0.0/7", true).0, 201);
}

#[test]
fn bl_02_the_callers_own_address_is_to_be_confirmed() {
    let admin = Address::add("198.51.100.71");
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    let (_, key) = daemon.create_key(&json!({"name": "admin", "scopes": ["admin:projects"]}));
    let block = |confirm: bool| {
        let body = json!({"net": "198.51.100.64/27", "confirm": confirm}).to_string();
        let call = format!(
            "POST /v1/blocklist HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = admin.connect(daemon.address("api"));
        let mut answer = String::new();
        stream.write_all(call.as_bytes()).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let asked = block(false);
    assert!(asked.starts_with("HTTP/1.1 409") && asked.contains("confirm_required"), "{asked}");
    let done = block(true);
    // Who blocks themselves is still told that it was done.
    assert!(done.starts_with("HTTP/1.1 201"), "{done}");
}

#[test]
fn bl_03_who_is_blocked_while_connected_is_cut() {
    let stranger = Address::add("198.51.100.73");
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path(), "");
    // Each of them sent something, and is silent since.
    let mut streams: Vec<_> = ["tcp", "json"]
        .map(|listener| {
            let mut stream = stranger.connect(daemon.address(listener));
            stream
                .write_all(if listener == "json" { b"{\"message\":\"hi\"}\n" } else { LINE })
                .unwrap();
            daemon.settle(listener, 1);
            (listener, stream)
        })
        .into();
    let mut secret = tls(folder.path(), stranger.connect(daemon.address("tls")), None);
    secret.write_all(LINE).unwrap();
    secret.flush().unwrap();
    daemon.settle("tls", 1);
    let mut kept = stranger.connect(daemon.address("api"));
    kept.write_all(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 4096];
    assert!(kept.read(&mut answer).unwrap() > 0);
    streams.push(("tls", secret.sock.try_clone().unwrap()));
    streams.push(("api", kept));
    let block = json!({"net": "198.51.100.73"});
    assert_eq!(daemon.call("POST", "/v1/blocklist", None, Some(&block)).0, 201);
    for (name, stream) in &mut streams {
        // Longer than it may take; without the cut it would be for ever.
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        loop {
            match stream.read(&mut answer) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    for listener in ["tcp", "json", "tls"] {
        let entry = daemon.find_in("blocked", &format!("endpoint:{listener}"));
        assert_eq!(entry["reason"], "IP_BLOCKLISTED");
        daemon.metrics().ledger(listener).assert_adds_up();
    }
}

/// What the API says of the source of the blocklist.
fn source(daemon: &Daemon) -> Value {
    daemon.call("GET", "/v1/blocklist", None, None).1["sources"][0].clone()
}

#[test]
fn bl_05_a_list_file_that_cannot_be_used_changes_nothing() {
    let stranger = Address::add("198.51.100.75");
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("drop.txt");
    let config = "[gate]\nsources = [{ name = \"drop\", path = \"FOLDER/drop.txt\" }]\n";
    fs::write(&list, "# ours\n198.51.100.75 ; a stranger\n").unwrap();
    let daemon = Daemon::start(folder.path(), config);
    let is_blocked = |daemon: &Daemon, number: u32| {
        let line = format!("<13>1 - h a - - - try{number}\n");
        stranger.talk(daemon.address("tcp"), line.as_bytes());
        daemon.send("tcp", format!("<13>1 - h a - - - mark{number}\n").as_bytes());
        daemon.find(&format!("message:mark{number}"));
        daemon.query(&format!("message:try{number}")).is_empty()
    };
    assert!(is_blocked(&daemon, 0));
    let entry = daemon.find_in("blocked", "endpoint:tcp");
    assert_eq!(entry["rule"], "blocklist:drop:198.51.100.75/32");
    let replace = |text: &[u8]| {
        let new = folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &list).unwrap();
    };
    let told = |daemon: &Daemon, what: &str| {
        let said =
            || source(daemon)["error"].as_str().is_some_and(|e| e.contains(what)).then_some(());
        wait_for(what, said);
    };
    replace(b"192.0.2.1\n192.0.2.999\n");
    told(&daemon, "line 2: expected an address or a network");
    replace(b"");
    told(&daemon, "expected at least one");
    let sparse = fs::File::create(folder.path().join("new")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    fs::rename(folder.path().join("new"), &list).unwrap();
    told(&daemon, "line 1: expected");
    fs::write(folder.path().join("other"), "203.0.113.1\n").unwrap();
    symlink(folder.path().join("other"), folder.path().join("new")).unwrap();
    fs::rename(folder.path().join("new"), &list).unwrap();
    told(&daemon, "expected a file, but found a link");
    assert!(is_blocked(&daemon, 1));
    // Not even a restart forgets it, and what is good again counts.
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), config);
    told(&daemon, "expected a file, but found a link");
    assert!(is_blocked(&daemon, 2));
    assert_eq!(source(&daemon)["ranges"], 1);
    replace(b"192.0.2.0/24\n203.0.113.0/24\n");
    wait_for("the new list", || (source(&daemon)["ranges"] == 2).then_some(()));
    assert_eq!(source(&daemon)["error"], Value::Null);
    assert!(!is_blocked(&daemon, 3));
}

/// A million networks: overlapping, nested, and with the documentation's among them.
fn million() -> String {
    let networks = (0..999_998_u32).map(|number| {
        let address = std::net::Ipv4Addr::from(0x0b00_0000 + number * 64);
        format!("{address}/{}\n", 26 + number % 7)
    });
    networks.chain(["198.51.100.0/24\n".to_owned(), "198.51.100.75\n".to_owned()]).collect()
}

#[test]
fn bl_01_a_million_ranges_are_taken_over_while_lines_are() {
    let stranger = Address::add("198.51.100.76");
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("drop.txt");
    let config = "[gate]\nsources = [{ name = \"drop\", path = \"FOLDER/drop.txt\" }]\n";
    fs::write(&list, "203.0.113.0/24\n").unwrap();
    let mut daemon = Daemon::start(folder.path(), config);
    stranger.talk(daemon.address("tcp"), b"<13>1 - h a - - - before\n");
    daemon.find("message:before");
    let new = folder.path().join("new");
    fs::write(&new, million()).unwrap();
    let mut stream = daemon.connect("tcp");
    let (mut taken, mut round) = (1, 0);
    let mut is_held_up = |list_is_new: bool| {
        round += 1;
        let (mut longest, began) = (Duration::ZERO, Instant::now());
        let mut take = |daemon: &Daemon| {
            let began = Instant::now();
            stream.write_all(b"<13>1 - h a - - - meanwhile\n").unwrap();
            taken += 1;
            daemon.settle("tcp", taken);
            longest = longest.max(began.elapsed());
        };
        if list_is_new {
            fs::rename(&new, &list).unwrap();
            while source(&daemon)["ranges"] != 1_000_000 {
                take(&daemon);
            }
        }
        // And once more because the configuration is read again.
        let block = format!("[gate]\nblock = [\"192.0.2.{round}\"]\n");
        Daemon::configure(folder.path(), &config.replace("[gate]\n", &block), LISTENERS);
        let at = daemon.address("api").to_owned();
        let reloading = std::thread::spawn(move || {
            ureq::post(format!("http://{at}/v1/reload")).send_json(serde_json::json!({})).unwrap();
        });
        while !reloading.is_finished() {
            take(&daemon);
        }
        reloading.join().unwrap();
        println!("a line waited for {longest:?} of {:?}", began.elapsed());
        longest >= began.elapsed() / 3
    };
    // A machine that has much else to do may hold up a line, but not each time.
    assert!(!is_held_up(true) || (0..10).any(|_| !is_held_up(false)));
    daemon.look();
    stranger.talk(daemon.address("tcp"), b"<13>1 - h a - - - after\n");
    let entry = daemon.find_in("blocked", "endpoint:tcp");
    assert_eq!(entry["rule"], "blocklist:drop:198.51.100.0/24");
    assert_eq!(source(&daemon)["ranges"], 1_000_000);
    assert_eq!(daemon.query("message:after"), [Value::Null; 0]);
}

#[test]
fn bl_05_a_list_url_is_fetched_where_calls_may_go_and_nowhere_else() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = server.local_addr().unwrap();
    // Answers, one after the other: a list, a redirect to the inside, one without an end, none.
    let answering = std::thread::spawn(move || {
        let good = "HTTP/1.1 200 OK\r\nContent-Length: 27\r\nConnection: close\r\n\r\n\
                    # theirs\n198.51.100.79/32\n\n";
        let inside = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{at}/inside\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        let endless = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        for answer in [good, &inside, endless, ""] {
            let (mut stream, _) = server.accept().unwrap();
            let mut asked = [0; 4096];
            let len = stream.read(&mut asked).unwrap();
            assert!(asked[..len].starts_with(b"GET /list "), "a redirect was followed");
            stream.write_all(answer.as_bytes()).unwrap();
            let more = b"198.51.100.80\n".repeat(4096);
            while answer == endless && stream.write_all(&more).is_ok() {}
            // Whoever is told nothing goes away by itself.
            let _gone = stream.read(&mut asked).is_ok();
        }
    });
    let stranger = Address::add("198.51.100.79");
    let folder = tempfile::tempdir().unwrap();
    let config = |allowed: &str| {
        format!(
            "[ship]\nallow_http = true\ntimeout = \"2s\"\nallow_networks = [{allowed}]\n[gate]\n\
             sources = [{{ name = \"theirs\", url = \"http://{at}/list\" }}]\n"
        )
    };
    let error = |daemon: &Daemon, what: &str| {
        let said =
            || source(daemon)["error"].as_str().is_some_and(|e| e.contains(what)).then_some(());
        wait_for(what, said);
    };
    let daemon = Daemon::start(folder.path(), &config(""));
    error(&daemon, "expected an address on the internet");
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), &config("\"127.0.0.1\""));
    wait_for("the list", || (source(&daemon)["ranges"] == 1).then_some(()));
    assert_eq!(stranger.talk(daemon.address("tcp"), LINE), "");
    let entry = daemon.find_in("blocked", "endpoint:tcp");
    assert_eq!(entry["rule"], "blocklist:theirs:198.51.100.79/32");
    assert!(daemon.stop().success());
    for what in ["redirect", "expected at most", "expected an answer in"] {
        let daemon = Daemon::start(folder.path(), &config("\"127.0.0.1\""));
        error(&daemon, what);
        assert_eq!(source(&daemon)["ranges"], 1, "what was fetched before still counts");
        let resident = daemon.metrics().get("logtrace_resident_memory_bytes");
        assert!(resident < 256 << 20, "{resident}");
        assert!(daemon.stop().success());
    }
    answering.join().unwrap();
    // Nobody answers any longer: what was fetched before still counts.
    let daemon = Daemon::start(folder.path(), &config("\"127.0.0.1\""));
    error(&daemon, "expected");
    assert_eq!(source(&daemon)["ranges"], 1);
}
