//! Events with a number each, in a store of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logtrace::db::{Db, Options};
use logtrace::event::{AuthMethod, Event, Known, Value};
use logtrace::kql::{Syntax, parse};
use logtrace::query::{CursorKey, Order, Request, run};
use logtrace::store::{Config, Days, Origin, Retention, Rows, Store};
use logtrace::time::{DAY, Timestamp};

/// Noon of a day, at which everything is received.
pub(crate) const RECEIVED: Timestamp = Timestamp::from_micros(20_000 * DAY + DAY / 2);

/// The project whose events are kept for long, and the one whose are not.
pub(crate) const PROJECTS: [&str; 2] = ["long", "short"];

/// For how many days each is kept.
pub(crate) const KEPT: [i64; 2] = [6, 2];

/// Opens the store in a folder.
pub(crate) fn open(folder: &Path) -> Store {
    let db = Db::open(folder, &Options::default()).unwrap();
    let days = |days: i64| Duration::from_secs(days.unsigned_abs() * 86_400);
    let projects = [("short".to_owned(), Days(days(KEPT[1])))].into();
    let retention = Retention { default: days(KEPT[0]), projects };
    Store::open(Arc::new(db), Config { retention, ..Config::default() }).unwrap()
}

/// An event of that number and time, as it is sent.
pub(crate) fn event(number: usize, time: i64) -> Event<'static> {
    let timestamp = Some(Timestamp::from_micros(time));
    let mut event = Event { timestamp, ..Event::default() };
    let words = ["connection refused", "timeout after 30 s", "all is well"][number % 3];
    event.set(Known::Message, Value::Text(format!("event {number}: {words}").into()));
    event.set(Known::AppName, Value::Text(format!("app-{}", number % 4).into()));
    event.put("n".into(), Value::Number(number.to_string().into()));
    if number.is_multiple_of(5) {
        event.put("odd.name".into(), Value::Bool(number.is_multiple_of(2)));
    }
    event
}

/// Stages events, each with its project's place in [`PROJECTS`], number and time.
pub(crate) fn stage(store: &Store, events: impl IntoIterator<Item = (usize, usize, i64)>) {
    let origins = PROJECTS.map(|project| {
        Arc::new(Origin {
            project: project.into(),
            listener: "tcp".into(),
            peer: Some("192.0.2.7".parse().unwrap()),
            key: Some("key_1".into()),
            auth: Some(AuthMethod::Prefix),
        })
    });
    let mut rows = Rows::default();
    for (project, number, time) in events {
        rows.begin(&origins[project], RECEIVED.as_micros());
        rows.push(&event(number, time));
    }
    store.stage([&rows]).unwrap();
}

/// A request for all events of a project that match a filter, the newest first.
pub(crate) fn request(project: &str, filter: &str) -> Request {
    let filter = parse(filter, Syntax::Lenient).unwrap().query;
    let mut request = Request::new(project.into(), filter, CursorKey([1; 32]), RECEIVED);
    request.limit = 10_000;
    request.order = Order::NewestFirst;
    request
}

/// The numbers of the events of one page, in their order.
pub(crate) fn numbers(store: &Store, request: &mut Request) -> Vec<usize> {
    let page = run(store, request).unwrap();
    assert!(!page.meta.partial, "{:?}", page.meta.partial_reasons);
    request.cursor = page.meta.next_cursor;
    let number = |log: &serde_json::Map<_, _>| log["n"].to_string().parse().unwrap();
    page.logs.iter().map(number).collect()
}

/// The numbers of all pages.
pub(crate) fn all_pages(store: &Store, mut request: Request) -> Vec<usize> {
    let mut found = numbers(store, &mut request);
    while request.cursor.is_some() {
        found.extend(numbers(store, &mut request));
    }
    found
}
