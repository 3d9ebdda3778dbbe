//! What people do, and how they come and go.

use std::net::IpAddr;
use std::sync::Arc;

use super::access::Status;
use super::entry::{number, put};
use super::fold::{Fold, Journal, What};
use super::which::Which;
use crate::event::Event;
use crate::time::Timestamp;

/// Who did something, from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The e-mail address; empty where it is not known, as of somebody who wrote none.
    pub user: String,
    /// The id of the user, where there is one.
    pub user_id: Option<String>,
    /// The id of the session, where there is one.
    pub session: Option<String>,
    /// Where they are.
    pub peer: Option<IpAddr>,
    /// The client software, as it says.
    pub user_agent: Option<String>,
    /// The project that they act in.
    pub project: Option<Arc<str>>,
}

/// An entry of `dashboard`: what somebody did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Who.
    pub actor: Actor,
    /// What: the method and the path as the list of calls has it, such as `PUT /v1/users/{id}`.
    pub action: String,
    /// To what: the path that was called.
    pub resource: String,
    /// The beginning of what was sent along, without secrets; nothing where that is a secret.
    pub details: Option<String>,
    /// What came of it: the status of HTTP.
    pub status: u16,
}

/// An entry of `session`: how somebody came or went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// Who.
    pub actor: Actor,
    /// What happened: `started`, `refused`, `refreshed` or `ended`.
    pub event: &'static str,
    /// Why it was refused, or ended.
    pub reason: Option<&'static str>,
    /// The country of the address, or `unknown`.
    pub country: String,
    /// When the session began, in RFC 3339.
    pub started: Option<String>,
    /// When something was last done in it.
    pub last_seen: Option<String>,
}

impl Journal {
    /// Notes what somebody did.
    pub fn acted(&self, now: Timestamp, entry: Activity) {
        let fold = Fold {
            journal: Which::Dashboard,
            code: "",
            status: Status::Code(entry.status),
            dry_run: false,
            rule: format!("{} {}", entry.action, entry.details.as_deref().unwrap_or_default()),
            peer: entry.actor.peer,
            key: entry.actor.session.clone(),
            target: entry.resource.clone(),
        };
        self.note(fold, 1, now, What::Activity(entry));
    }

    /// Notes that somebody came or went.
    pub fn visited(&self, now: Timestamp, entry: Visit) {
        let fold = Fold {
            journal: Which::Session,
            code: entry.event,
            status: Status::Closed,
            dry_run: false,
            rule: entry.reason.unwrap_or_default().to_owned(),
            peer: entry.actor.peer,
            key: entry.actor.session.clone().or_else(|| Some(entry.actor.user.clone())),
            target: String::new(),
        };
        self.note(fold, 1, now, What::Visit(entry));
    }
}

impl Actor {
    fn fill(self, event: &mut Event<'static>) {
        put(event, "user.email", Some(self.user).filter(|user| !user.is_empty()));
        put(event, "user.id", self.user_id);
        put(event, "session.id", self.session);
        put(event, "source.ip", self.peer.map(|peer| peer.to_canonical().to_string()));
        put(event, "user_agent.original", self.user_agent.filter(|agent| !agent.is_empty()));
        put(event, "project", self.project.map(|project| project.to_string()));
    }
}

impl Activity {
    pub(super) fn into_event(self) -> Event<'static> {
        let Self { actor, action, resource, details, status } = self;
        let mut event = Event::default();
        put(&mut event, "message", Some(format!("{}: {action} {status}", actor.user)));
        put(&mut event, "action", Some(action));
        put(&mut event, "resource", Some(resource));
        put(&mut event, "details", details);
        let (result, level) = match status {
            ..400 => ("done", "INFO"),
            400..500 => ("refused", "WARN"),
            _ => ("failed", "ERROR"),
        };
        put(&mut event, "result", Some(result.to_owned()));
        number(&mut event, "status", Some(u64::from(status)));
        put(&mut event, "level", Some(level.to_owned()));
        actor.fill(&mut event);
        event
    }
}

impl Visit {
    pub(super) fn into_event(self) -> Event<'static> {
        let Self { actor, event: what, reason, country, started, last_seen } = self;
        let mut event = Event::default();
        let why = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        put(&mut event, "message", Some(format!("{}: session {what}{why}", actor.user)));
        put(&mut event, "event", Some(what.to_owned()));
        put(&mut event, "reason", reason.map(str::to_owned));
        put(&mut event, "country", Some(country));
        put(&mut event, "session.started", started);
        put(&mut event, "session.last_seen", last_seen);
        // What someone else may be behind.
        let is_odd = what == "refused" || reason == Some("token_reused");
        put(&mut event, "level", Some(if is_odd { "WARN" } else { "INFO" }.to_owned()));
        actor.fill(&mut event);
        event
    }
}
