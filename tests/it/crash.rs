//! `kill -9` at any moment loses nothing that was acknowledged, and doubles nothing.

use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::acknowledged::Acknowledged;
use crate::failpoints::PLACES;
use crate::support::{Daemon, LISTENERS, wait_for};

/// Times that the daemon is killed. `LOGTRACE_KILLS` makes it more.
const KILLS: u64 = 15;

/// Senders at the same time.
const SENDERS: u64 = 3;

/// Logs in a call.
const LOGS: u64 = 200;

/// Sealed many times a second, so that kills meet a seal as well; and what is some days old is past
/// its retention, so that each start meets something to drop.
const CONFIG: &str = "[store]\nseal_bytes = \"1 MiB\"\nseal_after = \"100ms\"\n\
                      retention.default = \"1d\"\n";

#[test]
fn st_01_acknowledged_is_stored_once_however_often_it_is_killed() {
    let kills = std::env::var("LOGTRACE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let (fresh, old) = (Acknowledged::new("fresh", 0), Acknowledged::new("old", 5));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..kills {
        // By turns at a place that matters, and at any moment.
        let index = usize::try_from(random.below(PLACES.len() as u64)).unwrap();
        let place = format!("{}:{}", PLACES[index], 1 + random.below(3));
        let variables = [("LOGTRACE_FAILPOINT", &*place)];
        let variables = if round % 2 == 0 { &variables[..0] } else { &variables[..] };
        let Ok(daemon) = Daemon::try_start(folder.path(), CONFIG, LISTENERS, variables) else {
            continue;
        };
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let logs = if sender == 0 { &old } else { &fresh };
                let daemon = &daemon;
                scope.spawn(move || while logs.send(daemon, LOGS) {});
            }
            // Where nothing ends it before, it has taken something by then.
            let enough = fresh.len() + usize::try_from(LOGS).unwrap();
            if round % 2 == 0 {
                wait_for("an answer", || (fresh.len() >= enough).then_some(()));
            }
            thread::sleep(Duration::from_millis(random.below(370)));
            // It may have come to its end before.
            let _gone = kill_process(daemon.pid(), Signal::KILL).is_err();
        });
        daemon.kill();
    }
    assert!(fresh.len() as u64 > kills / 2 * LOGS, "only {} acknowledged", fresh.len());
    // Stopping seals what is staged, so that the next start finds all that is old to drop.
    let daemon = Daemon::start(folder.path(), CONFIG);
    old.lost_from(&old.stored(&daemon));
    assert!(daemon.stop().success());
    let daemon = Daemon::start(folder.path(), CONFIG);
    wait_for("retention", || old.stored(&daemon).is_empty().then_some(()));
    fresh.assert_stored_once(&daemon);
    assert!(daemon.stop().success());
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
