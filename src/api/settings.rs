//! `/v1/settings/logging` and `/v1/settings/retention`: what is noted, and how long it is kept.
//!
//! A member that is not named stays as it is, so that a switch can be changed alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::Api;
use super::allowed::Allowed;
use super::input::Input;
use super::problem::Problem;
use crate::audit::Act;
use crate::ingest::now;
use crate::journal::{KeptBodies, Settings, Which};
use crate::store::{self, Days, RetentionSet};

/// What is to be changed of what is noted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Logging {
    log_dashboard_activities: Option<bool>,
    log_api_calls: Option<bool>,
    log_failed_api_calls: Option<bool>,
    log_blocklisted_api_calls: Option<bool>,
    sample_rate: Option<f64>,
    bodies: Option<Vec<KeptBodies>>,
    retention: Changes,
}

/// What is to be changed of how long things are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keeping {
    #[serde(deserialize_with = "present")]
    default: Option<Option<Days>>,
    projects: Changes,
    journals: Changes,
}

/// By name; `null` goes back to what is configured.
type Changes = BTreeMap<String, Option<Days>>;

/// Shows what is noted.
pub(super) async fn logging(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(api.logging())
}

/// Changes what is noted.
pub(super) async fn set_logging(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    input: Input,
) -> Result<Json<Value>, Problem> {
    let change: Logging = input.json(&api).await?;
    let _one_at_a_time = api.settings.lock().await;
    let settings = change.of(&api.ingest.journal().settings());
    if let Some((member, what)) = settings.problems(now()).into_iter().next() {
        return Err(Problem::invalid("invalid_parameter", what).at(member));
    }
    let unknown = |kept: &&KeptBodies| api.gate.key_by_id(&kept.key).is_none();
    if let Some(kept) = settings.bodies.iter().find(unknown) {
        let found: String = kept.key.chars().take(MAX_SHOWN).collect();
        let what = format!("expected the id of a key, but found {found:?}");
        return Err(Problem::invalid("invalid_parameter", what).at("bodies"));
    }
    let mut kept = api.store.retention_set();
    of_journals(&mut kept, change.retention, "retention")?;
    check(&kept)?;
    if settings != *api.ingest.journal().settings() {
        // What was noted until now is kept or not as was said until now; where it finds no room, it
        // waits for that, and this does not.
        let _in_time = timeout(PATIENCE, api.ingest.flush_journal()).await.is_ok();
        let act = Act::new(CHANGED, "settings/logging");
        let set = move |api: &Api| api.ingest.journal().set(settings).map_err(store::Error::from);
        api.change(&allowed, act, set).await?;
    }
    keep(&api, &allowed, kept).await?;
    Ok(Json(api.logging()))
}

/// Shows how long everything is kept.
pub(super) async fn retention(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(api.retention())
}

/// Changes how long projects and journals are kept.
pub(super) async fn set_retention(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
    input: Input,
) -> Result<Json<Value>, Problem> {
    let Keeping { default, projects, journals } = input.json(&api).await?;
    let _one_at_a_time = api.settings.lock().await;
    let mut kept = api.store.retention_set();
    kept.default = default.unwrap_or(kept.default);
    if let Some(name) = projects.keys().find(|name| !is_name(name)) {
        let found: String = name.chars().take(MAX_SHOWN).collect();
        let what = format!("expected the name of a project, but found {found:?}");
        return Err(Problem::invalid("invalid_parameter", what).at("projects"));
    }
    change(&mut kept, projects);
    of_journals(&mut kept, journals, "journals")?;
    check(&kept)?;
    keep(&api, &allowed, kept).await?;
    Ok(Json(api.retention()))
}

impl Logging {
    /// The settings with these changes.
    fn of(&self, old: &Settings) -> Settings {
        Settings {
            log_dashboard_activities: self
                .log_dashboard_activities
                .unwrap_or(old.log_dashboard_activities),
            log_api_calls: self.log_api_calls.unwrap_or(old.log_api_calls),
            log_failed_api_calls: self.log_failed_api_calls.unwrap_or(old.log_failed_api_calls),
            log_blocklisted_api_calls: self
                .log_blocklisted_api_calls
                .unwrap_or(old.log_blocklisted_api_calls),
            sample_rate: self.sample_rate.unwrap_or(old.sample_rate),
            bodies: self.bodies.clone().unwrap_or_else(|| {
                let now = now();
                old.bodies.iter().filter(|kept| now < kept.until).cloned().collect()
            }),
        }
    }
}

impl Api {
    fn logging(&self) -> Value {
        let settings = self.ingest.journal().settings();
        let mut shown = serde_json::to_value(&*settings).expect("settings make JSON");
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("retention".to_owned(), self.of_journals());
        }
        shown
    }

    fn retention(&self) -> Value {
        let kept = self.store.retention();
        let is_project = |(name, _): &(&String, &Days)| is_name(name);
        let projects: Map<String, Value> = (kept.projects.iter().filter(is_project))
            .map(|(name, days)| (name.clone(), shown(days.0)))
            .collect();
        json!({
            "default": shown(kept.default),
            "projects": projects,
            "journals": self.of_journals(),
        })
    }

    fn of_journals(&self) -> Value {
        let kept = |journal: Which| {
            (journal.as_str().to_owned(), shown(self.store.kept(journal.project())))
        };
        Value::Object(Which::ALL.into_iter().map(kept).collect())
    }
}

/// Lets this be how long things are kept, if it is not so already.
async fn keep(api: &Arc<Api>, allowed: &Allowed, kept: RetentionSet) -> Result<(), Problem> {
    if kept == api.store.retention_set() {
        return Ok(());
    }
    let act = Act::new(CHANGED, "settings/retention");
    api.change(allowed, act, move |api: &Api| api.store.set_retention(|set| *set = kept)).await
}

fn change(kept: &mut RetentionSet, changes: Changes) {
    for (name, days) in changes {
        match days {
            Some(days) => drop(kept.projects.insert(name, days)),
            None => drop(kept.projects.remove(&name)),
        }
    }
}

fn of_journals(kept: &mut RetentionSet, changes: Changes, at: &str) -> Result<(), Problem> {
    let mut named = Changes::new();
    for (name, days) in changes {
        let journal = Which::ALL.into_iter().find(|journal| journal.as_str() == name);
        let journal = journal.ok_or_else(|| {
            let all = Which::ALL.map(Which::as_str).join(", ");
            let found: String = name.chars().take(MAX_SHOWN).collect();
            let what = format!("expected a journal ({all}), but found {found:?}");
            Problem::invalid("invalid_parameter", what).at(at)
        })?;
        named.insert(journal.project().to_owned(), days);
    }
    change(kept, named);
    Ok(())
}

fn check(kept: &RetentionSet) -> Result<(), Problem> {
    match kept.problems().into_iter().next() {
        Some((name, what)) => Err(Problem::invalid("invalid_parameter", what).at(&name)),
        None => Ok(()),
    }
}

/// Whether it may be the name of a project, and is no journal's.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('_')
}

/// A length of time as it is written, in days where it is some.
fn shown(time: Duration) -> Value {
    let seconds = time.as_secs();
    match seconds % 86_400 {
        0 => format!("{}d", seconds / 86_400).into(),
        _ => humantime::format_duration(time).to_string().into(),
    }
}

/// Tells a member that is `null` from one that is not there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// What a change is called in the audit log.
const CHANGED: &str = "settings.changed";

/// The longest name of a project, in bytes.
const MAX_NAME: usize = 256;

/// Characters of a name that a problem repeats.
const MAX_SHOWN: usize = 64;

/// How long a change waits for what was noted before it to be stored.
const PATIENCE: Duration = Duration::from_secs(2);
