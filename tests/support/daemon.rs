//! A daemon of its own for each test.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::certificates;
use super::listeners::LISTENERS;
use super::metrics::Metrics;
use super::wait::wait_for;

/// The daemon, on free ports of the loopback. Killed when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
    addresses: BTreeMap<String, String>,
}

impl Daemon {
    /// Starts one that keeps everything in `folder`, with the listeners of [`LISTENERS`] and, in
    /// front of them, the lines of `config`. `FOLDER` stands for the folder.
    #[track_caller]
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        Self::with_listeners(folder, config, LISTENERS)
    }

    /// Starts one with listeners of its own.
    #[track_caller]
    pub(crate) fn with_listeners(folder: &Path, config: &str, listeners: &str) -> Self {
        let started = Self::try_start(folder, config, listeners, &[]);
        started.unwrap_or_else(|ended| {
            let said = fs::read_to_string(folder.join("daemon.log")).unwrap_or_default();
            panic!("the daemon ended: {ended}\n{said}")
        })
    }

    /// Starts one that may not live for long, with these variables in its environment: how it ended,
    /// if it did before it listened.
    #[track_caller]
    pub(crate) fn try_start(
        folder: &Path,
        config: &str,
        listeners: &str,
        variables: &[(&str, &str)],
    ) -> Result<Self, ExitStatus> {
        Self::try_start_by(folder, config, listeners, variables, &[])
    }

    /// The same, started by another program, which becomes the daemon.
    #[track_caller]
    pub(crate) fn try_start_by(
        folder: &Path,
        config: &str,
        listeners: &str,
        variables: &[(&str, &str)],
        by: &[&str],
    ) -> Result<Self, ExitStatus> {
        if !folder.join("server.pem").exists() {
            certificates::write(folder);
        }
        Self::run(folder, &Self::configure(folder, config, listeners), variables, by)
    }

    /// Starts one with this text for its configuration, and nothing else.
    #[track_caller]
    pub(crate) fn with_text(folder: &Path, text: &str) -> Self {
        let file = folder.join("logtrace.toml");
        fs::write(&file, text).unwrap();
        let started = Self::run(folder, &file, &[], &[]);
        started.unwrap_or_else(|ended| panic!("the daemon ended: {ended}"))
    }

    #[track_caller]
    fn run(
        folder: &Path,
        file: &Path,
        variables: &[(&str, &str)],
        by: &[&str],
    ) -> Result<Self, ExitStatus> {
        let log = folder.join("daemon.log");
        let said = File::options().create(true).append(true).open(&log).unwrap();
        let listening = folder.join("data/listening.json");
        let _of_a_killed_one = fs::remove_file(&listening).is_ok();
        // On a disk that cannot be written to it stays, and the log alone says where the next one listens.
        let is_stale = listening.exists();
        let mut words = by.iter().copied().chain([env!("CARGO_BIN_EXE_logtrace")]);
        let child = Command::new(words.next().unwrap())
            .args(words)
            .arg("serve")
            .arg("--config")
            .arg(file)
            .envs(variables.iter().copied())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut daemon = Self { child, log, addresses: BTreeMap::new() };
        wait_for("the daemon", || {
            if let Some(ended) = daemon.child.try_wait().unwrap() {
                return Some(Err(ended));
            }
            daemon.addresses = if is_stale {
                addresses_in(&fs::read_to_string(&daemon.log).ok()?)?
            } else {
                serde_json::from_slice(&fs::read(&listening).ok()?).ok()?
            };
            daemon.has_started().then_some(Ok(()))
        })
        .map(|()| {
            // It has said all by now.
            if let Some(all) = is_stale.then(|| addresses_in(&daemon.said())).flatten() {
                daemon.addresses = all;
            }
            daemon
        })
    }

    /// Whether its start is over, which it is a moment after it listens.
    fn has_started(&self) -> bool {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let answer = agent.get(format!("http://{}/readyz", self.address("admin"))).call();
        let said = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        said.is_ok_and(|said| !said.contains("starting"))
    }

    /// Writes the configuration file of the daemon in `folder`; returns where it is.
    pub(crate) fn configure(folder: &Path, config: &str, listeners: &str) -> PathBuf {
        let file = folder.join("logtrace.toml");
        let text = format!("{HEAD}{config}\n{listeners}");
        let text = text.replace("FOLDER", folder.to_str().unwrap());
        // There may be no room to write the same once more.
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            return file;
        }
        let draft = folder.join("logtrace.toml.new");
        fs::write(&draft, text).unwrap();
        fs::rename(&draft, &file).unwrap(); // a daemon may be reading it
        file
    }

    /// Lets it read its configuration again; status and answer.
    pub(crate) fn reload(&mut self) -> (u16, Value) {
        let answer = self.call("POST", "/v1/reload", None, Some(&json!({})));
        self.look();
        answer
    }

    /// Reads where it listens by now.
    pub(crate) fn look(&mut self) {
        let listening = self.log.with_file_name("data/listening.json");
        self.addresses = serde_json::from_slice(&fs::read(listening).unwrap()).unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// `127.0.0.1:PORT` of a listener, of `api` or of `admin`.
    pub(crate) fn address(&self, listener: &str) -> &str {
        &self.addresses[listener]
    }

    /// What it wrote to its log, in this folder, so far.
    pub(crate) fn said(&self) -> String {
        wait_for("the log to be written", || self.has_said_all().then_some(()));
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether the thread that writes the log has nothing to write, or is no more (proc(5)).
    fn has_said_all(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid().as_raw_nonzero()));
        let is_of_the_log = |task: &PathBuf| {
            fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "log")
        };
        let mut tasks = tasks.into_iter().flatten().filter_map(|task| Some(task.ok()?.path()));
        let Some(task) = tasks.find(is_of_the_log) else { return true };
        // Behind the name, which is in parentheses: it sleeps as long as nobody says anything.
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('S'))
    }

    /// A connection to a listener.
    pub(crate) fn connect(&self, listener: &str) -> TcpStream {
        TcpStream::connect(self.address(listener)).unwrap()
    }

    /// Sends `bytes` over a connection of their own.
    pub(crate) fn send(&self, listener: &str, bytes: &[u8]) {
        self.connect(listener).write_all(bytes).unwrap();
    }

    /// A connection whose first bytes have certainly arrived within `time` of its begin: where this
    /// process was too slow for that, it is another one. How many there were before is told as well.
    pub(crate) fn send_within(
        &self,
        listener: &str,
        time: Duration,
        bytes: &[u8],
    ) -> (TcpStream, u64) {
        let mut before = 0;
        loop {
            let began = Instant::now();
            let mut stream = self.connect(listener);
            if stream.write_all(bytes).is_ok() && began.elapsed() < time {
                return (stream, before);
            }
            before += 1;
        }
    }

    /// The metrics page.
    pub(crate) fn metrics(&self) -> Metrics {
        let url = format!("http://{}/metrics", self.address("admin"));
        Metrics::parse(&ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap())
    }

    /// Calls the API; status and body, whatever they are.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("http://{}{path}", self.address("api"));
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(key) = key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let answer = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                agent.run(request.body(body.to_string()).unwrap())
            }
            None => agent.run(request.body(String::new()).unwrap()),
        };
        let mut answer = answer.unwrap();
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The newest events that `filter` finds.
    #[track_caller]
    pub(crate) fn query(&self, filter: &str) -> Vec<Value> {
        self.query_with(
            &json!({"filter": filter, "from": "-3650d", "to": "now+3650d", "limit": 10_000}),
        )
    }

    /// The events that a query finds.
    #[track_caller]
    pub(crate) fn query_with(&self, query: &Value) -> Vec<Value> {
        let (status, answer) = self.call("POST", "/v1/logs/query", None, Some(query));
        assert_eq!(status, 200, "{answer}");
        answer["logs"].as_array().unwrap().clone()
    }

    /// Waits for the one event that `filter` finds.
    #[track_caller]
    pub(crate) fn find(&self, filter: &str) -> Value {
        let mut found =
            wait_for(filter, || Some(self.query(filter)).filter(|logs| !logs.is_empty()));
        assert_eq!(found.len(), 1, "{filter}: {found:#?}");
        found.remove(0)
    }

    /// Waits for an entry of a journal that `filter` finds.
    #[track_caller]
    pub(crate) fn find_in(&self, journal: &str, filter: &str) -> Value {
        let query = json!({"filter": filter, "journal": journal, "from": "-1h"});
        wait_for(&format!("{filter} in {journal}"), || self.query_with(&query).into_iter().next())
    }

    /// Waits until a listener has received `messages` and none is in flight.
    #[track_caller]
    pub(crate) fn settle(&self, listener: &str, messages: u64) {
        wait_for(&format!("{messages} messages at {listener}"), || {
            let ledger = self.metrics().ledger(listener);
            ledger.assert_adds_up();
            assert!(ledger.received <= messages, "{ledger:?}");
            (ledger.received == messages && ledger.in_flight == 0).then_some(())
        });
    }

    /// Makes a key; its public id and its secret.
    #[track_caller]
    pub(crate) fn create_key(&self, key: &Value) -> (String, String) {
        let (status, answer) = self.call("POST", "/v1/keys", None, Some(key));
        assert_eq!(status, 201, "{answer}");
        let text =
            |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text("id"), text("secret"))
    }

    /// Has it note no calls and connections from here on, over restarts as well: what it notes of a
    /// test's own is stored and sealed whenever there is time.
    #[track_caller]
    pub(crate) fn note_no_calls(&self) {
        let off = json!({"log_api_calls": false});
        let (status, answer) = self.call("PUT", "/v1/settings/logging", None, Some(&off));
        assert_eq!(status, 200, "{answer}");
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Tells it to stop, and waits for the end.
    #[track_caller]
    pub(crate) fn stop(mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).unwrap();
        wait_for("the end of the daemon", || self.child.try_wait().unwrap())
    }

    /// Waits for the end that it comes to by itself.
    #[track_caller]
    pub(crate) fn ended(mut self) -> ExitStatus {
        wait_for("the end of the daemon", || self.child.try_wait().unwrap())
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _gone = self.child.kill().is_err();
            let _reaped = self.child.wait().is_ok();
        }
    }
}

/// Where a daemon listens that could not say so in its data folder, by its log; `None` before it says any.
fn addresses_in(log: &str) -> Option<BTreeMap<String, String>> {
    let (_, said) = log.rsplit_once("cannot say in the data folder where it listens")?;
    let listening = |line: &str| {
        let (_, rest) = line.split_once(" listening name=")?;
        let (name, address) = rest.split_once(" address=")?;
        Some((name.to_owned(), address.to_owned()))
    };
    let addresses: BTreeMap<_, _> = said.lines().filter_map(listening).collect();
    addresses.contains_key("admin").then_some(addresses)
}

const HEAD: &str = r#"
data_dir = "FOLDER/data"
api.listen = "127.0.0.1:0"
admin.listen = "127.0.0.1:0"
"#;
