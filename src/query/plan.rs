//! A prepared query in the order in which it is best asked of columns.

use super::question::Ask;
use super::reading::Reading;
use crate::kql::{Field, Node, Prepared};

/// A query, or a part of one; what is quickly told comes first.
#[derive(Debug)]
pub(super) enum Plan<'q> {
    All,
    None,
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Ask(Ask<'q>),
}

impl<'q> Plan<'q> {
    /// The plan for a query.
    pub(super) fn new(prepared: &'q Prepared) -> Self {
        Self::of(prepared.root())
    }

    fn of(node: &'q Node) -> Self {
        match node {
            Node::All => Self::All,
            Node::None => Self::None,
            Node::And(parts) => Self::And(in_order(parts.iter().map(Self::of).collect())),
            Node::Or(parts) => Self::Or(in_order(parts.iter().map(Self::of).collect())),
            Node::Not(part) => Self::Not(Box::new(Self::of(part))),
            Node::Leaf(leaf) => Self::Ask(Ask::Leaf(leaf)),
            Node::Exists(field) => Self::Ask(Ask::Exists(field)),
            Node::Nested(nested) => {
                Self::Or(vec![Self::of(nested.flat()), Self::Ask(Ask::Nested(nested))])
            }
        }
    }

    /// The columns of the fields that are asked by name.
    pub(super) fn columns(&self) -> Vec<String> {
        match self {
            Self::All | Self::None => Vec::new(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::columns).collect(),
            Self::Not(part) => part.columns(),
            Self::Ask(ask) => match ask.field() {
                Some(Field::Name(name)) => {
                    Reading::new(name).columns().into_iter().map(str::to_owned).collect()
                }
                Some(Field::Wild(_)) | None => Vec::new(),
            },
        }
    }

    /// How much there is to read and to compare, roughly.
    fn cost(&self) -> u32 {
        match self {
            Self::All | Self::None => 0,
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().fold(0, |sum: u32, part| sum.saturating_add(part.cost()))
            }
            Self::Not(part) => part.cost(),
            Self::Ask(ask) => match ask.field() {
                None => 100,
                Some(Field::Wild(_)) => 50,
                Some(Field::Name(name)) => cost(name),
            },
        }
    }
}

fn in_order(mut parts: Vec<Plan<'_>>) -> Vec<Plan<'_>> {
    parts.sort_by_cached_key(Plan::cost);
    parts
}

/// The cost of asking one field.
fn cost(name: &str) -> u32 {
    match name {
        "@timestamp" | "@version" | "received_at" | "peer.ip" | "auth.method" | "key"
        | "listener" => 1,
        "service" | "level" | "host.name" => 2,
        "_id" => 3,
        "message" | "event.original" => 20,
        _ if name.starts_with("log.syslog.structured_data") => 10,
        _ if name.starts_with("log.syslog.") => 2,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql::{Syntax, parse};
    use crate::time::Timestamp;

    #[test]
    fn what_is_quickly_told_is_asked_first() {
        let query = "x and message:y and (a:1 or level:ERROR) and not service:api and a*:1";
        let parsed = parse(query, Syntax::Lenient).unwrap();
        let prepared = Prepared::new(&parsed.query, Timestamp::default()).unwrap();
        let Plan::And(parts) = Plan::new(&prepared) else { panic!("an and") };
        assert!(matches!(&parts[0], Plan::Not(_)));
        assert!(matches!(&parts[1], Plan::Or(_)));
        let field = |plan: &Plan<'_>| match plan {
            Plan::Ask(ask) => ask.field().cloned(),
            _ => panic!("a condition"),
        };
        assert_eq!(field(&parts[2]), Some(Field::Name("message".into())));
        assert!(matches!(field(&parts[3]), Some(Field::Wild(_))));
        assert_eq!(field(&parts[4]), None);
    }
}
