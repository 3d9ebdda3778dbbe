//! The live tail.

use axum::body::{Body, BodyDataStream};
use axum::http::{Response, StatusCode};
use futures_util::StreamExt;

use super::support::{House, get};
use crate::ingest::now;
use crate::people::{Role, UserChange};

/// The events of a tail, one a call.
struct Events(BodyDataStream);

impl Events {
    async fn of(answer: Response<Body>) -> Self {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut events = Self(answer.into_body().into_data_stream());
        assert_eq!(events.next().await.as_deref(), Some(": tail\n\n"));
        events
    }

    async fn next(&mut self) -> Option<String> {
        let data = self.0.next().await?.unwrap();
        Some(String::from_utf8(data.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn what_arrives_is_seen_and_nothing_else() {
    let house = House::open();
    let (_, other) = house.key(r#""write:logs""#, "shop");
    house.store(None, r#"[{"message":"before"}]"#).await;
    let path = "/v1/logs/tail?filter=not%20message:noise&fields=message";
    let mut events = Events::of(house.answer(get(path)).await).await;
    house.store(Some(&other), r#"[{"message":"of another project"}]"#).await;
    house.store(None, r#"[{"message":"noise"},{"message":"seen"}]"#).await;
    let event = events.next().await.unwrap();
    assert!(event.contains(r#""message":"seen""#) && event.starts_with("id: "), "{event}");

    // Where one tail ended, another goes on.
    let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    drop(events);
    house.store(None, r#"[{"message":"meanwhile"}]"#).await;
    let mut events = Events::of(house.answer(get(path).header("last-event-id", &id)).await).await;
    assert!(events.next().await.unwrap().contains("meanwhile"));
    let answer = house.answer(get(path).header("last-event-id", "x")).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn au_03_a_tail_ends_with_the_right_to_it() {
    let house = House::open();
    let (id, key) = house.key(r#""read:logs""#, "default");
    let mut events = Events::of(house.answer(get("/v1/logs/tail").key(&key)).await).await;
    house.api.gate.revoke_key(&id, now()).unwrap();
    let end = "event: end\ndata: {\"reason\":\"this is not allowed any longer\"}\n\n";
    assert_eq!(events.next().await.as_deref(), Some(end));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn co_07_a_tail_ends_with_the_session() {
    let house = House::open();
    house.person("boss", &[("default", Role::Owner)]);
    let ann = house.person("ann", &[("default", Role::Viewer)]);
    let mut events = Events::of(house.answer(get("/v1/logs/tail").by(&ann)).await).await;
    let roles = [("default".to_owned(), Some(Role::Admin))].into();
    let raised = UserChange { roles, ..UserChange::default() };
    house.api.people.change(&ann.person.user.id, raised, None).unwrap();
    let end = "event: end\ndata: {\"reason\":\"this is not allowed any longer\"}\n\n";
    assert_eq!(events.next().await.as_deref(), Some(end));
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_tail_ends_with_the_daemon() {
    let house = House::open();
    let mut events = Events::of(house.answer(get("/v1/logs/tail")).await).await;
    house.stop.cancel();
    let end = "event: end\ndata: {\"reason\":\"the daemon is stopping\"}\n\n";
    assert_eq!(events.next().await.as_deref(), Some(end));
    assert_eq!(events.next().await, None);
}
