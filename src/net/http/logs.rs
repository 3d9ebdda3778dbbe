//! Takes the logs of a call, and answers when they are durable.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Door;
use super::attempt::Attempt;
use super::body;
use super::problem::{Blame, Problem, list};
use crate::event::AuthMethod;
use crate::gate::{Key, Reason, Refusal, RequestKind};
use crate::ids;
use crate::ingest::{CallOutcome, Session};
use crate::parse::http_secret;
use crate::parse::json::BodyError;

/// Takes the logs of `request`.
pub(super) async fn take(
    door: &Door,
    attempt: &mut Attempt,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let secret = http_secret(|name| head.headers.get(name).map(HeaderValue::as_bytes));
    let (mut session, key) = admit(door, attempt, secret.as_deref())?;
    if let Some(key) = key {
        count(door, attempt, &mut session, &key).await?;
    }
    let encoding = body::encoding(&head.headers)?;
    let content = body::read(door, attempt, encoding, &head.headers, body).await?;
    let taken = tokio::select! {
        biased;
        taken = door.ingest.logs(&mut session, &content.bytes, door.config.max_events) => taken,
        () = door.ingest.held_for(MAX_HELD) => return Err(Problem::no_room()),
    };
    drop(content);
    let outcome = taken.map_err(|error| {
        let (status, code) = match error {
            BodyError::TooMany { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_events"),
            _ => (StatusCode::BAD_REQUEST, "invalid_body"),
        };
        Problem::new(status, code, error.to_string()).at("logs").blamed(Blame::Booked)
    })?;
    answer(door, attempt, outcome).await
}

/// Whether the call may go on to send its body.
fn admit(
    door: &Door,
    attempt: &mut Attempt,
    secret: Option<&[u8]>,
) -> Result<(Session, Option<Arc<Key>>), Problem> {
    let noted = |refusal: Refusal| {
        let problem = Problem::refused(&refusal);
        problem.blamed(Blame::GateNoted(Box::new(refusal)))
    };
    let connection = door.ingest.admit(attempt.peer, || attempt.call.clone()).map_err(noted)?;
    door.ingest.admit_software(&attempt.call).map_err(noted)?;
    let listener = Arc::clone(&door.listener);
    let mut session = Session::new(listener, attempt.peer, Some(connection));
    session.describe(attempt.call.clone());
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
            return Err(Problem::refused(&refusal));
        }
    };
    Ok((session, key))
}

/// Counts the call within the hour of its key.
async fn count(
    door: &Door,
    attempt: &mut Attempt,
    session: &mut Session,
    key: &Key,
) -> Result<(), Problem> {
    let counted = door.ingest.request(key, RequestKind::Ingest, || attempt.call.clone()).await;
    match counted {
        Ok(quota) => {
            attempt.quota = Some(quota);
            if quota.is_queued {
                session.queue();
            }
            Ok(())
        }
        Err((refusal, quota)) => {
            attempt.quota = Some(quota);
            Err(Problem::refused(&refusal).retry(quota.reset))
        }
    }
}

async fn answer(
    door: &Door,
    attempt: &mut Attempt,
    outcome: CallOutcome,
) -> Result<Response, Problem> {
    let CallOutcome { accepted, rejected, refused, wait, ticket } = outcome;
    // Where limits spoke too, that is what the sender can do something about: come again.
    let limited = |(refusal, _): &&(Refusal, u64)| refusal.reason == Reason::RateLimitExceeded;
    let refusal = refused.iter().find(limited).or_else(|| refused.first());
    if accepted == 0 && !rejected.is_empty() {
        return Err(match refusal {
            Some((refusal, _)) => {
                let problem = Problem::none_accepted(refusal, rejected);
                if wait.is_zero() { problem } else { problem.retry(wait) }
            }
            None => Problem::no_logs(rejected),
        });
    }
    // A batch without a log of this call may never be written.
    if accepted > 0 {
        tokio::select! {
            biased;
            durable = ticket.durable() => durable.map_err(|_| Problem::not_stored())?,
            () = door.ingest.held_for(MAX_HELD) => return Err(Problem::not_stored_yet()),
        }
    }
    let body = json!({"accepted": accepted, "rejected": list(&rejected)});
    let response = (StatusCode::ACCEPTED, Json(body)).into_response();
    attempt.note_done(door, &response, accepted);
    attempt.note_malformed(door, &response, &rejected, accepted);
    if !wait.is_zero() {
        tokio::time::sleep(wait.min(MAX_HOLD)).await;
    }
    Ok(response)
}

/// How long a call waits for room on the disk.
const MAX_HELD: Duration = Duration::from_secs(2);

/// How long an answer is held back at most. A sender who is over its limit by more is told to wait
/// again by the next one.
const MAX_HOLD: Duration = Duration::from_secs(30);
