//! Values of fields as the key of a group.
//!
//! ```text
//!  key   = for each field: none (0xff), or kind, length (4 bytes, little endian), bytes
//! ```

use serde_json::Value;

use crate::event::{Kind, ValueRef};

/// Appends the value of the next field to a key.
pub(super) fn put(key: &mut Vec<u8>, value: Option<ValueRef<'_>>) {
    let Some(value) = value else { return key.push(NONE) };
    // Octets that are not UTF-8 are one with the text that is shown of them.
    let kind = if value.kind == Kind::Bytes { Kind::Text } else { value.kind };
    key.push(kind as u8);
    let len = u32::try_from(value.bytes.len()).unwrap_or(u32::MAX);
    key.extend_from_slice(&len.to_le_bytes());
    key.extend_from_slice(value.bytes);
}

/// The key of one value.
pub(super) fn of(value: Option<ValueRef<'_>>) -> Box<[u8]> {
    let mut key = Vec::with_capacity(value.map_or(0, |value| value.bytes.len()) + 5);
    put(&mut key, value);
    key.into()
}

/// The values of a key as they are shown; `null` where a field has none.
pub(super) fn shown(mut key: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    while let Some((first, rest)) = key.split_first() {
        let (value, rest) = next(*first, rest).unwrap_or((Value::Null, &[]));
        values.push(value);
        key = rest;
    }
    values
}

fn next(first: u8, rest: &[u8]) -> Option<(Value, &[u8])> {
    if first == NONE {
        return Some((Value::Null, rest));
    }
    let (len, rest) = rest.split_first_chunk()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    Some((ValueRef::new(Kind::from_number(first)?, bytes).to_json(), rest))
}

const NONE: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_read_back_and_differ_where_values_do() {
        let values = [
            (None, json!(null)),
            (Some(ValueRef::text("")), json!("")),
            (Some(ValueRef::text("1")), json!("1")),
            (Some(ValueRef::new(Kind::Number, b"1")), json!(1)),
            (Some(ValueRef::new(Kind::Bool, b"true")), json!(true)),
            (Some(ValueRef::text("true")), json!("true")),
            (Some(ValueRef::new(Kind::Bytes, b"caf\xe9")), json!("caf\u{fffd}")),
        ];
        let mut keys = Vec::new();
        for (a, shown_a) in &values {
            for (b, shown_b) in &values {
                let mut key = Vec::new();
                put(&mut key, *a);
                put(&mut key, *b);
                assert_eq!(shown(&key), [shown_a.clone(), shown_b.clone()]);
                keys.push(key);
            }
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert_eq!(shown(&of(None)), [json!(null)]);
    }
}
