//! `/v1/quarantine`: what was found damaged, and the way back.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::Api;
use super::caller::Caller;
use super::problem::Problem;
use crate::audit::Act;
use crate::gate::Scope;
use crate::store::{Error, Quarantined};

/// Lists what is in quarantine.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    api.allow(&caller, Scope::AdminProjects)?.of_the_daemon()?;
    Ok(Json(json!({"quarantine": shown(&api.store.quarantined())})))
}

/// Reads all of a segment, and takes it back if nothing is wrong with it any longer.
pub(super) async fn lift(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let allowed = api.allow(&caller, Scope::AdminProjects)?;
    allowed.of_the_daemon()?;
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let unknown = || Problem::not_found("expected a segment in quarantine, but found another");
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u64::from_str_radix(&id, 16).ok().filter(|_| is_id).ok_or_else(unknown)?;
    let own = Arc::clone(&api);
    let left = tokio::task::spawn_blocking(move || own.store.lift(number)).await;
    match left.map_err(|error| Problem::internal(&error))? {
        Ok(left) if left.is_empty() => {
            let act = Act::new("quarantine.lifted", format!("segment/{id}"));
            api.record(&allowed, act).await?;
            Ok(Json(json!({"segment": id, "lifted": true})))
        }
        Ok(left) => {
            let what = "expected a segment that is whole again, but found it damaged";
            Err(Problem::conflict("damaged", what).with("quarantine", shown(&left)))
        }
        Err(Error::NotQuarantined { .. }) => Err(unknown()),
        Err(error) => Err(Problem::internal(&error)),
    }
}

fn shown(marks: &[Quarantined]) -> Vec<Value> {
    let shown = |mark: &Quarantined| {
        json!({
            "segment": format!("{:016x}", mark.segment),
            "block": mark.block,
            "project": mark.project.as_deref(),
            "reason": &*mark.reason,
        })
    };
    marks.iter().map(shown).collect()
}
