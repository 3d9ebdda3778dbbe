//! People, from the command line to `kill -9`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::Daemon;

const PASSWORD: &str = "correct horse battery";

/// The API asks everybody who they are.
const STRICT: &str = "api.require_key = true\n";

/// `logtrace users` with these words and this standard input.
fn users(words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_logtrace"))
        .arg("users")
        .args(words)
        .env_remove("LOGTRACE_KEY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned()
}

/// A data folder whose project `default` has an owner; the password that was made for them.
fn with_an_owner(folder: &Path) -> String {
    Daemon::start(folder, STRICT).stop();
    let data = folder.join("data");
    let words = ["create", "boss@example.com", "--role", "owner", "--data", data.to_str().unwrap()];
    done(&users(&words, ""))
}

/// Somebody's tokens.
struct Tokens {
    access: String,
    refresh: String,
    session: String,
}

impl Tokens {
    fn of(answer: &Value) -> Self {
        let text =
            |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let (access, refresh) = (text("access_token"), text("refresh_token"));
        Self { access, refresh, session: text("session") }
    }

    #[track_caller]
    fn sign_in(daemon: &Daemon, email: &str, password: &str) -> Self {
        let body = json!({"email": email, "password": password});
        let (status, answer) = daemon.call("POST", "/v1/sessions", None, Some(&body));
        assert_eq!(status, 201, "{answer}");
        Self::of(&answer)
    }

    fn refreshed(&self, daemon: &Daemon) -> (u16, Value) {
        let body = json!({"refresh_token": self.refresh});
        daemon.call("POST", "/v1/sessions/refresh", None, Some(&body))
    }

    fn query(&self, daemon: &Daemon) -> u16 {
        let body = json!({"from": "-1d"});
        daemon.call("POST", "/v1/logs/query", Some(&self.access), Some(&body)).0
    }
}

#[test]
fn from_the_first_owner_to_a_viewer_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let password = with_an_owner(folder.path());
    let daemon = Daemon::start(folder.path(), STRICT);
    let data = folder.path().join("data");
    let held = users(&["list", "--data", data.to_str().unwrap()], "");
    assert!(String::from_utf8_lossy(&held.stderr).contains("held by process"), "{held:?}");

    // An owner signs in, and makes a viewer.
    let server = format!("http://{}", daemon.address("api"));
    let boss = done(&users(&["sign-in", "boss@example.com", "--server", &server], &password));
    let at = ["--server", &server, "--key", &boss];
    let run = |words: &[&str], input: &str| done(&users(&[words, &at].concat(), input));
    run(
        &["create", "ann@example.com", "--role", "viewer", "--password-stdin"],
        &format!("{PASSWORD}\n"),
    );
    assert!(run(&["list"], "").contains("default=viewer"));

    // A viewer reads logs, and administers nothing.
    let ann = Tokens::sign_in(&daemon, "ann@example.com", PASSWORD);
    assert_eq!(ann.query(&daemon), 200);
    for (method, path) in [("GET", "/v1/keys"), ("GET", "/v1/audit"), ("GET", "/v1/users")] {
        assert_eq!(daemon.call(method, path, Some(&ann.access), None).0, 403, "{path}");
    }
    assert_eq!(daemon.call("GET", "/v1/keys", None, None).0, 401);

    // She changes her own password, which ends what she has; as does another role, at once.
    let words = ["password", "ann@example.com", "--own", "--password-stdin", "--server", &server];
    let own = |input: &str| users(&[&words[..], &["--key", &ann.access]].concat(), input);
    let wrong = own(&format!("wrong password\n{PASSWORD}\n"));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("wrong_password"), "{wrong:?}");
    done(&own(&format!("{PASSWORD}\n{PASSWORD}\n")));
    assert_eq!(ann.query(&daemon), 401);
    let ann = Tokens::sign_in(&daemon, "ann@example.com", PASSWORD);
    run(&["change", "ann@example.com", "--role", "admin"], "");
    assert_eq!((ann.query(&daemon), ann.refreshed(&daemon).0), (401, 401));
    let ann = Tokens::sign_in(&daemon, "ann@example.com", PASSWORD);
    assert_eq!(daemon.call("GET", "/v1/keys", Some(&ann.access), None).0, 200);
    let (status, audit) =
        daemon.call("GET", "/v1/audit?event=user.role_changed", Some(&ann.access), None);
    assert_eq!((status, &audit["entries"][0]["actor"]), (200, &json!("boss@example.com")));
    let owner = users(
        &[
            &["create", "eve@example.com", "--role", "owner"],
            &["--server", &server, "--key", &ann.access][..],
        ]
        .concat(),
        "",
    );
    assert!(String::from_utf8_lossy(&owner.stderr).contains("403"), "{owner:?}");

    // What she did is noted.
    let journal =
        json!({"journal": "dashboard", "filter": "user.email:\"ann@example.com\" and status:403"});
    let noted = crate::support::wait_for("what she did", || {
        let (_, found) = daemon.call("POST", "/v1/logs/query", Some(&boss), Some(&journal));
        found["logs"]
            .as_array()
            .unwrap()
            .iter()
            .find(|log| log["action"] == "POST /v1/users")
            .cloned()
    });
    assert_eq!(noted["session.id"], ann.session.as_str());
    run(&["remove", "ann@example.com"], "");
    assert_eq!(ann.query(&daemon), 401);
    assert!(!daemon.said().contains("lt_user_") && !daemon.said().contains(PASSWORD));
}

#[test]
fn co_08_sessions_and_their_ends_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let password = with_an_owner(folder.path());
    let daemon = Daemon::start(folder.path(), STRICT);
    let sign_in = |daemon: &Daemon| Tokens::sign_in(daemon, "boss@example.com", &password);
    let (kept, out, stolen) = (sign_in(&daemon), sign_in(&daemon), sign_in(&daemon));
    let path = format!("/v1/sessions/{}", out.session);
    assert_eq!(daemon.call("DELETE", &path, Some(&kept.access), None).0, 200);
    let (status, next) = stolen.refreshed(&daemon);
    assert_eq!(status, 200, "{next}");
    let kept = Tokens::of(&kept.refreshed(&daemon).1);
    daemon.kill();

    let daemon = Daemon::start(folder.path(), STRICT);
    assert_eq!((kept.query(&daemon), out.query(&daemon)), (200, 401));
    assert_eq!((stolen.query(&daemon), out.refreshed(&daemon).0), (401, 401));
    // The one that was used before the crash is known to have been.
    assert_eq!(stolen.refreshed(&daemon).0, 401);
    let next = Tokens::of(&next);
    assert_eq!((next.query(&daemon), next.refreshed(&daemon).0), (401, 401));
    let noted = crate::support::wait_for("the journal", || {
        let journal = json!({"journal": "session", "filter": "reason:token_reused"});
        let (_, found) = daemon.call("POST", "/v1/logs/query", Some(&kept.access), Some(&journal));
        found["logs"].as_array().unwrap().first().cloned()
    });
    assert_eq!(noted["session.id"], next.session.as_str());
    daemon.kill();

    let daemon = Daemon::start(folder.path(), STRICT);
    assert_eq!((kept.query(&daemon), next.query(&daemon)), (200, 401));
}

#[test]
fn co_16_guesses_cost_nobody_else_their_answers() {
    let folder = tempfile::tempdir().unwrap();
    let password = with_an_owner(folder.path());
    let daemon = Daemon::start(folder.path(), STRICT);
    let boss = Tokens::sign_in(&daemon, "boss@example.com", &password);
    let guess = |n: usize| {
        let email = format!("user{}@example.com", n % 3);
        let body = json!({"email": email, "password": format!("guess number {n}")});
        daemon.call("POST", "/v1/sessions", None, Some(&body)).0
    };
    let told = std::thread::scope(|scope| {
        let guessing = scope.spawn(|| (0..200).map(guess).collect::<Vec<_>>());
        while !guessing.is_finished() {
            assert_eq!(boss.query(&daemon), 200);
        }
        guessing.join().unwrap()
    });
    assert!(told.iter().all(|status| matches!(status, 401 | 429 | 503)), "{told:?}");
    assert!(told.iter().filter(|status| **status == 401).count() < 40, "{told:?}");
    // From where he is at home he signs in as ever.
    Tokens::sign_in(&daemon, "boss@example.com", &password);
}
