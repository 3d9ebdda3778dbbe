//! Threads that queries share: a query that takes long is helped by those that are free.
//!
//! A query begins on the thread that asks. Helpers are called once it has gone on for longer than
//! it takes to call one, so that a quick answer costs no thread; and there are only so many of them
//! for all queries together, so that no number of queries takes the machine from those that
//! receive. A query that finds none free goes on alone, and none waits for another's.

use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Builder, Scope, ScopedJoinHandle, scope};
use std::time::{Duration, Instant};

/// How many threads may help queries.
#[derive(Debug, Default)]
pub struct Workers {
    free: AtomicUsize,
}

/// A place among the helpers, given back when dropped.
#[derive(Debug)]
struct Place<'w>(&'w Workers);

/// Where those who walk along `items` are.
struct Walk<'w, T, B, E> {
    items: &'w [T],
    next: AtomicUsize,
    is_over: AtomicBool,
    begin: B,
    each: E,
}

impl Workers {
    /// Helpers beside the threads that ask; none means that each query has one thread.
    pub fn new(helpers: usize) -> Self {
        Self { free: AtomicUsize::new(helpers) }
    }

    fn place(&self) -> Option<Place<'_>> {
        let less = |free: usize| free.checked_sub(1);
        let taken = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        taken.is_ok().then(|| Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::AcqRel);
    }
}

/// Calls `each` with every item and its number, in order but several at a time, until one breaks.
/// Every thread has a state of its own from `begin`; returns them all, of which there is at least
/// one.
pub(super) fn walk<T: Sync, S: Send>(
    workers: &Workers,
    items: &[T],
    begin: impl Fn() -> S + Sync,
    each: impl Fn(&mut S, usize, &T) -> ControlFlow<()> + Sync,
) -> Vec<S> {
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let walk = Walk { items, next, is_over, begin, each };
    scope(|scope| {
        let mut helpers = Vec::new();
        let began = Instant::now();
        let own = walk.go(|left| {
            let is_worth_it = helpers.len() < left && began.elapsed() >= PATIENCE;
            if let Some(place) = is_worth_it.then(|| workers.place()).flatten() {
                helpers.extend(help(scope, &walk, place));
            }
        });
        let mut states = vec![own];
        for helper in helpers {
            states.push(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        states
    })
}

/// Begins to help; where the system has no thread left, the walk goes on without.
fn help<'s, T: Sync, S: Send + 's, B: Fn() -> S + Sync, E>(
    scope: &'s Scope<'s, '_>,
    walk: &'s Walk<'s, T, B, E>,
    place: Place<'s>,
) -> Option<ScopedJoinHandle<'s, S>>
where
    E: Fn(&mut S, usize, &T) -> ControlFlow<()> + Sync,
{
    let run = move || {
        let state = walk.go(|_| {});
        drop(place);
        state
    };
    Builder::new().name("query".to_owned()).spawn_scoped(scope, run).ok()
}

impl<T, S, B: Fn() -> S, E: Fn(&mut S, usize, &T) -> ControlFlow<()>> Walk<'_, T, B, E> {
    /// Takes items until there are no more; `before` is told how many are left after this one.
    fn go(&self, mut before: impl FnMut(usize)) -> S {
        let mut state = (self.begin)();
        while !self.is_over.load(Ordering::Acquire) {
            let number = self.next.fetch_add(1, Ordering::AcqRel);
            let Some(item) = self.items.get(number) else { break };
            before(self.items.len() - number - 1);
            if (self.each)(&mut state, number, item).is_break() {
                self.is_over.store(true, Ordering::Release);
            }
        }
        state
    }
}

/// How long a query goes on alone: a few times what a thread costs.
const PATIENCE: Duration = Duration::from_micros(200);

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(workers: &Workers, items: &[u64], stop_at: u64) -> (u64, usize) {
        let each = |sum: &mut u64, number: usize, item: &u64| {
            assert_eq!(number as u64, *item);
            std::thread::sleep(Duration::from_micros(100));
            *sum += item;
            if *item == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let states = walk(workers, items, || 0, each);
        (states.iter().sum(), states.len())
    }

    #[test]
    fn each_item_is_walked_once_by_whoever_is_free() {
        let items: Vec<u64> = (0..100).collect();
        for helpers in [0, 1, 3] {
            let workers = Workers::new(helpers);
            assert_eq!(sum(&workers, &items, 1000), (4950, helpers + 1));
            assert_eq!(workers.free.load(Ordering::Relaxed), helpers, "all are free again");
        }
        let taken = Workers::new(1);
        let place = taken.place();
        assert_eq!(sum(&taken, &items, 1000), (4950, 1));
        drop(place);
        assert_eq!(sum(&taken, &[0], 1000), (0, 1), "one item needs no help");
    }

    #[test]
    fn a_walk_that_breaks_takes_no_more_items() {
        let items: Vec<u64> = (0..10_000).collect();
        let (found, _) = sum(&Workers::new(3), &items, 10);
        assert!((55..1000).contains(&found), "{found}");
    }

    #[test]
    #[should_panic(expected = "broken")]
    fn a_panic_of_a_helper_is_one_of_the_query() {
        let items = [(); 100];
        walk(
            &Workers::new(1),
            &items,
            || (),
            |(), _, ()| {
                std::thread::sleep(Duration::from_millis(1));
                match std::thread::current().name() {
                    Some("query") => panic!("broken"),
                    _ => ControlFlow::Continue(()),
                }
            },
        );
    }
}
