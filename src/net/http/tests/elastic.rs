//! What Elasticsearch's clients send, and what they are told.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::support::{House, PEER, with};

fn ask(method: &str, path: &str, body: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let mut request = request.body(Body::from(body.to_owned())).unwrap();
    request.extensions_mut().insert(ConnectInfo(PEER));
    request
}

fn statuses(answer: &Value) -> Vec<u64> {
    let items = answer["items"].as_array().unwrap();
    let status =
        |item: &Value| item.as_object().unwrap().values().next().unwrap()["status"].clone();
    items.iter().map(|item| status(item).as_u64().unwrap()).collect()
}

const TWO: &str = "{\"create\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{\"message\":\"a\"}\n\
                   {\"index\":{\"_index\":\"i\",\"_id\":\"2\"}}\n{\"message\":\"b\"}\n";

#[tokio::test]
async fn documents_are_taken_wherever_they_are_sent() {
    let house = House::open().write();
    let one = "{\"index\":{}}\n{\"message\":\"x\"}\n";
    for (method, path, index) in [
        ("POST", "/_bulk", Value::Null),
        ("PUT", "/_bulk/", Value::Null),
        ("POST", "/logs%2D1/_bulk?pipeline=x&filter_path=errors", json!("logs-1")),
        ("POST", "/i/_bulk/", json!("i")),
        ("POST", "/elasticsearch/_bulk", Value::Null),
        ("PUT", "/elasticsearch/j/_bulk", json!("j")),
    ] {
        let (status, answer) = house.send(ask(method, path, one)).await;
        assert_eq!((status, statuses(&answer)), (StatusCode::OK, vec![201]), "{method} {path}");
        assert_eq!(house.events("default")[0]["elasticsearch.index"], index, "{path}");
    }
    let (status, answer) = house.send(ask("POST", "/i/_doc", r#"{"message":"y"}"#)).await;
    assert_eq!((status, &answer["result"]), (StatusCode::CREATED, &json!("created")));
    assert_eq!(house.counts().stored, 7);
}

#[tokio::test]
async fn clients_hear_what_they_want_to_before_they_send() {
    let house = House::open().write();
    let vendor = "application/vnd.elasticsearch+json; compatible-with=9";
    let answer = house.answer(with(ask("GET", "/", ""), "accept", vendor)).await;
    assert_eq!(answer.headers()["x-elastic-product"], "Elasticsearch");
    assert_eq!(answer.headers()["content-type"], vendor);
    for (path, pointer, want) in [
        ("/", "/version/number", json!("9.99.0")),
        ("/elasticsearch", "/tagline", json!("You Know, for Search")),
        ("/_license?human=false", "/license/status", json!("active")),
        ("/_xpack", "/features/ilm/enabled", json!(true)),
        ("/_cluster/health", "/status", json!("green")),
        ("/_nodes/http", "/_nodes/total", json!(1)),
        ("/_cat/nodes?format=json", "", json!([])),
        ("/_index_template/logs", "/index_templates/0/name", json!("logs")),
        ("/_ilm/policy/filebeat", "/filebeat/version", json!(1)),
        ("/_ingest/pipeline/p", "/p", json!({})),
        ("/_data_stream/logs-x", "/data_streams/0/status", json!("GREEN")),
    ] {
        let (status, answer) = house.send(ask("GET", path, "")).await;
        assert_eq!((status, answer.pointer(pointer)), (StatusCode::OK, Some(&want)), "{path}");
        assert_eq!(house.answer(ask("HEAD", path, "")).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/_index_template/logs", "/_ilm/policy/x", "/_ingest/pipeline/x", "/_template/x"] {
        let (status, answer) = house.send(ask("PUT", path, "{}")).await;
        assert_eq!((status, answer), (StatusCode::OK, json!({"acknowledged": true})), "{path}");
    }
    assert_eq!(house.counts().received, 0);
}

#[tokio::test]
async fn a_copy_is_stored_once() {
    let house = House::open().write();
    assert_eq!(statuses(&house.send(ask("POST", "/_bulk", TWO)).await.1), [201, 201]);
    // The answer was not heard.
    let (_, answer) = house.send(ask("POST", "/_bulk", TWO)).await;
    assert_eq!((statuses(&answer), &answer["errors"]), (vec![409, 200], &json!(true)));
    let changed = TWO.replace("\"b\"", "\"c\"");
    assert_eq!(statuses(&house.send(ask("POST", "/_bulk", &changed)).await.1), [409, 201]);
    // Within a call too.
    let twice = "{\"index\":{\"_id\":\"3\"}}\n{\"message\":\"d\"}\n".repeat(2);
    assert_eq!(statuses(&house.send(ask("POST", "/_bulk", &twice)).await.1), [201, 200]);
    assert_eq!(house.stored("default", "message"), ["a", "b", "c", "d"]);
    let put = |path| ask("PUT", path, r#"{"message":"e"}"#);
    for (path, status) in [("/i/_doc/9", 201), ("/i/_doc/9", 200), ("/i/_create/9", 409)] {
        assert_eq!(house.send(put(path)).await.0.as_u16(), status, "{path}");
    }
    let counts = house.counts();
    assert_eq!((counts.received, counts.stored), (11, 5));
}

#[tokio::test]
async fn a_copy_of_what_is_on_its_way_waits_with_it() {
    let house = House::open();
    let mut first = Box::pin(house.answer(ask("POST", "/_bulk", TWO)));
    let mut second = Box::pin(house.answer(ask("POST", "/_bulk", TWO)));
    let short = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(short, &mut first).await.is_err());
    assert!(tokio::time::timeout(short, &mut second).await.is_err(), "it is not durable yet");
    drop((first, second));
    let house = house.write();
    assert_eq!(statuses(&house.send(ask("POST", "/_bulk", TWO)).await.1), [409, 200]);
    assert_eq!(house.stored("default", "message"), ["a", "b"]);
}

#[tokio::test]
async fn ht_14_what_is_broken_is_told_item_by_item_and_as_elasticsearch_does() {
    let house = House::open().write();
    let body = "{\"index\":{}}\n{broken\n{\"delete\":{\"_id\":\"1\"}}\n".to_owned() + TWO;
    let (status, answer) = house.send(ask("POST", "/_bulk", &body)).await;
    assert_eq!((status, statuses(&answer)), (StatusCode::OK, vec![400, 400, 201, 201]));
    assert_eq!(answer["items"][0]["index"]["error"]["type"], "document_parsing_exception");
    for (body, status, kind) in
        [("nonsense", 400, "illegal_argument_exception"), ("", 400, "illegal_argument_exception")]
    {
        let (found, answer) = house.send(ask("POST", "/_bulk", body)).await;
        assert_eq!((found.as_u16(), &answer["status"]), (status, &json!(status)), "{body}");
        assert_eq!(answer["error"]["type"], kind);
        assert_eq!(answer["error"]["root_cause"][0]["type"], kind);
    }
    let broken = with(ask("POST", "/_bulk", TWO), "content-encoding", "gzip");
    assert_eq!(house.send(broken).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(house.send(ask("DELETE", "/_bulk", "")).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn who_has_no_key_or_sends_too_much_is_told_so_that_it_comes_again() {
    let house =
        House::new(r#"{"limits":{"key":{"events_per_second":1,"burst":"1s"}}}"#, true).write();
    for request in [ask("POST", "/_bulk", TWO), ask("GET", "/", ""), ask("GET", "/_license", "")] {
        let (status, answer) = house.send(request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer["error"]["type"], "security_exception");
    }
    let key = house.key(r#"{"scopes":["write:logs"]}"#);
    let keyed = |request| with(request, "authorization", &format!("ApiKey {}", key.reveal()));
    assert_eq!(house.send(keyed(ask("GET", "/", ""))).await.0, StatusCode::OK);
    let (status, answer) = house.send(keyed(ask("POST", "/_bulk", &TWO.repeat(3)))).await;
    assert_eq!(status, StatusCode::OK);
    // The same document again is none over the limit, and what was over it may come again.
    let statuses = statuses(&answer);
    assert!(statuses.contains(&201) && statuses.contains(&429), "{statuses:?}");
    let more = TWO.replace("\"_id\":\"", "\"_id\":\"x");
    let answer = house.answer(keyed(ask("POST", "/_bulk", &more))).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
}
