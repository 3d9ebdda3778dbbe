//! Senders, connections that break and daemons that are killed, over a model of what was sent.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proptest::prelude::*;

use super::left::{Lefts, Waiting};
use super::own::Own;
use crate::batch::{Batcher, Config};
use crate::db::{Db, Options};
use crate::event::{Event, Known};
use crate::store::{self, Left, Origin, Rows, Store};
use crate::time::Timestamp;

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A sender sends so many messages on, on a new connection if it has none.
    Send(usize, usize),
    /// A batch is written.
    Commit(usize),
    /// A sender is answered what is durable, and hears it or not.
    Answer(usize, bool),
    /// So much time goes by.
    Wait(u64),
    /// The connection of a sender breaks.
    Break(usize),
    /// The daemon is killed, and started.
    Kill,
}

/// A message: what it is known by, and whether it bears a time.
type Message = (u64, bool);

/// One who has sent `heard` messages and knows it.
#[derive(Default)]
struct Sender {
    messages: Vec<Message>,
    heard: usize,
    connection: Option<Connection>,
}

struct Connection {
    own: Box<Own>,
    /// The first message that was sent on it, and the next one.
    first: usize,
    next: usize,
    /// Up to which message each read went, and the batch and its round that must be written.
    reads: Vec<(u64, usize, u64)>,
    /// Whether its sender hears no more.
    is_deaf: bool,
}

struct World {
    store: Store,
    lefts: Mutex<Lefts>,
    /// The batches that are filled, what is in them, and how often each was written.
    batches: Vec<(Rows, Vec<u64>, u64)>,
    stored: Vec<u64>,
    answered: HashMap<u64, u64>,
    /// What connections that broke had touched.
    touched: HashMap<u64, Vec<u64>>,
    connections: u64,
    time: Duration,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Arc::new(Db::open(folder.path(), &Options::default()).unwrap());
        let store = Store::open(db, store::Config::default()).unwrap();
        let batch = || (Rows::default(), Vec::new(), 0);
        Self {
            store,
            lefts: Mutex::default(),
            batches: vec![batch(), batch()],
            stored: Vec::new(),
            answered: HashMap::new(),
            touched: HashMap::new(),
            connections: 0,
            time: Duration::ZERO,
            _folder: folder,
        }
    }

    fn act(&mut self, senders: &mut [Sender], act: Act) {
        match act {
            Act::Send(who, count) => self.send(&mut senders[who], count),
            Act::Commit(which) => self.commit(which),
            Act::Answer(who, is_heard) => self.answer(&mut senders[who], is_heard),
            Act::Wait(seconds) => {
                // Who hears nothing does not go on for long.
                let is_deaf =
                    |sender: &Sender| sender.connection.as_ref().is_some_and(|c| c.is_deaf);
                for who in
                    (0..senders.len()).filter(|who| is_deaf(&senders[*who])).collect::<Vec<_>>()
                {
                    self.act(senders, Act::Break(who));
                }
                self.time += Duration::from_secs(seconds);
            }
            Act::Break(who) => {
                // What was taken is written sooner or later: copies wait for it.
                (0..self.batches.len()).for_each(|which| self.commit(which));
                if let Some(connection) = &senders[who].connection {
                    let touched = connection.own.touched().collect();
                    self.touched.insert(connection.own.connection(), touched);
                }
                if let Some(connection) = senders[who].connection.take()
                    && let Some(waiting) = connection.own.leave(AT)
                {
                    self.lefts.lock().add(waiting);
                }
            }
            Act::Kill => {
                senders.iter_mut().for_each(|sender| sender.connection = None);
                for (rows, values, round) in &mut self.batches {
                    rows.clear();
                    values.clear();
                    *round += 1 << 32;
                }
                *self.lefts.lock() = Lefts::default();
                self.touched.clear();
                for left in self.store.receipts().unwrap() {
                    let answered = self.answered.get(&left.connection);
                    let waiting = Waiting::of(left, None);
                    let answered = answered.map(|answered| answered.saturating_sub(waiting.first));
                    let most = waiting.messages.len();
                    let answered = answered.map_or(most, |n| usize::try_from(n).unwrap().min(most));
                    self.lefts.lock().add(Waiting { answered, ..waiting });
                }
            }
        }
    }

    fn send(&mut self, sender: &mut Sender, count: usize) {
        let connection = sender.connection.get_or_insert_with(|| {
            self.connections += 1;
            self.answered.insert(self.connections, 0);
            let own = Box::new(Own::new(self.connections, 1, None));
            let (first, next) = (sender.heard, sender.heard);
            Connection { own, first, next, reads: Vec::new(), is_deaf: false }
        });
        let known = connection.own.confirm(self.time);
        self.lefts.lock().remove(1, &known);
        let to = (connection.next + count).min(sender.messages.len());
        let which = usize::from((self.connections + connection.own.came()).is_multiple_of(2));
        let (rows, values, round) = &mut self.batches[which];
        let before = values.len();
        let origin = origin();
        for (id, has_time) in sender.messages[connection.next..to].iter().copied() {
            let own = &mut connection.own;
            own.event();
            if own.begin_event(&origin, |_| 0, |_| id) {
                own.look(|id, search| self.lefts.lock().look(search, id, has_time, AT));
            }
            if !own.is_copy() {
                rows.begin(&origin, 0);
                let mut event = Event::default();
                event.text(Known::Message, "m");
                rows.push(&event);
                values.push(id);
            }
            own.stored();
            own.end_message();
        }
        connection.next = to;
        if values.len() > before {
            connection.own.write(rows, AT.as_micros());
        }
        let durable = if values.len() > before { *round + 1 } else { 0 };
        connection.reads.push((connection.own.came(), which, durable));
    }

    fn commit(&mut self, which: usize) {
        let (rows, values, round) = &mut self.batches[which];
        self.store.stage([&*rows]).unwrap();
        self.stored.append(values);
        rows.clear();
        *round += 1;
    }

    fn answer(&mut self, sender: &mut Sender, is_heard: bool) {
        let Some(connection) = &mut sender.connection else { return };
        let is_durable = |(_, which, round): &&(u64, usize, u64)| self.batches[*which].2 >= *round;
        let Some((came, ..)) = connection.reads.iter().take_while(is_durable).last() else {
            return;
        };
        // What is touched through another that broke before it was answered counts as well.
        let mut touched: Vec<u64> = connection.own.touched().collect();
        while let Some(id) = touched.pop() {
            self.answered.remove(&id);
            touched.extend(self.touched.remove(&id).unwrap_or_default());
        }
        connection.own.answered(*came, self.time);
        self.answered.insert(connection.own.connection(), *came);
        connection.is_deaf |= !is_heard;
        if !connection.is_deaf {
            sender.heard = connection.first + usize::try_from(*came).unwrap();
        }
    }
}

fn origin() -> Arc<Origin> {
    let (project, listener) = ("p".into(), "l".into());
    Arc::new(Origin { project, listener, peer: None, key: None, auth: None })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..2_usize, 1..8_usize).prop_map(|(who, count)| Act::Send(who, count)),
        4 => (0..2_usize).prop_map(Act::Commit),
        4 => (0..2_usize, prop::bool::weighted(0.8)).prop_map(|(who, is)| Act::Answer(who, is)),
        1 => (1..60_u64).prop_map(Act::Wait),
        2 => (0..2_usize).prop_map(Act::Break),
        1 => Just(Act::Kill),
    ]
}

/// Messages of two senders: each its own and with a time, or one that both say again and again.
fn messages() -> impl Strategy<Value = [Vec<bool>; 2]> {
    let one = || prop::collection::vec(prop::bool::weighted(0.7), 1..40);
    [one(), one()]
}

/// Whatever happens, nothing is lost; and where nobody says anything twice, nothing is there twice.
fn check(kinds: &[Vec<bool>; 2], acts: &[Act]) {
    let is_exact = kinds.iter().flatten().all(|is_unique| *is_unique);
    let mut world = World::new();
    let mut next = 10;
    let mut senders: Vec<Sender> = Vec::new();
    for kinds in kinds {
        let message = |is_unique: &bool| {
            next += 1;
            if *is_unique { (next, true) } else { (TICK + next % 2, false) }
        };
        let messages = kinds.iter().map(message).collect();
        senders.push(Sender { messages, ..Sender::default() });
    }
    acts.iter().for_each(|act| world.act(&mut senders, *act));
    for who in 0..2 {
        // In the end all are told of everything.
        for act in [Act::Break(who), Act::Send(who, 100), Act::Commit(0), Act::Commit(1)] {
            world.act(&mut senders, act);
        }
        world.act(&mut senders, Act::Answer(who, true));
        assert_eq!(senders[who].heard, senders[who].messages.len());
    }
    let mut times: BTreeMap<u64, i64> = BTreeMap::new();
    world.stored.iter().for_each(|id| *times.entry(*id).or_default() += 1);
    let all = senders.iter().flat_map(|sender| &sender.messages);
    all.for_each(|(id, _)| *times.entry(*id).or_default() -= 1);
    for (id, surplus) in times {
        assert!(surplus >= 0, "{id:x} is lost");
        assert!(!is_exact || surplus == 0, "{id} is stored {} times", surplus + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn of_senders_that_repeat_themselves_nothing_is_lost(
        kinds in messages(),
        acts in prop::collection::vec(act(), 0..60),
    ) {
        check(&kinds, &acts);
    }

    #[test]
    fn what_is_its_own_is_there_once(
        lens in [1..40_usize, 1..40_usize],
        acts in prop::collection::vec(act(), 0..60),
    ) {
        check(&lens.map(|len| vec![true; len]), &acts);
    }
}

#[test]
fn batches_that_were_written_out_of_order_leave_a_hole() {
    use Act::{Commit, Kill, Send};
    let kinds = [vec![true; 20], vec![true]];
    // The second read's batch is written, that of the first is not.
    for which in [0, 1] {
        check(&kinds, &[Send(0, 5), Send(0, 5), Commit(which), Kill]);
        check(&kinds, &[Send(0, 5), Send(0, 5), Send(0, 5), Commit(which), Kill]);
    }
}

#[test]
fn a_sender_that_took_too_long_is_not_compared() {
    let left = Left { connection: 1, source: 1, at: 0, first: 0, messages: vec![5, 6] };
    let look = |now: i64| {
        let mut lefts = Lefts::default();
        lefts.add(Waiting::of(left.clone(), None));
        let mut own = Own::new(2, 1, None);
        let lefts = Mutex::new(lefts);
        own.event();
        assert!(own.begin_event(&origin(), |_| 0, |_| 5));
        own.look(|id, search| lefts.lock().look(search, id, true, Timestamp::from_micros(now)));
        own.is_copy()
    };
    let week = 7 * 86_400_000_000;
    assert!(look(week) && look(-week));
    // However a clock jumps: what is not compared comes twice, and is not lost.
    assert!(!look(week + 1) && !look(-week - 1));
}

#[test]
fn what_was_left_too_long_ago_is_forgotten() {
    let mut lefts = Lefts::default();
    let day = 86_400_000_000;
    for id in 0..10_u64 {
        // Two a sender, one a day.
        let at = i64::try_from(id).unwrap() * day;
        let left = Left { connection: id, source: id / 2, at, first: 0, messages: vec![5] };
        lefts.add(Waiting::of(left, None));
    }
    let mut forget = |days: i64| lefts.forget_late(Timestamp::from_micros(days * day + 1));
    assert_eq!(forget(6).len(), 0);
    assert_eq!(forget(7), [0]);
    assert_eq!(forget(7).len(), 0);
    assert_eq!(forget(10), [1, 2, 3]);
    // A clock that was set back says as little as one that is ahead.
    assert_eq!(forget(-20), [4, 5, 6, 7, 8, 9]);
    assert_eq!(forget(1000).len(), 0);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut lefts = Lefts::default();
    let left = |connection: u64, source, count| {
        let messages = vec![connection + 1; count];
        Waiting::of(Left { connection, source, at: 0, first: 0, messages }, None)
    };
    // Of one sender, and of all.
    let forgotten: Vec<u64> = (0..100).flat_map(|id| lefts.add(left(id, 1, 1))).collect();
    assert_eq!(forgotten, (0..36).collect::<Vec<_>>());
    assert_eq!(lefts.add(left(100, 1, 200_000)), (36..=36).collect::<Vec<_>>());
    let forgotten: usize = (200..220).map(|id| lefts.add(left(id, id, 100_000)).len()).sum();
    assert!(forgotten > 60, "{forgotten}");
    let mut own = Own::new(1, 1, None);
    for n in 0..100_000_u64 {
        own.event();
        own.begin_event(&origin(), |_| 0, |_| n + 1);
        own.stored();
        own.end_message();
        own.answered(n + 1, Duration::ZERO);
        own.confirm(Duration::ZERO);
    }
    assert!(own.len() < 3 * 8192, "{}", own.len());
    own.confirm(Duration::from_secs(60));
    own.keep(10);
    assert_eq!(own.len(), 10);
}

#[tokio::test]
async fn a_copy_waits_for_what_it_is_a_copy_of() {
    let batcher = Batcher::new(&Config::default());
    let ((), ticket) = batcher.append(|_| ()).await;
    let mut own = Box::new(Own::new(1, 1, None));
    own.event();
    own.begin_event(&origin(), |_| 0, |_| 5);
    own.stored();
    own.end_message();
    own.waits(&ticket);
    let lefts = Mutex::new(Lefts::default());
    lefts.lock().add(own.leave(AT).unwrap());
    let mut own = Own::new(2, 1, None);
    own.event();
    own.begin_event(&origin(), |_| 0, |_| 5);
    own.look(|id, search| lefts.lock().look(search, id, false, AT));
    assert!(own.is_copy());
    assert!(own.waits_for().all(|other| other.is_same(&ticket)) && own.waits_for().count() == 1);
}

const AT: Timestamp = Timestamp::from_micros(1_000_000);

/// What is said again and again.
const TICK: u64 = 1 << 60;
