//! `GET /v1/openapi.json`: what there is to call, made of the one list of routes.
//!
//! Where a call is, what it needs and whose affair it is come from the routes; here is only what
//! each is for, in a sentence, and what some of them take. A test holds that no call is without its
//! sentence, and no sentence without its call.

use std::sync::LazyLock;

use axum::Json;
use serde_json::{Map, Value, json};

use super::route::{Call, Needs, Reach};
use super::routes::routes;

/// The document.
pub(super) async fn document() -> Json<&'static Value> {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(build);
    Json(&DOCUMENT)
}

fn build() -> Value {
    let mut paths = Map::new();
    paths.insert("/v1/logs/ingest".to_owned(), json!({"post": ingest()}));
    for route in routes() {
        let path = paths.entry(route.call.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.call.method.as_str().to_lowercase(), operation(&route.call));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "logtrace",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A log collector with its own store. Keys and tokens go into `Authorization: Bearer`; who has roles in several projects names one in `X-Logtrace-Project`.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, lt_live_…, or wherever its role allows it the token of a person."},
                "token": {"type": "http", "scheme": "bearer", "description": "The access token of a person: lt_user_…"},
            },
            "schemas": schemas(),
        },
    })
}

fn operation(call: &Call) -> Value {
    let name = format!("{} {}", call.method, call.path);
    let says = SAYS.iter().find(|(known, _)| *known == name).map(|(_, says)| *says);
    let parts = call.path.split('/').filter(|part| !part.is_empty() && *part != "api");
    let parameters: Vec<_> = (parts.clone())
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let mut operation = json!({
        "operationId": operation_id(call),
        "summary": says.unwrap_or_default(),
        "tags": [parts.clone().nth(1).unwrap_or("logtrace")],
        "parameters": parameters,
        "responses": responses(call),
    });
    let Some(members) = operation.as_object_mut() else { return operation };
    match call.needs {
        Needs::Nothing => drop(members.insert("security".to_owned(), json!([]))),
        Needs::Scope(scope) => {
            members.insert("security".to_owned(), json!([{"key": []}]));
            members.insert("x-scopes".to_owned(), json!([scope.as_str()]));
        }
        Needs::Either(one, other) => {
            members.insert("security".to_owned(), json!([{"key": []}]));
            members.insert("x-scopes".to_owned(), json!([one.as_str(), other.as_str()]));
        }
        Needs::Own(scope) => {
            members.insert("security".to_owned(), json!([{"token": []}, {"key": []}]));
            members.insert("x-scopes".to_owned(), json!([scope.as_str()]));
        }
        Needs::Owner | Needs::OwnOrOwner => {
            members.insert("security".to_owned(), json!([{"token": []}]));
            members.insert("x-roles".to_owned(), json!(["owner"]));
        }
    }
    let reach = if call.reach == Reach::Daemon { "daemon" } else { "project" };
    members.insert("x-reach".to_owned(), reach.into());
    if matches!(call.method.as_str(), "POST" | "PUT") {
        let body = BODIES.iter().find(|(known, _)| *known == name);
        let schema = match body {
            Some((_, schema)) => json!({"$ref": format!("#/components/schemas/{schema}")}),
            None => json!({"type": "object"}),
        };
        let content =
            json!({"required": true, "content": {"application/json": {"schema": schema}}});
        members.insert("requestBody".to_owned(), content);
    }
    operation
}

/// `get_v1_keys_id`.
fn operation_id(call: &Call) -> String {
    let text = format!("{}{}", call.method.as_str().to_lowercase(), call.path);
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { ' ' };
    text.chars().map(word).collect::<String>().split_whitespace().collect::<Vec<_>>().join("_")
}

fn responses(call: &Call) -> Value {
    let problem = |what: &str| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        json!({"description": what, "content": {"application/problem+json": {"schema": schema}}})
    };
    let done = json!({"description": "Done.", "content": {"application/json": {}}});
    let mut responses = Map::from_iter([("200".to_owned(), done)]);
    let mut add = |status: &str, what: &str| {
        responses.insert(status.to_owned(), problem(what));
    };
    add("500", "Our fault; its id is in the log.");
    if call.needs == Needs::Nothing {
        return Value::Object(responses);
    }
    add("400", "It makes no sense; says where.");
    add("401", "No valid key.");
    add("403", "The key may not do this.");
    add("404", "It is not there, or another project's.");
    add("429", "Over the rate limit: come again after Retry-After.");
    add("503", "Not ready, or too much at once.");
    if call.changes {
        add("409", "It cannot be done as things are.");
        add("412", "It is not any longer what If-Match names.");
        add("413", "The body is too long.");
    }
    Value::Object(responses)
}

/// The one call that is a door of its own.
fn ingest() -> Value {
    let body = json!({"$ref": "#/components/schemas/Ingest"});
    let problem = json!({"$ref": "#/components/schemas/Problem"});
    let problem = |what: &str| json!({"description": what, "content": {"application/problem+json": {"schema": problem}}});
    let ingested = json!({"$ref": "#/components/schemas/Ingested"});
    json!({
        "operationId": "post_v1_logs_ingest",
        "summary": "Takes logs; answers when they are durable.",
        "tags": ["logs"],
        "security": [{"key": []}],
        "x-scopes": ["write:logs"],
        "x-reach": "project",
        "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
        "responses": {
            "202": {"description": "Durable.", "content": {"application/json": {"schema": ingested}}},
            "400": problem("It is no list of logs; says where."),
            "401": problem("No valid key."),
            "403": problem("The key may not do this."),
            "413": problem("Too many logs, or too long a body."),
            "429": problem("Over the rate limit: come again after Retry-After."),
            "503": problem("There is no room to store anything."),
        },
    })
}

fn schemas() -> Value {
    let of = |part| match part {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    };
    let all = of(of_logs()).into_iter().chain(of(of_settings())).chain(of(of_people()));
    Value::Object(all.collect())
}

/// Of people.
fn of_people() -> Value {
    let text = json!({"type": "string"});
    let password = json!({"type": "string", "format": "password", "minLength": 12});
    let role = json!({"enum": ["viewer", "admin", "owner"]});
    let roles = json!({
        "type": "object", "description": "By project.", "additionalProperties": role,
    });
    json!({
        "SignIn": {
            "type": "object",
            "required": ["email", "password"],
            "properties": {"email": text, "password": {"type": "string", "format": "password"}},
        },
        "Refresh": {
            "type": "object",
            "required": ["refresh_token"],
            "properties": {"refresh_token": text},
        },
        "NewUser": {
            "type": "object",
            "required": ["email", "roles"],
            "properties": {"email": text, "name": text, "roles": roles, "password": password},
        },
        "UserChange": {
            "type": "object",
            "properties": {
                "name": text, "disabled": {"type": "boolean"},
                "roles": {
                    "type": "object",
                    "description": "By project; null takes a role away.",
                    "additionalProperties": {"enum": ["viewer", "admin", "owner", null]},
                },
            },
        },
        "NewPassword": {
            "type": "object",
            "required": ["new"],
            "properties": {"old": {"type": "string", "format": "password"}, "new": password},
        },
    })
}

/// Of logs, and of problems.
fn of_logs() -> Value {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "minimum": 0});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "Problem": {
            "type": "object",
            "description": "RFC 9457.",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": text, "title": text, "status": number, "detail": text,
                "code": {"type": "string", "description": "Stable, for programs."},
            },
        },
        "Log": {
            "type": "object",
            "properties": {
                "timestamp": text, "level": text, "message": text, "service": text,
            },
            "additionalProperties": true,
        },
        "Ingest": {
            "type": "object",
            "required": ["logs"],
            "properties": {
                "logs": {"type": "array", "items": {"$ref": "#/components/schemas/Log"}},
            },
        },
        "Ingested": {
            "type": "object",
            "required": ["accepted", "rejected"],
            "properties": {
                "accepted": number,
                "rejected": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["index", "error"],
                        "properties": {"index": number, "error": text},
                    },
                },
            },
        },
        "Query": {
            "type": "object",
            "properties": {
                "filter": {"type": "string", "description": "KQL."},
                "syntax": {"enum": ["lenient", "strict"]},
                "from": text, "to": text, "cursor": text, "sort": text, "journal": text,
                "limit": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100},
                "fields": texts,
            },
        },
    })
}

/// Of what is administered.
fn of_settings() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "NewKey": {
            "type": "object",
            "required": ["name", "scopes"],
            "properties": {
                "name": text, "project": text,
                "environment": {"enum": ["production", "staging", "development"]},
                "scopes": {"type": "array", "items": {"enum": [
                    "write:logs", "read:logs", "write:alerts", "read:audit", "admin:projects",
                ]}},
                "allow": texts,
                "lifetime": {"type": "string", "examples": ["90d"]},
                "tier": {"enum": ["standard", "enterprise"]},
                "policy": {"enum": ["drop", "pace", "queue", "sample"]},
                "limits": {"type": "object"},
                "certificates": texts, "label": text, "auto_rotate": text,
            },
        },
        "Rotation": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": text, "grace": text, "lifetime": text, "force": {"type": "boolean"}},
        },
        "ListEntry": {
            "type": "object",
            "required": ["net"],
            "properties": {
                "net": text, "expires_at": text, "expires_in": text, "note": text,
                "confirm": {"type": "boolean"},
            },
        },
        "Logging": {
            "type": "object",
            "properties": {
                "log_dashboard_activities": {"type": "boolean"},
                "log_api_calls": {"type": "boolean"},
                "log_failed_api_calls": {"type": "boolean"},
                "log_blocklisted_api_calls": {"type": "boolean"},
                "sample_rate": {"type": "number", "minimum": 0, "maximum": 1},
            },
        },
        "NewWebhook": {
            "type": "object",
            "required": ["url", "events"],
            "properties": {"url": text, "events": texts, "note": text, "project": text},
        },
    })
}

/// What calls take, where that is said.
const BODIES: &[(&str, &str)] = &[
    ("POST /v1/logs/query", "Query"),
    ("POST /v1/keys", "NewKey"),
    ("POST /v1/keys/rotate", "Rotation"),
    ("POST /v1/allowlist", "ListEntry"),
    ("POST /v1/blocklist", "ListEntry"),
    ("PUT /v1/settings/logging", "Logging"),
    ("PUT /api/v1/settings/logging", "Logging"),
    ("POST /v1/webhooks", "NewWebhook"),
    ("POST /v1/sessions", "SignIn"),
    ("POST /v1/sessions/refresh", "Refresh"),
    ("POST /v1/users", "NewUser"),
    ("PUT /v1/users/{id}", "UserChange"),
    ("PUT /v1/users/{id}/password", "NewPassword"),
];

/// What each call is for.
const SAYS: &[(&str, &str)] = &[
    ("GET /v1/health", "How the daemon is."),
    ("GET /v1/openapi.json", "This document."),
    ("POST /v1/logs/query", "Finds events, the newest first."),
    ("POST /v1/logs/query/parse", "Shows a filter as it is understood."),
    ("POST /v1/logs/facets", "The most frequent values of fields."),
    ("POST /v1/logs/histogram", "Counts events over time."),
    ("POST /v1/logs/patterns", "The templates of messages, with counts."),
    ("POST /v1/logs/stats", "Aggregates by fields."),
    ("GET /v1/logs/tail", "Follows what comes in, as server-sent events."),
    ("GET /v1/logs/export", "Sends all that a filter finds, as NDJSON, or CSV by Accept."),
    ("GET /v1/logs/{id}/context", "What came before and after an event from the same source."),
    ("POST /v1/logs/delete", "Deletes the events that a filter finds."),
    ("GET /v1/audit", "Lists the record of changes; CSV by Accept."),
    ("GET /v1/audit/key", "The public key that the record is signed with."),
    ("GET /v1/audit/bundle", "All that proves a part of the record, to be verified offline."),
    ("GET /v1/audit/checkpoint", "The latest signed checkpoint of the record."),
    ("GET /v1/access", "Lists calls and connections that were served; CSV by Accept."),
    ("GET /v1/advisory", "Lists what someone should look at."),
    ("GET /v1/blocked", "Lists and groups what was refused; CSV by Accept."),
    ("GET /v1/dashboard", "Lists what people did; CSV by Accept."),
    ("GET /v1/sessions/journal", "Lists how people came and went; CSV by Accept."),
    ("GET /v1/failed", "Lists and groups what failed; CSV by Accept."),
    ("GET /v1/keys", "Lists keys."),
    ("POST /v1/keys", "Makes a key; its secret is shown only now."),
    ("POST /v1/keys/rotate", "Gives a key a new secret; the old one works too for a while."),
    ("GET /v1/keys/{id}", "Shows a key."),
    ("DELETE /v1/keys/{id}", "Takes a key back, at once."),
    ("GET /v1/keys/{id}/usage", "What a key was used for, by hour."),
    ("POST /v1/sessions", "Signs in: gives an access token and a refresh token."),
    ("POST /v1/sessions/refresh", "Gives the next two tokens for a refresh token, once."),
    ("GET /v1/sessions", "Lists one's own sessions; with user, those of whom one administers."),
    ("DELETE /v1/sessions/{id}", "Ends a session; one's own is also `current`."),
    ("GET /v1/users", "Lists the users with a role in the project."),
    ("POST /v1/users", "Makes a user; a password that was made is shown only now."),
    ("GET /v1/users/{id}", "Shows a user."),
    ("PUT /v1/users/{id}", "Changes a user: their name, their roles, whether they may sign in."),
    ("DELETE /v1/users/{id}", "Removes a user."),
    ("PUT /v1/users/{id}/password", "Sets a password; one's own needs the one before."),
    ("GET /v1/projects", "Lists projects."),
    ("POST /v1/projects", "Makes a project."),
    ("GET /v1/projects/{name}", "Shows a project."),
    ("PUT /v1/projects/{name}", "Changes a project."),
    ("DELETE /v1/projects/{name}", "Removes a project; with force, its keys and logs too."),
    ("GET /v1/organizations", "Lists organizations."),
    ("POST /v1/organizations", "Makes an organization."),
    ("DELETE /v1/organizations/{name}", "Removes an organization."),
    ("GET /v1/allowlist", "Lists networks that no block touches."),
    ("POST /v1/allowlist", "Adds a network that no block touches."),
    ("DELETE /v1/allowlist", "Removes one."),
    ("POST /v1/allowlist/dry-run", "Who of yesterday's senders would be allowed."),
    ("GET /v1/blocklist", "Lists networks that are turned away."),
    ("POST /v1/blocklist", "Adds a network that is turned away."),
    ("DELETE /v1/blocklist", "Removes one."),
    ("POST /v1/blocklist/dry-run", "Who of yesterday's senders would be turned away."),
    ("GET /v1/rules", "Lists rules."),
    ("POST /v1/rules", "Adds rules."),
    ("POST /v1/rules/dry-run", "What a rule would have found."),
    ("GET /v1/rules/{id}", "Shows a rule."),
    ("DELETE /v1/rules/{id}", "Removes a rule."),
    (
        "GET /v1/doctor",
        "Says why someone is turned away, what is odd of what they send, and what mends it.",
    ),
    ("GET /v1/senders", "Lists who sends: when they were heard last, and who is overdue."),
    ("DELETE /v1/senders/{id}", "Forgets a sender, which is then waited for no longer."),
    ("GET /v1/webhooks", "Lists webhooks."),
    ("POST /v1/webhooks", "Makes a webhook; its secret is shown only now."),
    ("GET /v1/webhooks/{id}", "Shows a webhook."),
    ("DELETE /v1/webhooks/{id}", "Removes a webhook, with all on its way to it."),
    ("GET /v1/webhooks/{id}/deliveries", "What is on its way to a webhook, or was given up."),
    ("POST /v1/webhooks/{id}/retry", "Tries again what was given up."),
    ("POST /v1/webhooks/{id}/test", "Calls the receiver of a webhook now."),
    ("GET /v1/settings/logging", "Shows what is noted in journals."),
    ("PUT /v1/settings/logging", "Changes what is noted in journals."),
    ("GET /api/v1/settings/logging", "Shows what is noted in journals."),
    ("PUT /api/v1/settings/logging", "Changes what is noted in journals."),
    ("GET /v1/settings/retention", "Shows how long everything is kept."),
    ("PUT /v1/settings/retention", "Changes how long everything is kept."),
    ("POST /v1/reload", "Reads the configuration again: all of it, or nothing."),
    ("GET /v1/quarantine", "Lists segments in which damage was found."),
    ("DELETE /v1/quarantine/{segment}", "Takes a segment out of quarantine."),
    ("POST /v1/backup", "Makes a checkpoint of all that is stored."),
    ("POST /v1/backup/{id}", "Keeps a checkpoint for longer."),
    ("DELETE /v1/backup/{id}", "Removes a checkpoint."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_in_the_document_and_says_what_it_is_for() {
        let known: Vec<_> = routes()
            .iter()
            .map(|route| format!("{} {}", route.call.method, route.call.path))
            .collect();
        let said: Vec<_> = SAYS.iter().map(|(name, _)| *name).collect();
        for name in &known {
            assert!(said.contains(&&**name), "{name} is for something");
        }
        for name in said.iter().chain(BODIES.iter().map(|(name, _)| name)) {
            assert!(known.iter().any(|known| known == name), "{name} is no call");
        }
        let document = build();
        let paths = document["paths"].as_object().unwrap();
        let operations: Vec<_> =
            paths.values().flat_map(|path| path.as_object().unwrap().values()).collect();
        assert_eq!(operations.len(), known.len() + 1, "and the one to take logs");
        let mut ids: Vec<_> =
            operations.iter().map(|one| one["operationId"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), operations.len(), "names are unique");
    }

    #[test]
    fn what_is_referred_to_is_there() {
        let document = build();
        let text = document.to_string();
        let refs: Vec<_> = text.split("#/components/schemas/").skip(1).collect();
        assert!(refs.len() > 50);
        for rest in refs {
            let name = rest.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let keys = &document["paths"]["/v1/keys/{id}"]["delete"];
        assert_eq!(keys["x-scopes"], json!(["admin:projects"]));
        assert_eq!(keys["parameters"][0]["name"], "id");
    }
}
