//! Asks a plan of one opened source: only the columns that it needs are read, and only rows that
//! can still matter are asked.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::bitmap::Bitmap;
use super::place::{Computed, OriginField, Place, VERSION, id_text, peer_text};
use super::plan::Plan;
use super::prune::{Catalog, Verdict};
use super::question::{Ask, Question};
use super::request::Budget;
use crate::event::ValueRef;
use crate::kql::Field;
use crate::store::{self, Column, Origin, RowHead, Run, View};
use crate::time::Timestamp;

/// An opened source that is being asked.
#[derive(Debug)]
pub(super) struct Selector<'v> {
    view: Rc<View<'v>>,
    catalog: Option<Catalog<'v>>,
    budget: &'v Budget,
    columns: FxHashMap<Box<str>, Option<Arc<Column>>>,
    bytes: u64,
}

/// Why a source was not asked to the end.
#[derive(Debug)]
pub(super) enum Stop {
    /// It cannot be read.
    Unreadable(store::Error),
    /// There is no time left for any.
    Spent,
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl<'v> Selector<'v> {
    pub(super) fn new(view: View<'v>, catalog: Option<Catalog<'v>>, budget: &'v Budget) -> Self {
        let view = Rc::new(view);
        Self { view, catalog, budget, columns: FxHashMap::default(), bytes: 0 }
    }

    /// What is being asked.
    pub(super) fn view(&self) -> &View<'v> {
        &self.view
    }

    /// The same, to be held while columns are read.
    pub(super) fn shared_view(&self) -> Rc<View<'v>> {
        Rc::clone(&self.view)
    }

    /// The bytes of the values that were looked at.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The rows of `within` that match.
    pub(super) fn select(&mut self, plan: &Plan<'_>, within: &Bitmap) -> Result<Bitmap, Stop> {
        match plan {
            Plan::All => Ok(within.clone()),
            Plan::None => Ok(self.none()),
            Plan::And(parts) => {
                let mut found = within.clone();
                for part in parts {
                    if found.is_empty() {
                        break;
                    }
                    found = self.select(part, &found)?;
                }
                Ok(found)
            }
            Plan::Or(parts) => {
                let (mut found, mut left) = (self.none(), within.clone());
                for part in parts {
                    if left.is_empty() {
                        break;
                    }
                    let more = self.select(part, &left)?;
                    found.union(&more);
                    left.subtract(&more);
                }
                Ok(found)
            }
            Plan::Not(part) => {
                let mut found = within.clone();
                found.subtract(&self.select(part, within)?);
                Ok(found)
            }
            Plan::Ask(ask) => self.ask(*ask, within),
        }
    }

    fn ask(&mut self, ask: Ask<'_>, within: &Bitmap) -> Result<Bitmap, Stop> {
        let view = Rc::clone(&self.view);
        let names = match ask.field() {
            Some(Field::Name(_)) => Vec::new(),
            _ => view.names(),
        };
        let mut questions = ask.questions(&names);
        if let Some(catalog) = self.catalog {
            for index in (0..questions.len()).rev() {
                let Some((question, place)) = questions.get(index) else { continue };
                match catalog.question(question, *place) {
                    Verdict::All => return Ok(within.clone()),
                    Verdict::None => drop(questions.swap_remove(index)),
                    Verdict::Some => {}
                }
            }
        }
        let (mut found, mut left) = (self.none(), within.clone());
        for (question, place) in &questions {
            if self.budget.is_spent() {
                return Err(Stop::Spent);
            }
            let more = self.question(question, *place, &left)?;
            found.union(&more);
            left.subtract(&more);
            if left.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// The rows of `within` whose values in one field match.
    fn question(
        &mut self,
        question: &Question<'_>,
        place: Place<'_>,
        within: &Bitmap,
    ) -> Result<Bitmap, Stop> {
        let mut found = self.none();
        match place {
            Place::Column(name) => {
                if let Some(column) = self.column(name)? {
                    let needs = (&question.required_texts()[..], question.is_local());
                    let test = |value: ValueRef<'_>| question.matches(value);
                    self.bytes += matching(&column, within, needs, test, &mut found);
                }
            }
            Place::Computed(computed) => return self.computed(question, computed, within),
            _ if question.is_never() => {}
            Place::Id => {
                let head = self.view.head()?;
                let matches = |id| question.is_presence() || question.matches_text(&id_text(id));
                rows(within, &mut found, |row| head.id(row).is_some_and(matches));
            }
            Place::Time => {
                let head = self.view.head()?;
                let matches = |time| question.matches_time(Timestamp::from_micros(time));
                rows(within, &mut found, |row| head.time(row).is_some_and(matches));
            }
            Place::Version if question.matches_text(VERSION) => return Ok(within.clone()),
            Place::Version => {}
            Place::Origin(OriginField::ReceivedAt) => {
                runs(within, self.view.head()?, &mut found, |run, _| {
                    question.matches_time(Timestamp::from_micros(run.received_at))
                });
            }
            Place::Origin(field) => runs(within, self.view.head()?, &mut found, |_, origin| {
                field.text(origin, |text| question.matches_text(text)).unwrap_or(false)
            }),
        }
        Ok(found)
    }

    /// The rows of `within` that match by the first of a field's columns that has a say.
    fn computed(
        &mut self,
        question: &Question<'_>,
        computed: Computed,
        within: &Bitmap,
    ) -> Result<Bitmap, Stop> {
        let (mut found, mut left) = (self.none(), within.clone());
        for (name, via) in computed.steps() {
            if left.is_empty() {
                return Ok(found);
            }
            let Some(column) = self.column(name)? else { continue };
            let test =
                |value: ValueRef<'_>| via.read(value).is_some_and(|value| question.matches(value));
            self.bytes += matching(&column, &left, (&[], false), test, &mut found);
            let mut decided = self.none();
            column.select(|value| via.read(value).is_some(), |row| decided.insert(row));
            left.subtract(&decided);
        }
        if computed == Computed::HostName && !question.is_never() {
            runs(&left, self.view.head()?, &mut found, |_, origin| {
                origin.peer.is_some_and(|peer| question.matches_text(&peer_text(peer)))
            });
        }
        Ok(found)
    }

    /// A column, read once for all who ask.
    pub(super) fn column(&mut self, name: &str) -> Result<Option<Arc<Column>>, Stop> {
        if let Some(column) = self.columns.get(name) {
            return Ok(column.clone());
        }
        let column = self.view.column(name)?;
        self.columns.insert(name.into(), column.clone());
        Ok(column)
    }

    fn none(&self) -> Bitmap {
        Bitmap::none(self.view.rows())
    }
}

/// Calls `each` with every run of a source, its origin and its rows.
pub(super) fn each_run<'h>(head: &'h RowHead, mut each: impl FnMut(Run, &'h Origin, Range<u32>)) {
    let mut first = 0_u32;
    for run in head.runs() {
        let next = first.saturating_add(run.rows);
        if let Some(origin) = head.origin(*run) {
            each(*run, origin, first..next);
        }
        first = next;
    }
}

/// Adds the rows of `within` that pass `test`.
fn rows(within: &Bitmap, found: &mut Bitmap, test: impl Fn(u32) -> bool) {
    within.iter().filter(|row| test(*row)).for_each(|row| found.insert(row));
}

/// Adds the rows of `within` that are in a run that passes `test`.
fn runs(within: &Bitmap, head: &RowHead, found: &mut Bitmap, test: impl Fn(Run, &Origin) -> bool) {
    each_run(head, |run, origin, rows| {
        if test(run, origin) {
            within.within(rows).for_each(|row| found.insert(row));
        }
    });
}

/// Adds the rows of `within` whose value passes `test`; returns the bytes that were looked at.
/// `needs` is what [`Column::select_holding`] is told.
fn matching(
    column: &Column,
    within: &Bitmap,
    needs: (&[Vec<String>], bool),
    test: impl Fn(ValueRef<'_>) -> bool,
    found: &mut Bitmap,
) -> u64 {
    let mut bytes = 0;
    let mut test = |value: ValueRef<'_>| {
        bytes += value.bytes.len() as u64;
        test(value)
    };
    if column.dictionary().is_some() {
        column.select(&mut test, |row| {
            if within.contains(row) {
                found.insert(row);
            }
        });
    } else if within.len() * FEW < column.len() {
        for row in within.iter() {
            if column.with(row, &mut test) == Some(true) {
                found.insert(row);
            }
        }
    } else {
        let wanted = |row| within.contains(row);
        column.select_holding(needs, wanted, &mut test, |row| found.insert(row));
    }
    bytes
}

/// Rows are looked up one by one where they are fewer than this part of a column: to find one, a
/// look at the templates of those before it is needed.
pub(super) const FEW: usize = 256;
