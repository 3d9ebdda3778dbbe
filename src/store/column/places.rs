//! The variables of all templates on disk, place by place.
//!
//! Lines often begin alike, with a time and a host, whatever they say after that. Where templates
//! begin with the same constants, the variables up to there are one column, in the order of the
//! rows, if that is shorter: times then differ little from one to the next.
//!
//! ```text
//!  places = for each variable of each template:
//!             0 its slot follows | 1 equal to an earlier one, and how far before | n + 2 joined
//!             to that of template n
//!           the slots of those with 0
//! ```

use hashbrown::HashMap;

use super::super::bytes::{Damaged, put_varint};
use super::payload::{Parts, Payload};
use super::slot::Slot;
use super::template::Template;

/// How each variable of each template is written.
struct Joins(Vec<Vec<Way>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By itself, or with those that are joined to it.
    Lead,
    /// As the variable so many places before it in the same template.
    Equal(usize),
    /// With that of another template.
    Join(usize),
}

/// A template, and a place in it.
type At = (usize, usize);

/// Appends the slots of `templates`. `of` is the template of each text.
pub(super) fn encode(templates: &[&Template], of: &[u16], out: &mut Payload) {
    let mut joins = Joins::equal(templates);
    let mut joined = HashMap::new();
    if out.is_final {
        joins.find(templates);
        joined = joins.join(templates, of);
        joins.drop_longer(templates, &mut joined);
    }
    for way in joins.0.iter().flatten() {
        match way {
            Way::Lead => put_varint(&mut out.soft, 0),
            Way::Equal(back) => {
                put_varint(&mut out.soft, 1);
                put_varint(&mut out.soft, *back as u64);
            }
            Way::Join(leader) => put_varint(&mut out.soft, *leader as u64 + 2),
        }
    }
    for (number, (template, ways)) in templates.iter().zip(&joins.0).enumerate() {
        for (place, (slot, way)) in template.slots.iter().zip(ways).enumerate() {
            if *way == Way::Lead {
                joined.get(&(number, place)).unwrap_or(slot).encode(out);
            }
        }
    }
}

/// Reads the slots of `templates` back. They have their constants, counts, and as many slots as
/// they will have.
pub(super) fn decode(
    parts: &mut Parts<'_>,
    templates: &mut [Template],
    of: &[u16],
) -> Result<(), Damaged> {
    let slots: Vec<usize> = templates.iter().map(|template| template.slots.len()).collect();
    let joins = Joins::decode(parts, &slots)?;
    let mut counts: HashMap<At, usize> = HashMap::new();
    for (number, (template, ways)) in templates.iter().zip(&joins.0).enumerate() {
        for (place, way) in ways.iter().enumerate() {
            if let Some(leader) = way.leader(number) {
                *counts.entry((leader, place)).or_default() += template.count as usize;
            }
        }
    }
    let mut joined = HashMap::new();
    for (number, (template, ways)) in templates.iter_mut().zip(&joins.0).enumerate() {
        for (place, (own, way)) in template.slots.iter_mut().zip(ways).enumerate() {
            if *way == Way::Lead {
                let count = counts.get(&(number, place)).copied().unwrap_or_default();
                let slot = Slot::decode(parts, count)?;
                if count > template.count as usize {
                    joined.insert((number, place), slot);
                } else {
                    *own = slot;
                }
            }
        }
    }
    joins.part(templates, of, &joined);
    for (template, ways) in templates.iter_mut().zip(&joins.0) {
        for (place, way) in ways.iter().enumerate() {
            if let Way::Equal(back) = way {
                let equal = place.checked_sub(*back).and_then(|at| template.slots.get(at)).cloned();
                if let Some((slot, equal)) = template.slots.get_mut(place).zip(equal) {
                    *slot = equal;
                }
            }
        }
    }
    Ok(())
}

/// Reads which variables share a slot: for each of each template the number of its slot, of those
/// that follow. `slots` is how many each template has.
pub(super) fn decode_shared(
    parts: &mut Parts<'_>,
    slots: &[usize],
) -> Result<Vec<Vec<usize>>, Damaged> {
    let joins = Joins::decode(parts, slots)?;
    let (mut all, mut next): (Vec<Vec<usize>>, _) = (Vec::new(), 0..);
    for ways in &joins.0 {
        let mut own: Vec<usize> = Vec::new();
        for (place, way) in ways.iter().enumerate() {
            // What is named here was found to be there, and to be before.
            own.push(match way {
                Way::Lead => next.next().unwrap_or_default(),
                Way::Equal(back) => own.get(place - back).copied().unwrap_or_default(),
                Way::Join(leader) => {
                    let led = all.get(*leader).and_then(|slots| slots.get(place));
                    led.copied().unwrap_or_default()
                }
            });
        }
        all.push(own);
    }
    Ok(all)
}

impl Joins {
    /// Every variable by itself, but for those that are equal to an earlier one.
    fn equal(templates: &[&Template]) -> Self {
        let mut looks: Vec<u64> = Vec::new();
        let mut ways = |template: &&Template| {
            looks.clear();
            looks.extend(template.slots.iter().map(Slot::look));
            let way = |(place, slot): (usize, &Slot)| {
                let (before, own) = looks.split_at_checked(place).unwrap_or_default();
                let look = own.first().copied().unwrap_or_default();
                let alike = (1..).zip(before.iter().rev()).filter(|(_, other)| **other == look);
                let is_equal = |back: &usize| {
                    template.slots.get(place - back).is_some_and(|other| other.equals(slot))
                };
                alike.map(|(back, _)| back).find(is_equal).map_or(Way::Lead, Way::Equal)
            };
            template.slots.iter().enumerate().map(way).collect()
        };
        Self(templates.iter().map(&mut ways).collect())
    }

    fn decode(parts: &mut Parts<'_>, slots: &[usize]) -> Result<Self, Damaged> {
        let mut joins = Self(Vec::new());
        for slots in slots {
            let mut ways = Vec::new();
            for place in 0..*slots {
                let number = |number| usize::try_from(number).map_err(|_| Damaged("a place"));
                let way = match number(parts.soft.varint()?)? {
                    0 => Way::Lead,
                    1 => Way::Equal(number(parts.soft.varint()?)?),
                    leader => Way::Join(leader - 2),
                };
                let is_there = match way {
                    Way::Lead => true,
                    Way::Equal(back) => (1..=place).contains(&back),
                    Way::Join(leader) => {
                        joins.0.get(leader).and_then(|ways| ways.get(place)) == Some(&Way::Lead)
                    }
                };
                if !is_there {
                    return Err(Damaged("a place that was before"));
                }
                ways.push(way);
            }
            joins.0.push(ways);
        }
        Ok(joins)
    }

    /// Joins all variables before which templates are alike, and that would go into one slot.
    fn find(&mut self, templates: &[&Template]) {
        let mut leaders: HashMap<Vec<&[u8]>, usize> = HashMap::new();
        for (number, (template, ways)) in templates.iter().zip(&mut self.0).enumerate() {
            let mut before = Vec::new();
            for (place, (slot, way)) in template.slots.iter().zip(ways).take(MAX_JOINED).enumerate()
            {
                before.extend(template.constants.get(place));
                // Texts are joined to nothing, and would be in the way of numbers.
                if *way != Way::Lead || slot.is_text() {
                    continue;
                }
                let leader = *leaders.entry(before.clone()).or_insert(number);
                let first = templates.get(leader).and_then(|leader| leader.slots.get(place));
                if leader != number && first.is_some_and(|first| first.is_like(slot)) {
                    *way = Way::Join(leader);
                }
            }
        }
    }

    /// The slots of the leaders that others are joined to, with all variables in order.
    fn join(&self, templates: &[&Template], of: &[u16]) -> HashMap<At, Slot> {
        let mut joined: HashMap<At, Slot> = HashMap::new();
        for ways in &self.0 {
            for (place, way) in ways.iter().enumerate() {
                if let Way::Join(leader) = way {
                    joined.entry((*leader, place)).or_default();
                }
            }
        }
        if joined.is_empty() {
            return joined;
        }
        let (mut next, mut scratch) = (vec![0_usize; templates.len()], Vec::new());
        for number in of.iter().map(|number| usize::from(*number)) {
            let (Some(template), Some(ways)) = (templates.get(number), self.0.get(number)) else {
                continue;
            };
            let Some(nth) = next.get_mut(number) else { continue };
            for (place, (slot, way)) in template.slots.iter().zip(ways).enumerate() {
                let leader = way.leader(number).map(|leader| (leader, place));
                if let Some(all) = leader.and_then(|leader| joined.get_mut(&leader)) {
                    all.push_from(slot, *nth, &mut scratch);
                }
            }
            *nth += 1;
        }
        joined
    }

    /// Parts again what is not much shorter for being joined.
    fn drop_longer(&mut self, templates: &[&Template], joined: &mut HashMap<At, Slot>) {
        let mut apart: HashMap<At, u64> = HashMap::new();
        for (number, (template, ways)) in templates.iter().zip(&self.0).enumerate() {
            for (place, (slot, way)) in template.slots.iter().zip(ways).enumerate() {
                let leader = way.leader(number).map(|leader| (leader, place));
                if let Some(leader) = leader.filter(|leader| joined.contains_key(leader)) {
                    *apart.entry(leader).or_default() += slot.cost().unwrap_or_default();
                }
            }
        }
        joined.retain(|at, slot| {
            let apart = apart.get(at).copied().unwrap_or_default();
            slot.cost().is_some_and(|cost| cost * 10 < apart * 9)
        });
        for ways in &mut self.0 {
            for (place, way) in ways.iter_mut().enumerate() {
                if let Way::Join(leader) = way
                    && !joined.contains_key(&(*leader, place))
                {
                    *way = Way::Lead;
                }
            }
        }
    }

    /// Gives every template its own variables of those that were joined.
    fn part(&self, templates: &mut [Template], of: &[u16], joined: &HashMap<At, Slot>) {
        if joined.is_empty() {
            return;
        }
        let mut next: HashMap<At, usize> = HashMap::new();
        let mut scratch = Vec::new();
        for number in of.iter().map(|number| usize::from(*number)) {
            let (Some(template), Some(ways)) = (templates.get_mut(number), self.0.get(number))
            else {
                continue;
            };
            for (place, (slot, way)) in template.slots.iter_mut().zip(ways).enumerate() {
                let Some(leader) = way.leader(number) else { continue };
                if let Some(all) = joined.get(&(leader, place)) {
                    let nth = next.entry((leader, place)).or_default();
                    slot.push_from(all, *nth, &mut scratch);
                    *nth += 1;
                }
            }
        }
    }
}

impl Way {
    /// The template whose slot has the variables of this place of template `number`.
    fn leader(self, number: usize) -> Option<usize> {
        match self {
            Self::Lead => Some(number),
            Self::Equal(_) => None,
            Self::Join(leader) => Some(leader),
        }
    }
}

/// Variables from the beginning of a template that may be joined.
const MAX_JOINED: usize = 24;
