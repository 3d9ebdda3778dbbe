//! The wall between the environments of a project.
//!
//! What a key wrote is of its environment, and what came without a key is of production. A caller
//! with a key sees what is of its own, unless it governs the daemon.

use serde_json::{Map, Value};

use super::Api;
use super::caller::Allowed;
use crate::gate::Environment;
use crate::kql::{Field, Literal, Query};

/// What of a project's events a caller sees, by the keys that wrote them.
#[derive(Debug)]
pub(super) enum Wall {
    /// All.
    None,
    /// Those of these keys.
    Only(Vec<String>),
    /// All but those of these.
    Without(Vec<String>),
}

impl Wall {
    /// That of a caller, round the project of its key.
    pub(super) fn of(api: &Api, allowed: &Allowed) -> Self {
        let Some(key) = allowed.key.as_ref().filter(|_| !allowed.governs()) else {
            return Self::None;
        };
        let own = key.info().environment;
        let project = key.project();
        if own == Environment::Production {
            let others = api.gate.key_ids(|key| key.project == project && key.environment != own);
            if others.is_empty() { Self::None } else { Self::Without(others) }
        } else {
            Self::Only(api.gate.key_ids(|key| key.project == project && key.environment == own))
        }
    }

    /// A filter that finds nothing behind the wall.
    pub(super) fn around(self, filter: Query) -> Query {
        let wall = match self {
            Self::None => return filter,
            Self::Only(keys) => of_keys(keys),
            Self::Without(keys) => Query::Not(Box::new(of_keys(keys))),
        };
        if filter == Query::All { wall } else { Query::And(vec![filter, wall]) }
    }

    /// Whether an event, with its `key`, is on the caller's side.
    pub(super) fn shows(&self, event: &Map<String, Value>) -> bool {
        let is_of = |keys: &[String]| {
            let key = event.get(KEY).and_then(Value::as_str);
            key.is_some_and(|key| keys.iter().any(|known| known == key))
        };
        match self {
            Self::None => true,
            Self::Only(keys) => is_of(keys),
            Self::Without(keys) => !is_of(keys),
        }
    }
}

fn of_keys(keys: Vec<String>) -> Query {
    let is =
        |id| Query::Is { field: Some(Field::Name(KEY.to_owned())), value: Literal::Phrase(id) };
    let mut each: Vec<_> = keys.into_iter().map(is).collect();
    match each.pop() {
        Some(one) if each.is_empty() => one,
        Some(last) => {
            each.push(last);
            Query::Or(each)
        }
        // Its own key is one of them: this is a caller who is nobody.
        None => Query::Not(Box::new(Query::All)),
    }
}

/// The field with the public id of the key that wrote an event.
const KEY: &str = "key";
