//! All that a query finds, a page at a time, as an answer that is as long as it gets: what is held
//! meanwhile is a page, and nothing of the store.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::Api;
use super::allowed::Allowed;
use super::csv::{cell, heading, written};
use super::held::Held;
use super::problem::Problem;
use super::query::held_run;
use crate::query::{self, Page, Request};

/// How events are written.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// An object a line.
    Lines,
    /// A row each, of these fields, behind a row of names.
    Table(Vec<String>),
}

/// What is left to be sent.
struct Left {
    api: Arc<Api>,
    allowed: Allowed,
    request: Request,
    form: Form,
    /// The most events that are still wanted.
    wanted: usize,
    /// Events that are read at once.
    at_once: usize,
    /// Whether it was said that events may be missing.
    is_partial: bool,
    /// The memory of the text that is being read.
    text: Option<Held>,
}

/// All that `request` finds, `limit` events at the most, as a file of this name without its ending.
/// It ends as soon as the caller may not read it any longer.
pub(super) async fn streamed(
    (api, allowed): (&Arc<Api>, &Allowed),
    name: &str,
    request: Request,
    form: Form,
    limit: Option<usize>,
) -> Result<Response, Problem> {
    let mut left = Left {
        api: Arc::clone(api),
        allowed: allowed.clone(),
        request,
        form: form.clone(),
        wanted: limit.unwrap_or(usize::MAX),
        at_once: AT_FIRST,
        is_partial: true, // what the first page lacks is said in the head
        text: None,
    };
    let page = left.page().await?;
    left.is_partial = page.1.meta.partial;
    let is_partial = left.is_partial;
    let first = [form.head(), left.take(page)?].concat();
    let goes_on = left.goes_on().then_some(left);
    let rest = stream::try_unfold(goes_on, async |left: Option<Left>| {
        let Some(mut left) = left else { return Ok::<_, io::Error>(None) };
        if left.allowed.still(&left.api).is_err() {
            return Err(io::Error::other("this is not allowed any longer"));
        }
        let broken = |problem| {
            warn!(?problem, "an export broke off");
            io::Error::other("the export broke off")
        };
        left.text = None; // it was read
        let page = left.next_page().await.map_err(broken)?;
        if page.1.meta.partial && !left.is_partial {
            // What is short must not look whole.
            return Err(io::Error::other("events may be missing"));
        }
        let text = left.take(page).map_err(broken)?;
        let goes_on = left.goes_on().then_some(left);
        Ok(Some((text, goes_on)))
    });
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(rest).map_ok(Bytes::from));
    Ok(form.answer(name, is_partial, body))
}

impl Form {
    /// What stands before the first event.
    fn head(&self) -> Vec<u8> {
        match self {
            Self::Lines => Vec::new(),
            Self::Table(columns) => {
                written(std::iter::once(columns.iter().map(|name| heading(name)).collect()))
            }
        }
    }

    fn text(&self, page: &Page) -> Vec<u8> {
        match self {
            Self::Lines => {
                let line = |log| serde_json::to_vec(log).expect("names and values make JSON");
                page.logs.iter().flat_map(|log| [line(log), b"\n".to_vec()].concat()).collect()
            }
            Self::Table(columns) => written(page.logs.iter().map(|log| {
                columns.iter().map(|name| cell(log.get(name).unwrap_or(&Value::Null))).collect()
            })),
        }
    }

    /// The answer with this body.
    pub(super) fn answer(&self, name: &str, is_partial: bool, body: Body) -> Response {
        let (ending, kind) = match self {
            Self::Lines => ("ndjson", "application/x-ndjson"),
            Self::Table(_) => ("csv", "text/csv; charset=utf-8; header=present"),
        };
        let name = format!("attachment; filename=\"{name}.{ending}\"");
        let name = HeaderValue::from_str(&name).expect("names of files are ASCII");
        let partial = HeaderValue::from_static(if is_partial { "true" } else { "false" });
        let kind = HeaderValue::from_static(kind);
        let headers =
            [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name), (PARTIAL, partial)];
        (headers, body).into_response()
    }
}

impl Left {
    /// The next page, once there is memory for it: what has begun is not to end half done.
    async fn next_page(&self) -> Result<(Held, Page), Problem> {
        let until = Instant::now() + self.api.config.query_timeout;
        loop {
            match self.page().await {
                Err(problem) if problem.is_of_memory() && Instant::now() < until => {
                    sleep(AGAIN).await;
                }
                page => return page,
            }
        }
    }

    async fn page(&self) -> Result<(Held, Page), Problem> {
        let mut request = self.request.clone();
        request.limit = self.wanted.clamp(1, self.at_once);
        let page = held_run(&self.api, move |store, budget| {
            request.budget = budget;
            query::run(store, &request)
        });
        page.await
    }

    /// A page as text; what is left is behind it then.
    fn take(&mut self, (mut held, page): (Held, Page)) -> Result<Vec<u8>, Problem> {
        let text = self.form.text(&page);
        self.wanted = self.wanted.saturating_sub(page.logs.len());
        self.request.cursor.clone_from(&page.meta.next_cursor);
        // Events may be a hundred bytes or a quarter of a million.
        self.at_once = (page.logs.len() * PAGE / text.len().max(1)).clamp(1, MOST);
        drop(page);
        held.text(text.len())?;
        self.text = Some(held);
        Ok(text)
    }

    /// Whether anything may be left.
    fn goes_on(&self) -> bool {
        self.wanted > 0 && self.request.cursor.is_some()
    }
}

/// Events that are read at first, and at most.
const AT_FIRST: usize = 100;
const MOST: usize = 5000;

/// How long the text of a page is to be, in bytes, about.
const PAGE: usize = 1 << 20;

/// How long until it is tried again where there is no memory.
const AGAIN: Duration = Duration::from_millis(100);

/// Says whether events may be missing.
const PARTIAL: HeaderName = HeaderName::from_static("x-logtrace-partial");
