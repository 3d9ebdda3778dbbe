//! Takes the logs of a call, and answers when they are durable.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

use super::Door;
use super::attempt::Attempt;
use super::body;
use super::carrier::Carrier;
use super::dialect::{Dialect, Done};
use super::problem::{Blame, EMPTY_BODY, Problem};
use crate::event::AuthMethod;
use crate::gate::{Key, Reason, Refusal, RequestKind};
use crate::ids;
use crate::ingest::{CallOutcome, Cause, Rejected, Session};
use crate::parse::BodyError;

/// Takes the logs of `request`.
pub(super) async fn take<D: Dialect>(
    door: &Door,
    attempt: &mut Attempt,
    dialect: D,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let secret = dialect.secret(&head);
    let carrier = head.extensions.get::<Carrier>().cloned();
    let (mut session, key) = admit(door, attempt, carrier.as_ref(), secret.as_deref())?;
    let taken = take_from(door, attempt, dialect, (&head, body), &mut session, key).await;
    if let Some(carrier) = carrier {
        carrier.give_back(session.into_connection());
    }
    taken
}

/// Takes the logs of a sender who may go on to send its body.
async fn take_from<D: Dialect>(
    door: &Door,
    attempt: &mut Attempt,
    dialect: D,
    (head, body): (&Parts, axum::body::Body),
    session: &mut Session,
    key: Option<Arc<Key>>,
) -> Result<Response, Problem> {
    match key {
        Some(key) => count(door, attempt, session, &key).await?,
        None => session.call_of(None),
    }
    let mut format = dialect.format(head, &door.config)?;
    let encoding = dialect.encoding(head)?;
    let content = body::read(door, attempt, encoding, &head.headers, body).await?;
    let taken = tokio::select! {
        biased;
        taken = door.ingest.logs(session, &mut format, &content.bytes) => taken,
        () = door.ingest.held_for(MAX_HELD) => return Err(Problem::no_room()),
    };
    drop(content);
    let outcome = taken.map_err(|error| {
        let (status, code) = match error {
            BodyError::TooMany { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_events"),
            BodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            BodyError::Empty => (StatusCode::BAD_REQUEST, EMPTY_BODY),
            _ => {
                let refusal = Refusal::malformed("form:body");
                door.ingest.note_refusal(&refusal, 1, attempt.call.clone());
                (StatusCode::BAD_REQUEST, "invalid_body")
            }
        };
        Problem::new(status, code, error.to_string()).at("logs").blamed(Blame::Booked)
    })?;
    answer(door, attempt, dialect, format, outcome).await
}

/// Whether the call may go on.
pub(super) fn admit(
    door: &Door,
    attempt: &mut Attempt,
    carrier: Option<&Carrier>,
    secret: Option<&[u8]>,
) -> Result<(Session, Option<Arc<Key>>), Problem> {
    attempt.of_nobody(secret.is_none());
    let noted = |refusal: Refusal| {
        let problem = Problem::refused(&refusal);
        problem.blamed(Blame::GateNoted(Box::new(refusal)))
    };
    let admitted = carrier.filter(|carrier| carrier.is_admitted());
    let connection = match admitted {
        Some(_) => None,
        None => Some(door.ingest.admit(attempt.peer, || attempt.call.clone()).map_err(noted)?),
    };
    door.ingest.admit_software(&attempt.call).map_err(noted)?;
    // Taken only now: what returns before does not give it back.
    let connection = admitted.map_or(connection, Carrier::take);
    let listener = Arc::clone(&door.listener);
    let mut session = Session::new(listener, attempt.peer, connection);
    session.describe(attempt.call.clone());
    if attempt.is_page {
        session.of_a_page();
    }
    if let Some((id, method)) = carrier.and_then(Carrier::key) {
        session.bind_id(id, method);
    }
    if let Some(secret) = secret {
        session.bind_secret(secret, AuthMethod::Http);
        attempt.key(Some(&ids::mask(&String::from_utf8_lossy(secret))));
    }
    let key = match door.ingest.admit_call(&mut session) {
        Ok(sender) => {
            attempt.sender(door, &sender);
            sender.key
        }
        // The logs themselves may name a key; those that do not are refused one by one.
        Err(refusal) if refusal.reason == Reason::InvalidApiKey && secret.is_none() => None,
        Err(refusal) => {
            let key = secret.and_then(|secret| door.ingest.gate().key_of(secret));
            attempt.call.project = key.map(|key| key.project().into());
            if let Some(carrier) = carrier {
                carrier.give_back(session.into_connection());
            }
            return Err(Problem::refused(&refusal));
        }
    };
    Ok((session, key))
}

/// Counts the call within the hour of its key.
pub(super) async fn count(
    door: &Door,
    attempt: &mut Attempt,
    session: &mut Session,
    key: &Arc<Key>,
) -> Result<(), Problem> {
    let counted = door.ingest.request(key, RequestKind::Ingest, || attempt.call.clone()).await;
    match counted {
        Ok(quota) => {
            attempt.quota = Some(quota);
            if quota.is_queued {
                session.queue();
            }
            session.call_of(Some((Arc::clone(key), quota)));
            Ok(())
        }
        Err((refusal, quota)) => {
            attempt.quota = Some(quota);
            Err(Problem::refused(&refusal).retry(quota.reset))
        }
    }
}

async fn answer<D: Dialect>(
    door: &Door,
    attempt: &mut Attempt,
    dialect: D,
    format: D::Format,
    outcome: CallOutcome,
) -> Result<Response, Problem> {
    let CallOutcome { accepted, rejected, refused, known, wait, quota, ticket, earlier } = outcome;
    attempt.quota = quota.or(attempt.quota);
    // Where limits spoke too, that is what the sender can do something about: come again.
    let limited = |(refusal, _): &&(Refusal, u64)| refusal.reason == Reason::RateLimitExceeded;
    let refusal = refused.iter().find(limited).or_else(|| refused.first());
    if accepted == 0 && known.is_empty() && !rejected.is_empty() {
        match refusal {
            Some((refusal, _)) if !D::SAYS_EACH || all_refused(&rejected) => {
                let problem = Problem::none_accepted(refusal, rejected);
                let is_spent = refusal.rule.as_str() == RequestKind::Ingest.rule();
                let wait = quota.filter(|_| is_spent).map_or(wait, |quota| quota.reset);
                return Err(if wait.is_zero() { problem } else { problem.retry(wait) });
            }
            None if !D::SAYS_EACH => return Err(Problem::no_logs(rejected)),
            _ => {}
        }
    }
    // A batch without a log of this call may never be written.
    let tickets = earlier.into_iter().chain((accepted > 0).then_some(ticket));
    for ticket in tickets {
        tokio::select! {
            biased;
            durable = ticket.durable() => durable.map_err(|_| Problem::not_stored())?,
            () = door.ingest.held_for(MAX_HELD) => return Err(Problem::not_stored_yet()),
        }
    }
    let done = Done { accepted, rejected, known, took: attempt.elapsed() };
    let response = dialect.done(format, &done);
    if response.status().is_success() {
        attempt.note_done(door, &response, accepted);
    }
    attempt.note_malformed(door, &response, &done.rejected, accepted);
    if !wait.is_zero() {
        tokio::time::sleep(wait.min(MAX_HOLD)).await;
    }
    Ok(response)
}

/// Whether the gate has refused all, and none was rejected for what it is.
fn all_refused(rejected: &[Rejected]) -> bool {
    rejected.iter().all(|log| log.cause != Cause::Malformed)
}

/// How long a call waits for room on the disk.
const MAX_HELD: Duration = Duration::from_secs(2);

/// How long an answer is held back at most. A sender who is over its limit by more is told to wait
/// again by the next one.
const MAX_HOLD: Duration = Duration::from_secs(30);
