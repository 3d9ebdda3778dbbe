//! The project is a wall.

use super::fixtures::{NOW, TestStore, answer, pages, request, texts};
use crate::kql::{Syntax, parse};
use crate::query::{Order, Request, Tail};

#[test]
fn qy_11_no_filter_leaves_its_project() {
    let store = TestStore::new();
    let filters = [
        "*",
        "not project:p",
        "own or project:*",
        "own or project:q",
        "project:q or not project:q",
        "not own",
        "key:* or not key:*",
        "not nosuch:*",
        "own) or (project:q",
        "_id:* or listener:*",
        "nosuch:{ project:q } or not nosuch:{ project:q }",
        "not (own and not own)",
        "*:* or *:q",
        "~/.*/",
    ];
    let mut tail = Tail::new(&store, Request { limit: 10_000, ..request("*") }, None).unwrap();
    // In turns in one batch, and in batches and blocks of their own.
    for _ in 0..3 {
        store.stage_messages("q", &[(1, "secret"), (2, "secret")]);
        store.stage_messages("p", &[(1, "own"), (2, "own")]);
        store.stage_messages("pq", &[(1, "secret"), (2, "secret")]);
        store.stage_messages("", &[(1, "secret")]);
    }
    assert_eq!(tail.poll(&store, NOW).unwrap().logs.len(), 6);
    for sealed in [false, true] {
        if sealed {
            store.seal().unwrap();
        }
        for filter in filters {
            if parse(filter, Syntax::Lenient).is_err() {
                continue;
            }
            for order in [Order::NewestFirst, Order::OldestFirst] {
                let logs = pages(&store, &Request { order, limit: 2, ..request(filter) }, |_| {});
                assert!(texts(&logs, "message").iter().all(|m| m == "own"), "{filter}");
            }
        }
        assert_eq!(answer(&store, &request("not project:p")).logs.len(), 6);
        assert_eq!(answer(&store, &request("project:*")).logs.len(), 0);
        let nobody = Request { project: "nobody".into(), ..request("*") };
        assert_eq!(answer(&store, &nobody).logs.len(), 0);
    }
}
