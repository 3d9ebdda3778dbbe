//! The rules that have texts without which they cannot match: which of them to try on a message.
//!
//! All texts are searched for in one pass. A literal is compared where its text is; expressions are
//! looked for only where one of their texts is, and those that have the same texts in one pass
//! together, so that a thousand of them about one word cost what a few do.
//!
//! A sender may write the texts of all rules into a message. How much is looked for in one is bounded
//! for that: what is left then counts as found, as a guess ([`Found::is_sure`]). So nothing is hidden
//! behind many decoys.

use std::collections::BTreeMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use regex_automata::meta::Regex;
use regex_automata::{Input, PatternSet};
use regex_syntax::hir::Hir;

use super::super::error::GateError;
use super::super::required::fold;
use super::super::rule::{Rule, RuleKind};
use super::{MAX_ALL, MAX_ONE, build};

/// Rules by their texts.
#[derive(Debug)]
pub(super) struct Likely {
    texts: AhoCorasick,
    /// What each text stands for.
    owners: Vec<Vec<Owner>>,
    literals: Vec<Literal>,
    groups: Vec<Group>,
}

/// A rule as it is found: its number, and whether it is sure that it matches.
pub(super) type Found = (usize, bool);

#[derive(Clone, Copy, Debug)]
enum Owner {
    /// A place in `literals`.
    Literal(usize),
    /// A place in `groups`.
    Group(usize),
}

/// A rule that is its text.
#[derive(Debug)]
struct Literal {
    number: usize,
    rule: Arc<Rule>,
}

/// Expressions with the same texts, and the numbers of their rules.
#[derive(Debug)]
struct Group {
    regex: Regex,
    numbers: Vec<usize>,
}

/// What is known of a message so far.
struct Search<'a> {
    text: &'a [u8],
    found: &'a mut Vec<Found>,
    is_literal_found: Vec<bool>,
    is_group_tried: Vec<bool>,
    /// What may still be done.
    work: usize,
}

/// Gathers rules.
#[derive(Debug, Default)]
pub(super) struct Builder {
    owners: BTreeMap<Vec<u8>, Vec<Owner>>,
    literals: Vec<Literal>,
    /// By their texts, so that equal ones come together.
    expressions: BTreeMap<Vec<Vec<u8>>, Vec<(usize, Hir)>>,
}

impl Builder {
    /// Adds a rule, known by `texts`.
    pub(super) fn add(&mut self, rule: &Arc<Rule>, number: usize, hir: Hir, texts: Vec<Vec<u8>>) {
        let pattern = rule.pattern.as_bytes();
        let is_all = matches!(&*texts, [text] if text.len() == pattern.len());
        if rule.kind != RuleKind::Literal || !is_all {
            self.expressions.entry(texts).or_default().push((number, hir));
            return;
        }
        let owner = Owner::Literal(self.literals.len());
        self.literals.push(Literal { number, rule: Arc::clone(rule) });
        texts.into_iter().for_each(|text| self.owners.entry(text).or_default().push(owner));
    }

    /// The texts of all rules, each once.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let of_expressions = self.expressions.keys().flatten();
        self.owners.keys().chain(of_expressions).map(Vec::as_slice)
    }

    /// Compiles them; `None` where there are none.
    pub(super) fn build(mut self) -> Result<Option<Likely>, GateError> {
        let mut groups = Vec::new();
        for (texts, expressions) in std::mem::take(&mut self.expressions) {
            for group in expressions.chunks(MAX_TOGETHER).map(Group::of) {
                for group in group? {
                    let owner = Owner::Group(groups.len());
                    groups.push(group);
                    let each = texts.iter();
                    each.for_each(|text| self.owners.entry(text.clone()).or_default().push(owner));
                }
            }
        }
        if self.owners.is_empty() {
            return Ok(None);
        }
        let many = |_| GateError::invalid("pattern", "fewer texts", "too many together");
        let texts = AhoCorasick::new(self.owners.keys()).map_err(many)?;
        let owners = self.owners.into_values().collect();
        Ok(Some(Likely { texts, owners, literals: self.literals, groups }))
    }
}

impl Group {
    /// One for all of them, or one for each where that would take too much.
    fn of(expressions: &[(usize, Hir)]) -> Result<Vec<Self>, GateError> {
        let hirs: Vec<_> = expressions.iter().map(|(_, hir)| hir.clone()).collect();
        if let ([_, _, ..], Ok(regex)) = (&*hirs, build(&hirs, MAX_ALL)) {
            let numbers = expressions.iter().map(|(number, _)| *number).collect();
            return Ok(vec![Self { regex, numbers }]);
        }
        let alone = |(number, hir): &(usize, Hir)| {
            Ok(Self { regex: build(std::slice::from_ref(hir), MAX_ONE)?, numbers: vec![*number] })
        };
        expressions.iter().map(alone).collect()
    }

    fn search(&self, text: &[u8], found: &mut Vec<Found>) {
        if let [number] = *self.numbers {
            found.extend(self.regex.is_match(text).then_some((number, true)));
            return;
        }
        let mut patterns = PatternSet::new(self.regex.pattern_len());
        self.regex.which_overlapping_matches(&Input::new(text), &mut patterns);
        let number = |place: usize| self.numbers.get(place).map(|number| (*number, true));
        found.extend(patterns.iter().filter_map(|pattern| number(pattern.as_usize())));
    }
}

impl Literal {
    /// Whether it is what stands there, which is so but for what [`fold`] takes away.
    fn is(&self, there: &[u8]) -> bool {
        let pattern = self.rule.pattern.as_bytes();
        if self.rule.case_sensitive {
            there == pattern
        } else {
            there.eq_ignore_ascii_case(pattern)
        }
    }
}

impl Likely {
    /// Looks for all rules in a message.
    pub(super) fn search(&self, text: &[u8], found: &mut Vec<Found>) {
        let folded: Vec<u8> = text.iter().map(|byte| fold(*byte)).collect();
        let mut is_settled = vec![false; self.owners.len()];
        let mut search = Search {
            text,
            found,
            is_literal_found: vec![false; self.literals.len()],
            is_group_tried: vec![false; self.groups.len()],
            work: MAX_WORK,
        };
        for one in self.texts.find_overlapping_iter(&folded) {
            let place = one.pattern().as_usize();
            let (Some(owners), Some(is_settled)) =
                (self.owners.get(place), is_settled.get_mut(place))
            else {
                continue;
            };
            if *is_settled {
                continue;
            }
            *is_settled = true;
            for owner in owners {
                match *owner {
                    // It may stand behind what only looks like it.
                    Owner::Literal(place) => {
                        *is_settled &= search.compare(self, place, one.range());
                    }
                    Owner::Group(place) => search.attempt(self, place),
                }
            }
        }
    }
}

impl Search<'_> {
    /// Compares a literal with what is there; whether it has been found by now.
    fn compare(&mut self, rules: &Likely, place: usize, there: std::ops::Range<usize>) -> bool {
        let (Some(literal), Some(is_found)) =
            (rules.literals.get(place), self.is_literal_found.get_mut(place))
        else {
            return true;
        };
        if !*is_found && self.text.get(there).is_some_and(|there| literal.is(there)) {
            *is_found = true;
            self.found.push((literal.number, true));
        }
        *is_found
    }

    /// Looks for a group, once, as long as there is not too much to do.
    fn attempt(&mut self, rules: &Likely, place: usize) {
        let (Some(group), Some(is_tried)) =
            (rules.groups.get(place), self.is_group_tried.get_mut(place))
        else {
            return;
        };
        if std::mem::replace(is_tried, true) {
            return;
        }
        let cost = (self.text.len() + FIXED_WORK) * group.numbers.len().div_ceil(PER_PASS);
        match self.work.checked_sub(cost) {
            Some(left) => {
                self.work = left;
                group.search(self.text, self.found);
            }
            None => self.found.extend(group.numbers.iter().map(|number| (*number, false))),
        }
    }
}

/// The most expressions that are looked for in one pass.
const MAX_TOGETHER: usize = 64;

/// How many expressions of a pass cost what one costs alone.
const PER_PASS: usize = 16;

/// How much is looked for in one message: its bytes, times the passes over it.
const MAX_WORK: usize = 16 << 20;

/// What a pass costs beside the bytes.
const FIXED_WORK: usize = 1 << 10;
