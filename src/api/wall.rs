//! The wall between the environments of a project.
//!
//! What a key wrote is of its environment, and what came without a key is of production. A caller
//! with a key sees what is of its own, unless it governs the daemon; people see all of their
//! project. Journals name keys as they are
//! shown: masked, and with a prefix that tells production from the others.

use serde_json::{Map, Value};

use super::Api;
use super::allowed::Allowed;
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
        let Some(key) = allowed.key().filter(|_| !allowed.governs()) else {
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

/// What of the journals a caller sees of its project; `None` where it governs the daemon and sees all.
pub(super) fn of_journals(api: &Api, allowed: &Allowed) -> Option<Query> {
    let key = allowed.key().filter(|_| !allowed.governs())?;
    let (own, project) = (key.info().environment, key.project());
    let names = ["api_key", "subject"]; // of a call, and of an advisory about a key
    if own == Environment::Production {
        let test = || Literal::Wild(vec![Environment::Staging.prefix().to_owned(), String::new()]);
        let others = names.map(|name| Query::Not(Box::new(is(name, test()))));
        return Some(Query::And(others.to_vec()));
    }
    let masked = api.gate.masked_keys(|key| key.project == project && key.environment == own);
    let own = names
        .iter()
        .flat_map(|name| masked.iter().map(|masked| is(name, Literal::Phrase(masked.clone()))));
    Some(any(own.collect()))
}

fn is(name: &str, value: Literal) -> Query {
    Query::Is { field: Some(Field::Name(name.to_owned())), value }
}

fn of_keys(keys: Vec<String>) -> Query {
    any(keys.into_iter().map(|id| is(KEY, Literal::Phrase(id))).collect())
}

/// What one of these finds.
fn any(mut each: Vec<Query>) -> Query {
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
