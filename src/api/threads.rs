//! Threads that answer queries.
//!
//! Work that takes long may not be done where connections are served. Why not on the runtime's own
//! threads for that? It wakes them in turn, and what an answer took is kept by the thread that made
//! it, for its next: each of them would hold as much as the largest answer. Here the one that was
//! free last is taken first, so that there are no more that hold memory than answers at the same
//! time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Builder;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Threads that wait for work, and come when there is more of it than of them. Who calls bounds how
/// much there is at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(Arc<Mutex<Idle>>);

/// Those that wait, the one that was free last at the end.
#[derive(Debug, Default)]
struct Idle {
    waiting: Vec<(u64, Sender<Work>)>,
    /// How many there ever were.
    made: u64,
}

type Work = Box<dyn FnOnce() + Send>;

/// Work did not come to its end: it panicked, or there is no thread for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an answer of a thread, but it ended without one")]
pub(super) struct Lost;

impl Threads {
    /// Does `work` on one of the threads.
    ///
    /// # Errors
    ///
    /// It panicked, or the system has no thread left.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (answer, answered) = oneshot::channel();
        self.give(Box::new(move || {
            // Nobody may wait for the answer any longer.
            let _gone = answer.send(work());
        }))?;
        answered.await.map_err(|_| Lost)
    }

    fn give(&self, mut work: Work) -> Result<(), Lost> {
        loop {
            let Some((_, idle)) = self.0.lock().waiting.pop() else { break };
            match idle.send(work) {
                Ok(()) => return Ok(()),
                Err(returned) => work = returned.0,
            }
        }
        let (sender, receiver) = channel();
        let id = {
            let mut idle = self.0.lock();
            idle.made += 1;
            idle.made
        };
        let own = self.clone();
        let run = move || own.serve(id, work, &sender, &receiver);
        Builder::new().name("query".to_owned()).spawn(run).map(drop).map_err(|_| Lost)
    }

    /// Does `work`, then what else there is, until there is none for long.
    fn serve(&self, id: u64, work: Work, sender: &Sender<Work>, receiver: &Receiver<Work>) {
        let mut next = Some(work);
        while let Some(work) = next {
            // Who waits for its answer finds out; the thread goes on.
            drop(catch_unwind(AssertUnwindSafe(work)));
            self.0.lock().waiting.push((id, sender.clone()));
            next = self.wait(id, receiver);
        }
    }

    fn wait(&self, id: u64, receiver: &Receiver<Work>) -> Option<Work> {
        match receiver.recv_timeout(PATIENCE) {
            Ok(work) => Some(work),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                let mut idle = self.0.lock();
                let place = idle.waiting.iter().position(|(other, _)| *other == id);
                match place {
                    Some(place) => {
                        idle.waiting.remove(place);
                        None
                    }
                    // It was just chosen: there is work on its way.
                    None => {
                        drop(idle);
                        receiver.recv().ok()
                    }
                }
            }
        }
    }
}

/// How long a thread waits for work before it ends, and gives back what it holds.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 5 } else { 10_000 });

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_thread_does_what_comes_one_after_the_other() {
        let threads = Threads::default();
        for number in 0..100 {
            assert_eq!(threads.run(move || number).await, Ok(number));
        }
        // It ends when nothing comes for long, and another takes its place.
        while !threads.0.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(threads.run(|| 1).await, Ok(1));
        assert!(threads.0.lock().made < 100, "threads are used again");
    }

    #[tokio::test]
    async fn work_at_the_same_time_has_a_thread_each() {
        let threads = Threads::default();
        let both = Arc::new(std::sync::Barrier::new(2));
        let other = Arc::clone(&both);
        let (one, two) = tokio::join!(
            threads.run(move || both.wait().is_leader()),
            threads.run(move || other.wait().is_leader()),
        );
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_does_not_come() {
        let threads = Threads::default();
        assert_eq!(threads.run(|| panic!("broken")).await, Err::<(), _>(Lost));
        assert_eq!(threads.run(|| 1).await, Ok(1));
    }
}
