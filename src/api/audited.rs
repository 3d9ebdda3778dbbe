//! Changes, and what else is to be known of, as they are recorded before they are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use parking_lot::Mutex;
use serde_json::json;
use tracing::warn;

use super::Api;
use super::allowed::Allowed;
use super::problem::{Noted, Problem};
use super::route::Call;
use crate::audit::{Act, AuditError, Who};

impl Api {
    /// Changes something on behalf of a caller: it and its entry are on disk, in one batch, when
    /// this returns. What was there and is there now is taken from what is written to the store,
    /// and so is the resource where `act` names none. A change that writes nothing has no entry. Who
    /// may not any more is refused: a body can take its time.
    pub(super) async fn change<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        self: &Arc<Self>,
        allowed: &Allowed,
        act: Act,
        change: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        allowed.still(self).map_err(Problem::refused)?;
        self.change_by(allowed.who(), act, change).await
    }

    /// The same, on behalf of somebody who is no caller as yet.
    pub(super) async fn change_by<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        self: &Arc<Self>,
        who: Who,
        act: Act,
        change: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        let api = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || api.audit.change(who, act, || change(&api)));
        done.await.map_err(|error| Problem::internal(&error))?.map_err(Into::into)
    }

    /// Records what a caller did, or is about to be given, where that writes nothing to the store:
    /// an export, a backup. It is on disk when this returns.
    pub(super) async fn record(
        self: &Arc<Self>,
        allowed: &Allowed,
        act: Act,
    ) -> Result<(), Problem> {
        allowed.still(self).map_err(Problem::refused)?;
        self.record_by(allowed.who(), act).await
    }

    /// The same, of somebody who is not let in.
    pub(super) async fn record_by(self: &Arc<Self>, who: Who, act: Act) -> Result<(), Problem> {
        let api = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || api.audit.record(who, act));
        done.await.map_err(|error| Problem::internal(&error))?.map_err(Problem::from)?;
        Ok(())
    }
}

impl Api {
    /// Records that someone who has the scope for it tried a change that was refused, for what it
    /// asked or for whose it is; or that a person tried what they may not. Not more than [`MAX_REFUSED`] a minute, as nothing is ever deleted
    /// there; the journals have all of them.
    pub(super) async fn record_refused(
        self: &Arc<Self>,
        who: Who,
        call: &Call,
        status: StatusCode,
        noted: Option<Noted>,
    ) {
        let is_refused = [
            StatusCode::BAD_REQUEST,
            StatusCode::FORBIDDEN,
            StatusCode::CONFLICT,
            StatusCode::PRECONDITION_FAILED,
        ];
        if !is_refused.contains(&status) || !self.refused.take() {
            return;
        }
        let fields: Vec<_> = noted.iter().flat_map(|noted| &noted.fields).collect();
        let fields: Vec<_> = fields.iter().take(MAX_FIELDS).map(|field| &*field.field).collect();
        let what = json!({
            "status": status.as_u16(),
            "code": noted.as_ref().map(|noted| noted.code),
            "fields": fields,
        });
        let resource = format!("{} {}", call.method, call.path);
        let event = if call.changes { "change.refused" } else { "access.refused" };
        let act = Act::new(event, resource).new_value(what);
        if self.record_by(who, act).await.is_err() {
            warn!("a change that was refused could not be recorded");
        }
    }
}

/// How many refused changes are recorded.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<Option<(Instant, u32)>>);

impl Refused {
    /// Whether there is room for another in this minute.
    fn take(&self) -> bool {
        let mut minute = self.0.lock();
        let now = Instant::now();
        let begun = minute.filter(|(since, _)| now.duration_since(*since) < MINUTE);
        let (since, count) = begun.unwrap_or((now, 0));
        *minute = Some((since, count.saturating_add(1)));
        count < MAX_REFUSED
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Db(error) => crate::gate::GateError::Db(error).into(),
            error => Self::internal(&error),
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// Refused changes that are recorded in a minute.
const MAX_REFUSED: u32 = 60;

/// Wrong fields that are named of one.
const MAX_FIELDS: usize = 20;
