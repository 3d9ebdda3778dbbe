//! Work that goes ahead of all other: that of sockets whose senders do not wait.
//!
//! It has a thread of its own, with a higher priority where the system permits that. When more wants
//! to be done than there are processors for, those who can wait do, and so their messages come later; a
//! datagram that the kernel has no room for does not come at all.

use std::io;
use std::panic::resume_unwind;
use std::thread::{Builder, JoinHandle};

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::runtime;
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tracing::{debug, warn};

/// Does `work` to its end in a thread that is called `name` (the system keeps 15 bytes of that).
///
/// Where the system has no thread left it is done here, among others. A panic in it goes on here.
pub(super) async fn urgently<W>(name: &str, work: W) -> W::Output
where
    W: Future<Output: Send + 'static> + Send + 'static,
{
    let (giver, given) = channel();
    let (done, result) = channel();
    let thread = match begin(name, given, done) {
        Ok(thread) => thread,
        Err(error) => {
            warn!(thread = name, %error, "cannot have a thread: datagrams wait for other work");
            return work.await;
        }
    };
    if let Err(work) = giver.send(work) {
        return work.await;
    }
    match result.await {
        Ok(output) => output,
        Err(_) => {
            let panicked = thread.join().err();
            resume_unwind(panicked.unwrap_or_else(|| Box::new("a thread ended without a result")))
        }
    }
}

/// Begins a thread that takes work, and says what came of it.
fn begin<W>(name: &str, given: Receiver<W>, done: Sender<W::Output>) -> io::Result<JoinHandle<()>>
where
    W: Future<Output: Send + 'static> + Send + 'static,
{
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    Builder::new().name(name.to_owned()).spawn(move || {
        raise();
        runtime.block_on(async {
            if let Ok(work) = given.await {
                // At the end of the daemon nobody may wait for it any longer.
                let _gone = done.send(work.await);
            }
        });
    })
}

/// Puts this thread ahead of others.
fn raise() {
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        debug!(%error, "the priority stays: CAP_SYS_NICE or a limit on nice (RLIMIT_NICE) allows more");
    }
}

/// The nice value of such a thread: about ten times the share of one of 0 (`sched(7)`).
const NICE: i32 = -10;

#[cfg(test)]
mod tests {
    use std::thread::current;

    use super::*;

    #[tokio::test]
    async fn it_is_done_in_a_thread_of_its_own() {
        let here = current().id();
        let work = async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            (current().id() != here, current().name().map(str::to_owned))
        };
        assert_eq!(urgently("dgram", work).await, (true, Some("dgram".to_owned())));
    }

    #[tokio::test]
    #[should_panic(expected = "seen by who waits")]
    async fn a_panic_is_seen_by_who_waits() {
        urgently("dgram", async { panic!("seen by who waits") }).await;
    }
}
