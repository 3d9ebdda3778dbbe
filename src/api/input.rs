//! What a call brings beside its path: a JSON body, or parameters.

use std::error::Error;
use std::fmt::Display;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Api;
use super::body::whole;
use super::problem::Problem;
use super::watch::Seen;

/// A body that nobody has read yet: that is only done for callers who may do what they ask for.
#[derive(Debug)]
pub(super) struct Input {
    body: Body,
    is_json: bool,
    seen: Seen,
}

/// The parameters behind the `?`.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl Input {
    /// The body as a `T`.
    pub(super) async fn json<T: DeserializeOwned>(self, api: &Api) -> Result<T, Problem> {
        if !self.is_json {
            return Err(Problem::unsupported_media_type());
        }
        let body = whole(api, self.body).await?;
        self.seen.body(&body);
        // serde reads an array as an object without names.
        if !body.trim_ascii_start().starts_with(b"{") {
            let what = "expected an object, but found something else";
            return Err(Problem::invalid("invalid_body", what).at(BODY));
        }
        let mut json = serde_json::Deserializer::from_slice(&body);
        let read = serde_path_to_error::deserialize(&mut json);
        let read = read.map_err(|error| (field(&error), error.into_inner()));
        // What follows the object would otherwise be passed over.
        let read = read.and_then(|read| match json.end() {
            Ok(()) => Ok(read),
            Err(error) => Err((BODY.to_owned(), error)),
        });
        read.map_err(|(field, error)| {
            let text = match error.to_string() {
                // What is wrong may be what nobody else is to see.
                text if self.seen.is_hidden() && !is_of_names(&text) => WRONG.to_owned(),
                text => plain(&text),
            };
            let problem = Problem::invalid("invalid_body", text).at(&field);
            problem.with("line", error.line()).with("column", error.column())
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
        let is_json = kind.is_some_and(|kind| {
            let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
            kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
        });
        let seen = request.extensions().get().cloned().unwrap_or_default();
        Ok(Self { body: request.into_body(), is_json, seen })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let params = Query::try_from_uri(&parts.uri).map(|Query(params)| Self(params));
        params.map_err(|error| {
            let mut source = error.source();
            let mut at = None;
            while let Some(error) = source.filter(|_| at.is_none()) {
                at = error.downcast_ref::<serde_path_to_error::Error<ParameterError>>().map(field);
                source = error.source();
            }
            let text = error.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            let problem = Problem::invalid("invalid_parameter", plain(text));
            problem.at(at.as_deref().unwrap_or("parameters"))
        })
    }
}

/// The field that an error is about: its path, or what the error says of one that should not be
/// there, or should.
fn field<E: Display>(error: &serde_path_to_error::Error<E>) -> String {
    let path = error.path().to_string();
    if !matches!(&*path, "." | "?") {
        return path;
    }
    let text = error.inner().to_string();
    let named = ["unknown field `", "missing field `", "duplicate field `"];
    let named = named.iter().find_map(|begin| text.strip_prefix(begin)?.split('`').next());
    named.unwrap_or(BODY).to_owned()
}

/// Whether an error says what members there may be, and nothing of what is in them.
fn is_of_names(text: &str) -> bool {
    let known = ["unknown field `", "missing field `", "duplicate field `", "expected a password"];
    known.iter().any(|begin| text.starts_with(begin))
}

/// What serde says, without the names that only a program has.
fn plain(text: &str) -> String {
    let mut text = text.replace("invalid digit found in string", "expected a whole number");
    for name in ["usize", "u64", "u32", "u16", "i64"] {
        text = text.replace(&format!("expected {name}"), "expected a whole number");
    }
    text
}

/// What parameters are wrong by.
type ParameterError = serde::de::value::Error;

/// What is said of a body with a secret in it.
const WRONG: &str = "expected members of their types, but found others";

/// Where nothing more is known of what was wrong.
const BODY: &str = "body";
