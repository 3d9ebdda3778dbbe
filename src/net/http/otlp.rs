//! OTLP over HTTP (OpenTelemetry Protocol Specification, "OTLP/HTTP").
//!
//! An exporter comes again on `429`, `502`, `503` and `504` alone, and says what was rejected for
//! good of the rest.

use axum::Json;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::dialect::{Dialect, Done};
use super::problem::Problem;
use super::{HttpConfig, MAX_LOGS, content_type};
use crate::parse::otlp::{OtlpBody, OtlpEncoding};
use crate::parse::{MAX_SHARED, RecordLimits};

/// What `/v1/logs` speaks, in the encoding of its caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Otlp(pub(super) OtlpEncoding);

impl Otlp {
    /// In the encoding of a call, as far as it is known.
    pub(super) fn of(kind: &str) -> Self {
        Self(match kind {
            "application/x-protobuf" | "application/protobuf" => OtlpEncoding::Protobuf,
            _ => OtlpEncoding::Json,
        })
    }
}

impl Dialect for Otlp {
    type Format = OtlpBody;

    const SAYS_EACH: bool = true;

    fn format(self, head: &Parts, _config: &HttpConfig) -> Result<OtlpBody, Problem> {
        if self.0 == OtlpEncoding::Json && content_type(head) != "application/json" {
            return Err(Problem::another_type("application/x-protobuf or application/json"));
        }
        let limits = RecordLimits { records: MAX_LOGS, shared: MAX_SHARED };
        Ok(OtlpBody { encoding: self.0, limits })
    }

    fn done(self, _format: OtlpBody, done: &Done) -> Response {
        let count = done.rejected.len();
        let why = done.rejected.first().map_or("", |first| &first.why);
        match self.0 {
            OtlpEncoding::Json if count == 0 => Json(json!({})).into_response(),
            OtlpEncoding::Json => {
                let partial = json!({"rejectedLogRecords": count.to_string(), "errorMessage": why});
                Json(json!({"partialSuccess": partial})).into_response()
            }
            OtlpEncoding::Protobuf => {
                let mut partial = number(1, count as u64);
                partial.extend(text(2, why.as_bytes()));
                message(StatusCode::OK, if count == 0 { vec![] } else { text(1, &partial) })
            }
        }
    }

    fn problem(self, problem: &Problem) -> Response {
        let (status, code) = (problem.status_for_shippers(), code(problem));
        let mut response = match self.0 {
            OtlpEncoding::Json => {
                let body = json!({"code": code, "message": problem.detail});
                (status, Json(body)).into_response()
            }
            OtlpEncoding::Protobuf => {
                let mut body = number(1, code);
                body.extend(text(2, problem.detail.as_bytes()));
                message(status, body)
            }
        };
        problem.add_headers(&mut response, "Bearer");
        response
    }
}

/// The code of a problem in `google.rpc.Code`.
fn code(problem: &Problem) -> u64 {
    match problem.status_for_shippers() {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::TOO_MANY_REQUESTS => 8,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        status if status.is_server_error() => 13,
        _ => 3,
    }
}

fn message(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-protobuf")], body).into_response()
}

/// A field that is a number.
fn number(field: u8, value: u64) -> Vec<u8> {
    let mut bytes = vec![field << 3];
    put(&mut bytes, value);
    bytes
}

/// A field that is text or a message.
fn text(field: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2];
    put(&mut bytes, value.len() as u64);
    bytes.extend_from_slice(value);
    bytes
}

/// Appends a varint.
fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
}
