//! What the daemon must not live on without.

use std::thread;

use tokio::sync::mpsc;

use super::failure::Failure;
use crate::failpoint;

/// Hears of it when a task or a thread ends in a panic.
#[derive(Clone, Debug)]
pub(super) struct Vital(mpsc::Sender<Failure>);

/// Says so when what holds it ends in a panic.
#[derive(Debug)]
pub(super) struct Watch {
    name: &'static str,
    failure: fn(&'static str) -> Failure,
    vital: Vital,
}

impl Vital {
    /// With the receiver of what fails.
    pub(super) fn new() -> (Self, mpsc::Receiver<Failure>) {
        let (failures, failed) = mpsc::channel(2);
        (Self(failures), failed)
    }

    /// Tells of a failure, unless others were told before.
    pub(super) fn tell(&self, failure: Failure) {
        let _told_before = self.0.try_send(failure).is_err();
    }

    /// To be held by a thread of the store.
    pub(super) fn thread(&self, name: &'static str) -> Watch {
        Watch { name, failure: Failure::Thread, vital: self.clone() }
    }

    /// The same work, and the end of the daemon if it panics.
    pub(super) fn task(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let watch = Watch { name, failure: Failure::Task, vital: self.clone() };
        async move {
            failpoint::reached(name);
            work.await;
            drop(watch);
        }
    }
}

impl Watch {
    /// Tells of another failure.
    pub(super) fn tell(&self, failure: Failure) {
        self.vital.tell(failure);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if thread::panicking() {
            self.vital.tell((self.failure)(self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::*;

    #[tokio::test]
    async fn cf_11_a_task_that_panics_is_told_of_and_one_that_ends_is_not() {
        let (vital, mut failed) = Vital::new();
        let tasks = TaskTracker::new();
        tasks.spawn(vital.task("good", async {})).await.unwrap();
        assert!(failed.try_recv().is_err());
        let broken = vital.task("broken", async {
            tokio::task::yield_now().await;
            panic!("a mistake");
        });
        tasks.spawn(broken).await.unwrap_err();
        assert!(matches!(failed.recv().await, Some(Failure::Task("broken"))));
        let watch = vital.thread("writer");
        let ended = thread::spawn(move || {
            let _watch = watch;
            panic!("a mistake");
        });
        ended.join().unwrap_err();
        assert!(matches!(failed.recv().await, Some(Failure::Thread("writer"))));
    }
}
