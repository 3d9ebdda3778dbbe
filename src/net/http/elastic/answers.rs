//! What clients want to hear before they send.

use axum::Json;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::path::last;
use crate::net::http::HttpConfig;

/// An answer to a question.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// Which product this is, and of which version.
    Banner,
    /// That there is a license: without one Logstash takes the node for dead.
    License,
    /// What can be used.
    Features,
    /// That all is well.
    Health,
    /// That there is one node: this one.
    Nodes,
    /// One of the tables for people, which is empty.
    Table,
    IndexTemplate,
    ComponentTemplate,
    Policy,
    DataStream,
    /// Anything else that has a name: by it, and empty.
    Named,
    /// That it was done everywhere.
    Shards,
}

/// A question.
#[derive(Debug)]
pub(super) struct Asked<'q> {
    pub(super) head: &'q Parts,
    pub(super) config: &'q HttpConfig,
}

impl Answer {
    pub(super) fn say(self, asked: &Asked<'_>) -> Response {
        if self.is_thing() && !matches!(asked.head.method, Method::GET | Method::HEAD) {
            return Json(json!({"acknowledged": true})).into_response();
        }
        let name = last(asked.head.uri.path());
        let body = match self {
            Self::Table => return table(asked),
            Self::Banner => banner(&asked.config.elasticsearch_version),
            Self::License => json!({"license": license()}),
            Self::Features => json!({
                "license": license(),
                "features": {"ilm": {"available": true, "enabled": true}},
            }),
            Self::Health => health(),
            Self::Nodes => nodes(asked),
            Self::IndexTemplate => {
                let template = json!({"index_patterns": [name], "composed_of": []});
                json!({"index_templates": [{"name": name, "index_template": template}]})
            }
            Self::ComponentTemplate => {
                let template = json!({"template": {}});
                json!({"component_templates": [{"name": name, "component_template": template}]})
            }
            Self::Policy => json!({name: {"version": 1, "policy": {"phases": {}}}}),
            Self::DataStream => {
                let time = json!({"name": "@timestamp"});
                json!({"data_streams": [{"name": name, "timestamp_field": time, "status": "GREEN"}]})
            }
            Self::Named => json!({name: {}}),
            Self::Shards => json!({"_shards": {"total": 1, "successful": 1, "failed": 0}}),
        };
        Json(body).into_response()
    }

    /// Whether it is about something that clients make where it is missing.
    fn is_thing(self) -> bool {
        matches!(
            self,
            Self::IndexTemplate
                | Self::ComponentTemplate
                | Self::Policy
                | Self::DataStream
                | Self::Named
        )
    }
}

fn banner(version: &str) -> Value {
    json!({
        "name": NAME,
        "cluster_name": NAME,
        "cluster_uuid": "bG9ndHJhY2UtY2x1c3Rlcg",
        "version": {
            "number": version,
            "build_flavor": "default",
            "build_type": "tar",
            "build_hash": "0000000000000000000000000000000000000000",
            "build_date": BUILT,
            "build_snapshot": false,
            "lucene_version": "10.0.0",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    })
}

fn license() -> Value {
    json!({
        "status": "active",
        "uid": "6c6f6774-7261-4365-8000-000000000000",
        "type": "basic",
        "mode": "basic",
        "issue_date": BUILT,
        "issue_date_in_millis": 1_767_225_600_000_u64,
        "max_nodes": 1,
        "issued_to": NAME,
        "issuer": NAME,
        "start_date_in_millis": -1,
    })
}

fn health() -> Value {
    json!({
        "cluster_name": NAME,
        "status": "green",
        "timed_out": false,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "active_primary_shards": 1,
        "active_shards": 1,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "active_shards_percent_as_number": 100.0,
    })
}

/// One node, where the client has found it: whoever looks for others goes on with this one.
fn nodes(asked: &Asked<'_>) -> Value {
    let host = asked.head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let node = json!({
        "name": NAME,
        "version": asked.config.elasticsearch_version,
        "roles": ["data", "ingest"],
        "http": {
            "bound_address": [host],
            "publish_address": host,
            "max_content_length_in_bytes": asked.config.max_body,
        },
    });
    json!({
        "_nodes": {"total": 1, "successful": 1, "failed": 0},
        "cluster_name": NAME,
        "nodes": {NAME: node},
    })
}

fn table(asked: &Asked<'_>) -> Response {
    let accepts = asked.head.headers.get(header::ACCEPT).map_or(&b""[..], HeaderValue::as_bytes);
    let query = asked.head.uri.query().unwrap_or_default();
    if query.contains("format=json") || accepts.windows(4).any(|part| part == b"json") {
        return Json(json!([])).into_response();
    }
    (StatusCode::OK, "").into_response()
}

/// What this calls itself.
const NAME: &str = "logtrace";

const BUILT: &str = "2026-01-01T00:00:00.000Z";
