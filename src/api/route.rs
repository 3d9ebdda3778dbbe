//! One call of the API: where it is, what it needs, and the guard in front of it.
//!
//! What a call needs is said once, in [`super::routes`]. The guard holds it, so that a call whose
//! own code asks for nothing is not open for that.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use axum::{Extension, Router};

use super::Api;
use super::allowed::{Allowed, who};
use super::caller::Caller;
use super::problem::{Noted, Problem};
use super::versioned;
use super::watch::{Seen, describe};
use crate::gate::{Quota, RequestKind, Scope};

/// What a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: for balancers and probes.
    Nothing,
    /// A scope.
    Scope(Scope),
    /// Either; which of them, the body or a parameter says, and the call itself asks for it.
    Either(Scope, Scope),
    /// To be somebody, for what is their own; for what is others', a scope: the call itself asks
    /// whose it is.
    Own(Scope),
    /// To be somebody, for what is their own; for what is others', an owner: likewise.
    OwnOrOwner,
    /// To be an owner of the project.
    Owner,
}

/// Whose affair a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// That of the caller's project.
    Project,
    /// That of the whole daemon: only for those who govern it.
    Daemon,
}

/// One method of one path.
#[derive(Clone)]
pub(super) struct Route {
    /// What is guarded, and shown to whoever asks.
    pub(super) call: Call,
    handler: MethodRouter<Arc<Api>>,
    /// Whether what it shows has a tag.
    is_tagged: bool,
    /// Whether what it brings is not to be seen in any journal.
    is_secret: bool,
    /// What shows that which it changes, where that has a tag.
    current: Option<MethodRouter<Arc<Api>>>,
}

/// What is said of a [`Route`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path, with `{name}` for what varies.
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    pub(super) reach: Reach,
    /// Whether it changes something that is administered; a query by `POST` does not.
    pub(super) changes: bool,
}

/// What the guard of a route knows.
#[derive(Clone)]
struct Guard {
    api: Arc<Api>,
    call: Arc<Call>,
    is_tagged: bool,
    is_secret: bool,
    current: Option<MethodRouter<Arc<Api>>>,
}

impl Route {
    /// A `GET`.
    pub(super) fn get<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self::new(Method::GET, path, needs, routing::get(handler))
    }

    /// A `POST` that only asks.
    pub(super) fn ask<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        let mut route = Self::post(path, needs, handler);
        route.call.changes = false;
        route
    }

    /// A `POST` that changes something.
    pub(super) fn post<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self::new(Method::POST, path, needs, routing::post(handler))
    }

    /// A `PUT`.
    pub(super) fn put<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self::new(Method::PUT, path, needs, routing::put(handler))
    }

    /// A `DELETE`.
    pub(super) fn delete<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self::new(Method::DELETE, path, needs, routing::delete(handler))
    }

    /// The same, for those who govern the whole daemon.
    pub(super) fn of_the_daemon(mut self) -> Self {
        self.call.reach = Reach::Daemon;
        self
    }

    /// The same, of something that has a tag.
    pub(super) fn tagged(self) -> Self {
        Self { is_tagged: true, ..self }
    }

    /// The same, of a change of what `current` shows under the same path.
    pub(super) fn of_tagged<H, T>(self, current: H) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        Self { current: Some(routing::get(current)), ..self }
    }

    /// The same, of a body with a password or a token in it.
    pub(super) fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// Adds it to a router, behind its guard.
    pub(super) fn add_to(self, router: Router<Arc<Api>>, api: &Arc<Api>) -> Router<Arc<Api>> {
        let Self { call, handler, is_tagged, is_secret, current } = self;
        let (path, call, api) = (call.path, Arc::new(call), Arc::clone(api));
        let guard = Guard { api, call, is_tagged, is_secret, current };
        let guard = middleware::from_fn_with_state(guard, Guard::hold);
        router.route(path, handler.route_layer(guard))
    }

    fn new(
        method: Method,
        path: &'static str,
        needs: Needs,
        handler: MethodRouter<Arc<Api>>,
    ) -> Self {
        let changes = method != Method::GET;
        let call = Call { method, path, needs, reach: Reach::Project, changes };
        Self { call, handler, is_tagged: false, is_secret: false, current: None }
    }
}

impl Needs {
    /// Whether it is to read logs or journals, which a key may do so often in an hour. What is
    /// administered can always be.
    fn reads(self) -> bool {
        let reads = |scope| matches!(scope, Scope::ReadLogs | Scope::ReadAudit);
        match self {
            Self::Nothing | Self::Own(_) | Self::OwnOrOwner | Self::Owner => false,
            Self::Scope(scope) => reads(scope),
            Self::Either(one, other) => reads(one) || reads(other),
        }
    }
}

impl Guard {
    /// Lets a call pass if its caller may make it; what they may is then in its extensions. Which
    /// call it was is in those of the answer.
    async fn hold(
        State(guard): State<Self>,
        caller: Extension<Caller>,
        request: Request,
        next: Next,
    ) -> Response {
        let call = Arc::clone(&guard.call);
        let mut response = guard.ask(caller, request, next).await;
        response.extensions_mut().insert(call);
        response
    }

    async fn ask(
        self,
        Extension(caller): Extension<Caller>,
        request: Request,
        next: Next,
    ) -> Response {
        if let Some(seen) = request.extensions().get::<Seen>().filter(|_| self.is_secret) {
            seen.hide();
        }
        if self.call.needs == Needs::Nothing {
            return next.run(request).await;
        }
        let api = Arc::clone(&self.api);
        let call = Arc::clone(&self.call);
        let (allowed, response) = match api.let_in(&caller, call.needs) {
            Ok(allowed) => {
                let response = self.pass(&caller, &allowed, request, next).await;
                (Some(allowed), response)
            }
            Err(problem) => (None, problem.into_response()),
        };
        let who = match (allowed, caller.person()) {
            (Some(allowed), _) if call.changes => allowed.who(),
            // What somebody may not even see is told of too: people do not try that by accident.
            (_, Some(person)) if response.status() == StatusCode::FORBIDDEN => {
                who(&person.user, caller.peer)
            }
            _ => return response,
        };
        let noted = response.extensions().get::<Noted>().cloned();
        api.record_refused(who, &call, response.status(), noted).await;
        response
    }

    /// Lets a call of someone who is allowed pass, if it is of their place and within their hour.
    async fn pass(
        self,
        caller: &Caller,
        allowed: &Allowed,
        mut request: Request,
        next: Next,
    ) -> Response {
        let Self { api, call, is_tagged, current, .. } = self;
        if call.reach == Reach::Daemon && !allowed.governs() {
            return Problem::other_project().into_response();
        }
        let counted = match allowed.key().filter(|_| call.needs.reads()) {
            Some(key) => {
                let described = describe(&request, caller);
                Some(api.ingest.request(key, RequestKind::Query, || described).await)
            }
            None => None,
        };
        let (quota, mut response) = match counted {
            Some(Err((refusal, quota))) => {
                (Some(quota), Problem::refused(refusal).retry(quota.reset).into_response())
            }
            counted => {
                request.extensions_mut().insert(allowed.clone());
                let response = match current {
                    Some(current) => versioned::change(&api, current, request, next).await,
                    None if is_tagged => versioned::tagged(next.run(request).await).await,
                    None => next.run(request).await,
                };
                (counted.and_then(Result::ok), response)
            }
        };
        for (name, value) in quota.iter().flat_map(Quota::headers) {
            response.headers_mut().insert(HeaderName::from_static(name), value.into());
        }
        response
    }
}

impl Api {
    /// Lets a caller make a call that needs this.
    fn let_in(&self, caller: &Caller, needs: Needs) -> Result<Allowed, Problem> {
        match needs {
            Needs::Nothing => self.allow(caller, Scope::ReadLogs),
            Needs::Scope(scope) => self.allow(caller, scope),
            Needs::Either(one, other) => {
                let allowed = self.allow(caller, one);
                allowed.or_else(|problem| self.allow(caller, other).map_err(|_| problem))
            }
            Needs::Own(scope) => self.allow_own(caller, scope),
            Needs::OwnOrOwner if caller.person().is_some() => {
                self.allow_own(caller, Scope::AdminProjects)
            }
            Needs::Owner | Needs::OwnOrOwner => {
                let allowed = self.allow(caller, Scope::AdminProjects)?;
                match allowed.owns(self) {
                    true => Ok(allowed),
                    false => Err(Problem::not_an_owner()),
                }
            }
        }
    }
}
