//! `POST /v1/reload`: reads the configuration again.
//!
//! What does so is above the API: it is asked over a channel, and answers with what it did.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::Api;
use super::allowed::Allowed;
use super::problem::Problem;
use crate::audit::Who;

/// Where the configuration is asked to be read again.
#[derive(Clone, Debug)]
pub struct Reloads(mpsc::Sender<Reload>);

/// One who asks for it.
#[derive(Debug)]
pub struct Reload {
    /// Who.
    pub who: Who,
    /// Takes what was changed; or every reason why nothing was.
    pub answer: oneshot::Sender<Result<Value, Vec<String>>>,
}

impl Reloads {
    /// A way to ask, and where it is asked.
    pub fn channel() -> (Self, mpsc::Receiver<Reload>) {
        let (ask, asked) = mpsc::channel(MAX_WAITING);
        (Self(ask), asked)
    }
}

/// Reads the configuration again; says what changed, and what will only at the next start.
pub(super) async fn reload(
    State(api): State<Arc<Api>>,
    Extension(allowed): Extension<Allowed>,
) -> Result<Json<Value>, Problem> {
    let (answer, answered) = oneshot::channel();
    let asked = api.reloads.0.try_send(Reload { who: allowed.who(), answer });
    asked.map_err(|_| Problem::busy("reloads"))?;
    match answered.await {
        Ok(Ok(changes)) => Ok(Json(changes)),
        Ok(Err(reasons)) => {
            let what = "expected a configuration that makes sense, but found another: \
                        nothing was changed";
            Err(Problem::invalid("invalid_configuration", what).with("reasons", reasons))
        }
        Err(_) => Err(Problem::busy("reloads")), // it is about to stop
    }
}

/// Callers that may wait for a reload.
const MAX_WAITING: usize = 16;
