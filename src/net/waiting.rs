//! What a connection does while it waits for something.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio::io::AsyncWrite;
use tokio::task::coop::has_budget_remaining;

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
