//! The body of a call, within limits of size, memory and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Door;
use super::attempt::Attempt;
use super::problem::Problem;
use crate::frame::{Encoding, InflateError, Inflating, inflate};
use crate::memory::{By, Hold};

/// A body, and the memory that is reserved for it.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    hold: Hold,
}

/// How the body is compressed.
///
/// # Errors
///
/// In a way that is not ours, or in several.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let first = encodings.next().map_or(Some(""), |value| value.to_str().ok());
    let encoding = first.and_then(Encoding::from_token).filter(|_| encodings.next().is_none());
    encoding.ok_or_else(|| {
        let detail = "expected a Content-Encoding of gzip, deflate, zstd or identity, \
                      but found another";
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
            .at("content-encoding")
    })
}

/// Reads the body and undoes its compression.
pub(super) async fn read(
    door: &Door,
    attempt: &mut Attempt,
    encoding: Encoding,
    headers: &HeaderMap,
    body: Body,
) -> Result<Content, Problem> {
    let max = door.config.max_body;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|len| len.to_str().ok());
    if announced.and_then(|len| len.parse::<u64>().ok()).is_some_and(|len| len > max as u64) {
        return Err(too_large(max));
    }
    let limit = door.config.body_timeout;
    let collected = timeout(limit, collect(door, attempt, body)).await;
    let content = collected.unwrap_or_else(|_| Err(too_slow(limit)))?;
    attempt.body(&content.bytes);
    if encoding == Encoding::Identity {
        return Ok(content);
    }
    let content = content.inflated(encoding, max).await?;
    attempt.body(&content.bytes);
    Ok(content)
}

async fn collect(door: &Door, attempt: &mut Attempt, mut body: Body) -> Result<Content, Problem> {
    let max = door.config.max_body;
    let hold = Hold::new(Arc::clone(door.ingest.memory()), By::Bodies);
    let mut content = Content { bytes: Vec::new(), hold };
    loop {
        let frame = tokio::select! {
            biased; // what has come is taken
            frame = body.frame() => frame,
            () = content.hold.told() => return Err(busy()),
        };
        let Some(frame) = frame else { return Ok(content) };
        let frame = frame.map_err(|_| {
            let detail = "expected a body as it was announced, but found another";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail).at("body")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        attempt.request_bytes += data.len() as u64;
        if content.bytes.len() + data.len() > max {
            return Err(too_large(max));
        }
        content.make_room(data.len()).await?;
        content.bytes.extend_from_slice(&data);
    }
}

impl Content {
    /// Makes room for `len` bytes more, when there is memory for them.
    async fn make_room(&mut self, len: usize) -> Result<(), Problem> {
        let (before, used) = (self.bytes.capacity(), self.bytes.len());
        if before - used >= len {
            return Ok(());
        }
        let more = len.max(used.min(MAX_GROWTH));
        if used + more > OWN {
            self.reserve(used + more).await?;
        }
        self.bytes.reserve_exact(more);
        Ok(())
    }

    async fn reserve(&mut self, bytes: usize) -> Result<(), Problem> {
        reserve(&mut self.hold, bytes).await
    }

    /// The content of a compressed body, at most `max` bytes.
    async fn inflated(mut self, encoding: Encoding, max: usize) -> Result<Self, Problem> {
        let compressed: Arc<[u8]> = Arc::from(std::mem::take(&mut self.bytes));
        // Logs come to some ten times as much; what is more is undone once more, with room for it.
        let usual =
            compressed.len().saturating_mul(USUAL).clamp(MIN_INFLATED, max.max(MIN_INFLATED));
        for most in [usual.min(max), max] {
            let beside = match encoding {
                Encoding::Zstd => Inflating::memory_of(&compressed, most),
                _ => STATE,
            };
            self.reserve(compressed.len() + most + beside).await?;
            let inflating = INFLATING.acquire().await.map_err(|_| busy())?;
            let from = Arc::clone(&compressed);
            let undo = move || inflate(encoding, &from, most);
            let bytes = tokio::task::spawn_blocking(undo).await.map_err(|_| busy())?;
            drop(inflating);
            match bytes {
                Err(InflateError::TooLarge { .. }) if most < max => {}
                Ok(bytes) => {
                    self.hold.set(bytes.capacity());
                    self.bytes = bytes;
                    return Ok(self);
                }
                Err(InflateError::TooLarge { max }) => return Err(too_large(max)),
                Err(error) => {
                    let status = StatusCode::BAD_REQUEST;
                    return Err(
                        Problem::new(status, "invalid_encoding", error.to_string()).at("body")
                    );
                }
            }
        }
        Err(too_large(max))
    }
}

/// Reserves what is lacking of `bytes`, before they are taken; others may have to go for it.
///
/// # Errors
///
/// There is no room, not even in a while, or it has to go itself.
pub(super) async fn reserve(hold: &mut Hold, bytes: usize) -> Result<(), Problem> {
    let more = bytes.saturating_sub(hold.bytes());
    if more == 0 {
        return Ok(());
    }
    let told = hold.told();
    tokio::select! {
        biased;
        grown = timeout(PATIENCE, hold.grow(more)) => grown.map_err(|_| busy()),
        () = told => Err(busy()),
    }
}

fn too_large(max: usize) -> Problem {
    let detail = format!("expected a body of at most {max} bytes, but found more");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).at("body")
}

fn too_slow(limit: Duration) -> Problem {
    let detail = format!("expected the whole body within {limit:?}, but found less");
    Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
}

pub(super) fn busy() -> Problem {
    let detail = "too much is being sent at once";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail);
    problem.retry(Duration::from_secs(1))
}

/// Bodies that may be inflated at once.
static INFLATING: Semaphore = Semaphore::const_new(MAX_INFLATING);

/// Bodies that are inflated at once; others wait.
const MAX_INFLATING: usize = 4;

/// Bytes of a body that are its own, and part of what a connection takes.
const OWN: usize = 16 << 10;

/// A body is given as much room as it takes already, but no more than so many bytes at once.
const MAX_GROWTH: usize = 1 << 20;

/// What undoing gzip, deflate or snappy takes beside the content, in bytes.
const STATE: usize = 64 << 10;

/// How many bytes there usually are for each of a compressed body, at most, and the least that room
/// is made for.
const USUAL: usize = 16;
const MIN_INFLATED: usize = 64 << 10;

/// How long a body waits for room before its sender is told to come again.
const PATIENCE: Duration = Duration::from_secs(10);
