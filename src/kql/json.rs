//! JSON objects as events.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::query::Field;
use super::row::Lookup;
use crate::event::{Kind, ValueRef};

/// A JSON object as an event: members of objects have dotted names, and each scalar of an array is
/// a value of the array's name.
#[derive(Clone, Debug, Default)]
pub struct Object(Map<String, Value>);

impl Object {
    /// An event of these members.
    pub const fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl Lookup for Object {
    fn values(
        &self,
        field: Option<&Field>,
        sink: &mut dyn FnMut(&str, ValueRef<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let accepts = |name: &str| field.is_none_or(|field| field.accepts(name));
        walk_members(&self.0, &mut String::new(), &mut |name, value| match value {
            Value::Array(_) | Value::Object(_) => ControlFlow::Continue(()),
            scalar if accepts(name) => with_scalar(scalar, |value| sink(name, value)),
            _ => ControlFlow::Continue(()),
        })
    }

    fn objects(
        &self,
        field: &Field,
        sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        walk_members(&self.0, &mut String::new(), &mut |name, value| match value {
            Value::Array(_) if field.accepts(name) => sink(value.to_string().as_bytes()),
            _ => ControlFlow::Continue(()),
        })
    }
}

/// Whether `accepts` does so for an object that is, or is in the array that is, `json`.
pub(super) fn any_object(json: &[u8], accepts: &mut dyn FnMut(&Object) -> bool) -> bool {
    let elements = match serde_json::from_slice(json) {
        Ok(Value::Array(elements)) => elements,
        Ok(element) => vec![element],
        Err(_) => return false,
    };
    elements.into_iter().any(|element| match element {
        Value::Object(members) => accepts(&Object(members)),
        _ => false,
    })
}

/// Visits every member of `members`, and of what they hold, with its dotted name.
fn walk_members(
    members: &Map<String, Value>,
    name: &mut String,
    visit: &mut dyn FnMut(&str, &Value) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let len = name.len();
    for (member, value) in members {
        if len > 0 {
            name.push('.');
        }
        name.push_str(member);
        walk(value, name, visit)?;
        name.truncate(len);
    }
    ControlFlow::Continue(())
}

fn walk(
    value: &Value,
    name: &mut String,
    visit: &mut dyn FnMut(&str, &Value) -> ControlFlow<()>,
) -> ControlFlow<()> {
    visit(name, value)?;
    match value {
        Value::Array(elements) => elements.iter().try_for_each(|value| walk(value, name, visit)),
        Value::Object(members) => walk_members(members, name, visit),
        _ => ControlFlow::Continue(()),
    }
}

fn with_scalar(
    value: &Value,
    then: impl FnOnce(ValueRef<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match value {
        Value::Null => then(ValueRef::new(Kind::Null, b"null")),
        Value::Bool(true) => then(ValueRef::new(Kind::Bool, b"true")),
        Value::Bool(false) => then(ValueRef::new(Kind::Bool, b"false")),
        Value::Number(number) => then(ValueRef::new(Kind::Number, number.to_string().as_bytes())),
        Value::String(text) => then(ValueRef::text(text)),
        Value::Array(_) | Value::Object(_) => ControlFlow::Continue(()),
    }
}
