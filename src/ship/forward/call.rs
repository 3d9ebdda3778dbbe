//! A receiver of JSON over HTTP: a status of 200 to 299 is its acknowledgement.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::config::{Body, ForwardConfig};
use super::entry::Entry;
use crate::ship::clock::now;
use crate::ship::outbound::{Headers, Outbound};
use crate::ship::webhook::Secret;
use crate::time::SECOND;

/// A receiver of JSON.
#[derive(Debug)]
pub(super) struct CallSink {
    target: String,
    url: String,
    outbound: Outbound,
    headers: Headers,
    secret: Option<Secret>,
    body: Body,
}

/// Why entries were not taken.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) why: String,
    /// How long it asks us to wait.
    pub(super) retry_after: Option<Duration>,
    /// Whether fewer at a time may do.
    pub(super) is_too_large: bool,
}

impl CallSink {
    /// The receiver that `config` names.
    ///
    /// # Errors
    ///
    /// A header is none; its value is not repeated.
    pub(super) fn new(config: &ForwardConfig, outbound: Outbound) -> Result<Self, String> {
        let mut headers = Headers::new();
        for (name, value) in &config.headers {
            let header = HeaderName::try_from(name).ok().zip(HeaderValue::from_str(&value.0).ok());
            let Some((key, mut value)) = header else {
                return Err(format!(
                    "headers: expected a header, but found another text in {name:?}"
                ));
            };
            value.set_sensitive(true);
            headers.push((key, value));
        }
        let kind = match config.body {
            Body::Array => "application/json",
            Body::Lines => "application/x-ndjson",
        };
        headers.push((CONTENT_TYPE, HeaderValue::from_static(kind)));
        Ok(Self {
            target: config.name.clone(),
            url: config.to.clone(),
            outbound,
            headers,
            secret: config.secret.clone(),
            body: config.body,
        })
    }

    /// Sends entries of one journal; they were taken when this returns.
    pub(super) async fn send(&self, entries: &[Entry]) -> Result<(), Refused> {
        let body = body(self.body, entries);
        let mut headers = self.headers.clone();
        if let Some(secret) = &self.secret {
            let timestamp = now().as_micros().div_euclid(SECOND);
            let id = self.id(entries);
            let signature = secret.sign(&id, timestamp, body.as_bytes());
            headers.push((HeaderName::from_static("webhook-timestamp"), timestamp.into()));
            for (name, value) in [("webhook-id", id), ("webhook-signature", signature)] {
                let value = HeaderValue::from_str(&value).ok();
                headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
            }
        }
        let refused =
            |why, retry_after, is_too_large| Err(Refused { why, retry_after, is_too_large });
        match self.outbound.post(&self.url, headers, Bytes::from(body)).await {
            Ok(answer) if answer.is_taken() => Ok(()),
            Ok(answer) => {
                let why = format!("expected status 200 to 299, but found {}", answer.status);
                refused(why, answer.retry_after, answer.status == TOO_LARGE)
            }
            Err(error) => refused(error.to_string(), None, false),
        }
    }

    /// The same whenever the same entries are sent.
    fn id(&self, entries: &[Entry]) -> String {
        let journal = entries.first().map_or("", |entry| entry.journal);
        let place = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.position);
        let (first, last) = (place(entries.first()), place(entries.last()));
        format!("{}-{journal}-{first:x}-{last:x}", self.target)
    }
}

fn body(form: Body, entries: &[Entry]) -> String {
    let mut body = String::new();
    for (number, entry) in entries.iter().enumerate() {
        body.push_str(match (form, number) {
            (Body::Array, 0) => "[",
            (Body::Array, _) => ",",
            (Body::Lines, _) => "",
        });
        let mut fields = entry.fields.clone();
        drop(fields.insert("journal".to_owned(), entry.journal.into()));
        body.push_str(&serde_json::Value::Object(fields).to_string());
        if form == Body::Lines {
            body.push('\n');
        }
    }
    if form == Body::Array {
        body.push(']');
    }
    body
}

/// The receiver takes no body of this length.
const TOO_LARGE: u16 = 413;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn bodies_are_arrays_or_lines() {
        let entry = |n: i64| Entry {
            journal: "failed",
            position: n,
            fields: json!({"n": n, "text": "a\nb"}).as_object().unwrap().clone(),
        };
        let entries = [entry(1), entry(2)];
        let array: Value = serde_json::from_str(&body(Body::Array, &entries)).unwrap();
        assert_eq!(array[1], json!({"n": 2, "text": "a\nb", "journal": "failed"}));
        let lines = body(Body::Lines, &entries);
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(Value::Array(lines), array);
    }
}
