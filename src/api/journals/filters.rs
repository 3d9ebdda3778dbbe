//! The parameters that ask for entries by what they are of (SPEC §6), as conditions on their fields.
//!
//! | parameter             | access        | failed       | blocked      | advisory  | dashboard | session |
//! |-----------------------|---------------|--------------|--------------|-----------|-----------|---------|
//! | `actor`               | `api_key`     | `api_key`    | `api_key`    |           | `user.email` | likewise |
//! | `key`                 | `api_key`     | `api_key`    | `api_key`    |           |           |         |
//! | `user`                | `user.email`  | likewise     | likewise     |           | likewise  | likewise |
//! | `event`               | `method`      | `error.code` | `reason`     | `kind`    | `action`  | as named |
//! | `reason`              |               | `error.code` | `reason`     | `kind`    |           | as named |
//! | `error`, `code`       |               | `error.code` |              |           |           |         |
//! | `rule`, `fingerprint` |               |              | as named     |           |           |         |
//! | `country`             |               |              | as named     |           |           | as named |
//! | `kind`, `subject`     |               |              |              | as named  |           |         |
//! | `action`, `result`    |               |              |              |           | as named  |         |
//! | `session`             |               |              |              |           | `session.id` | likewise |
//! | `resource`            | `endpoint`    | `endpoint`   | `endpoint`   | `subject` | as named  |         |
//! | `endpoint`, `method`  | as named      | as named     | as named     |           |           |         |
//! | `status`              | as named      | as named     |              |           | as named  |         |
//! | `address`             | `source.ip`   | `source.ip`  | `source.ip`  |           | likewise  | likewise |
//! | `user_agent`          | `user_agent.original` | likewise | likewise |           | likewise  | likewise |
//! | `project`             | as named      | as named     | as named     | as named  | as named  | as named |
//!
//! A value is the whole of the field; `*` in it stands for any text, an address may be a network,
//! and a key is named as it is shown, by its beginning, or by its public id.

use std::collections::BTreeMap;

use super::Journal;
use crate::api::Api;
use crate::api::problem::Problem;
use crate::kql::{Field, Literal, Query};

/// The field of a journal that a parameter asks, or that is grouped by.
pub(super) fn field_of(journal: Journal, parameter: &str) -> Option<&'static str> {
    use Journal::{Access, Advisory, Blocked, Dashboard, Failed, Session};
    let is_call = matches!(journal, Access | Blocked | Failed);
    let is_person = matches!(journal, Dashboard | Session);
    Some(match (parameter, journal) {
        ("actor" | "key", _) if is_call => "api_key",
        ("actor", _) if is_person => "user.email",
        ("user", _) if is_call || is_person => "user.email",
        ("session", _) if is_person => "session.id",
        ("event", Access) => "method",
        ("event" | "reason" | "error" | "code", Failed) => "error.code",
        ("event" | "reason", Blocked) => "reason",
        ("event" | "reason" | "kind", Advisory) => "kind",
        ("event" | "action", Dashboard) => "action",
        ("event", Session) => "event",
        ("reason", Session) => "reason",
        ("rule", Blocked) => "rule",
        ("fingerprint", Blocked) => "fingerprint",
        ("country", Blocked | Session) => "country",
        ("result", Dashboard) => "result",
        ("subject" | "resource", Advisory) => "subject",
        ("resource", Dashboard) => "resource",
        ("resource" | "endpoint", _) if is_call => "endpoint",
        ("method", _) if is_call => "method",
        ("status", Access | Failed | Dashboard) => "status",
        ("address", _) if is_call || is_person => "source.ip",
        ("user_agent", _) if is_call || is_person => "user_agent.original",
        ("project", _) => "project",
        _ => return None,
    })
}

/// The conditions that these parameters make.
pub(super) fn conditions(
    api: &Api,
    journal: Journal,
    parameters: BTreeMap<&'static str, String>,
) -> Result<Vec<Query>, Problem> {
    let mut conditions = Vec::new();
    for (parameter, value) in parameters {
        let Some(field) = field_of(journal, parameter) else {
            return Err(unknown(journal, parameter));
        };
        let value = if field == "api_key" { of_a_key(api, value) } else { literal(value) };
        conditions.push(is(field, value));
    }
    Ok(conditions)
}

/// `field:value`.
pub(super) fn is(field: &str, value: Literal) -> Query {
    Query::Is { field: Some(Field::Name(field.to_owned())), value }
}

fn literal(value: String) -> Literal {
    match value.contains('*') {
        true => Literal::Wild(value.split('*').map(str::to_owned).collect()),
        false => Literal::Phrase(value),
    }
}

/// A key as entries show it.
fn of_a_key(api: &Api, value: String) -> Literal {
    if let Some(key) = api.gate.key_by_id(&value) {
        return Literal::Phrase(key.info().masked.clone());
    }
    match value.contains(['*', '…']) {
        true => literal(value),
        false => Literal::Wild(vec![value, String::new()]),
    }
}

fn unknown(journal: Journal, parameter: &str) -> Problem {
    let known = |name: &&&str| field_of(journal, name).is_some();
    let all: Vec<_> = OWN.iter().chain(ALL.iter().filter(known)).copied().collect();
    let found: String = parameter.chars().take(MAX_SHOWN).collect();
    let what = format!("expected one of {}, but found {found:?}", all.join(", "));
    Problem::invalid("invalid_parameter", what).at(&found)
}

/// Parameters that every journal has.
const OWN: &[&str] =
    &["filter", "syntax", "from", "to", "limit", "cursor", "sort", "fields", "group_by", "format"];

/// Those that some have.
const ALL: &[&str] = &[
    "actor",
    "key",
    "user",
    "session",
    "event",
    "reason",
    "error",
    "code",
    "rule",
    "fingerprint",
    "country",
    "kind",
    "subject",
    "action",
    "result",
    "resource",
    "endpoint",
    "method",
    "status",
    "address",
    "user_agent",
    "project",
];

/// Characters of a name that a problem repeats.
const MAX_SHOWN: usize = 64;
