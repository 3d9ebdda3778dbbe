//! The authorisation matrix: every call, with every scope, from every place. With every role it is
//! in `roles`.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use serde_json::json;

use super::support::{Call, House, PASSWORD};
use crate::api::route::{self, Needs, Reach};
use crate::api::routes::routes;
use crate::gate::{Environment, Scope};
use crate::people::Role;

/// Every call: what it needs, whose affair it is, and whether it changes anything. A call that is
/// not here fails the test; so does one that needs something else than is said here.
const MATRIX: &[&str] = &[
    "GET /v1/health: nothing, project, asks",
    "GET /v1/openapi.json: nothing, project, asks",
    "POST /v1/logs/query: read:logs or read:audit, project, asks",
    "POST /v1/logs/query/parse: read:logs, project, asks",
    "POST /v1/logs/facets: read:logs or read:audit, project, asks",
    "POST /v1/logs/histogram: read:logs or read:audit, project, asks",
    "POST /v1/logs/patterns: read:logs or read:audit, project, asks",
    "POST /v1/logs/stats: read:logs or read:audit, project, asks",
    "GET /v1/logs/tail: read:logs or read:audit, project, asks",
    "GET /v1/logs/export: read:logs, project, asks",
    "GET /v1/logs/{id}/context: read:logs or read:audit, project, asks",
    "POST /v1/logs/delete: admin:projects, project, changes",
    "GET /v1/audit: read:audit, daemon, asks",
    "GET /v1/audit/key: read:audit, daemon, asks",
    "GET /v1/audit/bundle: read:audit, daemon, asks",
    "GET /v1/audit/checkpoint: read:audit, daemon, asks",
    "GET /v1/access: read:audit, project, asks",
    "GET /v1/advisory: read:audit, project, asks",
    "GET /v1/blocked: read:audit, project, asks",
    "GET /v1/dashboard: read:audit, project, asks",
    "GET /v1/failed: read:audit, project, asks",
    "GET /v1/sessions/journal: read:audit, project, asks",
    "GET /v1/keys: admin:projects, project, asks",
    "POST /v1/keys: admin:projects, project, changes",
    "POST /v1/keys/rotate: admin:projects, project, changes",
    "GET /v1/keys/{id}: admin:projects, project, asks",
    "DELETE /v1/keys/{id}: admin:projects, project, changes",
    "GET /v1/keys/{id}/usage: admin:projects, project, asks",
    "POST /v1/sessions: nothing, project, changes",
    "POST /v1/sessions/refresh: nothing, project, changes",
    "GET /v1/sessions: own or admin:projects, project, asks",
    "DELETE /v1/sessions/{id}: own or admin:projects, project, changes",
    "GET /v1/users: admin:projects, project, asks",
    "POST /v1/users: owner, project, changes",
    "GET /v1/users/{id}: own or admin:projects, project, asks",
    "PUT /v1/users/{id}: owner, project, changes",
    "DELETE /v1/users/{id}: owner, project, changes",
    "PUT /v1/users/{id}/password: own or owner, project, changes",
    "GET /v1/projects: admin:projects, project, asks",
    "POST /v1/projects: admin:projects, daemon, changes",
    "GET /v1/projects/{name}: admin:projects, project, asks",
    "PUT /v1/projects/{name}: admin:projects, daemon, changes",
    "DELETE /v1/projects/{name}: admin:projects, daemon, changes",
    "GET /v1/organizations: admin:projects, daemon, asks",
    "POST /v1/organizations: admin:projects, daemon, changes",
    "DELETE /v1/organizations/{name}: admin:projects, daemon, changes",
    "GET /v1/allowlist: admin:projects, daemon, asks",
    "POST /v1/allowlist: admin:projects, daemon, changes",
    "DELETE /v1/allowlist: admin:projects, daemon, changes",
    "POST /v1/allowlist/dry-run: admin:projects, daemon, asks",
    "GET /v1/blocklist: admin:projects, daemon, asks",
    "POST /v1/blocklist: admin:projects, daemon, changes",
    "DELETE /v1/blocklist: admin:projects, daemon, changes",
    "POST /v1/blocklist/dry-run: admin:projects, daemon, asks",
    "GET /v1/rules: admin:projects, daemon, asks",
    "POST /v1/rules: admin:projects, daemon, changes",
    "POST /v1/rules/dry-run: admin:projects, daemon, asks",
    "GET /v1/rules/{id}: admin:projects, daemon, asks",
    "DELETE /v1/rules/{id}: admin:projects, daemon, changes",
    "GET /v1/doctor: admin:projects, daemon, asks",
    "GET /v1/senders: admin:projects, project, asks",
    "DELETE /v1/senders/{id}: admin:projects, project, changes",
    "GET /v1/webhooks: admin:projects, project, asks",
    "POST /v1/webhooks: admin:projects, project, changes",
    "GET /v1/webhooks/{id}: admin:projects, project, asks",
    "DELETE /v1/webhooks/{id}: admin:projects, project, changes",
    "GET /v1/webhooks/{id}/deliveries: admin:projects, project, asks",
    "POST /v1/webhooks/{id}/retry: admin:projects, project, changes",
    "POST /v1/webhooks/{id}/test: admin:projects, project, asks",
    "GET /v1/settings/logging: admin:projects, daemon, asks",
    "PUT /v1/settings/logging: admin:projects, daemon, changes",
    "GET /api/v1/settings/logging: admin:projects, daemon, asks",
    "PUT /api/v1/settings/logging: admin:projects, daemon, changes",
    "GET /v1/settings/retention: admin:projects, daemon, asks",
    "PUT /v1/settings/retention: admin:projects, daemon, changes",
    "POST /v1/reload: admin:projects, daemon, changes",
    "GET /v1/quarantine: admin:projects, daemon, asks",
    "DELETE /v1/quarantine/{segment}: admin:projects, daemon, changes",
    "POST /v1/backup: admin:projects, daemon, changes",
    "POST /v1/backup/{id}: admin:projects, daemon, changes",
    "DELETE /v1/backup/{id}: admin:projects, daemon, changes",
];

/// A call as it is made: some read logs or a journal, as they are asked.
pub(super) struct Made {
    pub(super) call: route::Call,
    pub(super) needs: Needs,
    pub(super) reach: Reach,
    of_a_journal: bool,
}

#[test]
fn au_09_every_call_is_in_the_matrix() {
    let found: Vec<_> = routes().iter().map(|route| row(&route.call)).collect();
    assert_eq!(found, MATRIX, "a call and its row go together");
}

/// A path that is put beside the routes has no row, and nobody asks who calls.
#[test]
fn au_09_no_call_is_made_but_by_a_route() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let mut folders = vec![folder];
    let mut declaring = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend((!path.ends_with("tests")).then_some(path));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let adds = [".route(", ".route_service(", ".nest(", ".nest_service(", ".merge("];
            if adds.iter().any(|add| text.contains(add)) {
                declaring.push(path.file_name().unwrap().to_owned());
            }
        }
    }
    assert_eq!(declaring, ["route.rs"]);
}

#[tokio::test]
async fn au_09_every_call_with_every_scope_from_every_place() {
    let house = House::open();
    for environment in [Environment::Production, Environment::Staging, Environment::Development] {
        for project in ["default", "shop"] {
            for own in Scope::ALL {
                let scope = format!("\"{}\"", own.as_str());
                let (_, key) = house.key_in(&scope, project, environment);
                let governs = (project, environment) == ("default", Environment::Production);
                for made in made() {
                    let call = &made.call;
                    let of = target(&house, &made, project);
                    let asked = request(&made, &of, project, environment).key(&key);
                    let status = house.answer(asked).await.status();
                    let admin = own == Scope::AdminProjects;
                    // People see all environments; and nobody owns the daemon as yet.
                    let is_own = matches!(made.needs, Needs::Own(_));
                    let of_people = is_own || call.path.starts_with("/v1/users");
                    let may = match made.needs {
                        Needs::Nothing => true,
                        Needs::Scope(scope) | Needs::Own(scope) => scope == own,
                        Needs::Owner | Needs::OwnOrOwner => admin && governs,
                        Needs::Either(..) => panic!("made as both"),
                    };
                    let may = may && (made.reach == Reach::Project || governs);
                    let may = may && (!of_people || environment == Environment::Production);
                    let what = format!("{} with {own:?} in {project}/{environment:?}", row(call));
                    assert_eq!(status != StatusCode::FORBIDDEN, may, "{what}: {status}");
                    assert_ne!(status, StatusCode::UNAUTHORIZED, "{what}");
                }
            }
        }
    }
    let noted = house.noted("blocked").await;
    assert!(!noted.is_empty() && noted.iter().all(|entry| entry["reason"] == "SCOPE_MISSING"));
}

#[tokio::test]
async fn au_11_no_call_but_health_is_open() {
    let house = House::open();
    let unknown = format!("lt_live_{}", "0".repeat(32));
    for made in made() {
        let ask = || request(&made, "x", "default", Environment::Production).peer("192.0.2.1");
        let open = made.needs == Needs::Nothing;
        for call in [ask(), ask().key(&unknown)] {
            let status = house.answer(call).await.status();
            assert_eq!(status != StatusCode::UNAUTHORIZED, open, "{}", row(&made.call));
        }
    }
}

/// Every call, and those that read logs or a journal as both.
pub(super) fn made() -> Vec<Made> {
    let mut made = Vec::new();
    for call in routes().into_iter().map(|route| route.call) {
        let reach = call.reach;
        let mut add = |needs, reach, of_a_journal| {
            made.push(Made { call: call.clone(), needs, reach, of_a_journal });
        };
        match call.needs {
            Needs::Either(logs, journal) => {
                add(Needs::Scope(logs), reach, false);
                add(Needs::Scope(journal), Reach::Daemon, true);
            }
            needs => add(needs, reach, false),
        }
    }
    made
}

/// Whom a call is about, where it is about somebody: a new user of a project who has no role but
/// there, and is signed in.
pub(super) fn target(house: &House, made: &Made, project: &str) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let is_of = |what: &str| made.call.path.starts_with(what);
    if !made.call.path.contains("{id}") || !(is_of("/v1/users") || is_of("/v1/sessions")) {
        return String::new();
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let somebody = house.person(&format!("somebody{number}"), &[(project, Role::Viewer)]).person;
    if is_of("/v1/users") { somebody.user.id.clone() } else { somebody.session.to_string() }
}

/// A call about `target`, or else about nothing that there is.
pub(super) fn request(made: &Made, target: &str, project: &str, environment: Environment) -> Call {
    let call = &made.call;
    let id = if target.is_empty() { "0000000000000000" } else { target };
    let mut path =
        call.path.replace("{id}", id).replace("{segment}", "1").replace("{name}", "none");
    let mut body = match (call.path, call.method.as_str()) {
        // A key is asked for where its maker is.
        ("/v1/keys", "POST") => json!({"project": project, "environment": environment}),
        ("/v1/users/{id}/password", _) => json!({"old": PASSWORD, "new": PASSWORD}),
        _ => json!({}),
    };
    if made.of_a_journal {
        body["journal"] = "failed".into();
        if call.method == "GET" {
            path.push_str("?journal=failed");
        }
    }
    Call::new(call.method.clone(), &path).body(&body.to_string())
}

pub(super) fn row(call: &route::Call) -> String {
    let needs = match call.needs {
        Needs::Nothing => "nothing".to_owned(),
        Needs::Scope(scope) => scope.as_str().to_owned(),
        Needs::Either(one, other) => format!("{} or {}", one.as_str(), other.as_str()),
        Needs::Own(scope) => format!("own or {}", scope.as_str()),
        Needs::OwnOrOwner => "own or owner".to_owned(),
        Needs::Owner => "owner".to_owned(),
    };
    let reach = match call.reach {
        Reach::Project => "project",
        Reach::Daemon => "daemon",
    };
    let changes = if call.changes { "changes" } else { "asks" };
    format!("{} {}: {needs}, {reach}, {changes}", call.method, call.path)
}
