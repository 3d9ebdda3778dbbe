//! What is noted and how long it is kept, changed while it runs (SPEC §4, §6).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Call, House, get, post};

fn put(path: &str, body: &str) -> Call {
    Call::new(Method::PUT, path).body(body)
}

const LOGGING: &str = "/v1/settings/logging";
const RETENTION: &str = "/v1/settings/retention";

#[tokio::test]
async fn every_switch_is_on_until_it_is_switched_off_by_either_path() {
    let house = House::open();
    let mut want = json!({
        "log_dashboard_activities": true,
        "log_api_calls": true,
        "log_failed_api_calls": true,
        "log_blocklisted_api_calls": true,
        "sample_rate": 1.0,
        "bodies": [],
        "retention": {
            "access": "30d", "advisory": "30d", "blocked": "30d", "dashboard": "30d",
            "failed": "30d", "session": "30d",
        },
    });
    let alias = format!("/api{LOGGING}");
    assert_eq!(house.send(get(&alias)).await, (StatusCode::OK, want.clone()));
    let changes = [
        (LOGGING, json!({"log_dashboard_activities": false})),
        (&alias, json!({"log_api_calls": false, "log_failed_api_calls": false})),
        (LOGGING, json!({"log_blocklisted_api_calls": false, "sample_rate": 0.25})),
        (LOGGING, json!({"retention": {"access": "7d"}})),
        (LOGGING, json!({"retention": {"blocked": "365d", "access": null}})),
        (LOGGING, json!({})),
    ];
    for (path, change) in changes {
        for (name, value) in change.as_object().unwrap() {
            match name.as_str() {
                "retention" => {
                    for (journal, kept) in value.as_object().unwrap() {
                        let kept = kept.as_str().unwrap_or("30d");
                        want["retention"][journal] = json!(kept);
                    }
                }
                _ => want[name] = value.clone(),
            }
        }
        let (status, answer) = house.send(put(path, &change.to_string())).await;
        assert_eq!((status, &answer), (StatusCode::OK, &want), "{change}");
        assert_eq!(house.send(get(LOGGING)).await.1, want);
    }
}

#[tokio::test]
async fn what_makes_no_sense_changes_nothing_and_is_named() {
    let house = House::open();
    let before = [house.send(get(LOGGING)).await.1, house.send(get(RETENTION)).await.1];
    let far = json!({"bodies": [{"key": "key_x", "until": "2999-01-01T00:00:00Z"}]}).to_string();
    let table = [
        (LOGGING, r#"{"log_api_calls":1}"#, "log_api_calls"),
        (LOGGING, r#"{"log_api_call":true}"#, "log_api_call"),
        (LOGGING, r#"{"sample_rate":1.5}"#, "sample_rate"),
        (LOGGING, r#"{"sample_rate":-1}"#, "sample_rate"),
        (LOGGING, r#"{"retention":{"access":"1h"}}"#, "_access"),
        (LOGGING, r#"{"retention":{"accesses":"7d"}}"#, "retention"),
        (LOGGING, r#"{"retention":{"access":7}}"#, "retention.access"),
        (LOGGING, r#"{"bodies":[{"key":"key_x","until":"2026-01-01T00:00:00Z"}]}"#, "bodies"),
        (LOGGING, r#"{"bodies":[{"key":"key_x"}]}"#, "bodies[0]"),
        (LOGGING, &far, "bodies"),
        (RETENTION, r#"{"default":"1s"}"#, "default"),
        (RETENTION, r#"{"projects":{"a":"40000d"}}"#, "a"),
        (RETENTION, r#"{"projects":{"_failed":"7d"}}"#, "projects"),
        (RETENTION, r#"{"projects":{"":"7d"}}"#, "projects"),
        (RETENTION, r#"{"journals":{"audits":"7d"}}"#, "journals"),
        (RETENTION, "[]", "body"),
    ];
    for (number, (path, change, field)) in (1..).zip(table) {
        let peer = format!("127.0.0.{number}");
        let (status, problem) = house.send(put(path, change).peer(&peer)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{change}: {problem}");
        let entries = house.noted_at_least(number, "failed").await;
        let entry = entries.iter().find(|entry| entry["source.ip"] == *peer).unwrap();
        assert_eq!(entry["field_errors"][0]["field"], field, "{change}: {entry}");
    }
    let after = [house.send(get(LOGGING)).await.1, house.send(get(RETENTION)).await.1];
    assert_eq!(before, after);
}

#[tokio::test]
async fn retention_is_of_projects_and_journals_and_goes_back_to_what_is_configured() {
    let house = House::open();
    let kept = |answer: &Value| {
        let of = |name: &str| answer["projects"].get(name).cloned();
        (answer["default"].clone(), of("a"), answer["journals"]["failed"].clone())
    };
    let table = [
        (json!({"projects": {"a": "90d"}}), ("30d", Some("90d"), "30d")),
        (json!({"journals": {"failed": "2d"}, "default": "60d"}), ("60d", Some("90d"), "2d")),
        (json!({"projects": {"a": null}}), ("60d", None, "2d")),
        (json!({"default": null}), ("30d", None, "2d")),
        (json!({"journals": {"failed": null}}), ("30d", None, "30d")),
    ];
    for (change, (default, a, failed)) in table {
        let (status, answer) = house.send(put(RETENTION, &change.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(kept(&answer), (json!(default), a.map(Into::into), json!(failed)), "{change}");
        assert_eq!(house.send(get(RETENTION)).await.1, answer);
    }
}

#[tokio::test]
async fn changes_are_in_the_audit_log_with_what_was_and_what_is() {
    let house = House::open();
    for (path, change) in [
        (LOGGING, r#"{"log_api_calls":false}"#),
        (LOGGING, r#"{"log_api_calls":false}"#), // no change any more
        (RETENTION, r#"{"default":"60d"}"#),
    ] {
        assert_eq!(house.send(put(path, change)).await.0, StatusCode::OK);
    }
    let (_, answer) = house.send(get("/v1/audit?event=settings.changed")).await;
    let [retention, logging] = &answer["entries"].as_array().unwrap()[..] else {
        panic!("expected two entries, but found {answer}")
    };
    assert_eq!(retention["resource"], "settings/retention");
    assert_eq!(logging["resource"], "settings/logging");
    assert!(logging["details"]["new"].to_string().contains("\"log_api_calls\":false"), "{logging}");
    assert!(retention["details"]["new"].to_string().contains("default"), "{retention}");
}

#[tokio::test]
async fn settings_are_changed_by_who_governs() {
    let house = House::open();
    let (_, governs) = house.key(r#""admin:projects""#, "default");
    let (_, elsewhere) = house.key(r#""admin:projects""#, "other");
    let (_, reads) = house.key(r#""read:audit","read:logs","write:logs""#, "default");
    for path in [LOGGING, "/api/v1/settings/logging", RETENTION] {
        for call in [get(path), put(path, "{}")] {
            for (key, want) in [(&governs, 200), (&elsewhere, 403), (&reads, 403)] {
                let call = call.clone().key(key);
                assert_eq!(house.send(call).await.0.as_u16(), want, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_journal_that_is_switched_off_takes_no_entry_and_one_that_is_on_does() {
    let house = House::open();
    let unknown = format!("lt_live_{}", "0".repeat(32));
    let journals = [
        ("access", "log_api_calls"),
        ("failed", "log_failed_api_calls"),
        ("blocked", "log_blocklisted_api_calls"),
    ];
    for (journal, switch) in journals {
        let path = format!("/v1/{journal}?filter=endpoint:%22/v1/logs/query%22");
        for is_on in [false, true] {
            let change = json!({switch: is_on}).to_string();
            assert_eq!(house.send(put(LOGGING, &change)).await.0, StatusCode::OK);
            let before = house.send(get(&path)).await.1["entries"].as_array().unwrap().len();
            for call in [post("/v1/logs/query", "{}"), post("/v1/logs/query", "x")] {
                house.answer(call).await;
            }
            house.answer(post("/v1/logs/query", "{}").key(&unknown)).await;
            // Another journal shows when all of them have been written.
            house.api.ingest.advise(crate::journal::Advisory {
                kind: "test",
                subject: format!("{journal} {is_on}"),
                ..Default::default()
            });
            house.noted_where("advisory", &format!("subject:\"{journal} {is_on}\"")).await;
            let after = house.send(get(&path)).await.1["entries"].as_array().unwrap().len();
            assert_eq!(after - before, usize::from(is_on), "{journal} {is_on}");
        }
    }
}
