//! A call on its way to an answer, and what is booked and noted of one that fails.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use super::Door;
use super::dialect::Dialect;
use super::problem::{Blame, INVALID_LOGS, Problem};
use crate::gate::{Quota, Reason, Refusal};
use crate::ingest::{Cause, Rejected, Sender, now};
use crate::journal::{Access, Call, Failed, FieldError, Status, shown};
use crate::metrics::Failure;
use crate::parse::from_web_page;

/// What is known of a call so far.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    began: Instant,
    pub(super) call: Call,
    pub(super) peer: IpAddr,
    /// Whether a web page makes the call.
    pub(super) is_page: bool,
    /// What its key has of its hour.
    pub(super) quota: Option<Quota>,
    /// Bytes of the body that came.
    pub(super) request_bytes: u64,
    /// The beginning of the body, made fit to be shown.
    sample: Option<String>,
    /// Whether bodies of this sender are kept.
    keeps_body: bool,
    /// The body, then.
    kept: Option<String>,
}

impl Attempt {
    pub(super) fn new(peer: IpAddr, request: &Request) -> Self {
        let agent = request.headers().get(header::USER_AGENT);
        let call = Call {
            // Without its query, in which there may be a key.
            target: shown(request.uri().path().as_bytes(), MAX_PATH),
            method: shown(request.method().as_str().as_bytes(), MAX_METHOD),
            peer: Some(peer),
            key: None,
            user: None,
            user_agent: agent.map(|agent| shown(agent.as_bytes(), MAX_AGENT)),
            project: None,
            is_forgeable: false,
        };
        let (sample, kept) = (None, None);
        Self {
            began: Instant::now(),
            call,
            peer,
            is_page: from_web_page(|name| request.headers().get(name).map(HeaderValue::as_bytes)),
            quota: None,
            request_bytes: 0,
            sample,
            keeps_body: false,
            kept,
        }
    }

    /// Says whether its head names no key: then a page may have made a browser send it, and who is
    /// there is not to be blocked for what it is refused for.
    pub(super) fn of_nobody(&mut self, has_no_key: bool) {
        let by_any_page = self.is_page || self.call.method == "GET";
        self.call.is_forgeable = has_no_key && by_any_page;
    }

    /// How long it has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Says whose call it is, once that is known.
    pub(super) fn key(&mut self, masked: Option<&str>) {
        self.call.key = masked.map(str::to_owned);
    }

    /// Says who may do it, and whether that is one whose bodies are kept.
    pub(super) fn sender(&mut self, door: &Door, sender: &Sender) {
        self.key(sender.masked());
        self.call.project = Some(Arc::clone(&sender.origin.project));
        let key = sender.key.as_ref();
        self.keeps_body =
            key.is_some_and(|key| door.ingest.journal().keeps_bodies_of(key.id(), now()));
    }

    /// Says what came.
    pub(super) fn body(&mut self, body: &[u8]) {
        self.sample = Some(shown(body, MAX_SAMPLE));
        self.kept = self.keeps_body.then(|| shown(body, MAX_KEPT));
    }

    /// Books and notes a problem, and makes an answer of it.
    pub(super) fn answer<D: Dialect>(self, door: &Door, dialect: D, problem: Problem) -> Response {
        self.answer_by(door, problem, |problem| dialect.problem(problem))
    }

    /// The same, in the words of `say`.
    pub(super) fn answer_by(
        self,
        door: &Door,
        mut problem: Problem,
        say: impl FnOnce(&Problem) -> Response,
    ) -> Response {
        let blame = std::mem::replace(&mut problem.blame, Blame::Noted);
        let fields = problem.field.take().map(|field| *field).into_iter().collect();
        let failed =
            Failed { code: problem.code, message: problem.detail.clone(), ..noted(fields) };
        let response = say(&problem);
        let account = &door.listener.account;
        match blame {
            Blame::Gate(refusal) => {
                account.block(number(&refusal), 1, self.request_bytes);
                door.ingest.note_refusal(&refusal, 1, self.call);
            }
            Blame::GateNoted(refusal) => account.block(number(&refusal), 1, self.request_bytes),
            Blame::Call(failure) => {
                account.fail(failure, 1, self.request_bytes);
                self.note(door, &response, 1, failed);
            }
            Blame::Booked => self.note(door, &response, 1, failed),
            Blame::Logs => self.note_malformed(door, &response, &problem.rejected, 0),
            Blame::Noted => {}
        }
        response
    }

    /// Notes that the call was done.
    pub(super) fn note_done(&self, door: &Door, response: &Response, accepted: u64) {
        door.ingest.note_access(Access {
            call: self.call.clone(),
            status: Status::Code(response.status().as_u16()),
            duration: self.began.elapsed(),
            request_bytes: self.request_bytes,
            response_bytes: response.body().size_hint().exact().unwrap_or_default(),
            events_accepted: accepted,
            body: self.kept.clone(),
        });
    }

    /// Notes the logs of the call that were no events, where there are any.
    pub(super) fn note_malformed(
        &self,
        door: &Door,
        response: &Response,
        rejected: &[Rejected],
        accepted: u64,
    ) {
        let mut malformed = rejected.iter().filter(|log| log.cause == Cause::Malformed).peekable();
        let Some(first) = malformed.peek() else { return };
        let message = first.why.clone();
        let field = |log: &Rejected| FieldError::new(&format!("logs[{}]", log.index), &log.why);
        let fields = malformed.clone().take(MAX_FIELDS).map(field).collect();
        let failed =
            Failed { code: INVALID_LOGS, message, events_accepted: accepted, ..noted(fields) };
        self.note(door, response, malformed.count() as u64, failed);
    }

    fn note(&self, door: &Door, response: &Response, count: u64, what: Failed) {
        let failed = Failed {
            call: self.call.clone(),
            status: Some(response.status().as_u16()),
            duration: Some(self.began.elapsed()),
            request_bytes: self.request_bytes,
            response_bytes: response.body().size_hint().exact().unwrap_or_default(),
            sample: self.sample.clone(),
            body: self.kept.clone(),
            ..what
        };
        door.ingest.note_failure(count, failed);
    }
}

fn noted(fields: Vec<FieldError>) -> Failed {
    Failed { fields, ..Failed::default() }
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

const MAX_PATH: usize = 256;

const MAX_AGENT: usize = 256;

/// Bytes of a body that its note in the journal shows.
const MAX_SAMPLE: usize = 256;

/// The same, where it is asked for.
const MAX_KEPT: usize = 64 << 10;

/// Logs that the note of a call names; there may be thousands.
const MAX_FIELDS: usize = 20;
