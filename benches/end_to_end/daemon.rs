//! The daemon that is measured: a process of its own with an empty data folder, and what the
//! kernel and its metrics say of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Outcome;

/// The daemon, on free ports of the loopback. It ends when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    folder: TempDir,
    addresses: BTreeMap<String, String>,
    agent: ureq::Agent,
}

/// The metrics page at one moment.
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Daemon {
    /// Starts one with these settings beside those of all benchmarks.
    pub(crate) fn start(settings: &[&str]) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("logtrace-bench").tempdir()?;
        let data = folder.path().join("data");
        let file = configure(folder.path(), "")?;
        let child = Command::new(env!("CARGO_BIN_EXE_logtrace"))
            .args(["serve", "--config"])
            .arg(&file)
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .stderr(File::create(folder.path().join("daemon.log"))?)
            .spawn()?;
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_idle_connections(KEPT)
            .max_idle_connections_per_host(KEPT);
        let agent = config.build().into();
        let mut daemon = Self { child, folder, addresses: BTreeMap::new(), agent };
        let until = Instant::now() + PATIENCE;
        while daemon.addresses.is_empty() {
            daemon.is_alive()?;
            if Instant::now() > until {
                return Err("expected the daemon to listen, but it does not".into());
            }
            thread::sleep(Duration::from_millis(10));
            if let Ok(text) = fs::read(data.join("listening.json")) {
                daemon.addresses = serde_json::from_slice(&text)?;
            }
        }
        Ok(daemon)
    }

    /// Writes its configuration anew, with `more` at the end.
    pub(crate) fn configure(&self, more: &str) -> Outcome<()> {
        configure(self.folder.path(), more).map(drop)
    }

    /// An error once it has ended, with what it said.
    pub(crate) fn is_alive(&mut self) -> Outcome<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let said = fs::read_to_string(self.folder.path().join("daemon.log")).unwrap_or_default();
        Err(format!("expected the daemon to run, but it ended: {status}\n{said}").into())
    }

    /// `127.0.0.1:PORT` of a listener, of `api` or of `admin`.
    pub(crate) fn address(&self, listener: &str) -> Outcome<&str> {
        let address = self.addresses.get(listener).map(String::as_str);
        Ok(address.ok_or_else(|| format!("expected a listener {listener}, but found none"))?)
    }

    /// Calls the API, over a connection that is kept.
    pub(crate) fn call(&self, path: &str, body: &Value) -> Outcome<Value> {
        let url = format!("http://{}{path}", self.address("api")?);
        let answer = self.agent.post(url).content_type("application/json").send(body.to_string());
        let mut answer = answer?;
        let text = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string()?;
        if !answer.status().is_success() {
            return Err(format!("expected an answer to {path} {body}, but found {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }

    /// Changes a setting.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Outcome<()> {
        let url = format!("http://{}{path}", self.address("api")?);
        let answer = self.agent.put(url).content_type("application/json").send(body.to_string());
        let mut answer = answer?;
        let text = answer.body_mut().read_to_string()?;
        if !answer.status().is_success() {
            return Err(format!("expected {path} to take {body}, but found {text}").into());
        }
        Ok(())
    }

    /// The secret of a new key that may write.
    pub(crate) fn create_key(&self) -> Outcome<String> {
        let key = json!({"name": "bench", "scopes": ["write:logs"]});
        let answer = self.call("/v1/keys", &key)?;
        let secret = answer.get("secret").and_then(Value::as_str);
        Ok(secret.ok_or("expected a secret, but found none")?.to_owned())
    }

    pub(crate) fn metrics(&self) -> Outcome<Metrics> {
        let url = format!("http://{}/metrics", self.address("admin")?);
        let page = self.agent.get(url).call()?.body_mut().read_to_string()?;
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let series = lines.filter_map(|line| line.rsplit_once(' '));
        Ok(Metrics(series.filter_map(|(n, v)| Some((n.to_owned(), v.parse().ok()?))).collect()))
    }

    /// Processor time that it has used, user and system.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, rest) = stat.rsplit_once(')').ok_or("expected a name in parentheses")?;
        // proc_pid_stat(5): fields 14 and 15, in ticks; the state behind the name is the third.
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<_, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / USER_HZ))
    }

    /// The most memory that it ever had resident, in bytes.
    pub(crate) fn peak_memory(&self) -> Outcome<u64> {
        self.status("VmHWM:")
    }

    /// The memory that it has resident now, in bytes.
    pub(crate) fn memory(&self) -> Outcome<u64> {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.ok_or_else(|| format!("expected {name}, but found none"))?.parse::<u64>()? << 10)
    }

    /// Bytes that its data folder takes on the disk.
    pub(crate) fn disk(&self) -> u64 {
        blocks(self.folder.path().join("data").as_path()) * 512
    }
}

impl Metrics {
    /// The sum of all series of that name.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        let is_of = |series: &str| series.split('{').next() == Some(name);
        let sum: f64 = self.0.iter().filter(|(series, _)| is_of(series)).map(|(_, v)| v).sum();
        sum.max(0.0) as u64
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _told = kill_process(Pid::from_child(&self.child), Signal::TERM).is_ok();
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > until {
                let _killed = self.child.kill().is_ok();
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Writes the configuration into a folder; where it is.
fn configure(folder: &Path, more: &str) -> Outcome<PathBuf> {
    let file = folder.join("logtrace.toml");
    let config = CONFIG.replace("DATA", &folder.join("data").to_string_lossy());
    fs::write(&file, config + more)?;
    Ok(file)
}

fn blocks(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |path: &Path| match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => blocks(path),
        Ok(metadata) => metadata.blocks(),
        Err(_) => 0, // merged away meanwhile
    };
    entries.map(|entry| of(&entry.path())).sum()
}

/// How long it may take to begin, to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ticks of a second, whatever the kernel's own are (`proc_pid_stat(5)`, `sysconf(_SC_CLK_TCK)`).
const USER_HZ: u64 = 100;

/// Connections to the API that are kept.
const KEPT: usize = 16;

/// Bytes of an answer.
const MAX_ANSWER: u64 = 64 << 20;

/// Everything else is as it comes.
const CONFIG: &str = r#"
data_dir = "DATA"
api.listen = "127.0.0.1:0"
admin.listen = "127.0.0.1:0"

[[listener]]
name = "5424-tcp"
protocol = "syslog"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "5424-udp"
protocol = "syslog"
transport = "udp"
listen = "127.0.0.1:0"

[[listener]]
name = "json-tcp"
protocol = "logstash"
transport = "tcp"
listen = "127.0.0.1:0"
codec = "json_lines"

[[listener]]
name = "json-udp"
protocol = "logstash"
transport = "udp"
listen = "127.0.0.1:0"
codec = "json_lines"

[[listener]]
name = "beats"
protocol = "beats"
transport = "tcp"
listen = "127.0.0.1:0"

[[listener]]
name = "relp"
protocol = "relp"
transport = "tcp"
listen = "127.0.0.1:0"
"#;
