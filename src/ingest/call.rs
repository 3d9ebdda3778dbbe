//! Takes the logs of one HTTP call.

use std::time::Duration;

use super::intake::{Intake, Source};
use super::session::Session;
use super::{Ingest, now};
use crate::batch::Ticket;
use crate::event::Event;
use crate::gate::Refusal;
use crate::ids;
use crate::metrics::Failure;
use crate::parse::json::{BodyError, JsonError, ingest_body};
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
    /// How long to hold back the answer, by the limits of the sender.
    pub wait: Duration,
    /// Tells when what was accepted is durable.
    pub ticket: Ticket,
}

/// A log that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the list.
    pub index: usize,
    /// Why, in words that the sender may see.
    pub why: String,
    /// Whether it is no event, and was not refused.
    pub malformed: bool,
}

impl Rejected {
    fn refused(index: usize, why: &str) -> Self {
        Self { index, why: why.to_owned(), malformed: false }
    }
}

impl Ingest {
    /// Takes the logs in `body` (SPEC §6), at most `max_events`.
    ///
    /// # Errors
    ///
    /// The body as a whole could not be read; nothing of it was taken, and this is booked.
    pub async fn logs(
        &self,
        session: &mut Session,
        body: &[u8],
        max_events: usize,
    ) -> Result<CallOutcome, BodyError> {
        let fill = |rows: &mut Rows| {
            let at = now();
            self.refresh(session, at);
            let mut intake = Intake::new(self, rows, at);
            intake.inspector.look_over(body);
            let cx = intake.context(&session.listener);
            let mut rejected = Vec::new();
            let (suspects, mut share) = (ids::suspects(body), body.len() as u64);
            let mut spare = std::mem::take(&mut session.spare).recycle();
            let mut each = |index: usize, log: Result<&mut Event<'_>, JsonError>| match log {
                Ok(event) => {
                    let bytes = std::mem::take(&mut share);
                    let place = Some(index);
                    // A secret may be any log's: none of them is known to be the one taken out.
                    let suspects = if suspects > 0 { usize::MAX } else { 0 };
                    let source = Source { raw: body, suspects, bytes, original_len: None, place };
                    if !intake.event(session, event, source) {
                        rejected.push(Rejected::refused(index, NOT_ACCEPTED));
                    }
                }
                Err(error) => {
                    session.listener.account.fail(Failure::Malformed, 1, 0);
                    rejected.push(Rejected { index, why: error.to_string(), malformed: true });
                }
            };
            let read = ingest_body(body, max_events, &cx, &mut spare, &mut each);
            session.spare = spare.recycle();
            if let Err(error) = read {
                let failure = match error {
                    BodyError::TooMany { .. } => Failure::TooLarge,
                    BodyError::Malformed(_) => Failure::Malformed,
                };
                session.listener.account.fail(failure, 1, body.len() as u64);
                return Err(error);
            }
            let (wait, accepted) = intake.finish(session);
            let over = std::mem::take(&mut intake.over);
            rejected.extend(over.into_iter().map(|index| Rejected::refused(index, OVER)));
            rejected.sort_by_key(|rejected| rejected.index);
            Ok((accepted, rejected, intake.refused, wait))
        };
        let (result, ticket) = self.batcher.append(fill).await;
        let (accepted, rejected, refused, wait) = result?;
        Ok(CallOutcome { accepted, rejected, refused, wait, ticket })
    }
}

/// What a sender who may not pass is told, whatever the reason.
const NOT_ACCEPTED: &str = "expected a key that may write logs";

/// What a sender over a limit is told.
const OVER: &str = "over the rate limit";
