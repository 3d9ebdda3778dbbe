//! What every test of the API begins with.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, Response, StatusCode};
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::api::{Api, Config, Health, Parts, Reloads, router};
use crate::gate::{Environment, NewPlace};
use crate::ingest::testing::Yard;
use crate::ingest::{Session, now};
use crate::parse::json::IngestBody;
use crate::people::{Granted, NewUser, Password, Place, Role};
use crate::query::CursorKey;
use crate::ship::{self, Outbound, Webhooks};

/// An API, and all that is behind it.
pub(super) struct House {
    pub(super) api: Arc<Api>,
    pub(super) stop: CancellationToken,
    yard: Yard,
}

/// A call, from this machine unless said otherwise.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    path: String,
    body: Option<String>,
    key: Option<String>,
    peer: IpAddr,
    headers: Vec<(&'static str, String)>,
}

impl House {
    /// The API as it is out of the box.
    pub(super) fn open() -> Self {
        Self::new(Config::default(), "{}")
    }

    /// An API with this configuration, and that of the gate, in JSON.
    pub(super) fn new(config: Config, gate: &str) -> Self {
        let yard = Yard::new(gate, false).write();
        let stop = CancellationToken::new();
        let allowed = ship::Config {
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            allow_http: true,
            ..ship::Config::default()
        };
        let webhooks = Webhooks::open(
            Arc::clone(&yard.store),
            Outbound::new(&allowed).unwrap(),
            allowed.webhooks,
            yard.ingest.gauges().ship.clone(),
        );
        let below = Parts {
            ingest: Arc::clone(&yard.ingest),
            store: Arc::clone(&yard.store),
            audit: Arc::clone(&yard.audit),
            people: Arc::clone(&yard.people),
            webhooks: Arc::new(webhooks.unwrap()),
            reloads: Reloads::channel().0,
        };
        let api = Api::new(
            below,
            config,
            CursorKey([7; 32]),
            Health::new(Instant::now(), 2, || vec!["the disk is full".to_owned()]),
            stop.clone(),
        );
        Self { api: Arc::new(api), stop, yard }
    }

    pub(super) fn router(&self) -> Router {
        router(Arc::clone(&self.api))
    }

    pub(super) async fn answer(&self, call: Call) -> Response<Body> {
        self.router().oneshot(call.request()).await.unwrap()
    }

    /// Makes a call; its status and the JSON of the answer.
    pub(super) async fn send(&self, call: Call) -> (StatusCode, Value) {
        let answer = self.answer(call).await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Makes a call whose body comes only after something has happened; its status.
    pub(super) async fn send_after(
        &self,
        call: Call,
        first: impl FnOnce() + Send + 'static,
    ) -> StatusCode {
        let body = call.body.clone().unwrap_or_default();
        let body = stream::once(async move {
            first();
            Ok::<_, Infallible>(body)
        });
        let request = call.request().map(|_| Body::from_stream(body));
        self.router().oneshot(request).await.unwrap().status()
    }

    /// A new key's public id and secret.
    pub(super) fn key(&self, scopes: &str, project: &str) -> (String, String) {
        self.key_in(scopes, project, Environment::Production)
    }

    /// The same in an environment.
    pub(super) fn key_in(
        &self,
        scopes: &str,
        project: &str,
        environment: Environment,
    ) -> (String, String) {
        let environment = environment.as_str();
        let new = format!(
            r#"{{"project":"{project}","environment":"{environment}","scopes":[{scopes}]}}"#
        );
        let (info, secret) = self.yard.key(&new);
        (info.id, secret.reveal().to_owned())
    }

    /// Somebody who is signed in, with these roles.
    pub(super) fn person(&self, name: &str, roles: &[(&str, Role)]) -> Granted {
        let roles = roles.iter().map(|(project, role)| ((*project).to_owned(), *role)).collect();
        let email = format!("{name}@example.com");
        let password = Some(Password::new(PASSWORD.to_owned()).unwrap());
        let new = NewUser { email, roles, password, ..NewUser::default() };
        self.api.people.create(new, now()).unwrap();
        self.sign_in(name)
    }

    /// The same person, once more.
    pub(super) fn sign_in(&self, name: &str) -> Granted {
        let place = Place { address: Ipv4Addr::LOCALHOST.into(), user_agent: String::new() };
        let password = Password::new(PASSWORD.to_owned()).unwrap();
        let email = format!("{name}@example.com");
        self.api.people.sign_in(&email, &password, place, now()).unwrap()
    }

    /// A project.
    pub(super) fn project(&self, name: &str) {
        let new = NewPlace { name: name.to_owned(), ..NewPlace::default() };
        self.api.gate.create_project(new, now()).unwrap();
    }

    /// Stores logs, a JSON list, under a key or under none.
    pub(super) async fn store(&self, key: Option<&str>, logs: &str) {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut session = Session::new(Arc::clone(&self.yard.listener), peer, None);
        if let Some(key) = key {
            session.bind_secret(key.as_bytes(), crate::event::AuthMethod::Http);
        }
        let mut format = IngestBody { max_events: 1000 };
        let taken = self.api.ingest.logs(&mut session, &mut format, logs.as_bytes());
        let outcome = taken.await.unwrap();
        assert_eq!(outcome.rejected, []);
        outcome.ticket.durable().await.unwrap();
    }

    /// Entries of a journal, once it has some.
    pub(super) async fn noted(&self, journal: &str) -> Vec<Value> {
        self.noted_at_least(1, journal).await
    }

    /// The newest entry of a journal that a filter finds, once there is one.
    pub(super) async fn noted_where(&self, journal: &str, filter: &str) -> Value {
        let filter: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            self.api.ingest.flush_journal().await;
            let (_, answer) = self.send(get(&format!("/v1/{journal}?filter={filter}"))).await;
            if let Some(entry) = answer["entries"].get(0) {
                return entry.clone();
            }
            tokio::task::yield_now().await;
        }
        panic!("expected an entry of {journal}, but found none");
    }

    /// Entries of a journal, the newest first, once it has so many.
    pub(super) async fn noted_at_least(&self, count: usize, journal: &str) -> Vec<Value> {
        self.api.ingest.flush_journal().await;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let (status, answer) = self.send(get(&format!("/v1/{journal}"))).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            let entries = answer["entries"].as_array().unwrap();
            if entries.len() >= count {
                return entries.clone();
            }
            tokio::task::yield_now().await;
        }
        panic!("expected {count} notes, but found fewer");
    }
}

impl Call {
    pub(super) fn new(method: Method, path: &str) -> Self {
        let (peer, path) = (IpAddr::V4(Ipv4Addr::LOCALHOST), path.to_owned());
        Self { method, path, body: None, key: None, peer, headers: vec![] }
    }

    pub(super) fn key(self, secret: &str) -> Self {
        Self { key: Some(secret.to_owned()), ..self }
    }

    /// By somebody who is signed in.
    pub(super) fn by(self, granted: &Granted) -> Self {
        self.key(granted.access.reveal())
    }

    pub(super) fn body(self, body: &str) -> Self {
        Self { body: Some(body.to_owned()), ..self }.header("content-type", "application/json")
    }

    pub(super) fn peer(self, peer: &str) -> Self {
        Self { peer: peer.parse().unwrap(), ..self }
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn request(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        if let Some(key) = self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(self.body.map_or_else(Body::empty, Body::from)).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.peer, 4000)));
        request
    }
}

pub(super) fn get(path: &str) -> Call {
    Call::new(Method::GET, path)
}

pub(super) fn post(path: &str, body: &str) -> Call {
    Call::new(Method::POST, path).body(body)
}

pub(super) fn delete(path: &str) -> Call {
    Call::new(Method::DELETE, path)
}

/// The password of everyone.
pub(super) const PASSWORD: &str = "correct horse battery";

/// How long a note may take to be stored.
const PATIENCE: Duration = Duration::from_secs(240);
