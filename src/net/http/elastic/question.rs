//! A question on its way to its answer: who may send logs may ask.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::response::Response;

use super::answers::{Answer, Asked};
use super::bulk::Bulk;
use crate::gate::Refusal;
use crate::net::http::attempt::Attempt;
use crate::net::http::carrier::Carrier;
use crate::net::http::dialect::Dialect;
use crate::net::http::problem::Problem;
use crate::net::http::{Door, body, call};

/// Answers a question. It is no message, costs nothing of an hour, and is noted only where it is
/// refused: clients ask every few seconds.
pub(super) async fn answer(
    door: &Door,
    peer: SocketAddr,
    answer: Answer,
    request: Request,
) -> Response {
    let mut attempt = Attempt::new(peer.ip(), &request);
    match ask(door, &mut attempt, answer, request).await {
        Ok(answer) => answer,
        Err(problem) => attempt.answer(door, Bulk, problem),
    }
}

async fn ask(
    door: &Door,
    attempt: &mut Attempt,
    answer: Answer,
    request: Request,
) -> Result<Response, Problem> {
    let (head, content) = request.into_parts();
    let secret = Bulk.secret(&head);
    let carrier = head.extensions.get::<Carrier>().cloned();
    let (session, key) = call::admit(door, attempt, carrier.as_ref(), secret.as_deref())?;
    if let Some(carrier) = carrier {
        carrier.give_back(session.into_connection());
    }
    if key.is_none() && door.listener.require_key {
        return Err(Problem::refused(&Refusal::key_required()));
    }
    // A template, a policy: read so that the connection can go on, and forgotten.
    let encoding = body::encoding(&head.headers)?;
    drop(body::read(door, attempt, encoding, &head.headers, content).await?);
    Ok(answer.say(&Asked { head: &head, config: &door.config }))
}
