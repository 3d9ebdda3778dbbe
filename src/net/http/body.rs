//! The body of a call, within limits of size, memory and time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Door;
use super::attempt::Attempt;
use super::problem::Problem;
use crate::frame::{Encoding, InflateError, inflate};

/// A body, and the memory that was set aside for it.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    _memory: Vec<SemaphorePermit<'static>>,
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
    let inflating = INFLATING.acquire().await.map_err(|_| busy())?;
    let compressed = content.bytes;
    let bytes = tokio::task::spawn_blocking(move || inflate(encoding, &compressed, max)).await;
    let bytes = bytes.map_err(|_| busy())?.map_err(|error| match error {
        InflateError::TooLarge { max } => too_large(max),
        InflateError::Truncated | InflateError::Corrupt { .. } => {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_encoding", error.to_string()).at("body")
        }
    })?;
    attempt.body(&bytes);
    Ok(Content { bytes, _memory: vec![inflating] })
}

async fn collect(door: &Door, attempt: &mut Attempt, mut body: Body) -> Result<Content, Problem> {
    let max = door.config.max_body;
    let mut content = Content { bytes: Vec::new(), _memory: Vec::new() };
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let detail = "expected a body as it was announced, but found another";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail).at("body")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        attempt.request_bytes += data.len() as u64;
        if content.bytes.len() + data.len() > max {
            return Err(too_large(max));
        }
        content.reserve(data.len())?;
        content.bytes.extend_from_slice(&data);
    }
    Ok(content)
}

impl Content {
    /// Makes room for `len` bytes more, if there is memory for them.
    fn reserve(&mut self, len: usize) -> Result<(), Problem> {
        let before = self.bytes.capacity();
        self.bytes.reserve(len);
        let grown = (self.bytes.capacity() - before).div_ceil(1024);
        if grown > 0 {
            let grown = u32::try_from(grown).unwrap_or(u32::MAX);
            self._memory.push(MEMORY.try_acquire_many(grown).map_err(|_| busy())?);
        }
        Ok(())
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

fn busy() -> Problem {
    let detail = "too much is being sent at once";
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail);
    problem.retry(Duration::from_secs(1))
}

/// Memory for bodies that are being read, whichever door they come in by, in KiB.
static MEMORY: Semaphore = Semaphore::const_new(MAX_BODIES / 1024);

/// Bodies that may be inflated at once.
static INFLATING: Semaphore = Semaphore::const_new(MAX_INFLATING);

/// Memory that bodies which are being read may take together, in bytes.
const MAX_BODIES: usize = 128 * 1024 * 1024;

/// Bodies that are inflated at once; others wait.
const MAX_INFLATING: usize = 4;
