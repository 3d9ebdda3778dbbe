//! What the catalog alone tells of a block: whether none, some or all of its rows match.

use super::place::{Computed, Place, VERSION, Via};
use super::plan::Plan;
use super::question::{Ask, Question};
use super::reading::{Reading, is_plain};
use crate::event::{Kind, ValueRef};
use crate::kql::Field;
use crate::store::{Block, BlockColumn, Segment, Source};

/// How many of the rows match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    None,
    /// Any number of them, as far as one can tell.
    Some,
    All,
}

/// What is known of a block, or of a part of its rows, without reading it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Catalog<'a> {
    segment: &'a Segment,
    block: &'a Block,
    part: Option<Part<'a>>,
}

/// The rows that have the same value in a column, or that have none.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    column: u16,
    value: Option<ValueRef<'a>>,
    rows: u32,
}

impl<'a> Catalog<'a> {
    /// The catalog's knowledge of `source`, if that is sealed.
    pub(super) fn of(source: &'a Source) -> Option<Self> {
        source.block().map(|(segment, block)| Self { segment, block, part: None })
    }

    /// How many rows it is about.
    pub(super) fn rows(self) -> u32 {
        self.part.map_or(self.block.rows, |part| part.rows)
    }

    /// The first and the last time in the block, in microseconds since the epoch.
    pub(super) const fn times(self) -> (i64, i64) {
        self.block.times
    }

    /// The rows of the whole block by their value in the column called `name`, if it is known
    /// which there are.
    pub(super) fn parts(self, name: &str) -> Option<Vec<Self>> {
        let column = self.column(name).filter(|_| self.part.is_none())?;
        let part = |value, rows| Part { column: column.name, value, rows };
        let without = self.block.rows.checked_sub(column.rows)?;
        let with = column.few()?.map(|(value, rows)| part(Some(value), rows));
        let parts = with.chain((without > 0).then(|| part(None, without)));
        Some(parts.map(|part| Self { part: Some(part), ..self }).collect())
    }

    /// The one value that all rows have in a field; `Some(None)` where none has any, `None` where
    /// that is not known.
    pub(super) fn constant(self, reading: &'a Reading) -> Option<Option<ValueRef<'a>>> {
        let mut own = None;
        for (place, path) in reading.places() {
            match place {
                Place::Column(name) if path.is_empty() => {
                    own = only(own, self.same(name, Via::Itself)?.0)?;
                }
                Place::Computed(computed) if path.is_empty() => {
                    own = only(own, self.computed_same(computed)?)?;
                }
                Place::Column(name) if self.is_plain(name) => {}
                Place::Computed(computed)
                    if computed.steps().all(|(name, _)| self.is_plain(name)) => {}
                Place::Version => own = Some(ValueRef::text(VERSION)),
                _ => return None,
            }
        }
        Some(own.filter(|value| value.kind != Kind::Null))
    }

    /// How many rows match `plan`.
    pub(super) fn verdict(self, plan: &Plan<'_>) -> Verdict {
        match plan {
            Plan::All => Verdict::All,
            Plan::None => Verdict::None,
            Plan::And(parts) => all(parts.iter().map(|part| self.verdict(part))),
            Plan::Or(parts) => any(parts.iter().map(|part| self.verdict(part))),
            Plan::Not(part) => self.verdict(part).not(),
            Plan::Ask(ask) => self.asked(*ask),
        }
    }

    /// How many rows answer a question to one field.
    pub(super) fn question(self, question: &Question<'_>, place: Place<'_>) -> Verdict {
        match place {
            Place::Column(name) => match self.column(name) {
                None => Verdict::None,
                Some(column) => {
                    let (verdict, is_full) = self.values(column, Via::Itself, question);
                    if is_full { verdict } else { verdict.of_some() }
                }
            },
            Place::Computed(computed) => self.computed(question, computed),
            _ if question.is_never() => Verdict::None,
            Place::Version if question.matches_text(VERSION) => Verdict::All,
            Place::Version => Verdict::None,
            Place::Id | Place::Time if question.is_presence() => Verdict::All,
            Place::Time => self.time(question),
            Place::Id | Place::Origin(_) => Verdict::Some,
        }
    }

    fn asked(self, ask: Ask<'_>) -> Verdict {
        let is_there =
            |column: &BlockColumn<'_>| self.is_part_by(*column).is_none_or(|p| p.value.is_some());
        let columns = self.block.columns.iter().filter(is_there);
        let names = columns.filter_map(|column| self.segment.names.get(usize::from(column.name)));
        let names: Vec<&str> = match ask.field() {
            Some(Field::Name(_)) => Vec::new(),
            _ => names.map(|name| &**name).collect(),
        };
        any(ask
            .questions(&names)
            .into_iter()
            .map(|(question, place)| self.question(&question, place)))
    }

    fn time(self, question: &Question<'_>) -> Verdict {
        let (first, last) = self.block.times;
        match question.time_bounds() {
            Some((from, to)) if from > last || to < first => Verdict::None,
            Some((from, to)) if from <= first && last <= to => Verdict::All,
            _ => Verdict::Some,
        }
    }

    fn computed(self, question: &Question<'_>, computed: Computed) -> Verdict {
        let mut so_far = None;
        for (name, via) in computed.steps() {
            let Some(column) = self.column(name) else { continue };
            let (verdict, is_full) = self.values(column, via, question);
            let both = so_far
                .map_or(verdict, |before| if before == verdict { verdict } else { Verdict::Some });
            if is_full {
                return both;
            }
            so_far = Some(both);
        }
        match computed {
            Computed::HostName if !question.is_never() => Verdict::Some,
            _ => so_far.map_or(Verdict::None, Verdict::of_some),
        }
    }

    /// How many of the values of a column match, and whether every row has one that decides.
    fn values(self, column: BlockColumn<'a>, via: Via, question: &Question<'_>) -> (Verdict, bool) {
        let is_everywhere = self.is_everywhere(column);
        let Some(values) = self.few(column) else {
            return (Verdict::Some, via == Via::Itself && is_everywhere);
        };
        let (mut verdict, mut is_full) = (None, is_everywhere);
        for value in values {
            let Some(value) = via.read(value) else {
                is_full = false;
                continue;
            };
            let this = matched(question, value);
            verdict = Some(if verdict.is_none_or(|before| before == this) {
                this
            } else {
                Verdict::Some
            });
        }
        (verdict.unwrap_or(Verdict::None), is_full)
    }

    /// The value that all rows have in a column, and whether it is one that decides; `None` where
    /// that is not known.
    fn same(self, name: &str, via: Via) -> Option<(Option<ValueRef<'a>>, bool)> {
        let Some(column) = self.column(name) else { return Some((None, false)) };
        let mut found: Option<Option<ValueRef<'a>>> = None;
        for value in self.few(column)? {
            let value = via.read(value);
            if value.is_some_and(|value| !is_plain(name, value))
                || found.is_some_and(|before| before != value)
            {
                return None;
            }
            found = Some(value);
        }
        match found.flatten() {
            None => Some((None, false)),
            Some(_) if !self.is_everywhere(column) => None,
            value => Some((value, true)),
        }
    }

    fn computed_same(self, computed: Computed) -> Option<Option<ValueRef<'a>>> {
        for (name, via) in computed.steps() {
            if let (value, true) = self.same(name, via)? {
                return Some(value);
            }
        }
        // Of a host the peer has the last say.
        (computed != Computed::HostName).then_some(None)
    }

    /// Whether no value of the column called `name` holds others.
    fn is_plain(self, name: &str) -> bool {
        let Some(column) = self.column(name) else { return true };
        self.few(column).is_some_and(|mut values| values.all(|value| is_plain(name, value)))
    }

    /// Whether all rows have a value in a column.
    fn is_everywhere(self, column: BlockColumn<'_>) -> bool {
        self.is_part_by(column).is_some() || column.rows == self.block.rows
    }

    /// All values of a column, if they are known.
    fn few(self, column: BlockColumn<'a>) -> Option<impl Iterator<Item = ValueRef<'a>>> {
        let one = self.is_part_by(column).and_then(|part| part.value);
        let all = if one.is_none() { Some(column.few()?.map(|(value, _)| value)) } else { None };
        Some(one.into_iter().chain(all.into_iter().flatten()))
    }

    fn is_part_by(self, column: BlockColumn<'_>) -> Option<Part<'a>> {
        self.part.filter(|part| part.column == column.name)
    }

    fn column(self, name: &str) -> Option<BlockColumn<'a>> {
        let place = self.segment.names.iter().position(|other| **other == *name)?;
        let place = u16::try_from(place).ok()?;
        let is_without = |part: Part<'_>| part.column == place && part.value.is_none();
        self.block.columns.get(place).filter(|_| !self.part.is_some_and(is_without))
    }
}

impl Verdict {
    /// Of the rows that it is not about.
    const fn not(self) -> Self {
        match self {
            Self::None => Self::All,
            Self::Some => Self::Some,
            Self::All => Self::None,
        }
    }

    /// The same, said of some rows while the others do not match.
    const fn of_some(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Some | Self::All => Self::Some,
        }
    }
}

fn matched(question: &Question<'_>, value: ValueRef<'_>) -> Verdict {
    if question.matches(value) { Verdict::All } else { Verdict::None }
}

fn all(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    any(verdicts.map(Verdict::not)).not()
}

fn any(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let mut found = Verdict::None;
    for verdict in verdicts {
        match verdict {
            Verdict::All => return Verdict::All,
            Verdict::Some => found = Verdict::Some,
            Verdict::None => {}
        }
    }
    found
}

/// The one of two values that there is; `None` where there are both.
fn only<T>(a: Option<T>, b: Option<T>) -> Option<Option<T>> {
    match (a, b) {
        (Some(_), Some(_)) => None,
        (a, b) => Some(a.or(b)),
    }
}
