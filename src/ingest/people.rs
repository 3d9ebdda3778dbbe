//! What people do, and how they come and go, as it is noted.

use super::{Ingest, now};
use crate::journal::{Activity, Actor, Visit, Which};
use crate::people::{Ended, People, UserInfo};

impl Ingest {
    /// Notes what somebody did.
    pub fn note_activity(&self, activity: Activity) {
        if self.journal.keeps(Which::Dashboard) {
            self.gauges.journal_noted.with_label_values(&["dashboard"]).inc();
            self.journal.acted(now(), activity);
        }
    }

    /// Notes that somebody came or went. The country is that of their address.
    pub fn note_visit(&self, visit: Visit) {
        let country = visit.actor.peer.map(|peer| self.gate.country_of(peer)).unwrap_or_default();
        self.gauges.journal_noted.with_label_values(&["session"]).inc();
        self.journal.visited(now(), Visit { country: country.to_string(), ..visit });
    }

    /// Notes which sessions have ended since the last call.
    pub fn note_ended(&self, people: &People) {
        for Ended { session, user, why } in people.take_ended() {
            self.note_visit(Visit {
                actor: Actor {
                    user: user.as_ref().map(|user| user.email.to_string()).unwrap_or_default(),
                    project: user.as_deref().and_then(only_project),
                    user_id: Some(session.user),
                    session: Some(session.id),
                    peer: Some(session.address),
                    user_agent: Some(session.user_agent),
                },
                event: "ended",
                reason: Some(why.as_str()),
                started: Some(session.started.to_string()),
                last_seen: Some(session.last_seen.to_string()),
                ..Visit::default()
            });
        }
    }
}

/// The project whose affair somebody is alone, if there is one.
pub fn only_project(user: &UserInfo) -> Option<std::sync::Arc<str>> {
    let mut projects = user.roles.keys();
    let only = projects.next()?;
    projects.next().is_none().then(|| only.as_str().into())
}
