//! Every call of the API but `POST /v1/logs/ingest`, which is a door of its own: where it is, what
//! it needs, whether it changes anything.
//!
//! There is no other list. A new call is a line here, and one in the authorisation matrix of the
//! tests, which fails until it has one.

use super::audit;
use super::backup;
use super::context;
use super::delete;
use super::doctor;
use super::export;
use super::facets;
use super::health;
use super::histogram;
use super::journals::{self, Journal};
use super::keys;
use super::lists;
use super::openapi;
use super::parse;
use super::patterns;
use super::projects;
use super::quarantine;
use super::query;
use super::reload;
use super::route::{Needs, Route};
use super::rules;
use super::senders;
use super::sessions;
use super::settings;
use super::stats;
use super::tail;
use super::users;
use super::webhooks;
use crate::gate::{ListKind, Scope};

/// All of them.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::get("/v1/health", Needs::Nothing, health::health),
        Route::get("/v1/openapi.json", Needs::Nothing, openapi::document),
    ];
    routes.extend(of_logs());
    routes.extend(of_journals());
    routes.extend(of_keys());
    routes.extend(of_people());
    routes.extend(of_projects());
    routes.extend(of_lists());
    routes.extend(of_rules());
    routes.extend(of_senders());
    routes.extend(of_webhooks());
    routes.extend(of_settings());
    routes.extend(of_the_store());
    routes
}

fn of_logs() -> Vec<Route> {
    vec![
        Route::ask("/v1/logs/query", LOGS_OR_JOURNAL, query::query),
        Route::ask("/v1/logs/query/parse", LOGS, parse::parse),
        Route::ask("/v1/logs/facets", LOGS_OR_JOURNAL, facets::facets),
        Route::ask("/v1/logs/histogram", LOGS_OR_JOURNAL, histogram::histogram),
        Route::ask("/v1/logs/patterns", LOGS_OR_JOURNAL, patterns::patterns),
        Route::ask("/v1/logs/stats", LOGS_OR_JOURNAL, stats::stats),
        Route::get("/v1/logs/tail", LOGS_OR_JOURNAL, tail::tail),
        Route::get("/v1/logs/export", LOGS, export::export),
        Route::get("/v1/logs/{id}/context", LOGS_OR_JOURNAL, context::context),
        Route::post("/v1/logs/delete", ADMIN, delete::delete),
    ]
}

fn of_journals() -> Vec<Route> {
    vec![
        Route::get("/v1/audit", AUDIT, audit::list).of_the_daemon(),
        Route::get("/v1/audit/key", AUDIT, audit::key).of_the_daemon(),
        Route::get("/v1/audit/bundle", AUDIT, audit::bundle).of_the_daemon(),
        Route::get("/v1/audit/checkpoint", AUDIT, audit::checkpoint).of_the_daemon(),
        journals::route("/v1/access", Journal::Access),
        journals::route("/v1/advisory", Journal::Advisory),
        journals::route("/v1/blocked", Journal::Blocked),
        journals::route("/v1/dashboard", Journal::Dashboard),
        journals::route("/v1/failed", Journal::Failed),
        journals::route("/v1/sessions/journal", Journal::Session),
    ]
}

fn of_settings() -> Vec<Route> {
    let logging = |path| {
        [
            Route::get(path, ADMIN, settings::logging).of_the_daemon().tagged(),
            Route::put(path, ADMIN, settings::set_logging)
                .of_the_daemon()
                .of_tagged(settings::logging),
        ]
    };
    let retention = "/v1/settings/retention";
    let mut routes = Vec::from(logging("/v1/settings/logging"));
    routes.extend(logging("/api/v1/settings/logging"));
    routes.push(Route::get(retention, ADMIN, settings::retention).of_the_daemon().tagged());
    let set = Route::put(retention, ADMIN, settings::set_retention).of_the_daemon();
    routes.push(set.of_tagged(settings::retention));
    routes.push(Route::post("/v1/reload", ADMIN, reload::reload).of_the_daemon());
    routes
}

fn of_keys() -> Vec<Route> {
    vec![
        Route::get("/v1/keys", ADMIN, keys::list),
        Route::post("/v1/keys", ADMIN, keys::create),
        Route::post("/v1/keys/rotate", ADMIN, keys::rotate),
        Route::get("/v1/keys/{id}", ADMIN, keys::show).tagged(),
        Route::delete("/v1/keys/{id}", ADMIN, keys::revoke).of_tagged(keys::show),
        Route::get("/v1/keys/{id}/usage", ADMIN, keys::usage),
    ]
}

fn of_people() -> Vec<Route> {
    vec![
        Route::post("/v1/sessions", Needs::Nothing, sessions::sign_in).secret(),
        Route::post("/v1/sessions/refresh", Needs::Nothing, sessions::refresh).secret(),
        Route::get("/v1/sessions", OWN, sessions::list),
        Route::delete("/v1/sessions/{id}", OWN, sessions::end),
        Route::get("/v1/users", ADMIN, users::list),
        Route::post("/v1/users", Needs::Owner, users::create).secret(),
        Route::get("/v1/users/{id}", OWN, users::show).tagged(),
        Route::put("/v1/users/{id}", Needs::Owner, users::change).of_tagged(users::show).secret(),
        Route::delete("/v1/users/{id}", Needs::Owner, users::remove).of_tagged(users::show),
        Route::put("/v1/users/{id}/password", Needs::OwnOrOwner, users::set_password).secret(),
    ]
}

fn of_projects() -> Vec<Route> {
    vec![
        Route::get("/v1/projects", ADMIN, projects::list),
        Route::post("/v1/projects", ADMIN, projects::create).of_the_daemon(),
        Route::get("/v1/projects/{name}", ADMIN, projects::show).tagged(),
        Route::put("/v1/projects/{name}", ADMIN, projects::change)
            .of_the_daemon()
            .of_tagged(projects::show),
        Route::delete("/v1/projects/{name}", ADMIN, projects::remove)
            .of_the_daemon()
            .of_tagged(projects::show),
        Route::get("/v1/organizations", ADMIN, projects::list_organizations).of_the_daemon(),
        Route::post("/v1/organizations", ADMIN, projects::create_organization).of_the_daemon(),
        Route::delete("/v1/organizations/{name}", ADMIN, projects::remove_organization)
            .of_the_daemon(),
    ]
}

fn of_lists() -> Vec<Route> {
    let allow = lists::routes("/v1/allowlist", ListKind::Allow);
    allow.into_iter().chain(lists::routes("/v1/blocklist", ListKind::Block)).collect()
}

fn of_rules() -> Vec<Route> {
    vec![
        Route::get("/v1/rules", ADMIN, rules::list).of_the_daemon(),
        Route::post("/v1/rules", ADMIN, rules::add).of_the_daemon(),
        Route::ask("/v1/rules/dry-run", ADMIN, rules::dry_run).of_the_daemon(),
        Route::get("/v1/rules/{id}", ADMIN, rules::show).of_the_daemon().tagged(),
        Route::delete("/v1/rules/{id}", ADMIN, rules::remove)
            .of_the_daemon()
            .of_tagged(rules::show),
    ]
}

fn of_senders() -> Vec<Route> {
    vec![
        Route::get("/v1/doctor", ADMIN, doctor::explain).of_the_daemon(),
        Route::get("/v1/senders", ADMIN, senders::list),
        Route::delete("/v1/senders/{id}", ADMIN, senders::forget),
    ]
}

fn of_webhooks() -> Vec<Route> {
    vec![
        Route::get("/v1/webhooks", ADMIN, webhooks::list),
        Route::post("/v1/webhooks", ADMIN, webhooks::create),
        Route::get("/v1/webhooks/{id}", ADMIN, webhooks::show).tagged(),
        Route::delete("/v1/webhooks/{id}", ADMIN, webhooks::remove).of_tagged(webhooks::show),
        Route::get("/v1/webhooks/{id}/deliveries", ADMIN, webhooks::deliveries),
        Route::post("/v1/webhooks/{id}/retry", ADMIN, webhooks::retry),
        Route::ask("/v1/webhooks/{id}/test", ADMIN, webhooks::test),
    ]
}

fn of_the_store() -> Vec<Route> {
    vec![
        Route::get("/v1/quarantine", ADMIN, quarantine::list).of_the_daemon(),
        Route::delete("/v1/quarantine/{segment}", ADMIN, quarantine::lift).of_the_daemon(),
        Route::post("/v1/backup", ADMIN, backup::create).of_the_daemon(),
        Route::post("/v1/backup/{id}", ADMIN, backup::keep).of_the_daemon(),
        Route::delete("/v1/backup/{id}", ADMIN, backup::remove).of_the_daemon(),
    ]
}

const LOGS: Needs = Needs::Scope(Scope::ReadLogs);

/// Those who read a journal are asked for the one scope, others for the other.
const LOGS_OR_JOURNAL: Needs = Needs::Either(Scope::ReadLogs, Scope::ReadAudit);

const AUDIT: Needs = Needs::Scope(Scope::ReadAudit);

/// What is one's own; of others', that of those whom one administers.
const OWN: Needs = Needs::Own(Scope::AdminProjects);

const ADMIN: Needs = Needs::Scope(Scope::AdminProjects);
