//! A whole query asked of one event.

use std::ops::ControlFlow;

use super::prepared::{Node, Prepared};
use super::query::Field;
use crate::event::{Kind, ValueRef};

/// An event that can be asked for its values.
pub trait Lookup {
    /// Hands `sink` every value of the fields that `field` accepts (`None`: of all fields) with the
    /// field's name, until it breaks; returns what it returned last.
    ///
    /// Of an array, each scalar is a value of its own; [`super::Object`] shows how.
    fn values(
        &self,
        field: Option<&Field>,
        sink: &mut dyn FnMut(&str, ValueRef<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()>;

    /// The same for the JSON text of arrays and objects that are kept as such; none by default.
    fn objects(
        &self,
        _field: &Field,
        _sink: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Whether an event matches.
pub fn matches(query: &Prepared, lookup: &dyn Lookup) -> bool {
    holds(query.root(), lookup)
}

/// Whether an event matches a part of a query.
pub(super) fn holds(node: &Node, lookup: &dyn Lookup) -> bool {
    match node {
        Node::All => true,
        Node::None => false,
        Node::And(parts) => parts.iter().all(|part| holds(part, lookup)),
        Node::Or(parts) => parts.iter().any(|part| holds(part, lookup)),
        Node::Not(part) => !holds(part, lookup),
        Node::Leaf(leaf) => {
            let mut sink = |name: &str, value: ValueRef<'_>| {
                break_if(value.kind != Kind::Json && leaf.matcher_for(name).matches(value))
            };
            lookup.values(leaf.field(), &mut sink).is_break()
        }
        Node::Exists(field) => {
            let mut sink = |_: &str, value: ValueRef<'_>| break_if(value.kind != Kind::Null);
            lookup.values(Some(field), &mut sink).is_break()
        }
        Node::Nested(nested) => {
            let mut sink = |json: &[u8]| break_if(nested.matches_json(json));
            holds(nested.flat(), lookup) || lookup.objects(nested.field(), &mut sink).is_break()
        }
    }
}

const fn break_if(is_found: bool) -> ControlFlow<()> {
    if is_found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
