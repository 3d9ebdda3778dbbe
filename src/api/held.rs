//! The memory of a question, from its turn until its answer is read.
//!
//! A question reserves what it takes at once when its turn comes ([`Held::begin`]), and what it gathers
//! as it goes on; where there is no room for that, senders come first. What is answered is held for as
//! long as it takes to be read: an answer that nobody reads takes memory as well.
//!
//! All whose turn it is have room for what they take at once, however little there is for them
//! ([`Turns`]): who comes at the same time waits for a turn, and is not turned away.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};

use super::Api;
use super::problem::Problem;
use super::slots::Running;
use crate::memory::{By, Hold};
use crate::query::Memory;

/// How many questions may have their turn at the same time, and what each takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    pub(super) count: usize,
    /// Bytes beside what it gathers: blocks that are read, and text that is made of the answer.
    pub(super) at_once: usize,
}

/// The memory of one question.
#[derive(Debug)]
pub(super) struct Held {
    /// Its turn, until all was found.
    turn: Option<Running>,
    /// What it gathers, until it is made into text.
    gathered: Option<Arc<Memory>>,
    hold: Hold,
}

/// An answer that holds its memory until it was read.
struct Holding {
    body: Body,
    _hold: Hold,
}

tokio::task_local! {
    /// What the questions of the call hold that is being answered.
    static OF_CALL: RefCell<Vec<Held>>;
}

impl Turns {
    /// As many as are `wanted`, or fewer, where `shared` bytes are shared with senders. Together they
    /// take a quarter of that at the most, which is half of what questions may have: the other half is
    /// for what they gather, and for answers that are being read.
    pub(super) fn of(wanted: usize, shared: usize) -> Self {
        let part = shared / 4;
        let at_once = (part / wanted.max(1)).clamp(LEAST_AT_ONCE, MOST_AT_ONCE);
        Self { count: wanted.min(part / at_once).max(1), at_once }
    }
}

impl Held {
    /// Waits for a turn, and reserves what a question takes at once.
    ///
    /// # Errors
    ///
    /// There are too many before it, or there is no room for it.
    pub(super) async fn begin(api: &Api) -> Result<Self, Problem> {
        let turn = api.slots.query().await?;
        Self::of_turn(api, turn)
    }

    /// The same, for one whose turn it is.
    pub(super) fn of_turn(api: &Api, turn: Running) -> Result<Self, Problem> {
        let held = Self::without_turn(api)?;
        Ok(Self { turn: Some(turn), ..held })
    }

    /// The same, for one that needs none: it is slow only because its answer is read slowly.
    pub(super) fn without_turn(api: &Api) -> Result<Self, Problem> {
        let mut hold = Hold::new(Arc::clone(api.ingest.memory()), By::Queries);
        hold.try_set(api.slots.at_once()).map_err(|_| Problem::no_memory())?;
        let gathered = Memory::of_one(Arc::clone(&api.memory));
        Ok(Self { turn: None, gathered: Some(Arc::new(gathered)), hold })
    }

    /// Where it gathers.
    pub(super) fn memory(&self) -> Arc<Memory> {
        self.gathered.clone().unwrap_or_default()
    }

    /// Goes on to hold `bytes` of text, instead of what it was made of.
    ///
    /// # Errors
    ///
    /// There is no room for as much.
    pub(super) fn text(&mut self, bytes: usize) -> Result<(), Problem> {
        (self.turn, self.gathered) = (None, None);
        self.hold.try_set(bytes).map_err(|_| Problem::no_memory())
    }

    /// The same for an answer that has begun and can no longer be refused: where there is no room for
    /// its text, it goes on to hold what that was made of, which is more.
    pub(super) fn part(&mut self, bytes: usize) {
        self.turn = None;
        if self.hold.try_set(bytes).is_ok() {
            self.gathered = None;
        }
    }

    /// Leaves it with the call that asks, until that is answered.
    pub(super) fn leave(mut self) {
        self.turn = None;
        // No block is read any longer, and what it gathered has room for its text.
        self.hold.set(0);
        // Where there is none, such as in the midst of a long answer, it is given back here.
        let _is_of_call = OF_CALL.try_with(|held| held.borrow_mut().push(self)).is_ok();
    }
}

/// The answer of a call, which holds what its questions left until it was read.
pub(super) async fn holding(answer: impl Future<Output = Response>) -> Response {
    OF_CALL
        .scope(RefCell::default(), async {
            let response = answer.await;
            let held = OF_CALL.with(|held| held.borrow_mut().pop());
            let size =
                response.body().size_hint().exact().and_then(|len| usize::try_from(len).ok());
            match (held, size) {
                (Some(mut held), Some(size)) => match held.text(size) {
                    Ok(()) => response.map(|body| Body::new(Holding { body, _hold: held.hold })),
                    Err(problem) => problem.into_response(),
                },
                // What is made as it is sent holds what it needs by itself.
                _ => response,
            }
        })
        .await
}

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    // Not over before its last frame was asked for: until then that lies in a buffer.
    fn is_end_stream(&self) -> bool {
        false
    }
}

/// What a question takes at once, in bytes, however little or much there is.
const LEAST_AT_ONCE: usize = 1 << 20;
const MOST_AT_ONCE: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn st_21_turns_have_room_for_what_they_take_at_once() {
        // What is shared and how many are wanted; how many there are, and what each takes.
        let table = [
            ((32, 4), (4, 2)),
            ((32, 1), (1, 8)),
            ((32, 8), (8, 1)),
            ((32, 256), (8, 1)),
            ((128, 4), (4, 8)),
            ((558, 4), (4, 8)),
            ((558, 256), (139, 1)),
            ((4096, 256), (256, 4)),
        ];
        for ((shared, wanted), (count, at_once)) in table {
            let want = Turns { count, at_once: at_once * MIB };
            assert_eq!(Turns::of(wanted, shared * MIB), want, "{shared} {wanted}");
        }
    }

    proptest! {
        #[test]
        fn turns_fit_into_what_questions_may_have(
            shared in 32 * MIB..=usize::MAX / 2,
            wanted in 1..=256_usize,
        ) {
            let Turns { count, at_once } = Turns::of(wanted, shared);
            prop_assert!(count >= wanted.min(8) && count <= wanted);
            prop_assert!((LEAST_AT_ONCE..=MOST_AT_ONCE).contains(&at_once));
            prop_assert!(count * at_once <= shared / 4);
        }
    }
}
