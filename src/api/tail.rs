//! `GET /v1/logs/tail`: what arrives, as it arrives, as server-sent events.
//!
//! Nothing is kept for a client that does not read: it is asked for what it wants next, and that is
//! looked up then. So a slow client is behind, and no burden.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tracing::error;

use super::Api;
use super::allowed::Allowed;
use super::caller::Caller;
use super::held::Held;
use super::input::Params;
use super::journals::{self, Journal, names};
use super::problem::Problem;
use super::query::CancelOnDrop;
use super::request::{Ask, Syntax};
use crate::gate::Scope;
use crate::ingest::now;
use crate::query::{Fresh, Tail};

/// What may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Follow {
    filter: String,
    syntax: Syntax,
    /// Names with commas between them.
    fields: Option<String>,
    journal: Option<Journal>,
}

/// A tail between two events.
struct Following {
    api: Arc<Api>,
    allowed: Allowed,
    /// Away while it is asked.
    tail: Option<Tail>,
    ready: VecDeque<Event>,
    /// Whether to ask again at once.
    has_more: bool,
    is_over: bool,
    /// The memory of what is ready.
    held: Option<Held>,
    /// Ends the look that is under way: nobody reads what it would find.
    _gone: CancelOnDrop,
    _place: OwnedSemaphorePermit,
}

/// Follows what arrives. `Last-Event-ID` goes on where an earlier tail ended.
pub(super) async fn tail(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Params(follow): Params<Follow>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Follow { filter, syntax, fields, journal } = follow;
    let scope = if journal.is_some() { Scope::ReadAudit } else { Scope::ReadLogs };
    let allowed = api.allow(&caller, scope)?;
    let project = match journal {
        None => Arc::clone(&allowed.project),
        Some(journal) => journals::project(journal, &allowed)?,
    };
    let fields = fields.map(|fields| names(&fields));
    let ask = Ask { filter, syntax, fields, limit: Some(AT_ONCE), ..Ask::default() };
    let request = ask.request(&api, &allowed, project)?;
    let after = last_event(&headers)?;
    let place = api.slots.tail()?;
    let gone = CancelOnDrop(Arc::clone(&request.budget.cancelled));
    let store = Arc::clone(&api.store);
    let tail = api.threads.run(move || Tail::new(&store, request, after)).await;
    let tail = tail.map_err(|error| Problem::internal(&error))??;
    let following = Following {
        api,
        allowed,
        tail: Some(tail),
        ready: VecDeque::from([Event::default().comment("tail")]),
        has_more: true,
        is_over: false,
        held: None,
        _gone: gone,
        _place: place,
    };
    let events = unfold(following, async |mut following| {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl Following {
    /// The next event, when there is one; `None` once it is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            if !self.has_more {
                tokio::select! {
                    () = tokio::time::sleep(INTERVAL) => {}
                    () = self.api.stop.cancelled() => {}
                }
            }
            if self.api.stop.is_cancelled() {
                self.end("the daemon is stopping");
            } else if self.allowed.still(&self.api).is_err() {
                self.end("this is not allowed any longer");
            } else {
                self.ask().await;
            }
        }
    }

    /// Looks for what is new.
    async fn ask(&mut self) {
        self.held = None; // it was read
        // Its turn first: who waits for that reserves nothing.
        let Some(turn) = self.api.slots.turn().await else {
            return self.end("something went wrong here");
        };
        let Ok(held) = Held::of_turn(&self.api, turn) else {
            self.has_more = false; // it is behind for a moment
            return;
        };
        let Some(mut tail) = self.tail.take() else {
            return self.end("something went wrong here");
        };
        let store = Arc::clone(&self.api.store);
        let asked = self.api.threads.run(move || {
            let fresh = tail.poll_within(&store, now(), held.memory());
            (held, tail, fresh)
        });
        let asked = asked.await.map_err(|error| error.to_string());
        let asked = asked.and_then(|(held, tail, fresh)| match fresh {
            Ok(fresh) => Ok((held, tail, fresh)),
            Err(error) => Err(error.to_string()),
        });
        match asked {
            Ok((mut held, tail, fresh)) => {
                self.tail = Some(tail);
                held.part(self.take(fresh));
                self.held = Some(held);
            }
            Err(error) => {
                error!(%error, "a live tail failed");
                self.end("something went wrong here");
            }
        }
    }

    /// Makes ready what was found; how many bytes that is.
    fn take(&mut self, fresh: Fresh) -> usize {
        self.has_more = fresh.has_more;
        let mut bytes = 0;
        for (id, log) in fresh.logs {
            let event = Event::default().id(format!("{id:016x}"));
            let text = Value::Object(log).to_string();
            bytes += text.len();
            self.ready.push_back(event.data(text));
        }
        if !fresh.partial_reasons.is_empty() {
            let reasons = json!({"partial_reasons": fresh.partial_reasons});
            self.ready.push_back(Event::default().event("partial").data(reasons.to_string()));
        }
        bytes
    }

    fn end(&mut self, reason: &str) {
        self.is_over = true;
        let reason = json!({"reason": reason}).to_string();
        self.ready.push_back(Event::default().event("end").data(reason));
    }
}

/// Where an earlier tail ended.
fn last_event(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let id = id.to_str().ok().filter(|id| id.len() == 16);
    let number = id.and_then(|id| u64::from_str_radix(id, 16).ok());
    match number {
        Some(number) => Ok(Some(number.cast_signed())),
        None => {
            let what = "expected the id of an event as Last-Event-ID, but found another text";
            Err(Problem::invalid("invalid_parameter", what).at("last-event-id"))
        }
    }
}

/// Events that are looked up at once: as many as are kept for a client.
const AT_ONCE: usize = 500;

/// How often is looked whether there is something new.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often a client is told that there is nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
