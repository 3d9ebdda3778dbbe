//! The memory of a question, from its turn until its answer is read.
//!
//! A question reserves what it takes at once before it begins ([`Held::begin`]), and what it gathers
//! as it goes on; where there is no room for that, senders come first. What is answered is held for as
//! long as it takes to be read: an answer that nobody reads takes memory as well.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};

use super::problem::Problem;
use crate::memory::{Budget, By, Hold};
use crate::query::Memory;

/// The memory of one question.
#[derive(Debug)]
pub(super) struct Held {
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

impl Held {
    /// What a question takes at once, if there is room for it.
    pub(super) fn begin(shared: &Arc<Budget>, answers: &Arc<Memory>) -> Result<Self, Problem> {
        let mut hold = Hold::new(Arc::clone(shared), By::Queries);
        hold.try_set(AT_ONCE).map_err(|_| Problem::no_memory())?;
        Ok(Self { gathered: Some(Arc::new(Memory::of_one(Arc::clone(answers)))), hold })
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
        self.gathered = None;
        self.hold.try_set(bytes).map_err(|_| Problem::no_memory())
    }

    /// Leaves it with the call that asks, until that is answered.
    pub(super) fn leave(self) {
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

/// What a question takes beside what it gathers, in bytes: blocks that are read, and text that is made
/// of the answer.
const AT_ONCE: usize = 8 << 20;
