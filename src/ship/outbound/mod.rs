//! Calls to others over HTTP: fetching a list, posting to a webhook.
//!
//! Who names the URL may be someone who administers a project and has no business in the network
//! that the daemon is in. So a call goes to the internet only, and to the networks that
//! `ship.allow_networks` names:
//!
//! * the URL is https (or http, where `ship.allow_http` says so), without credentials;
//! * its host is looked at as an address in all the spellings that are one (`0x7f000001`), and as a
//!   name by the addresses that it has at the moment of connecting: the connection goes to one that
//!   was looked at;
//! * no redirect is followed, no proxy of the environment is used, nothing that was answered to a
//!   post is shown to anyone;
//! * every call has a deadline and every answer a bound.

mod error;
mod networks;
mod resolver;

pub use self::error::OutboundError;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::time::timeout;
use url::{Host, Url};

use self::networks::Networks;
use self::resolver::{Lookup, Resolver};
use super::config::Config;
use super::forward::ForwardTls;
use super::tls::{self, TlsError};

/// Makes calls to others; cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: Client,
    networks: Arc<Networks>,
    allow_http: bool,
    /// How long a call may take as a whole.
    timeout: Duration,
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The same as under the tag that was named.
    Same,
    /// Something else.
    New {
        /// All of it.
        body: Bytes,
        /// Its entity tag, for the next time.
        etag: Option<String>,
    },
}

/// What a receiver said to a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How long it asks us to wait before another call.
    pub retry_after: Option<Duration>,
}

/// Headers of a call, by name.
pub type Headers = Vec<(HeaderName, HeaderValue)>;

impl Outbound {
    /// Calls as `config` allows them.
    ///
    /// # Errors
    ///
    /// When the certificates that it names cannot be read.
    pub fn new(config: &Config) -> Result<Self, TlsError> {
        Self::build(config, Lookup::System, None)
    }

    /// Calls to wherever the configuration itself says, with the certificates that it names.
    pub(super) fn anywhere(config: &Config, tls: &ForwardTls) -> Result<Self, TlsError> {
        let own = tls.cert.as_deref().zip(tls.key.as_deref());
        let ca = tls.ca.clone().or_else(|| config.ca.clone());
        let allow_networks = vec![IpNet::from(Ipv4Net::default()), Ipv6Net::default().into()];
        let config = Config { ca, allow_networks, ..config.clone() };
        Self::build(&config, Lookup::System, own)
    }

    #[cfg(test)]
    fn looking_up(config: &Config, lookup: Lookup) -> Result<Self, TlsError> {
        Self::build(config, lookup, None)
    }

    fn build(
        config: &Config,
        lookup: Lookup,
        own: Option<(&Path, &Path)>,
    ) -> Result<Self, TlsError> {
        let networks = Arc::new(Networks::new(&config.allow_networks));
        let roots = tls::roots(config.ca.as_deref())?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client(roots, own)?)
            .dns_resolver(Arc::new(Resolver::new(Arc::clone(&networks), lookup)))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("logtrace/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE)
            .build()
            .expect("nothing but the certificates can be wrong, and they were read");
        Ok(Self { client, networks, allow_http: config.allow_http, timeout: config.timeout })
    }

    /// Whether `text` is a URL that may be called, as far as it tells: what a name in it means is
    /// looked at anew for each connection.
    ///
    /// # Errors
    ///
    /// [`OutboundError::Url`] or [`OutboundError::Internal`].
    pub fn check(&self, text: &str) -> Result<Url, OutboundError> {
        let wrong = |expected, found: &str| {
            Err(OutboundError::Url { expected, found: format!("{:?}", shortened(found)) })
        };
        if text.len() > MAX_URL {
            return wrong("a URL of at most 2048 bytes", text);
        }
        let Ok(url) = Url::parse(text) else { return wrong("a URL", "another text") };
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return wrong("https, or ship.allow_http = true", "http"),
            scheme => return wrong("https", scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("a URL without a user and password", "one with them");
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) => return Ok(url),
            None => return wrong("a URL with a host", text),
        };
        match self.networks.admit(address) {
            true => Ok(url),
            false => Err(OutboundError::Internal(address.to_string())),
        }
    }

    /// Fetches what is at `url`, at most `max` bytes of it; `etag` is the tag of what the caller
    /// has already.
    ///
    /// # Errors
    ///
    /// It may not be called, cannot be reached, is too long or is not there.
    pub async fn fetch(
        &self,
        url: &str,
        etag: Option<&str>,
        max: usize,
    ) -> Result<Fetched, OutboundError> {
        let url = self.check(url)?;
        let mut request = self.client.get(url);
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let fetch = async {
            let answer = self.send(request).await?;
            match answer.status() {
                StatusCode::NOT_MODIFIED => return Ok(Fetched::Same),
                StatusCode::OK => {}
                status if status.is_redirection() => {
                    return Err(OutboundError::Redirect(status.as_u16()));
                }
                status => return Err(OutboundError::Status(status.as_u16())),
            }
            let etag = answer.headers().get(header::ETAG);
            let etag = etag.and_then(|etag| Some(etag.to_str().ok()?.to_owned()));
            Ok(Fetched::New { body: self.body(answer, max).await?, etag })
        };
        timeout(self.timeout, fetch).await.unwrap_or(Err(OutboundError::TimedOut(self.timeout)))
    }

    /// Posts `body` to `url`. Any status is an answer, but a redirect is an error.
    ///
    /// # Errors
    ///
    /// It may not be called, or cannot be reached.
    pub async fn post(
        &self,
        url: &str,
        headers: Headers,
        body: Bytes,
    ) -> Result<Answer, OutboundError> {
        let url = self.check(url)?;
        let headers = HeaderMap::from_iter(headers);
        let send = self.send(self.client.post(url).headers(headers).body(body));
        let sent = timeout(self.timeout, send).await;
        let mut answer = sent.unwrap_or(Err(OutboundError::TimedOut(self.timeout)))?;
        if answer.status().is_redirection() {
            return Err(OutboundError::Redirect(answer.status().as_u16()));
        }
        let (status, retry_after) = (answer.status().as_u16(), retry_after(answer.headers()));
        // Read to its end, the connection can be used again. One without an end is cut.
        let mut left = MAX_ANSWER;
        let drain = async {
            while let Ok(Some(part)) = answer.chunk().await {
                left = left.saturating_sub(part.len());
                if left == 0 {
                    return;
                }
            }
        };
        drop(timeout(DRAIN, drain).await);
        Ok(Answer { status, retry_after })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, OutboundError> {
        let answer = request.send().await;
        let answer = answer.map_err(|error| OutboundError::of(&error, self.timeout))?;
        // The resolver lets no other address pass; this is the second wall.
        match answer.remote_addr() {
            Some(peer) if !self.networks.admit(peer.ip()) => {
                Err(OutboundError::Internal(peer.ip().to_string()))
            }
            _ => Ok(answer),
        }
    }

    async fn body(&self, mut answer: Response, max: usize) -> Result<Bytes, OutboundError> {
        let told = answer.content_length().unwrap_or_default();
        if usize::try_from(told).map_or(true, |told| told > max) {
            return Err(OutboundError::TooLarge(max));
        }
        let mut body = BytesMut::new();
        loop {
            let part = answer.chunk().await;
            let part = part.map_err(|error| OutboundError::of(&error, self.timeout))?;
            let Some(part) = part else { return Ok(body.freeze()) };
            if body.len() + part.len() > max {
                return Err(OutboundError::TooLarge(max));
            }
            body.extend_from_slice(&part);
        }
    }
}

impl Answer {
    /// Whether the receiver took it.
    pub const fn is_taken(self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// What `Retry-After` says, in either form (RFC 9110 §10.2.3), bounded.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at: SystemTime = httpdate::parse_http_date(text).ok()?;
            at.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

/// The longest URL, in bytes.
const MAX_URL: usize = 2048;

/// Characters of a URL that an error repeats.
const MAX_SHOWN: usize = 64;

/// Bytes of an answer to a post that are read, and thrown away.
const MAX_ANSWER: usize = 16 * 1024;

/// How long they are waited for.
const DRAIN: Duration = Duration::from_secs(1);

/// How long a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(30);

/// The longest wait that a receiver can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests;
