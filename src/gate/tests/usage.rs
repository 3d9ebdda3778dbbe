//! What keys were used for.

use super::support::{NOW, after, create, key, open, test_db};
use crate::gate::{Reason, Spent};

#[test]
fn usage_is_added_up_by_hour_and_outlives_the_process() {
    let db = test_db();
    let gate = open("{}", &db);
    let key = key(&gate, "{}");
    let (unused, _) = create(&gate, "{}");
    let hour = 3600;
    gate.note_events(&key, 10, 1000, NOW);
    gate.note_request(&key, after(1));
    gate.flush_usage(after(2)).unwrap();
    gate.note_events(&key, 5, 500, after(3));
    gate.note_refused(&key, Reason::RateLimitExceeded, 7, after(4));
    gate.note_events(&key, 1, 1, after(2 * hour));
    let (from, to) = (NOW, after(2 * hour));
    let hours = gate.hours_of_use(key.id(), from, to).unwrap();
    let refused = [("RATE_LIMIT_EXCEEDED".to_owned(), 7)].into();
    let first = Spent { events: 15, bytes: 1500, requests: 1, refused };
    let last = Spent { events: 1, bytes: 1, ..Spent::default() };
    let spent: Vec<_> = hours.iter().map(|hour| hour.spent.clone()).collect();
    assert_eq!(spent, [first, last]);
    assert!(hours.iter().all(|hour| hour.hour.as_micros() % 3_600_000_000 == 0));
    // Written or not, before a restart and after one, it is the same.
    let used = gate.used(key.id());
    assert_eq!((used.first_used, used.last_used), (Some(NOW), Some(after(2 * hour))));
    assert_eq!((used.spent.events, used.spent.refused.values().sum()), (16, 7));
    gate.flush_usage(after(2 * hour)).unwrap();
    gate.flush_usage(after(2 * hour)).unwrap();
    for gate in [gate, open("{}", &db)] {
        assert_eq!(gate.hours_of_use(key.id(), from, to).unwrap(), hours);
        assert_eq!(gate.used(key.id()), used);
        assert_eq!(gate.hours_of_use(key.id(), after(hour), after(hour)).unwrap(), []);
        assert_eq!(gate.used(&unused.id).first_used, None);
    }
}

#[test]
fn hours_of_old_are_forgotten_and_the_sum_is_not() {
    let db = test_db();
    let gate = open("{}", &db);
    let key = key(&gate, "{}");
    let day = 86_400;
    for days in [0, 1, 91] {
        gate.note_events(&key, 1, 1, after(days * day));
        gate.flush_usage(after(days * day)).unwrap();
    }
    let hours = gate.hours_of_use(key.id(), NOW, after(100 * day)).unwrap();
    assert_eq!(hours.len(), 2);
    assert_eq!(gate.used(key.id()).spent.events, 3);
}
