//! What a block must hold for any of its rows to match, as far as an index can tell.
//!
//! It is asked of a whole segment at once, before any of its blocks is opened. What it leaves out
//! has no row that matches; what it leaves in may have none. The index holds the words of all that
//! events show ([`Words::add_value`](crate::store::tokens::Words::add_value)) but for ids and
//! times, which the catalog knows.

use super::place::{OriginField, Place, id_text};
use crate::kql::{Field, Leaf, Matcher, Node, Prepared};
use crate::store::tokens::{BlockSet, Token};

/// What a block must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing that can be told without opening it.
    Nothing,
    /// What no block holds.
    Never,
    /// This word.
    Word(Token),
    /// A row whose time is from the first to the last of these, in microseconds.
    Time(i64, i64),
    /// A row that was received from the first to the last of these, in microseconds.
    Received(i64, i64),
    /// The row of this id.
    Id(i64),
    /// All of these.
    All(Vec<Self>),
    /// Some of these.
    Any(Vec<Self>),
}

/// What is known of the blocks of a segment without opening them.
pub trait Index {
    /// Why a word could not be looked up.
    type Error;

    /// How many blocks there are.
    fn blocks(&self) -> u32;

    /// Those that may hold a word.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    fn holding(&mut self, word: Token) -> Result<BlockSet, Self::Error>;

    /// Those that may hold a row whose time is in `from..=to`; all, where that is not known.
    fn between(&self, _from: i64, _to: i64) -> BlockSet {
        BlockSet::all(self.blocks())
    }

    /// Those that may hold a row received in `from..=to`; all, where that is not known.
    fn received(&self, _from: i64, _to: i64) -> BlockSet {
        BlockSet::all(self.blocks())
    }

    /// Those that may hold the row of an id; all, where that is not known.
    fn with_id(&self, _id: i64) -> BlockSet {
        BlockSet::all(self.blocks())
    }
}

impl Needs {
    /// What a block needs to have a row that matches `query`.
    pub fn of(query: &Prepared) -> Self {
        let needs = Self::of_node(query.root());
        if needs.words() > MAX_LOOKUPS { Self::Nothing } else { needs }
    }

    /// The blocks of a segment that may hold what is needed.
    ///
    /// # Errors
    ///
    /// When the index cannot be read.
    pub fn may_hold<I: Index>(&self, index: &mut I) -> Result<BlockSet, I::Error> {
        Ok(match self {
            Self::Nothing => BlockSet::all(index.blocks()),
            Self::Never => BlockSet::none(index.blocks()),
            Self::Word(word) => index.holding(*word)?,
            Self::Time(from, to) => index.between(*from, *to),
            Self::Received(from, to) => index.received(*from, *to),
            Self::Id(id) => index.with_id(*id),
            Self::All(parts) => {
                let mut blocks = BlockSet::all(index.blocks());
                for part in parts {
                    if blocks.is_empty() {
                        break;
                    }
                    blocks.intersect(&part.may_hold(index)?);
                }
                blocks
            }
            Self::Any(parts) => {
                let mut blocks = BlockSet::none(index.blocks());
                for part in parts {
                    if blocks.len() == index.blocks() as usize {
                        break;
                    }
                    blocks.union(&part.may_hold(index)?);
                }
                blocks
            }
        })
    }

    fn of_node(node: &Node) -> Self {
        match node {
            Node::All | Node::Not(_) | Node::Exists(_) | Node::Nested(_) => Self::Nothing,
            Node::None => Self::Never,
            Node::And(parts) => Self::all(parts.iter().map(Self::of_node)),
            Node::Or(parts) => Self::any(parts.iter().map(Self::of_node)),
            Node::Leaf(leaf) => Self::of_leaf(leaf),
        }
    }

    fn of_leaf(leaf: &Leaf) -> Self {
        if let Some(Field::Name(name)) = leaf.field() {
            return Self::of_field(leaf, name);
        }
        let own = Place::own().filter(|(_, place)| *place != Place::Version).map(|(name, _)| name);
        let asked = own.chain(ANALYSED).filter(|name| leaf.accepts(name));
        Self::any(asked.chain([ANY_OTHER]).map(|name| Self::of_field(leaf, name)))
    }

    /// For a row to match by the field called `name`, or by one of that name in a value.
    fn of_field(leaf: &Leaf, name: &str) -> Self {
        let matcher = leaf.matcher_for(name);
        let times =
            matcher.time_bounds().map(|(first, last)| (first.as_micros(), last.as_micros()));
        match (Place::of(name), times) {
            _ if matcher.is_never() => Self::Never,
            (Place::Time, Some((first, last))) => Self::Time(first, last),
            (Place::Origin(OriginField::ReceivedAt), Some((first, last))) => {
                Self::Received(first, last)
            }
            (Place::Version | Place::Time | Place::Origin(OriginField::ReceivedAt), _) => {
                Self::Nothing
            }
            (Place::Id, _) => Self::of_id(matcher),
            (Place::Origin(_) | Place::Computed(_) | Place::Column(_), _) => {
                Self::of_words(matcher.required_words())
            }
        }
    }

    fn of_words(alternatives: &[Vec<String>]) -> Self {
        if alternatives.is_empty() {
            return Self::Nothing;
        }
        Self::any(alternatives.iter().map(|words| {
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            // Long words are rare ones: once no block is left, the others are not looked up.
            words.sort_by_key(|word| std::cmp::Reverse(word.len()));
            Self::all(words.into_iter().map(|word| Self::Word(Token::of(word))))
        }))
    }

    /// An id is one word, and not in the index of words.
    fn of_id(matcher: &Matcher) -> Self {
        let alternatives = matcher.required_words();
        if alternatives.is_empty() {
            return Self::Nothing;
        }
        let id = |words: &Vec<String>| match words.as_slice() {
            [word] => id_of(word).map_or(Self::Never, Self::Id),
            _ => Self::Never,
        };
        Self::any(alternatives.iter().map(id))
    }

    fn all(parts: impl Iterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Self::Nothing => {}
                Self::Never => return Self::Never,
                Self::All(parts) => parts.into_iter().for_each(|part| add(&mut all, part)),
                part => add(&mut all, part),
            }
        }
        // What is left out makes more blocks look as if they could match.
        all.truncate(MAX_LOOKUPS);
        match all.pop() {
            None => Self::Nothing,
            Some(only) if all.is_empty() => only,
            last => Self::All(all.into_iter().chain(last).collect()),
        }
    }

    fn any(parts: impl Iterator<Item = Self>) -> Self {
        let mut any = Vec::new();
        for part in parts {
            match part {
                Self::Never => {}
                Self::Nothing => return Self::Nothing,
                Self::Any(parts) => parts.into_iter().for_each(|part| add(&mut any, part)),
                part => add(&mut any, part),
            }
            if any.len() > MAX_LOOKUPS {
                return Self::Nothing;
            }
        }
        match any.pop() {
            None => Self::Never,
            Some(only) if any.is_empty() => only,
            last => Self::Any(any.into_iter().chain(last).collect()),
        }
    }

    /// How many words are looked up at most.
    fn words(&self) -> usize {
        match self {
            Self::Nothing | Self::Never => 0,
            Self::Time(..) | Self::Received(..) | Self::Id(_) => 0,
            Self::Word(_) => 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::words).sum(),
        }
    }
}

/// Adds a part that is not there yet, of few.
fn add(parts: &mut Vec<Needs>, part: Needs) {
    if parts.len() <= MAX_LOOKUPS && !parts.contains(&part) {
        parts.push(part);
    }
}

/// The id that is shown as `word`.
fn id_of(word: &str) -> Option<i64> {
    let id = u64::from_str_radix(word, 16).ok()?.cast_signed();
    (id_text(id) == word).then_some(id)
}

/// Fields that are asked by their words.
const ANALYSED: [&str; 2] = ["message", "event.original"];

/// Stands for all fields that no rule is about.
const ANY_OTHER: &str = "";

/// A query that has more words is not looked up: each of them is a read for every segment.
const MAX_LOOKUPS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kql::{Syntax, parse};
    use crate::time::Timestamp;

    fn needs(query: &str) -> Needs {
        let parsed = parse(query, Syntax::Lenient).unwrap();
        Needs::of(&Prepared::new(&parsed.query, Timestamp::default()).unwrap())
    }

    /// Words that stand for themselves.
    fn shown(needs: &Needs, words: &[&str]) -> String {
        let list = |parts: &[Needs], between: &str| {
            let parts: Vec<_> = parts.iter().map(|part| shown(part, words)).collect();
            format!("({})", parts.join(between))
        };
        match needs {
            Needs::Nothing => "?".to_owned(),
            Needs::Never => "never".to_owned(),
            Needs::Word(token) => {
                let word = words.iter().find(|word| Token::of(word) == *token);
                word.map_or_else(|| "other".to_owned(), |word| (*word).to_owned())
            }
            Needs::Time(..) => "time".to_owned(),
            Needs::Received(..) => "received".to_owned(),
            Needs::Id(id) => format!("#{id}"),
            Needs::All(parts) => list(parts, " & "),
            Needs::Any(parts) => list(parts, " | "),
        }
    }

    #[test]
    fn what_is_needed_for_a_match() {
        let words = ["disk", "full", "connection", "4711", "0000000000000012", "12", "web", "x"];
        let table = [
            ("message:disk", "disk"),
            ("message:\"the disk connection\"", "(connection & disk & other)"),
            ("message:disk full", "(disk | full)"),
            ("message:disk and service:web", "(disk & web)"),
            ("message:disk or user.id:4711", "(disk | 4711)"),
            ("message:disk and not message:full", "disk"),
            ("message:disk or not message:full", "?"),
            ("message:disk and message:dis*", "disk"),
            ("message:disk or message:dis*", "?"),
            ("a.b:Disk", "disk"),
            ("a.*:disk", "disk"),
            ("disk", "disk"),
            ("4711", "(time | received | 4711)"),
            ("deadbeefdeadbee", "other"),
            ("deadbeefdeadbeef", "(#-2401053088876216593 | other)"),
            ("0000000000000012", "(#18 | time | received | 12 | 0000000000000012)"),
            ("_id:12", "never"),
            ("_id:0000000000000012", "#18"),
            ("_id:0000*", "?"),
            ("_id:00000000000000AB", "#171"),
            ("_id:\"0000000000000012 x\"", "never"),
            ("@version:1", "?"),
            ("@timestamp > 2026-06-15", "time"),
            ("received_at:2026-06-15 and disk", "(received & disk)"),
            ("level:x", "x"),
            ("*:*", "?"),
            ("a:*", "?"),
            ("a:{ b:x }", "?"),
            ("a > 5", "?"),
            ("not disk", "?"),
            ("*", "?"),
        ];
        for (query, want) in table {
            assert_eq!(shown(&needs(query), &words), want, "{query}");
        }
    }

    #[test]
    fn long_lists_are_not_looked_up() {
        let list =
            |between: &str| (0..1000).map(|n| format!("a:x{n}")).collect::<Vec<_>>().join(between);
        assert_eq!(needs(&list(" or ")), Needs::Nothing);
        assert!(matches!(needs(&list(" and ")), Needs::All(parts) if parts.len() == 256));
        let both: Vec<_> = (0..300).map(|n| format!("(a:x{n} or a:y{n})")).collect();
        assert_eq!(needs(&both.join(" and ")), Needs::Nothing);
    }

    struct Letters<'a>(&'a [&'a str], usize);

    impl Index for Letters<'_> {
        type Error = ();

        fn blocks(&self) -> u32 {
            u32::try_from(self.0.len()).unwrap()
        }

        fn holding(&mut self, word: Token) -> Result<BlockSet, ()> {
            self.1 += 1;
            let mut found = BlockSet::none(self.blocks());
            for (block, letters) in (0..).zip(self.0) {
                if letters.split(' ').any(|letter| Token::of(letter) == word) {
                    found.insert(block);
                }
            }
            if word == Token::of("broken") { Err(()) } else { Ok(found) }
        }
    }

    #[test]
    fn a_segment_is_asked_at_once() {
        let blocks = ["a b", "b c", "c d", ""];
        let table: [(&str, &[u32], usize); 8] = [
            ("f:b", &[0, 1], 1),
            ("f:b and f:c", &[1], 2),
            ("f:a and f:d and f:b and f:c", &[], 2),
            ("f:a or f:d", &[0, 2], 2),
            ("(f:a or f:c) and f:b", &[0, 1], 3),
            ("not f:a", &[0, 1, 2, 3], 0),
            ("@timestamp > 2026-06-15", &[0, 1, 2, 3], 0),
            ("@timestamp:x*", &[0, 1, 2, 3], 0),
        ];
        for (query, want, lookups) in table {
            let mut index = Letters(&blocks, 0);
            let found: Vec<u32> = needs(query).may_hold(&mut index).unwrap().iter().collect();
            assert_eq!((&found[..], index.1), (want, lookups), "{query}");
        }
        needs("f:a or f:broken").may_hold(&mut Letters(&blocks, 0)).unwrap_err();
    }
}
