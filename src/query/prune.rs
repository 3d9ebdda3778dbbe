//! What the catalog alone tells of a block: whether none, some or all of its rows match.

use super::place::{Computed, Place, VERSION, Via};
use super::plan::Plan;
use super::question::{Ask, Question};
use crate::event::ValueRef;
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

/// What is known of a block without reading it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Catalog<'a> {
    segment: &'a Segment,
    block: &'a Block,
}

impl<'a> Catalog<'a> {
    /// The catalog's knowledge of `source`, if that is sealed.
    pub(super) fn of(source: &'a Source) -> Option<Self> {
        source.block().map(|(segment, block)| Self { segment, block })
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
        let columns = self.block.columns.iter();
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
    fn values(self, column: &BlockColumn, via: Via, question: &Question<'_>) -> (Verdict, bool) {
        let Some(values) = column.few() else {
            return (Verdict::Some, via == Via::Itself && column.rows == self.block.rows);
        };
        let (mut verdict, mut is_full) = (None, column.rows == self.block.rows);
        for (value, _) in values {
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

    fn column(self, name: &str) -> Option<&'a BlockColumn> {
        let place = self.segment.names.iter().position(|other| **other == *name)?;
        self.block.column(u16::try_from(place).ok()?)
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
