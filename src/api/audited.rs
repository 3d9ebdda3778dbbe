//! Changes, and what else is to be known of, as they are recorded before they are answered.

use std::sync::Arc;

use super::Api;
use super::caller::Allowed;
use super::problem::Problem;
use crate::audit::{Act, AuditError};

impl Api {
    /// Changes something on behalf of a caller: it and its entry are on disk, in one batch, when
    /// this returns. What was there and is there now is taken from what is written to the store,
    /// and so is the resource where `act` names none. A change that writes nothing has no entry.
    pub(super) async fn change<T: Send + 'static, E: Into<Problem> + Send + 'static>(
        self: &Arc<Self>,
        allowed: &Allowed,
        act: Act,
        change: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem> {
        let (api, who) = (Arc::clone(self), allowed.who());
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
        let (api, who) = (Arc::clone(self), allowed.who());
        let done = tokio::task::spawn_blocking(move || api.audit.record(who, act));
        done.await.map_err(|error| Problem::internal(&error))?.map_err(Problem::from)?;
        Ok(())
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
