//! Any query finds in columns what it finds in rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::events::{Draw, RECEIVED, draw, event};
use super::fixtures::{NOW, TestStore, answer, pages, request, time_and_id};
use crate::event::{AuthMethod, ValueRef};
use crate::kql::{Field, Lookup, Object, Prepared, matches};
use crate::parse::{Context, flatten};
use crate::query::{Order, Request};
use crate::store::{Origin, Rows};

/// An event as it is shown, asked row by row.
pub(super) struct Shown(Object);

impl Shown {
    pub(super) fn new(log: &Map<String, Value>) -> Self {
        let mut log = log.clone();
        log.remove("event.original_base64");
        Self(Object::new(log))
    }
}

impl Lookup for Shown {
    fn values(
        &self,
        field: Option<&Field>,
        sink: &mut dyn FnMut(&str, ValueRef<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let version = "@version";
        let is_by_name = field.is_some_and(|field| *field == Field::Name(version.to_owned()));
        self.0.values(field, &mut |name, value| match name == version && !is_by_name {
            true => ControlFlow::Continue(()),
            false => sink(name, value),
        })
    }

    fn objects(
        &self,
        field: &Field,
        sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.0.objects(field, sink)
    }
}

pub(super) fn origins() -> [Arc<Origin>; 4] {
    let origin = |project: &str, peer: Option<&str>, key: Option<&str>, auth| {
        Arc::new(Origin {
            project: project.into(),
            listener: "tcp".into(),
            peer: peer.map(|peer| peer.parse().unwrap()),
            key: key.map(Arc::from),
            auth,
        })
    };
    [
        origin("p", Some("192.0.2.7"), Some("key_1"), Some(AuthMethod::Prefix)),
        origin("p", Some("::ffff:10.1.2.3"), None, Some(AuthMethod::Anonymous)),
        origin("p", None, Some("key_2"), None),
        origin("q", Some("192.0.2.7"), Some("key_1"), Some(AuthMethod::Prefix)),
    ]
}

/// Stages events; those of project `p`, as they are to be shown but for their ids, go to `model`.
pub(super) fn stage(
    store: &TestStore,
    draws: &[Draw],
    batches: usize,
    model: &mut Vec<Map<String, Value>>,
) {
    let origins = origins();
    let context = Context { received_at: RECEIVED, zone_offset: 0, keep_original: false };
    for draws in draws.chunks(draws.len().div_ceil(batches).max(1)) {
        let mut rows = Rows::default();
        for draw in draws {
            let (origin, event) = (&origins[draw.origin], event(model.len(), draw));
            rows.begin(origin, RECEIVED.as_micros());
            rows.push(&event);
            if &*origin.project == "p" {
                let mut shown = flatten(&event, &context);
                let mut own = |name: &str, value: Option<String>| {
                    if let Some(value) = value {
                        shown.entry(name).or_insert(Value::String(value));
                    }
                };
                let peer = origin.peer.map(|peer| peer.to_canonical().to_string());
                own("received_at", Some(RECEIVED.to_string()));
                own("peer.ip", peer.clone());
                own("host.name", peer);
                own("key", origin.key.as_deref().map(str::to_owned));
                own("auth.method", origin.auth.map(|auth| auth.as_str().to_owned()));
                own("listener", Some(origin.listener.to_string()));
                model.push(shown);
            }
        }
        store.stage([&rows]).unwrap();
    }
}

pub(super) fn numbers<'a>(logs: impl IntoIterator<Item = &'a Map<String, Value>>) -> Vec<u64> {
    logs.into_iter().map(|log| log["n"].as_u64().unwrap()).collect()
}

fn check(store: &TestStore, model: &[Map<String, Value>], order_of: Order, limit: usize) {
    let everything = Request { limit: 10_000, order: order_of, ..request("*") };
    let all = answer(store, &everything).logs;
    let mut sorted = all.clone();
    sorted.sort_by_key(time_and_id);
    if order_of == Order::NewestFirst {
        sorted.reverse();
    }
    assert_eq!(all, sorted);
    // Times before 1970 and ties are in it: what is shown is what was staged, each once.
    assert_eq!(all.len(), model.len());
    for mut log in all.iter().cloned() {
        let want = &model[usize::try_from(log["n"].as_u64().unwrap()).unwrap()];
        assert_eq!(log.remove("_id").unwrap().as_str().unwrap().len(), 16);
        assert_eq!(&log, want);
    }
    let shown: Vec<Shown> = all.iter().map(Shown::new).collect();
    for text in QUERIES {
        let request = Request { order: order_of, ..request(text) };
        let prepared = Prepared::new(&request.filter, NOW).unwrap();
        let found = all.iter().zip(&shown).filter(|(_, shown)| matches(&prepared, *shown));
        let want = numbers(found.map(|(log, _)| log));
        let all = Request { limit: 10_000, ..request.clone() };
        assert_eq!(numbers(&answer(store, &all).logs), want, "{text}");
        let paged = Request { limit, ..request };
        assert_eq!(numbers(&pages(store, &paged, |_| {})), want, "{text}, {limit} a page");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn columns_answer_as_rows_do(
        draws in prop::collection::vec(draw(), 1..60),
        late in prop::collection::vec(draw(), 0..10),
        batches in 1_usize..4,
        newest_first: bool,
        limit in 1_usize..9,
    ) {
        let (mut store, mut model) = (TestStore::new(), Vec::new());
        let order = if newest_first { Order::NewestFirst } else { Order::OldestFirst };
        stage(&store, &draws, batches, &mut model);
        check(&store, &model, order, limit);
        store.seal().unwrap();
        check(&store, &model, order, limit);
        stage(&store, &late, 1, &mut model);
        store.reopen();
        check(&store, &model, order, limit);
    }
}

/// Each kind of condition on each kind of field.
pub(super) const QUERIES: &[&str] = &[
    "error",
    "Connection",
    "\"connection timeout\"",
    "time*",
    "message:error or message:refused",
    "message:(connection and not refused)",
    "not message:*",
    "message:\"\" or n < 3",
    "17",
    "1",
    "x",
    "null",
    "web",
    "192.0.2.7",
    "api",
    "2026-06-15",
    "event.original:timeout",
    "event.original:*",
    "service:api",
    "service:*",
    "not service:*",
    "service:null",
    "service:(api or web-01)",
    "service.name:api",
    "service:{ name:api }",
    "level:error",
    "level:INFO or level:fatal",
    "level:custom",
    "not level:*",
    "level > E",
    "service:api and level:ERROR and message:connection",
    "host.name:web-01",
    "host.name:\"192.0.2.0/24\"",
    "host.name:*",
    "not host.name:web*",
    "host*:web-02",
    "log.syslog.severity.code:5",
    "log.syslog.severity.code < 6",
    "log.syslog.severity.code:*",
    "log.syslog.facility.name:local4",
    "log.syslog.facility.code >= 16",
    "log.syslog.*:Notice",
    "log.syslog.priority:165",
    "log.syslog.structured_data:*",
    "log.syslog.structured_data.x@1.a:1",
    "log.syslog.structured_data.x.a:1",
    "log.syslog.structured_data.x.a:2",
    "log.syslog.structured_data.a.b.c:1",
    "log.syslog.structured_data.a.b.c:2",
    "log.syslog.structured_data.x.y.a:1",
    "log.syslog.structured_data.y.z.c:\"]\"",
    "log.syslog.structured_data.y.z:*",
    "log.syslog.structured_data.*:two",
    "log.syslog.structured_data.*:*",
    "log.syslog.structured_data.x@1:{ a:1 and b:two }",
    "tags:web",
    "tags:(truncated and web)",
    "tags:*",
    "not tags:*",
    "tags:w*",
    "user.name:x",
    "user.*:x",
    "user.id:1",
    "user.id >= 1",
    "user.id < 100 and user.id > -3000",
    "user.id:18446744073709551616",
    "user:{ id:1 and name:x }",
    "user:*",
    "*.id:*",
    "items:1",
    "items:x",
    "items:*",
    "items.n:2",
    "items.sku:y",
    "items.sku:*",
    "items:{ n:1 and sku:x }",
    "items:{ n:2 and sku:x }",
    "items:{ not sku:x }",
    "items.b.c:1",
    "items.*:x",
    "item*:1",
    "*sku:y",
    "a:{ b:* }",
    "a:true",
    "a:false or a:null",
    "a:10.0.0.0/8",
    "a.b:x",
    "a.b.c:1",
    "a:\"a*b\"",
    "a:a\\*b",
    "a:~/^a.b$/",
    "\"field name\":*",
    "project:*",
    "project:x",
    "not project:*",
    "key:key_1",
    "key:*",
    "not key:*",
    "peer.ip:192.0.2.7",
    "peer.ip:10.0.0.0/8",
    "auth.method:prefix",
    "auth*:*",
    "listener:tcp",
    "listener:{ x:1 }",
    "@version:1",
    "@ver*:*",
    "_id:*",
    "_id:0000000000000003",
    "_id:*3",
    "_id > 0000000000000003",
    "@timestamp:2026-06-15",
    "@timestamp > \"2026-06-15T12:00:00Z\"",
    "@timestamp <= now-1d",
    "@timestamp:1970-01-01",
    "not @timestamp >= 2026-06-15",
    "received_at:2026-06-15",
    "received_at > now",
    "received_at:*",
    "*:*",
    "*:x",
    "*time*:2026-06-15",
    "not *:x",
    "not (service:api or level:ERROR) and n >= 5",
    "nosuch:x",
    "not nosuch:x",
    "nosuch:{ x:1 }",
    "n:1 or n:2 or error or (tags:x and not user.id:1)",
];
