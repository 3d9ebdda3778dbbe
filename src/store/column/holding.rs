//! Finds texts that have some texts in them: by what is constant, then by the variables, and only
//! what is left is put together.

use std::collections::HashMap;

use super::hits::Hits;
use super::packed::{Packed, Template, Unpacked};
use super::slot::Slot;

/// What is looked for: all texts of one of the lists.
pub(super) struct Needles<'l> {
    /// For each list its runs of word characters, by number: none goes over the edge between what
    /// is constant and what varies.
    lists: Vec<Vec<usize>>,
    runs: Vec<&'l str>,
}

/// What is known of the texts of a template.
enum Chance {
    /// None has what is looked for.
    None,
    /// All have it.
    All,
    /// Those may that have, in one of these ways, each run in one of the slots beside it.
    Some(Vec<Vec<(usize, Vec<usize>)>>),
}

/// For each run, by number, and each slot that was looked at: which variables have it.
struct Found<'p> {
    packed: &'p Packed,
    hits: HashMap<(usize, usize), Hits>,
    slots: HashMap<usize, Slot>,
    scratch: Vec<u8>,
}

impl<'l> Needles<'l> {
    /// Of texts in lower case.
    pub(super) fn new(lists: &'l [Vec<String>]) -> Self {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut needles = Self { lists: Vec::new(), runs: Vec::new() };
        for list in lists {
            let runs = list.iter().flat_map(|text| text.split(|c| !is_word(c)));
            let own = runs.filter(|run| !run.is_empty()).map(|run| {
                let known = needles.runs.iter().position(|other| *other == run);
                known.unwrap_or_else(|| {
                    needles.runs.push(run);
                    needles.runs.len() - 1
                })
            });
            let own = own.collect();
            needles.lists.push(own);
        }
        needles
    }
}

impl Packed {
    /// For each template whether one of its constants passes `test`.
    pub(super) fn with_constant(&self, mut test: impl FnMut(&[u8]) -> bool) -> Vec<bool> {
        let mut has = |template: &Template| template.constants.iter().any(&mut test);
        self.templates.iter().map(&mut has).collect()
    }

    /// Calls `each` with the number of all texts that are `wanted` and may have what is looked for,
    /// and with the text; without, where it is of a template that is `enough`.
    pub(super) fn holding(
        &self,
        needles: &Needles<'_>,
        enough: &[bool],
        wanted: impl Fn(usize) -> bool,
        mut each: impl FnMut(usize, Option<&[u8]>),
    ) {
        let (slots, hits) = (HashMap::new(), HashMap::new());
        let mut found = Found { packed: self, hits, slots, scratch: Vec::new() };
        let mut chance = |(template, enough): (&Template, &bool)| match template.count {
            0 => Chance::None,
            _ if *enough => Chance::All,
            _ => found.chance(template, needles),
        };
        let chances: Vec<Chance> = self.templates.iter().zip(enough).map(&mut chance).collect();
        if chances.iter().all(|chance| matches!(chance, Chance::None)) {
            return;
        }
        let (mut text, mut unpacked) = (Vec::new(), Unpacked::none(self));
        found.slots.drain().for_each(|(number, slot)| unpacked.put(number, slot));
        self.walk(|index, number, walk| {
            let chance = chances.get(usize::from(number)).filter(|_| wanted(index));
            let has = |(run, slots): &(usize, Vec<usize>)| {
                let mut hits =
                    slots.iter().filter_map(|slot| found.hits.get(&(*run, *slot)).zip(Some(slot)));
                hits.any(|(hits, slot)| hits.contains(walk.place(number, *slot)))
            };
            match chance {
                Some(Chance::All) => each(index, None),
                Some(Chance::Some(ways)) if ways.iter().any(|way| way.iter().all(has)) => {
                    text.clear();
                    walk.write(number, &mut unpacked, &mut text);
                    each(index, Some(&text));
                }
                _ => {}
            }
        });
    }
}

impl Found<'_> {
    fn chance(&mut self, template: &Template, needles: &Needles<'_>) -> Chance {
        let mut ways = Vec::new();
        for list in &needles.lists {
            let way: Option<Vec<_>> =
                list.iter().map(|run| self.needs(template, *run, needles)).collect();
            ways.extend(way.map(|needs| needs.into_iter().flatten().collect()));
        }
        if ways.is_empty() { Chance::None } else { Chance::Some(ways) }
    }

    /// Nothing where the template cannot have the run. Then a run and the slots that may have it,
    /// unless the constants do.
    fn needs(
        &mut self,
        template: &Template,
        run: usize,
        needles: &Needles<'_>,
    ) -> Option<Option<(usize, Vec<usize>)>> {
        let text = needles.runs.get(run).copied().unwrap_or_default();
        if text.len() < WORTH || template.constants.may_hold(text, &mut self.scratch) {
            return Some(None);
        }
        let mut slots: Vec<usize> = template.slots.clone();
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|slot| !self.hits(run, text, *slot).is_empty());
        (!slots.is_empty()).then_some(Some((run, slots)))
    }

    fn hits(&mut self, run: usize, text: &str, number: usize) -> &Hits {
        let Self { packed, hits, slots, scratch } = self;
        hits.entry((run, number)).or_insert_with(|| {
            let stored = packed.slots.get(number).filter(|stored| stored.may_hold(text));
            let Some(stored) = stored else { return Hits::default() };
            stored.hits(&packed.payload, text).unwrap_or_else(|| {
                let slot = slots.entry(number).or_insert_with(|| packed.slot(number).into_owned());
                Hits::of(slot, stored.count, text, scratch)
            })
        })
    }
}

/// Shorter runs are in too many variables for looking them up to gain anything.
const WORTH: usize = 3;
