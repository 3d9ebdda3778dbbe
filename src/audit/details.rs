//! Old and new values, as what is written tells them, without secrets.

use serde_json::{Map, Value, json};

use super::entry::clean;
use crate::db::{Db, Error, Family, Write};

/// What `write` does to `meta`.
#[derive(Debug, Default)]
pub(super) struct Details {
    /// The first key that it changes.
    pub(super) resource: String,
    pub(super) old: Option<Value>,
    pub(super) new: Option<Value>,
}

/// What `write` does to `meta`, if anything.
pub(super) fn of_write(db: &Db, write: &Write<'_>) -> Result<Option<Details>, Error> {
    let mut changes = Vec::new();
    for (key, new) in write.meta().take(MAX_CHANGES) {
        let old = db.get(Family::Meta, key)?;
        let key = clean(&String::from_utf8_lossy(key), MAX_KEY);
        changes.push((key, old.as_deref().map(value), new.map(value)));
    }
    let count = write.meta().count();
    let Some((resource, _, _)) = changes.first() else { return Ok(None) };
    let resource = resource.clone();
    if let (1, Some((_, old, new))) = (count, changes.pop()) {
        return Ok(Some(Details { resource, old, new }));
    }
    let (mut old, mut new) = (Map::new(), Map::new());
    for (key, before, after) in changes {
        old.extend(before.map(|value| (key.clone(), value)));
        new.extend(after.map(|value| (key, value)));
    }
    let (old, new) = (bounded(Value::Object(old)), bounded(Value::Object(new)));
    if count > MAX_CHANGES {
        return Ok(Some(Details { resource, old: None, new: Some(json!({"changes": count})) }));
    }
    Ok(Some(Details { resource, old: Some(old), new: Some(new) }))
}

/// A value as it may be kept: no secret in it, and not too long.
pub(super) fn safe(mut value: Value) -> Value {
    mask(&mut value, MAX_DEPTH);
    bounded(value)
}

/// What a record says.
fn value(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(mut members)) => safe(match members.remove("record") {
            Some(record) => record,
            None => Value::Object(members),
        }),
        Ok(other) => safe(other),
        Err(_) => json!({"bytes": bytes.len()}),
    }
}

fn bounded(value: Value) -> Value {
    let len = value.to_string().len();
    if len <= MAX_VALUE { value } else { json!({"bytes": len}) }
}

fn mask(value: &mut Value, depth: usize) {
    match value {
        _ if depth == 0 => *value = Value::from("…"),
        Value::String(text) => *text = clean(text, MAX_TEXT),
        Value::Array(values) => values.iter_mut().for_each(|value| mask(value, depth - 1)),
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                let name = name.to_ascii_lowercase();
                if name == ROLES {
                    continue; // by the names of projects, whatever those are
                }
                if SECRET.iter().any(|word| name.contains(word)) && is_text(value) {
                    *value = Value::from("…");
                }
                mask(value, depth - 1);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether there may be a secret in it: a number or a switch is none.
fn is_text(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Array(_) | Value::Object(_))
}

/// What users are, by project: nothing in it is secret.
const ROLES: &str = "roles";

/// What the names of secrets contain.
const SECRET: [&str; 7] =
    ["secret", "hash", "password", "token", "pepper", "private", "authorization"];

/// Changes of one batch that are told one by one.
const MAX_CHANGES: usize = 100;

/// Bytes of a key of the store.
const MAX_KEY: usize = 256;

/// Bytes of an old or a new value.
const MAX_VALUE: usize = 16 * 1024;

/// Bytes of a text in it.
const MAX_TEXT: usize = 8 * 1024;

/// How deep values are looked into.
const MAX_DEPTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Options;

    #[test]
    fn au_07_no_secret_is_told() {
        let record = json!({
            "version": 1,
            "record": {
                "hash": "5e884898da28047151d0e56f8dc62927",
                "key": {"name": "a lt_live_0123456789abcdef0123456789abcdef b", "limits": {"tokens": 3}},
                "webhook": [{"signing_secret": "hunter2", "Authorization": {"Basic": "hunter2"}}],
            },
        });
        insta::assert_snapshot!(value(record.to_string().as_bytes()), @r#"{"hash":"…","key":{"limits":{"tokens":3},"name":"a lt_live_0123…cdef b"},"webhook":[{"Authorization":"…","signing_secret":"…"}]}"#);
        let user = json!({"roles": {"token-api": "owner", "web": "viewer"}});
        assert_eq!(value(user.to_string().as_bytes()), user);
        assert_eq!(value(&[0xff; 32]), json!({"bytes": 32}));
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert!(value(deep.as_bytes()).to_string().len() < 50);
        assert_eq!(safe(json!("x".repeat(20_000))), json!("x".repeat(MAX_TEXT)));
        let long = "x".repeat(9000);
        assert_eq!(safe(json!([long, long, long])), json!({"bytes": 24_586}));
    }

    #[test]
    fn what_is_written_tells_old_and_new() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path(), &Options::default()).unwrap();
        db.meta_put(b"key/a", br#"{"n":1}"#).unwrap();
        let told = |write: &Write<'_>| of_write(&db, write).unwrap();
        assert!(told(&Write::default()).is_none());
        let mut write = Write::default();
        write.put(Family::Catalog, b"x".as_slice(), b"y".as_slice());
        assert!(told(&write).is_none());
        write.put(Family::Meta, b"key/a".as_slice(), br#"{"n":2}"#.as_slice());
        let Details { resource, old, new } = told(&write).unwrap();
        assert_eq!((&*resource, old, new), ("key/a", Some(json!({"n":1})), Some(json!({"n":2}))));
        write.delete(Family::Meta, b"key/b".as_slice());
        let Details { old, new, .. } = told(&write).unwrap();
        let both = (Some(json!({"key/a": {"n":1}})), Some(json!({"key/a": {"n":2}})));
        assert_eq!((old, new), both);
        for n in 0..MAX_CHANGES {
            write.delete(Family::Meta, n.to_be_bytes().to_vec());
        }
        assert_eq!(told(&write).unwrap().new, Some(json!({"changes": 102})));
    }
}
