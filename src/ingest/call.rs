//! Takes the logs of one HTTP call.

use std::fmt::Display;
use std::time::Duration;

use super::copies::Copies;
use super::intake::Intake;
use super::requests::Counted;
use super::session::Session;
use super::source::Source;
use super::{Ingest, now};
use crate::batch::Ticket;
use crate::event::Event;
use crate::gate::{Quota, Refusal};
use crate::ids;
use crate::metrics::Failure;
use crate::parse::{BodyError, BodyFormat};
use crate::store::Rows;

/// What became of a call.
#[derive(Debug)]
pub struct CallOutcome {
    /// Logs accepted; durable once `ticket` says so.
    pub accepted: u64,
    /// Logs that were not, in order.
    pub rejected: Vec<Rejected>,
    /// Why the gate turned some away, with how many.
    pub refused: Vec<(Refusal, u64)>,
    /// The places of those that are copies of logs which were accepted before.
    pub known: Vec<usize>,
    /// How long to hold back the answer, by the limits of the sender.
    pub wait: Duration,
    /// What the key with least left of its hour has left of it.
    pub quota: Option<Quota>,
    /// Tells when what was accepted is durable.
    pub ticket: Ticket,
    /// The same, of what was accepted before and is not durable yet.
    pub earlier: Vec<Ticket>,
}

/// A log that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the list.
    pub index: usize,
    /// Why, in words that the sender may see.
    pub why: String,
    /// What kind of reason it is.
    pub cause: Cause,
}

/// What kept a log from being accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is no event.
    Malformed,
    /// The gate refused its sender, or what it says.
    Refused,
    /// It was over a limit of its sender: it may come again later.
    Over,
}

impl Rejected {
    fn new(index: usize, cause: Cause, why: &dyn Display) -> Self {
        Self { index, why: why.to_string(), cause }
    }
}

impl Ingest {
    /// Takes the logs in `body`, which is of this format.
    ///
    /// # Errors
    ///
    /// The body as a whole could not be read; nothing of it was taken, and this is booked.
    pub async fn logs(
        &self,
        session: &mut Session,
        format: &mut dyn BodyFormat,
        body: &[u8],
    ) -> Result<CallOutcome, BodyError> {
        let fill = |rows: &mut Rows, ticket: &Ticket| {
            let at = now();
            self.refresh(session, at);
            let mut intake = Intake::new(self, session, rows, at).knowing(ticket);
            intake.inspector.look_over(body, format.shows_more());
            let cx = intake.context(&session.listener);
            let mut rejected = Vec::new();
            let (suspects, mut share) = (ids::suspects(body), body.len() as u64);
            let mut spare = std::mem::take(&mut session.spare).begin();
            let mut each = |index: usize, log: Result<&mut Event<'_>, &dyn Display>| match log {
                Ok(event) => {
                    let bytes = std::mem::take(&mut share);
                    let place = Some(index);
                    // A secret may be any log's: none of them is known to be the one taken out.
                    let suspects = if suspects > 0 { usize::MAX } else { 0 };
                    let source = Source { raw: body, suspects, bytes, original_len: None, place };
                    if !intake.event(session, event, source) {
                        rejected.push(Rejected::new(index, Cause::Refused, &NOT_ACCEPTED));
                    }
                }
                Err(error) => {
                    session.listener.account.fail(Failure::Malformed, 1, 0);
                    rejected.push(Rejected::new(index, Cause::Malformed, error));
                }
            };
            let read = format.read(body, &cx, &mut spare, &mut each);
            spare.leave(&mut session.spare);
            if let Err(error) = read {
                let failure = match error {
                    BodyError::TooMany { .. } | BodyError::TooLarge { .. } => Failure::TooLarge,
                    BodyError::Empty => Failure::Empty,
                    _ => Failure::Malformed,
                };
                session.listener.account.fail(failure, 1, body.len() as u64);
                return Err(error);
            }
            let (wait, accepted) = intake.finish(session);
            let over = std::mem::take(&mut intake.over);
            let over = over.into_iter().map(|index| Rejected::new(index, Cause::Over, &OVER));
            rejected.extend(over);
            rejected.sort_by_key(|rejected| rejected.index);
            let quota = session.counted.as_ref().and_then(Counted::least);
            let Intake { copies: Copies { known, earlier, .. }, refused, .. } = intake;
            Ok((accepted, rejected, refused, wait, quota, known, earlier))
        };
        let (result, ticket) = self.batcher.append_with(true, fill).await;
        let (accepted, rejected, refused, wait, quota, known, earlier) = result?;
        Ok(CallOutcome { accepted, rejected, refused, known, wait, quota, ticket, earlier })
    }
}

/// What a sender who may not pass is told, whatever the reason.
const NOT_ACCEPTED: &str = "expected a key that may write logs";

/// What a sender over a limit is told.
const OVER: &str = "over the rate limit";
