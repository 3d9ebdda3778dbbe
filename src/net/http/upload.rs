//! `POST /upload`: entries of systemd's journal, as systemd-journal-upload sends them.
//!
//! One call goes on until its sender has no more entries, which may take hours. Entries are stored
//! as they come, and the answer says that all of them are durable. The sender remembers how far it
//! came only when it is told so: whatever else is answered, it begins again behind the last call
//! that was done. What comes again so is known by its cursor, and stored once.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::attempt::Attempt;
use super::call::{admit, count};
use super::carrier::Carrier;
use super::problem::{Blame, Problem};
use super::{Door, body, content_type};
use crate::batch::Ticket;
use crate::frame::{Encoding, InflateError, Inflating, JournalExport};
use crate::ingest::{Decoder, Format, Session};
use crate::memory::{By, Hold};
use crate::parse::http_secret;

/// Takes an upload.
pub(super) async fn take(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let door = Door {
        ingest: Arc::clone(&door.ingest),
        listener: Arc::new(door.listener.reading(Format::JournalExport)),
        config: door.config.clone(),
        stop: door.stop.clone(),
    };
    let mut attempt = Attempt::new(peer.ip(), &request);
    let (head, body) = request.into_parts();
    match admitted(&door, &mut attempt, &head, body).await {
        Ok(()) => say(StatusCode::ACCEPTED, "OK.\n".to_owned()),
        Err(problem) => attempt.answer_by(&door, problem, refused),
    }
}

/// An answer, which says how the next upload may be compressed (systemd 258 and later ask for it).
fn say(status: StatusCode, body: String) -> Response {
    (status, [(header::ACCEPT_ENCODING, "zstd")], body).into_response()
}

/// What is said of an upload that was not done.
fn refused(problem: &Problem) -> Response {
    let status = problem.status_for_shippers();
    let mut response = say(status, format!("{}\n", problem.detail));
    problem.add_headers(&mut response, "Basic realm=\"logtrace\"");
    response
}

async fn admitted(
    door: &Door,
    attempt: &mut Attempt,
    head: &Parts,
    content: Body,
) -> Result<(), Problem> {
    let secret = http_secret(|name| head.headers.get(name).map(HeaderValue::as_bytes));
    let carrier = head.extensions.get::<Carrier>().cloned();
    let (mut session, key) = admit(door, attempt, carrier.as_ref(), secret.as_deref())?;
    session.skip_greeting();
    let taken = async {
        if let Some(key) = key {
            count(door, attempt, &mut session, &key).await?;
        }
        if content_type(head) != "application/vnd.fdo.journal" {
            return Err(Problem::another_type("application/vnd.fdo.journal"));
        }
        let inflating = match body::encoding(&head.headers)? {
            Encoding::Identity => None,
            Encoding::Zstd => Some(Inflating::new().map_err(|error| corrupt(&error))?),
            _ => return Err(another_encoding()),
        };
        let mut upload = Upload::new(door, attempt, &mut session, inflating);
        let taken = upload.run(content).await;
        door.ingest.note_end(&mut session);
        taken
    }
    .await;
    if let Some(carrier) = carrier {
        carrier.give_back(session.into_connection());
    }
    taken
}

/// An upload that is under way.
struct Upload<'a> {
    door: &'a Door,
    attempt: &'a mut Attempt,
    session: &'a mut Session,
    decoder: Decoder,
    /// Where the body is compressed.
    inflating: Option<Inflating>,
    buffer: BytesMut,
    /// Of entries that are on their way to the disk, oldest first.
    tickets: VecDeque<Ticket>,
    /// What it has of the memory that all share.
    hold: Hold,
    /// Says when its sender may be one who may not send any longer.
    changes: watch::Receiver<u64>,
}

impl<'a> Upload<'a> {
    fn new(
        door: &'a Door,
        attempt: &'a mut Attempt,
        session: &'a mut Session,
        inflating: Option<Inflating>,
    ) -> Self {
        let mut changes = door.ingest.gate().changes();
        changes.mark_unchanged();
        Self {
            door,
            attempt,
            session,
            decoder: Decoder::Dialogue(Box::new(JournalExport::new(door.config.max_message))),
            inflating,
            buffer: BytesMut::new(),
            tickets: VecDeque::new(),
            hold: Hold::new(Arc::clone(door.ingest.memory()), By::Bodies),
            changes,
        }
    }

    /// Takes a body to its end.
    async fn run(&mut self, mut body: Body) -> Result<(), Problem> {
        while let Some(data) = self.read(&mut body).await? {
            self.attempt.request_bytes += data.len() as u64;
            self.inflate(&data).await?;
            self.door.ingest.note_minute(self.session);
        }
        if self.inflating.as_ref().is_some_and(|inflating| !inflating.is_whole()) {
            return Err(corrupt(&InflateError::Truncated));
        }
        self.take(true).await?;
        // Who may not write by now may not be told that all was written.
        self.may_go_on()?;
        self.settle(0).await
    }

    /// The next part of the body; `None` at its end.
    async fn read(&mut self, body: &mut Body) -> Result<Option<Bytes>, Problem> {
        self.door.ingest.rest(self.session); // the next part may be hours away
        loop {
            let patience = self.door.config.body_timeout;
            let frame = tokio::select! {
                biased;
                Ok(()) = self.changes.changed() => {
                    self.may_go_on()?;
                    continue;
                }
                () = self.door.stop.cancelled() => return Err(Problem::stopping()),
                () = self.hold.told() => return Err(body::busy()),
                frame = timeout(patience, body.frame()) => frame,
            };
            let Ok(frame) = frame else {
                let detail = format!("expected more of the body within {patience:?}");
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail));
            };
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
                Some(Err(_)) => {
                    let detail = "expected the rest of the body, but found the end";
                    return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail));
                }
            }
        }
    }

    /// Takes a part of the body, and undoes its compression.
    async fn inflate(&mut self, mut data: &[u8]) -> Result<(), Problem> {
        loop {
            let Some(inflating) = &mut self.inflating else {
                self.buffer.extend_from_slice(data);
                return self.take(false).await;
            };
            let (used, part) = inflating.next(data).map_err(|error| corrupt(&error))?;
            data = data.get(used..).unwrap_or_default();
            if used == 0 && part.is_empty() {
                return Ok(());
            }
            self.buffer.extend_from_slice(&part);
            self.take(false).await?;
        }
    }

    /// Takes what is in the buffer.
    async fn take(&mut self, eof: bool) -> Result<(), Problem> {
        loop {
            let ingest = &self.door.ingest;
            let taken = ingest.stream(self.session, &mut self.decoder, &self.buffer, eof).await;
            self.buffer.advance(taken.consumed.min(self.buffer.len()));
            let is_some = taken.ticket.is_some();
            // What came before is answered for as well.
            self.tickets.extend(taken.earlier);
            self.tickets.extend(taken.ticket);
            if let Some(error) = self.decoder.broken() {
                ingest.malformed(self.session, &error);
                let problem = Problem::new(StatusCode::BAD_REQUEST, error.code, error.message);
                return Err(problem.blamed(Blame::Noted));
            }
            self.settle(MAX_TICKETS).await?;
            if !taken.wait.is_zero() {
                // A sender over its limit is read more slowly; it loses nothing.
                sleep(taken.wait.min(MAX_WAIT)).await;
            }
            if taken.drained {
                let left = if self.buffer.len() > OWN { self.buffer.capacity() } else { 0 };
                self.hold.set(left + self.decoder.memory());
                if is_some {
                    self.hold.progress();
                }
                return Ok(());
            }
        }
    }

    /// Waits until all but the last so many tickets are durable.
    async fn settle(&mut self, but: usize) -> Result<(), Problem> {
        while self.tickets.len() > but {
            let Some(ticket) = self.tickets.pop_front() else { break };
            ticket.durable().await.map_err(|_| Problem::not_stored())?;
        }
        while self.tickets.front().is_some_and(Ticket::is_durable) {
            self.tickets.pop_front();
        }
        Ok(())
    }

    /// Whether the sender may still write.
    fn may_go_on(&mut self) -> Result<(), Problem> {
        let ingest = &self.door.ingest;
        match ingest.admit_call(self.session) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(Problem::refused(&refusal)),
        }
    }
}

fn another_encoding() -> Problem {
    let detail = "expected a Content-Encoding of zstd or identity, but found another";
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Problem::new(status, "unsupported_encoding", detail).at("content-encoding")
}

fn corrupt(error: &InflateError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_encoding", error.to_string()).at("body")
}

/// Bytes of an entry that are its own, and part of what a connection takes.
const OWN: usize = 16 << 10;

/// Batches of a sender that may be on their way to the disk.
const MAX_TICKETS: usize = 64;

/// How long a sender over its limit is held back before it is looked at again.
const MAX_WAIT: Duration = Duration::from_secs(10);
