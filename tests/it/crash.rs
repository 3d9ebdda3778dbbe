//! `kill -9` at any moment loses nothing that was acknowledged, and doubles nothing.

use std::io::{self, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::acknowledged::Acknowledged;
use crate::failpoints::PLACES;
use crate::fluent;
use crate::relp::session::{frame, status};
use crate::support::{Beats, Daemon, FLUENT, LISTENERS, PATIENCE, RELP, wait_for};

/// Times that the daemon is killed. `LOGTRACE_KILLS` makes it more.
const KILLS: u64 = 10;

/// The same in the slow test, which takes up to an hour; `LOGTRACE_KILLS` is another number.
const MANY_KILLS: u64 = 1000;

/// "Within seconds", on a machine that does much else meanwhile.
const START: Duration = Duration::from_secs(30);

/// Logs in a call, a window, a chunk.
const LOGS: u64 = 200;

/// Sealed many times a second, so that kills meet a seal as well; and what is some days old is past
/// its retention, so that each start meets something to drop.
const CONFIG: &str = "[store]\nseal_bytes = \"1 MiB\"\nseal_after = \"100ms\"\n\
                      retention.default = \"1d\"\n";

#[test]
fn st_01_acknowledged_is_stored_once_however_often_it_is_killed() {
    killed_again_and_again(KILLS);
}

#[test]
#[ignore = "slow: make slow-tests"]
fn st_01_slow_acknowledged_is_stored_once_over_a_thousand_kills() {
    killed_again_and_again(MANY_KILLS);
}

/// What is sent, by each protocol that acknowledges: of now, and by HTTP also of days ago.
struct Sent {
    http: Acknowledged,
    old: Acknowledged,
    relp: Acknowledged,
    beats: Acknowledged,
    fluent: Acknowledged,
}

impl Sent {
    fn fresh(&self) -> [&Acknowledged; 4] {
        [&self.http, &self.relp, &self.beats, &self.fluent]
    }

    /// Sends until the daemon is gone, all at once, with a backup and a reload in between.
    fn send(&self, daemon: &Daemon, folder: &Path, over: &AtomicBool) {
        thread::scope(|scope| {
            scope.spawn(|| while self.http.send(daemon, LOGS) {});
            scope.spawn(|| while self.old.send(daemon, LOGS) {});
            scope.spawn(|| while over_relp(&self.relp, daemon).is_ok() {});
            scope.spawn(|| while over_beats(&self.beats, daemon).is_ok() {});
            scope.spawn(|| while over_fluent(&self.fluent, daemon).is_ok() {});
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let reloaded = kill_process(daemon.pid(), Signal::HUP).is_ok();
                    if !(reloaded && back_up(daemon, folder)) {
                        break;
                    }
                }
            });
        });
    }
}

/// Makes a backup; whether it was made.
fn back_up(daemon: &Daemon, folder: &Path) -> bool {
    let server = format!("http://{}", daemon.address("api"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    let command = command.arg("backup").arg(folder.join("backups"));
    let command = command.args(["--keep", "2", "--server", &server]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// A connection of its own, over which each window of messages is waited for.
fn over_relp(logs: &Acknowledged, daemon: &Daemon) -> io::Result<()> {
    let mut stream = connected(daemon, "relp")?;
    stream.write_all(frame(1, "open", "relp_version=0\ncommands=syslog").as_bytes())?;
    status(&mut stream)?;
    for window in 0.. {
        let (texts, first) = (logs.more(LOGS), 2 + window * u32::try_from(LOGS).unwrap());
        let frames = (first..).zip(&texts);
        let frames: String = frames
            .map(|(number, text)| frame(number, "syslog", &format!("<13>1 - h a - - - {text}")))
            .collect();
        stream.write_all(frames.as_bytes())?;
        // Each is acknowledged by itself, in order.
        for (number, text) in (first..).zip(texts) {
            assert_eq!(status(&mut stream)?, (number, "200 OK".to_owned()));
            logs.note(vec![text]);
        }
    }
    Ok(())
}

fn over_beats(logs: &Acknowledged, daemon: &Daemon) -> io::Result<()> {
    let mut beats = Beats(connected(daemon, "beats")?);
    loop {
        let messages = logs.more(LOGS);
        let texts: Vec<_> =
            messages.iter().map(|text| json!({"message": text}).to_string()).collect();
        beats.window(1, &texts)?;
        // A part of a window may be acknowledged before the rest of it.
        while u64::from(beats.acknowledged()?.0) < LOGS {}
        logs.note(messages);
    }
}

fn over_fluent(logs: &Acknowledged, daemon: &Daemon) -> io::Result<()> {
    let mut stream = connected(daemon, "fluent")?;
    loop {
        let messages = logs.more(LOGS);
        let entry = |text: &String| {
            // Without a time of its own, it is of now.
            let record = [fluent::text("message"), fluent::text(text)].concat();
            let now = logtrace::ingest::now().as_micros() / 1_000_000;
            let now = u32::try_from(now).unwrap().to_be_bytes();
            [&b"\x92\xce"[..], &now, b"\x81", &record].concat()
        };
        let chunk = messages[0].replace(' ', "-");
        let packed: Vec<u8> = messages.iter().flat_map(entry).collect();
        stream.write_all(&fluent::message(&packed, &chunk))?;
        let answer = fluent::acknowledged(&mut stream);
        if answer.as_deref() != Some(&chunk) {
            assert_eq!(answer, None);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        logs.note(messages);
    }
}

fn connected(daemon: &Daemon, listener: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(daemon.address(listener))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn killed_again_and_again(kills: u64) {
    let kills = std::env::var("LOGTRACE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(kills);
    let folder = tempfile::tempdir().unwrap();
    let listeners = format!("{LISTENERS}{RELP}{FLUENT}");
    let new = |name| Acknowledged::new(name, 0);
    let old = Acknowledged::new("old", 5);
    let (http, relp, beats, fluent) = (new("http"), new("relp"), new("beats"), new("fluent"));
    let sent = Sent { http, old, relp, beats, fluent };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..kills {
        // By turns at a place that matters, and at any moment.
        let index = usize::try_from(random.below(PLACES.len() as u64)).unwrap();
        let place = format!("{}:{}", PLACES[index], 1 + random.below(3));
        let variables = [("LOGTRACE_FAILPOINT", &*place)];
        let variables = if round % 2 == 0 { &variables[..0] } else { &variables[..] };
        let began = Instant::now();
        let Ok(daemon) = Daemon::try_start(folder.path(), CONFIG, &listeners, variables) else {
            continue;
        };
        assert!(began.elapsed() < START, "started in {:?}", began.elapsed());
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| sent.send(&daemon, folder.path(), &over));
            // Where nothing ends it before, it has taken something of each by then.
            let enough = sent.fresh().map(|logs| logs.len() + usize::try_from(LOGS).unwrap());
            let has_enough = || {
                let all = sent.fresh().into_iter().zip(enough);
                all.into_iter().all(|(logs, enough)| logs.len() >= enough).then_some(())
            };
            if round % 2 == 0 {
                wait_for("answers", has_enough);
            }
            thread::sleep(Duration::from_millis(random.below(370)));
            over.store(true, Ordering::Relaxed);
            // It may have come to its end before.
            let _gone = kill_process(daemon.pid(), Signal::KILL).is_err();
        });
        daemon.kill();
        if round % 100 == 99 {
            println!("{} kills", round + 1);
        }
    }
    for logs in sent.fresh() {
        assert!(logs.len() as u64 > kills / 2 * LOGS, "only {} acknowledged", logs.len());
    }
    // Stopping seals what is staged, so that the next start finds all that is old to drop.
    let daemon = Daemon::start(folder.path(), CONFIG);
    sent.old.lost_from(&sent.old.stored(&daemon));
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), CONFIG);
    wait_for("retention", || sent.old.stored(&daemon).is_empty().then_some(()));
    sent.fresh().into_iter().for_each(|logs| logs.assert_stored_once(&daemon));
    assert!(daemon.stop().success());
    // Of the backups that were made meanwhile, the last is whole.
    let backups = folder.path().join("backups");
    let mut check = Command::new(env!("CARGO_BIN_EXE_logtrace"));
    let check = check.arg("restore").arg(backups).args(["--check", "--json"]).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

/// The same numbers in every run (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
