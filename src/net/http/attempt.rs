//! A call on its way to an answer, and what is booked and noted of one that fails.

use std::net::IpAddr;
use std::time::Instant;

use axum::http::{HeaderMap, Method, header};
use axum::response::Response;

use super::problem::{Blame, Problem};
use super::{Door, PATH};
use crate::gate::{Reason, Refusal};
use crate::ids;
use crate::journal::{Call, Failed};
use crate::metrics::Failure;

/// What is known of a call so far.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    began: Instant,
    call: Call,
    pub(super) peer: IpAddr,
    /// Bytes of the body that came.
    pub(super) request_bytes: u64,
    /// The beginning of the body, made fit to be shown.
    sample: Option<String>,
}

impl Attempt {
    pub(super) fn new(peer: IpAddr, method: &Method, headers: &HeaderMap) -> Self {
        let agent = headers.get(header::USER_AGENT);
        let call = Call {
            target: PATH.to_owned(),
            method: shown(method.as_str().as_bytes(), MAX_METHOD),
            peer: Some(peer),
            key: None,
            user_agent: agent.map(|agent| shown(agent.as_bytes(), MAX_AGENT)),
        };
        Self { began: Instant::now(), call, peer, request_bytes: 0, sample: None }
    }

    /// Says whose call it is, once that is known.
    pub(super) fn key(&mut self, masked: Option<&str>) {
        self.call.key = masked.map(str::to_owned);
    }

    /// Says what came.
    pub(super) fn body(&mut self, body: &[u8]) {
        self.sample = Some(shown(body, MAX_SAMPLE));
    }

    /// Books and notes a problem, and makes an answer of it.
    pub(super) fn answer(self, door: &Door, problem: Problem) -> Response {
        let account = &door.listener.account;
        match &problem.blame {
            Blame::Gate(refusal) => {
                account.block(number(refusal), 1, self.request_bytes);
                door.ingest.note_refusal(refusal, 1, self.call);
            }
            Blame::GateNoted(refusal) => account.block(number(refusal), 1, self.request_bytes),
            Blame::Call(failure) => {
                account.fail(*failure, 1, self.request_bytes);
                self.note(door, &problem, 1, 0);
            }
            Blame::Booked => self.note(door, &problem, 1, 0),
            Blame::Noted => {}
        }
        problem.into_response()
    }

    /// Notes that `count` logs of the call were no events.
    pub(super) fn note_rejected(self, door: &Door, count: u64, why: String, accepted: u64) {
        self.note(door, &Problem::invalid_logs(why), count, accepted);
    }

    fn note(self, door: &Door, problem: &Problem, count: u64, accepted: u64) {
        let status = if accepted > 0 { 202 } else { problem.status.as_u16() };
        let failed = Failed {
            call: self.call,
            code: problem.code,
            message: problem.detail.clone(),
            status: Some(status),
            duration: Some(self.began.elapsed()),
            request_bytes: self.request_bytes,
            response_bytes: 0,
            events_accepted: accepted,
            sample: self.sample,
        };
        door.ingest.note_failure(count, failed);
    }
}

/// The beginning of what a sender wrote: without secrets, and without what a terminal obeys.
fn shown(bytes: &[u8], max: usize) -> String {
    let head = ids::scrub(bytes.get(..max.min(bytes.len())).unwrap_or_default());
    String::from_utf8_lossy(&head).replace(|c: char| c.is_control(), "\u{fffd}")
}

/// The number of a reason in the ledger.
fn number(refusal: &Refusal) -> usize {
    Reason::ALL.iter().position(|reason| *reason == refusal.reason).unwrap_or_default()
}

/// What kind of failure a status is to the ledger.
pub(super) fn failure(status: axum::http::StatusCode) -> Failure {
    match status.as_u16() {
        413 | 503 => Failure::TooLarge,
        _ => Failure::Malformed,
    }
}

const MAX_METHOD: usize = 16;

const MAX_AGENT: usize = 256;

/// Bytes of a body that its note in the journal shows.
const MAX_SAMPLE: usize = 256;
