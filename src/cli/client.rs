//! Talks to the API of a running daemon.

use std::io::{BufReader, Read};
use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

use super::args::ServerArgs;
use super::failure::Failure;

/// A daemon, and the key to use there.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    server: String,
    key: Option<String>,
}

impl Client {
    pub(super) fn new(args: &ServerArgs) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0) // a key is for the server that was named
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT));
        Self {
            agent: config.build().into(),
            server: args.server.trim_end_matches('/').to_owned(),
            key: args.key.clone().filter(|key| !key.is_empty()),
        }
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.with_key(self.agent.get(self.url(path))).call())
    }

    /// The same with parameters.
    pub(super) fn get_with(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let request = self.with_key(self.agent.get(self.url(path)));
        self.json(request.query_pairs(query.iter().copied()).call())
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.with_key(self.agent.post(self.url(path))).send_json(body))
    }

    pub(super) fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.json(self.with_key(self.agent.put(self.url(path))).send_json(body))
    }

    pub(super) fn delete(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let request = self.with_key(self.agent.delete(self.url(path)));
        self.json(request.query_pairs(query.iter().copied()).call())
    }

    /// Opens an answer without an end.
    pub(super) fn stream(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<BufReader<impl Read + use<>>, Failure> {
        let request = self.with_key(self.agent.get(self.url(path)));
        let answer = request.query_pairs(query.iter().copied()).call();
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let answer = self.done(answer)?;
        Ok(BufReader::new(answer.into_body().into_reader()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn with_key<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    fn json(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Value, Failure> {
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let mut answer = self.done(answer)?;
        let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_json();
        body.map_err(|error| Failure::new(format_args!("{}: {error}", self.server)))
    }

    /// The answer, if it says that it was done.
    fn done(&self, mut answer: Response<Body>) -> Result<Response<Body>, Failure> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let problem: Result<Value, _> =
            answer.body_mut().with_config().limit(MAX_PROBLEM).read_json();
        let member = |name| problem.as_ref().ok().and_then(|problem| problem.get(name)?.as_str());
        let detail = member("detail").unwrap_or("no API of logtrace answers there");
        let code = member("code").map(|code| format!(" {code}")).unwrap_or_default();
        let mut text = format!("{detail} ({}{code})", status.as_u16());
        let reasons = problem.as_ref().ok().and_then(|problem| problem.get("reasons")?.as_array());
        for reason in reasons.into_iter().flatten().filter_map(Value::as_str) {
            text.push('\n');
            text.push_str(reason);
        }
        Err(Failure::Failed(text))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::Failed(format!("{}: {error}: is a daemon running there?", self.server))
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer may take to begin: longer than a query may.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(660);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1024 * 1024 * 1024;

/// The longest problem that is read, in bytes.
const MAX_PROBLEM: u64 = 1024 * 1024;
