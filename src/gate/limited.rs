//! Who is over a limit: noted when it begins, and when it is over, and not in between.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use parking_lot::Mutex;

use super::charge::Subject;
use super::limits::Policy;

/// Those who are over a limit.
#[derive(Debug, Default)]
pub(super) struct Limited(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    spells: HashMap<(Subject, &'static str, bool), Spell>,
    /// Begun while there was no room to remember it.
    unnoted: u64,
}

/// The time in which one was over a limit.
#[derive(Clone, Debug)]
struct Spell {
    policy: Policy,
    begun: Duration,
    last: Duration,
    over: Over,
    told: bool,
}

/// How many events were over a limit, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Over {
    /// Dropped, or in shadow mode those that would have been over.
    pub shed: u64,
    /// Stored, and marked as queued.
    pub queued: u64,
    /// Stored as one of many.
    pub sampled: u64,
    /// Read more slowly.
    pub paced: u64,
}

/// That someone is over a limit, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitNotice {
    /// Who.
    pub subject: Subject,
    /// The limit.
    pub rule: &'static str,
    /// What happens to what is over it.
    pub policy: Policy,
    /// Whether it only says what would have happened.
    pub is_shadow: bool,
    /// Whether it begins, or is over.
    pub has_begun: bool,
    /// How long it lasted so far.
    pub lasted: Duration,
    /// What was over it so far.
    pub over: Over,
}

impl Limited {
    /// Notes that so much was over a limit.
    pub(super) fn note(
        &self,
        subject: &Subject,
        rule: &'static str,
        policy: Policy,
        is_shadow: bool,
        over: Over,
        at: Duration,
    ) {
        let state = &mut *self.0.lock();
        let len = state.spells.len();
        match state.spells.entry((subject.clone(), rule, is_shadow)) {
            Entry::Occupied(mut spell) => {
                let spell = spell.get_mut();
                spell.last = at;
                spell.policy = policy;
                spell.over.add(over);
            }
            Entry::Vacant(place) if len < MAX_SPELLS => {
                place.insert(Spell { policy, begun: at, last: at, over, told: false });
            }
            Entry::Vacant(_) => state.unnoted += 1,
        }
    }

    /// What is to be told now, and how many could not be noted since the last call. Called once a
    /// second.
    pub(super) fn tell(&self, at: Duration) -> (Vec<LimitNotice>, u64) {
        let state = &mut *self.0.lock();
        let mut notices = Vec::new();
        state.spells.retain(|(subject, rule, is_shadow), spell| {
            let mut notice = |has_begun| {
                notices.push(LimitNotice {
                    subject: subject.clone(),
                    rule,
                    policy: spell.policy,
                    is_shadow: *is_shadow,
                    has_begun,
                    lasted: spell.last.saturating_sub(spell.begun),
                    over: spell.over,
                });
            };
            if !std::mem::replace(&mut spell.told, true) {
                notice(true);
            }
            let is_over = at.saturating_sub(spell.last) >= QUIET;
            if is_over {
                notice(false);
            }
            !is_over
        });
        (notices, std::mem::take(&mut state.unnoted))
    }
}

impl Over {
    /// All of them.
    pub fn sum(self) -> u64 {
        self.shed + self.queued + self.sampled + self.paced
    }

    fn add(&mut self, more: Self) {
        self.shed += more.shed;
        self.queued += more.queued;
        self.sampled += more.sampled;
        self.paced += more.paced;
    }
}

/// How long one must have been within a limit to have left it.
const QUIET: Duration = Duration::from_secs(10);

/// The most that are remembered at the same time.
const MAX_SPELLS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "limit:key:events";

    fn one(shed: u64) -> Over {
        Over { shed, ..Over::default() }
    }

    #[test]
    fn told_when_it_begins_and_when_it_is_over_and_not_in_between() {
        let limited = Limited::default();
        let key = Subject::Key("key_1".into());
        let mut told = Vec::new();
        for second in 0..60 {
            let at = Duration::from_secs(second);
            if second < 40 {
                limited.note(&key, RULE, Policy::Drop, false, one(5), at);
            }
            told.extend(limited.tell(at).0.into_iter().map(|notice| (second, notice)));
        }
        let seen: Vec<_> =
            told.iter().map(|(second, n)| (*second, n.has_begun, n.over.shed)).collect();
        assert_eq!(seen, [(0, true, 5), (49, false, 200)]);
        assert_eq!(told[1].1.lasted, Duration::from_secs(39));
    }

    #[test]
    fn a_flood_of_subjects_is_bounded_and_counted() {
        let limited = Limited::default();
        for n in 0..10_000_u32 {
            let subject = Subject::Address(std::net::Ipv4Addr::from(n).into());
            limited.note(&subject, RULE, Policy::Drop, false, one(1), Duration::ZERO);
        }
        let (notices, unnoted) = limited.tell(Duration::ZERO);
        assert_eq!((notices.len(), unnoted), (MAX_SPELLS, 10_000 - MAX_SPELLS as u64));
    }
}
