//! Log lines as a fleet writes them: nine kinds of message, sixteen services, two hundred hosts,
//! with addresses, ports, durations and ids that differ from line to line.

#![allow(dead_code, reason = "a bench uses a part of it")]

use logtrace::time::Timestamp;

/// A generator of numbers that look random (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// One that gives other numbers for each `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (seed + 1))
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    pub(crate) fn of<T: Copy + Default>(&mut self, all: &[T]) -> T {
        let at = usize::try_from(self.below(all.len() as u64)).unwrap_or_default();
        all.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn id(&mut self) -> u64 {
        self.below(u64::MAX)
    }
}

/// What a line says, in no format yet.
pub(crate) struct Line {
    pub(crate) service: &'static str,
    /// 0 to 7 (RFC 5424 §6.2.1).
    pub(crate) severity: u8,
    host: u64,
    pid: u64,
    pub(crate) message: String,
}

impl Line {
    pub(crate) fn random(r: &mut Random) -> Self {
        let (service, host) = (r.of(&SERVICES), r.below(200));
        let (severity, message) = message(r, service);
        // Who is started anew for each connection or job has another number each time.
        let pid = match service {
            "sshd" | "cron" => 100 + r.below(60_000),
            _ => 100 + (host * 7919 + service.len() as u64 * 104_729) % 60_000,
        };
        Self { service, severity, host, pid, message }
    }

    /// As RFC 5424 has it, at the time `at` (of [`STAMP_LEN`]); `key` goes into structured data.
    pub(crate) fn syslog(&self, at: &str, key: Option<&str>) -> String {
        let Self { service, severity, host, pid, message } = self;
        let priority = 128 + severity;
        let data = key.map_or_else(|| "-".to_owned(), |key| format!("[lt@32473 key=\"{key}\"]"));
        format!("<{priority}>1 {at} web-{host:03}.prod.example {service} {pid} - {data} {message}")
    }

    /// As Logstash's `json_lines` has it; `key` is the last member.
    pub(crate) fn json(&self, at: &str, key: Option<&str>) -> String {
        let Self { service, severity, host, pid, message } = self;
        let message = message.replace('"', "\\\"");
        let level = ["FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG"];
        let level = level.get(usize::from(*severity)).unwrap_or(&"INFO");
        let key = key.map(|key| format!(",\"api_key\":\"{key}\"")).unwrap_or_default();
        format!(
            "{{\"@timestamp\":\"{at}\",\"@version\":\"1\",\"host\":\"web-{host:03}.prod.example\",\
             \"service\":\"{service}\",\"level\":\"{level}\",\"pid\":{pid},\
             \"message\":\"{message}\"{key}}}"
        )
    }
}

/// A time as the lines have it: always of [`STAMP_LEN`], with all six digits of the microseconds.
pub(crate) fn stamp(micros: i64) -> String {
    let second = Timestamp::from_micros(micros - micros % 1_000_000).to_string();
    format!("{}.{:06}Z", second.get(..19).unwrap_or_default(), micros % 1_000_000)
}

/// Bytes of a [`stamp`].
pub(crate) const STAMP_LEN: usize = 27;

/// One message of a service, and its severity.
pub(crate) fn message(r: &mut Random, service: &str) -> (u8, String) {
    let (a, b, c, d) = (10 + r.below(200), r.below(256), r.below(256), 1 + r.below(254));
    let peer = format!("{a}.{b}.{c}.{d}");
    let (user, path, status) = (r.of(&USERS), r.of(&PATHS), r.of(&STATUS));
    let (port, ms, bytes) = (1024 + r.below(60_000), r.below(30_000), r.below(90_000));
    let (some, million) = (r.below(100), r.below(1_000_000));
    let (one, two) = (r.id(), r.id());
    match r.below(9) {
        0 => (
            6,
            format!(
                "Accepted publickey for {user} from {peer} port {port} ssh2: \
                 RSA SHA256:{one:016x}{two:016x}"
            ),
        ),
        1 => (
            4,
            format!(
                "Failed password for invalid user {user} from {peer} port {port} ssh2 \
                 attempt={some}"
            ),
        ),
        2 => (
            6,
            format!(
                "{peer} - - \"GET {path}?id={million} HTTP/1.1\" {status} {bytes} \"-\" \
                 \"Mozilla/5.0 (X11; Linux x86_64)\" rt=0.{:03} uct=0.{:03}",
                ms % 1000,
                one % 1000
            ),
        ),
        3 => (
            3,
            format!(
                "Connection timeout on db-primary-{:02} after {ms} ms, retry {} of 5, \
                 trace_id={one:016x}{two:016x}",
                some % 24,
                some % 5
            ),
        ),
        4 => (
            6,
            format!(
                "order {} accepted customer={} amount={bytes}.{some:02} currency=EUR items={} \
                 latency_ms={}",
                one % 90_000_000,
                million / 2,
                1 + two % 30,
                ms % 900
            ),
        ),
        5 => (
            7,
            format!(
                "cache miss key=user:{}:profile shard={} ttl={} bytes={bytes}",
                one % 5_000_000,
                some % 64,
                ms % 3600
            ),
        ),
        6 => (
            5,
            format!(
                "checkpoint complete: wrote {ms} buffers ({some}.{}%); 0 WAL file(s) added, {} \
                 removed, {} recycled; write={}.{:03} s, sync=0.{:03} s",
                one % 9,
                some % 9,
                two % 9,
                one % 120,
                ms % 1000,
                two % 1000
            ),
        ),
        7 => (
            2,
            format!(
                "out of memory: killed process {port} ({service}) total-vm:{}kB, anon-rss:{}kB, \
                 file-rss:{bytes}kB",
                one % 9_000_000,
                two % 4_000_000
            ),
        ),
        _ => (
            6,
            format!(
                "request completed method=POST path={path} status={status} duration={}ms \
                 request_id={one:016x} client={peer}",
                ms % 5000
            ),
        ),
    }
}

/// Who writes them.
pub(crate) const SERVICES: [&str; 16] = [
    "payments",
    "auth-api",
    "nginx",
    "sshd",
    "kernel",
    "postgres",
    "checkout",
    "indexer",
    "haproxy",
    "cron",
    "relay",
    "inventory",
    "sessions",
    "ledger",
    "notifier",
    "edge-proxy",
];

pub(crate) const USERS: [&str; 8] =
    ["root", "deploy", "maria", "ivan", "backup", "olga", "admin", "git"];

pub(crate) const PATHS: [&str; 7] = [
    "/api/v1/orders",
    "/api/v1/cart",
    "/login",
    "/health",
    "/api/v2/search",
    "/static/app.js",
    "/v1/licenses/activate",
];

const STATUS: [&str; 6] = ["200", "201", "304", "404", "429", "500"];
