//! The body of a call, within limits of size, memory and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Door;
use super::attempt::Attempt;
use super::problem::Problem;
use crate::frame::{Encoding, InflateError, inflate};

/// A body, and the memory that was set aside for it.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    _memory: Vec<OwnedSemaphorePermit>,
}

/// How the body is compressed, if it is one that can be read at all.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    if let Some(kind) = headers.get(header::CONTENT_TYPE)
        && !is_json(kind.as_bytes())
    {
        let detail = "expected a body of type application/json, but found another";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported_media_type", detail).at("content-type"));
    }
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
    let inflating = Arc::clone(&door.inflating).acquire_owned().await;
    let inflating = inflating.map_err(|_| busy())?;
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
        content.reserve(data.len(), &door.memory)?;
        content.bytes.extend_from_slice(&data);
    }
    Ok(content)
}

impl Content {
    /// Makes room for `len` bytes more, if there is memory for them.
    fn reserve(&mut self, len: usize, memory: &Arc<Semaphore>) -> Result<(), Problem> {
        let before = self.bytes.capacity();
        self.bytes.reserve(len);
        let grown = (self.bytes.capacity() - before).div_ceil(1024);
        if grown > 0 {
            let grown = u32::try_from(grown).unwrap_or(u32::MAX);
            let permit = Arc::clone(memory).try_acquire_many_owned(grown).map_err(|_| busy())?;
            self._memory.push(permit);
        }
        Ok(())
    }
}

/// Whether a `Content-Type` says JSON (RFC 8259 §11, RFC 6839 §3.1).
fn is_json(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let kind = kind.to_ascii_lowercase();
    kind == b"application/json"
        || kind == b"text/json"
        || kind.starts_with(b"application/") && kind.ends_with(b"+json")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_many_names() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(is_json(kind.as_bytes()), "{kind}");
        }
        for kind in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            assert!(!is_json(kind.as_bytes()), "{kind}");
        }
    }
}
