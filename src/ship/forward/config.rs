//! `[[forward]]`: where journals are forwarded to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use super::source::journals;
use crate::ship::webhook::Secret;

/// A target that journals are forwarded to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardConfig {
    /// Its name, in metrics and logs; what it was sent is remembered under it. Range: 1 to 64
    /// letters, digits, `-` and `_`.
    pub name: String,
    /// Which journals. Range: "access", "advisory", "audit", "blocked", "dashboard",
    /// "failed", "session".
    pub journals: Vec<String>,
    /// Where: `tls://host:6514`, `tcp://host:514`, or the URL of something that takes JSON.
    pub to: String,
    /// How entries are written. Default: "rfc5424", or "json" to a URL.
    /// Range: "rfc5424", "cef", "json".
    #[serde(default)]
    pub format: Option<Format>,
    /// How messages are told apart on a stream. Default: "octet". Range: "octet", "lf".
    #[serde(default)]
    pub framing: Framing,
    /// Where a target begins that nothing was sent to yet. Default: "now".
    /// Range: "now", "beginning".
    #[serde(default)]
    pub from: Begin,
    /// When a stream's receiver is taken to have what was sent: once it closed the connection after
    /// we did, or once it was sent. Default: "close". Range: "close", "sent".
    #[serde(default)]
    pub confirm: Confirm,
    /// Certificates, for `tls` and `https`.
    #[serde(default)]
    pub tls: ForwardTls,
    /// Headers of each call to a URL, such as Authorization.
    #[serde(default)]
    pub headers: BTreeMap<String, Hidden>,
    /// What calls to a URL are signed with, as webhooks are: "whsec_…". Default: none.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// The form of the body of a call. Default: "array". Range: "array", "lines".
    #[serde(default)]
    pub body: Body,
}

/// Certificates of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardTls {
    /// Who vouches for the receiver. Default: whom this machine trusts.
    pub ca: Option<PathBuf>,
    /// Our own certificate, where the receiver asks for one.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// How entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Syslog, with the fields as structured data.
    Rfc5424,
    /// `ArcSight`'s Common Event Format, as the message of a syslog line.
    Cef,
    /// Objects.
    Json,
}

/// How messages are told apart on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// By their length in front (RFC 6587 §3.4.1, RFC 5425).
    #[default]
    Octet,
    /// By a line feed behind.
    Lf,
}

/// Where a new target begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Begin {
    /// With what is noted from now on.
    #[default]
    Now,
    /// With all that is kept.
    Beginning,
}

/// When a receiver is taken to have what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confirm {
    /// Once it closed the connection after we did.
    #[default]
    Close,
    /// Once it was sent, and the connection was still there a moment later.
    Sent,
}

/// The form of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// One JSON array.
    #[default]
    Array,
    /// An object a line.
    Lines,
}

/// A text that is shown to nobody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub(super) String);

/// Where a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A stream of syslog.
    Stream { host: String, port: u16, is_tls: bool },
    /// Something that takes calls.
    Http,
}

impl ForwardConfig {
    /// Every setting that makes no sense: its key, and what was expected.
    pub fn problems(&self, allow_http: bool) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut problem = |key, what: String| problems.push((key, what));
        let is_of_a_name = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if !(1..=MAX_NAME).contains(&self.name.len()) || !self.name.bytes().all(is_of_a_name) {
            let found = &self.name;
            problem(
                "name",
                format!("expected 1 to 64 letters, digits, - and _, but found {found:?}"),
            );
        }
        let unique: BTreeSet<_> = self.journals.iter().collect();
        if unique.is_empty() || unique.len() < self.journals.len() {
            problem("journals", "expected journals, each once, but found others".to_owned());
        }
        for name in self.journals.iter().filter(|name| !journals().contains(&name.as_str())) {
            let known = journals().join(", ");
            problem("journals", format!("expected some of {known}, but found {name:?}"));
        }
        let has_headers = !self.headers.is_empty() || self.secret.is_some();
        match self.place() {
            None => {
                let found = &self.to;
                let what = "expected tls://host:port, tcp://host:port or a URL";
                problem("to", format!("{what}, but found {found:?}"));
            }
            Some(Place::Stream { is_tls, .. }) => {
                if self.format == Some(Format::Json) {
                    let what = "expected rfc5424 or cef to a stream, but found json";
                    problem("format", what.to_owned());
                }
                if has_headers {
                    problem("to", "expected a URL, to have headers, but found a stream".to_owned());
                }
                if !is_tls && self.tls != ForwardTls::default() {
                    problem("tls", "expected no certificates for tcp, but found some".to_owned());
                }
            }
            Some(Place::Http) => {
                if self.format.is_some_and(|format| format != Format::Json) {
                    problem("format", "expected json to a URL, but found another".to_owned());
                }
                if self.to.starts_with("http:") && !allow_http {
                    problem(
                        "to",
                        "expected https, or ship.allow_http = true, but found http".into(),
                    );
                }
            }
        }
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            problem("tls", "expected a certificate and its key, but found one of them".to_owned());
        }
        problems
    }

    /// Where it is, if that can be read.
    pub(super) fn place(&self) -> Option<Place> {
        let url = Url::parse(&self.to).ok()?;
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let is_tls = match url.scheme() {
            "http" | "https" => return Some(Place::Http),
            "tls" => true,
            "tcp" => false,
            _ => return None,
        };
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
        Some(Place::Stream { host, port: url.port()?, is_tls }).filter(|_| is_bare)
    }

    /// How entries are written.
    pub(super) fn format(&self) -> Format {
        let usual = if self.place() == Some(Place::Http) { Format::Json } else { Format::Rfc5424 };
        self.format.unwrap_or(usual)
    }
}

impl fmt::Debug for Hidden {
    /// Shows nothing of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(more: &serde_json::Value) -> ForwardConfig {
        let mut all = json!({"name": "siem", "journals": ["blocked"], "to": "tls://siem:6514"});
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn what_makes_no_sense_is_said_with_its_key() {
        let table = [
            (json!({}), None),
            (json!({"to": "tcp://[::1]:514", "framing": "lf", "format": "cef"}), None),
            (json!({"to": "https://siem/in", "headers": {"a": "b"}, "body": "lines"}), None),
            (json!({"name": ""}), Some("name")),
            (json!({"name": "a b"}), Some("name")),
            (json!({"journals": []}), Some("journals")),
            (json!({"journals": ["failed", "failed"]}), Some("journals")),
            (json!({"journals": ["nothing"]}), Some("journals")),
            (json!({"to": "siem:6514"}), Some("to")),
            (json!({"to": "tls://siem"}), Some("to")),
            (json!({"to": "tls://user@siem:6514"}), Some("to")),
            (json!({"to": "tls://siem:6514/path"}), Some("to")),
            (json!({"to": "udp://siem:514"}), Some("to")),
            (json!({"to": "http://siem/in"}), Some("to")),
            (json!({"format": "json"}), Some("format")),
            (json!({"to": "https://siem/in", "format": "cef"}), Some("format")),
            (json!({"headers": {"a": "b"}}), Some("to")),
            (json!({"tls": {"cert": "c"}}), Some("tls")),
            (json!({"to": "tcp://siem:514", "tls": {"ca": "c"}}), Some("tls")),
        ];
        for (more, key) in table {
            let problems = config(&more).problems(false);
            assert_eq!(problems.first().map(|(key, _)| *key), key, "{more}: {problems:?}");
        }
        assert_eq!(config(&json!({"to": "http://siem/in"})).problems(true), []);
    }

    #[test]
    fn what_a_call_carries_is_shown_to_nobody() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let more = json!({"headers": {"authorization": "Bearer hunter2"}, "secret": secret});
        let shown = format!("{:?}", config(&more));
        assert!(!shown.contains("hunter2") && !shown.contains("MfKQ"), "{shown}");
    }
}
