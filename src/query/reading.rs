//! A field whose values are wanted: what a query groups by, adds up or counts.
//!
//! The values are those that a condition on the field would be asked of (`question`): each scalar
//! of an array is one, and `a.b` is also looked for inside of what field `a` holds. `null` is none.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::bitmap::Bitmap;
use super::place::{Computed, OriginField, Place, VERSION, Via, id_text, peer_text};
use super::select::{FEW, Selector, Stop, each_run};
use crate::event::{Kind, Known, ValueRef};
use crate::kql::{Field, Lookup, Object};
use crate::parse::{json, parameter, structured_data};
use crate::store::Column;
use crate::time::Timestamp;

/// A field that is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reading {
    name: Box<str>,
}

/// What is called with each value: its row, its hint, and itself.
type Each<'e> = &'e mut dyn FnMut(u32, Hint, ValueRef<'_>);

/// The same for all rows of a source that have the same value, where it is not [`NO_HINT`].
pub(super) type Hint = u32;

/// What senders call a host that is text, and where it is kept: a filter asks both, too.
const HOST: &str = "host";
const HOST_NAME: &str = Known::HostName.as_str();

/// Nothing is known of the value.
pub(super) const NO_HINT: Hint = u32::MAX;

impl Reading {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into() }
    }

    /// The field.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where the values are: the field itself, and what it may be inside of, with the path there.
    pub(super) fn places(&self) -> impl Iterator<Item = (Place<'_>, &str)> {
        let dots = self.name.match_indices('.').filter_map(|(dot, _)| {
            let inside = Place::of(self.name.get(..dot)?);
            let holds_others = matches!(inside, Place::Column(_) | Place::Computed(_));
            holds_others.then_some((inside, self.name.get(dot + 1..)?))
        });
        let alias = (*self.name == *HOST).then_some((Place::of(HOST_NAME), ""));
        std::iter::once((Place::of(&self.name), "")).chain(dots).chain(alias)
    }

    /// The names of the columns that hold the values.
    pub(super) fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for (place, _) in self.places() {
            match place {
                Place::Column(name) => names.push(name),
                Place::Computed(computed) => names.extend(computed.steps().map(|(name, _)| name)),
                Place::Id | Place::Time | Place::Version | Place::Origin(_) => {}
            }
        }
        names
    }

    /// Calls `each` with every value of the rows of `within`, in no order of rows.
    pub(super) fn each(
        &self,
        selector: &mut Selector<'_>,
        within: &Bitmap,
        each: Each<'_>,
    ) -> Result<(), Stop> {
        for (number, (place, path)) in (0_u32..).zip(self.places()) {
            match place {
                Place::Column(name) => {
                    if let Some(column) = selector.column(name)? {
                        let itself = (number * STEPS, Via::Itself);
                        in_column(&column, within, itself, &mut |row, hint, value| {
                            self.scalars(name, value, path, &mut |is_itself, value| {
                                each(row, if is_itself { hint } else { NO_HINT }, value);
                            });
                        });
                    }
                }
                Place::Computed(computed) => {
                    self.computed(selector, computed, path, within, (number, each))?;
                }
                Place::Version => {
                    within.iter().for_each(|row| each(row, 0, ValueRef::text(VERSION)));
                }
                Place::Id | Place::Time | Place::Origin(_) => {
                    of_rows(selector, place, within, each)?;
                }
            }
        }
        Ok(())
    }

    /// The values of a computed field: of the first of its columns that has one.
    fn computed(
        &self,
        selector: &mut Selector<'_>,
        computed: Computed,
        path: &str,
        within: &Bitmap,
        (number, each): (u32, Each<'_>),
    ) -> Result<(), Stop> {
        let mut left = within.clone();
        for (step, (name, via)) in (0..).zip(computed.steps()) {
            if left.is_empty() {
                return Ok(());
            }
            let Some(column) = selector.column(name)? else { continue };
            let mut decided = Bitmap::none(left.rows());
            in_column(&column, &left, (number * STEPS + step, via), &mut |row, hint, value| {
                decided.insert(row);
                self.scalars(name, value, path, &mut |is_itself, value| {
                    each(row, if is_itself { hint } else { NO_HINT }, value);
                });
            });
            left.subtract(&decided);
        }
        if computed == Computed::HostName && path.is_empty() && !left.is_empty() {
            each_run(selector.view().head()?, |_, origin, rows| {
                if let Some(peer) = origin.peer {
                    let peer = peer_text(peer);
                    left.within(rows).for_each(|row| each(row, NO_HINT, ValueRef::text(&peer)));
                }
            });
        }
        Ok(())
    }

    /// The scalars at `path` in a value of the column called `name`, each with whether it is the
    /// value itself.
    fn scalars(
        &self,
        name: &str,
        value: ValueRef<'_>,
        path: &str,
        each: &mut dyn FnMut(bool, ValueRef<'_>),
    ) {
        match value.kind {
            Kind::Null => {}
            Kind::Json => json::scalars(value.bytes, path, &mut |value| {
                if value.kind != Kind::Null {
                    each(false, value);
                }
            }),
            Kind::Text if name == STRUCTURED_DATA && value.bytes.first() == Some(&b'[') => {
                self.structured(value, path, &mut |value| each(false, value));
            }
            _ if !path.is_empty() => {}
            Kind::Bytes => match value.to_text() {
                Cow::Borrowed(_) => each(true, ValueRef::new(Kind::Text, value.bytes)),
                Cow::Owned(text) => each(true, ValueRef::text(&text)),
            },
            Kind::Text | Kind::Number | Kind::Bool => each(true, value),
        }
    }

    fn structured(&self, value: ValueRef<'_>, path: &str, each: &mut dyn FnMut(ValueRef<'_>)) {
        let raw = value.to_text();
        if !path.is_empty() {
            let Some(found) = parameter(&raw, path) else { return };
            // With one dot a path means one thing, if it is not the id of an element.
            if path.bytes().filter(|byte| *byte == b'.').count() == 1 && !found.starts_with('[') {
                return each(ValueRef::text(&found));
            }
        }
        let object = structured_data(&raw);
        if object.is_empty() {
            if path.is_empty() {
                each(value);
            }
            return;
        }
        let data = Map::from_iter([(STRUCTURED_DATA.to_owned(), Value::Object(object))]);
        let field = Field::Name(self.name.to_string());
        let mut sink = |_: &str, value: ValueRef<'_>| -> ControlFlow<()> {
            each(value);
            ControlFlow::Continue(())
        };
        // It goes on to the end.
        let _ended: ControlFlow<()> = Object::new(data).values(Some(&field), &mut sink);
    }
}

/// Calls `each` with what the values of a column in the rows of `within` become; `number` is that of
/// the column among those of the field.
fn in_column(column: &Column, within: &Bitmap, (number, via): (u32, Via), each: Each<'_>) {
    if let Some(values) = column.dictionary() {
        let values: Vec<Option<ValueRef<'_>>> = values.map(|value| via.read(value)).collect();
        return column.for_each_code(|row, code| {
            if let Some(Some(value)) = values.get(usize::from(code))
                && within.contains(row)
            {
                each(row, number << 8 | u32::from(code), *value);
            }
        });
    }
    let mut each = |row, value: ValueRef<'_>| {
        if let Some(value) = via.read(value) {
            each(row, NO_HINT, value);
        }
    };
    if within.len() * FEW < column.len() {
        for row in within.iter() {
            column.with(row, |value| each(row, value));
        }
    } else {
        column.for_each_among(|row| within.contains(row), each);
    }
}

/// Calls `each` with the values of what every row has.
fn of_rows(
    selector: &Selector<'_>,
    place: Place<'_>,
    within: &Bitmap,
    each: Each<'_>,
) -> Result<(), Stop> {
    let head = selector.view().head()?;
    let mut text = |row, text: &str| each(row, NO_HINT, ValueRef::text(text));
    match place {
        Place::Id => numbers(within, |row| head.id(row), |row, id| text(row, &id_text(id))),
        Place::Time => {
            numbers(within, |row| head.time(row), |row, time| text(row, &time_text(time)));
        }
        Place::Origin(field) => each_run(head, |run, origin, rows| {
            let shown = match field {
                OriginField::ReceivedAt => Some(time_text(run.received_at)),
                _ => field.text(origin, str::to_owned),
            };
            if let Some(shown) = shown {
                within.within(rows).for_each(|row| text(row, &shown));
            }
        }),
        Place::Version | Place::Computed(_) | Place::Column(_) => {}
    }
    Ok(())
}

fn numbers(within: &Bitmap, value: impl Fn(u32) -> Option<i64>, mut each: impl FnMut(u32, i64)) {
    for row in within.iter() {
        if let Some(value) = value(row) {
            each(row, value);
        }
    }
}

fn time_text(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}

/// Whether a value of the column called `name` holds no others.
pub(super) fn is_plain(name: &str, value: ValueRef<'_>) -> bool {
    !matches!(value.kind, Kind::Json | Kind::Bytes)
        && (name != STRUCTURED_DATA || value.bytes.first() != Some(&b'['))
}

const STRUCTURED_DATA: &str = Known::StructuredData.as_str();

/// More than any computed field has columns.
const STEPS: u32 = 4;
