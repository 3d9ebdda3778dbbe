//! Senders that come, stay, go quiet and come back; and as many as want to.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::db::{Db, Options};
use crate::event::{AuthMethod, Event, Known};
use crate::parse::Context;
use crate::time::Timestamp;

/// A table, and a clock that the test moves.
struct House {
    senders: Senders,
    elapsed: Duration,
    project: Arc<str>,
    listener: Arc<str>,
}

const CONFIG: Config = Config {
    max: 100,
    learn_for: Duration::ZERO,
    min_heard: 3,
    overdue_factor: 3,
    overdue_min: Duration::from_secs(10),
    overdue_max: Duration::from_secs(3600),
    startup_grace: Duration::ZERO,
    forget_after: Duration::from_secs(100_000),
};

impl House {
    fn open(db: &Arc<Db>, config: Config) -> Self {
        let senders = Senders::open(Arc::clone(db), config, 7).unwrap();
        Self { senders, elapsed: Duration::ZERO, project: "p".into(), listener: "l".into() }
    }

    fn new(config: Config) -> (Self, Arc<Db>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let db = Arc::new(Db::open(folder.path(), &Options::default()).unwrap());
        (Self::open(&db, config), db, folder)
    }

    /// The day's clock, which is set back by a year now and then.
    fn wall(&self) -> Timestamp {
        let seconds = self.elapsed.as_secs();
        let year = if seconds.is_multiple_of(2) { 0 } else { 365 * 86_400 };
        Timestamp::from_micros((1_790_000_000 + seconds as i64 - year) * 1_000_000)
    }

    fn hear(&self, key: Option<&str>, hosts: &[&str]) {
        let key: Option<Arc<str>> = key.map(Into::into);
        let place = Place {
            project: &self.project,
            key: key.as_ref(),
            listener: &self.listener,
            protocol: "syslog/tcp",
            peer: Some(IpAddr::from([192, 0, 2, 1])),
            auth: None,
            framing: None,
            is_misframed: false,
            is_mixed: false,
        };
        let mut hearing = self.senders.listen().unwrap();
        for host in hosts {
            let mut event = Event::default();
            if !host.is_empty() {
                event.text(Known::Hostname, host);
            }
            hearing.note(&event, b"", self.wall(), false);
        }
        self.senders.hear(&place, &mut hearing, self.wall(), self.elapsed);
        self.senders.done(Some(hearing));
    }

    /// So many seconds pass; who was told of meanwhile.
    fn pass(&mut self, seconds: u64, is_deaf: bool) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..seconds {
            self.elapsed += Duration::from_secs(1);
            let notices = self.senders.look(self.wall(), self.elapsed, is_deaf);
            told.extend(notices.iter().map(|told| format!("{:?} {}", told.what, told.host)));
        }
        told
    }

    /// It is heard every other second, so many times.
    fn learn(&mut self, key: Option<&str>, hosts: &[&str], times: u64) {
        for _ in 0..times {
            self.hear(key, hosts);
            let told = self.pass(2, false);
            assert!(told.iter().all(|told| told.starts_with("Heard")), "{told:?}");
        }
    }

    fn states(&self) -> Vec<String> {
        let shown = self.senders.list(self.elapsed, |_| true);
        shown.iter().map(|shown| format!("{} {}", shown.host, shown.state.as_str())).collect()
    }
}

#[test]
fn one_that_goes_quiet_is_told_of_once_and_once_more_when_it_is_heard() {
    let (mut house, _db, _folder) = House::new(CONFIG);
    house.learn(None, &["a", "b"], 2);
    assert_eq!(house.states(), ["a learning", "b learning"]);
    house.learn(None, &["a", "b"], 3);
    assert_eq!(house.states(), ["a fine", "b fine"]);
    let mut told = Vec::new();
    for _ in 0..20 {
        house.hear(None, &["b"]);
        told.extend(house.pass(2, false));
    }
    assert_eq!(told, ["Overdue a"]);
    assert_eq!(house.states(), ["a overdue", "b fine"]);
    assert_eq!(house.senders.counts().overdue, 1);
    house.hear(None, &["a"]);
    assert_eq!(house.pass(1, false), ["Heard a"]);
    assert_eq!(house.states(), ["a fine", "b fine"]);
    assert_eq!(house.pass(200, false), ["Overdue b", "Overdue a"], "a was quiet for longer once");
}

#[test]
fn a_restart_makes_nobody_quiet_and_forgets_nobody() {
    let (mut house, db, _folder) = House::new(CONFIG);
    house.learn(Some("k"), &["a", "b"], 5);
    let mut told = Vec::new();
    for _ in 0..10 {
        house.hear(Some("k"), &["b"]);
        told.extend(house.pass(2, false));
    }
    assert_eq!(told, ["Overdue a"]);
    house.senders.keep(house.elapsed, true).unwrap();
    assert_eq!(house.senders.keep(house.elapsed, true).unwrap(), 0, "nothing is new");
    // However long it was down, it listened to nobody meanwhile.
    let mut again = House::open(&db, CONFIG);
    assert_eq!(again.states(), ["a overdue", "b fine"]);
    assert_eq!(again.pass(7, false), [] as [&str; 0], "b was quiet for two seconds before");
    assert_eq!(again.pass(10, false), ["Overdue b"]);
    again.hear(Some("k"), &["a"]);
    assert_eq!(again.pass(1, false), ["Heard a"]);
    assert_eq!(again.senders.keep(again.elapsed, false).unwrap(), 2, "that is written at once");
}

#[test]
fn who_cannot_be_heard_is_not_quiet() {
    let (mut house, _db, _folder) = House::new(CONFIG);
    house.learn(None, &["a"], 5);
    assert_eq!(house.pass(1000, true), [] as [&str; 0]);
    assert_eq!(house.pass(7, false), [] as [&str; 0]);
    assert_eq!(house.pass(7, false), ["Overdue a"]);
}

#[test]
fn nobody_becomes_overdue_soon_after_a_start() {
    let (mut house, _db, _folder) =
        House::new(Config { startup_grace: Duration::from_secs(100), ..CONFIG });
    house.learn(None, &["a"], 5);
    assert_eq!(house.pass(89, false), [] as [&str; 0]);
    assert_eq!(house.pass(5, false), ["Overdue a"]);
}

#[test]
fn a_host_that_sends_with_another_key_is_not_missed_under_the_old_one() {
    let (mut house, _db, _folder) = House::new(CONFIG);
    house.learn(Some("old"), &["a"], 5);
    house.learn(Some("new"), &["a"], 50);
    assert_eq!(house.states(), ["a fine"], "of the new key");
}

#[test]
fn of_two_agents_of_one_host_each_is_missed() {
    let (mut house, _db, _folder) = House::new(CONFIG);
    for _ in 0..5000 {
        house.learn(Some("one"), &["b"], 1);
        house.learn(Some("two"), &["b"], 1);
    }
    let mut told = Vec::new();
    for _ in 0..10 {
        house.hear(Some("two"), &["b"]);
        told.extend(house.pass(2, false));
    }
    assert_eq!(told, ["Overdue b"]);
}

#[test]
fn forged_names_take_no_memory_and_put_out_nobody_who_is_known() {
    let (mut house, _db, _folder) = House::new(CONFIG);
    let known: Vec<String> = (0..50).map(|n| format!("known{n}")).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    house.learn(None, &known, 5);
    for round in 0..100 {
        let forged: Vec<String> = (0..50).map(|n| format!("forged{round}.{n}")).collect();
        house.hear(None, &forged.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let states = house.states();
    assert_eq!(states.len(), 100);
    assert_eq!(states.iter().filter(|state| state.starts_with("known")).count(), 50);
    // Where all are known, who comes is counted and not told apart.
    let more: Vec<String> = (0..50).map(|n| format!("more{n}")).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    for _ in 0..5 {
        house.hear(None, &more);
        house.hear(None, &known);
        let _told = house.pass(2, false);
    }
    let before = house.senders.counts().untold;
    house.hear(None, &["new", "new"]);
    assert_eq!(house.senders.counts().untold - before, 2);
    assert_eq!(house.senders.counts().known, 100);
}

#[test]
fn one_that_is_quiet_for_too_long_is_forgotten_also_on_disk() {
    let (mut house, db, _folder) = House::new(CONFIG);
    house.learn(None, &["a"], 5);
    house.hear(None, &["b"]);
    house.senders.keep(house.elapsed, true).unwrap();
    let told = house.pass(100_001, false);
    assert_eq!(told, ["Overdue a", "Forgotten a"]);
    assert_eq!(house.states(), [] as [&str; 0]);
    house.senders.keep(house.elapsed, true).unwrap();
    assert_eq!(House::open(&db, CONFIG).states(), [] as [&str; 0]);
}

#[test]
fn who_names_no_host_is_known_by_its_address_and_nobody_is_known_where_none_is_wanted() {
    let (house, _db, _folder) = House::new(CONFIG);
    house.hear(None, &["", "a", ""]);
    assert_eq!(house.states(), ["192.0.2.1 learning", "a learning"]);
    let shown = house.senders.list(house.elapsed, |shown| shown.host != "a");
    assert_eq!((shown.len(), shown[0].events), (1, 2));
    house.senders.forget(&shown[0].id);
    assert_eq!(house.states(), ["a learning"]);
    assert!(Senders::none().listen().is_none());
}

/// Messages as they come, each looked at: what is odd of their sender in the end.
fn odd(house: &House, peer: [u8; 4], protocol: &str, lines: &[&str]) -> Vec<String> {
    let place = Place {
        project: &house.project,
        key: None,
        listener: &house.listener,
        protocol,
        peer: Some(IpAddr::from(peer)),
        auth: Some(AuthMethod::StructuredData),
        framing: Some(Framing::Lines),
        is_misframed: false,
        is_mixed: false,
    };
    let at = Timestamp::parse_rfc3339(b"2026-11-20T12:00:00Z").unwrap();
    let cx = Context { received_at: at, zone_offset: 0, keep_original: false };
    for line in lines {
        let mut hearing = house.senders.listen().unwrap();
        let mut event = Event::default();
        crate::parse::syslog(line.as_bytes(), &cx, &mut event);
        hearing.note(&event, line.as_bytes(), at, false);
        house.senders.hear(&place, &mut hearing, at, house.elapsed);
        house.senders.done(Some(hearing));
    }
    let of_peer = IpAddr::from(peer).to_string();
    let shown = house.senders.list(house.elapsed, |shown| shown.address.as_ref() == Some(&of_peer));
    let odd = shown.iter().flat_map(|shown| &shown.odd);
    odd.map(|odd| format!("{:?}", odd.kind)).collect()
}

#[test]
fn what_is_odd_is_seen_and_what_is_not_is_not() {
    let (house, _db, _folder) = House::new(CONFIG);
    // From where, by what, the messages, and what is odd of them.
    let table: [([u8; 4], &str, &[&str], &str); 9] = [
        ([127, 0, 0, 1], "syslog/tcp", &["<13>1 2026-11-20T12:00:00Z h a - - - x"; 6], ""),
        ([192, 0, 2, 1], "syslog/tls", &["<13>1 2026-11-20T12:00:00Z i a - - - x"; 6], ""),
        ([192, 0, 2, 2], "syslog/tcp", &["<13>1 2026-11-20T12:00:00Z j a - - - x"], "KeyInClear"),
        ([127, 0, 0, 4], "syslog/udp", &["<13>Nov 20 12:00:00 k a: x"; 6], "OldTime"),
        ([127, 0, 0, 5], "syslog/udp", &["<13>Nov 20 14:00:00 l a: x"; 6], "Zone OldTime"),
        (
            [127, 0, 0, 6],
            "syslog/tcp",
            &["<13>Nov 20 12:00:00 m a x y"; 6],
            "OldTime StructuredDataLost",
        ),
        (
            [127, 0, 0, 7],
            "syslog/tcp",
            &["<13>1 2026-11-20T12:05:00Z n a - - - x"; 6],
            "ClockAhead",
        ),
        (
            [127, 0, 0, 8],
            "syslog/tcp",
            &["\tat com.example.Main(Main.java)"; 2],
            "NoTime NoHost NoHeader",
        ),
        (
            [127, 0, 0, 9],
            "syslog/tcp",
            &["<13>1 2026-11-20T12:00:00Z o - - - - \u{feff}x"],
            "NoProgram",
        ),
    ];
    for (peer, protocol, lines, want) in table {
        assert_eq!(odd(&house, peer, protocol, lines).join(" "), want, "{lines:?}");
    }
    // What was odd is forgotten when it is mended.
    let mended = ["<13>1 2026-11-20T12:00:00Z m a - - [x y=\"z\"] x"; 16];
    assert_eq!(odd(&house, [127, 0, 0, 6], "syslog/tcp", &mended), [] as [&str; 0]);
    let lost = ["<13>2026-11-20T12:00:00Z m a: x"; 17];
    assert_eq!(odd(&house, [127, 0, 0, 6], "syslog/tcp", &lost), ["StructuredDataLost"]);
}

#[test]
fn numbers_that_are_missing_are_counted_by_listener_once() {
    let (mut house, _db, _folder) = House::new(CONFIG);
    let line = |n: u32| format!("<13>1 2026-11-20T12:00:00Z h a - - [meta sequenceId=\"{n}\"] x");
    let lines: Vec<String> = [1, 2, 3, 7, 8, 6].map(line).into();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(odd(&house, [127, 0, 0, 1], "syslog/udp", &lines), [] as [&str; 0], "they may come");
    let _told = house.pass(30, false);
    let counts = house.senders.counts();
    let want = Missing { numbered: 6, gaps: 1, missing: 2, late: 1, repeated: 0, restarts: 0 };
    assert_eq!(counts.missing.get("l"), Some(&want));
    assert_eq!(odd(&house, [127, 0, 0, 1], "syslog/udp", &[]), ["Missing"]);
}
