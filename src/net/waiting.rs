//! What a connection does while it waits for something.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::task::coop::has_budget_remaining;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answering::{Answering, Mute};
use crate::ingest::Life;

/// What a future says, while the sender is told that it is waited for, unless it hears nothing.
pub(super) async fn beside<F, W>(
    mut future: Pin<&mut F>,
    answering: &mut Answering<W>,
    is_mute: &mut bool,
) -> F::Output
where
    F: Future,
    W: AsyncWrite + Unpin,
{
    loop {
        tokio::select! {
            biased;
            done = &mut future => return done,
            spoken = answering.speak(true), if !*is_mute => *is_mute = spoken == Err(Mute),
        }
    }
}

/// What a future says without waiting.
pub(super) async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// What a future says of what is there already, without a word of it from the runtime yet.
///
/// A clock may end in a turn of the runtime that began before it knew of the socket. The next one
/// ends in a later turn, which looks at all sockets first.
pub(super) async fn arrived<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    for _ in 0..2 {
        if let Ok(done) = timeout(TURN, future.as_mut()).await {
            return Some(done);
        }
    }
    None
}

/// What a future says until the stop, or of what has arrived by then.
pub(super) async fn before<F: Future>(
    stop: &CancellationToken,
    mut future: Pin<&mut F>,
) -> Option<F::Output> {
    tokio::select! {
        biased;
        done = &mut future => Some(done),
        // Boxed: all wait here, and few see the stop.
        () = stop.cancelled() => Box::pin(arrived(future)).await,
    }
}

/// Says that a socket was looked at, and nothing has come; returns when it is asked again.
pub(super) async fn look(life: Option<&Life>, is_full: bool, is_answered: bool) {
    let Some(life) = life else { return std::future::pending().await };
    let looked = poll_fn(|_| {
        if !is_full && has_budget_remaining() {
            life.is_there(is_answered);
        }
        Poll::<()>::Pending
    });
    tokio::select! {
        biased;
        () = life.is_asked() => {}
        () = looked => {}
    }
}

/// How long a turn of the runtime is waited for.
const TURN: Duration = Duration::from_millis(10);
