//! Conditions on analysed text: words, phrases, and patterns of them.
//!
//! What is ASCII and short is looked for in the value as it is ([`super::search`]). For the rest
//! the value is folded into memory that the thread keeps, then searched: both go many bytes at a
//! time, and take time linear in the value whatever is asked.

use std::cell::RefCell;
use std::collections::HashSet;

use memchr::memmem::Finder;

use super::super::query::Literal;
use super::super::wildcard::{Wildcard, is_boundary};
use super::super::words::{self, is_word, run};
use super::search::{Search, Sequence};
use super::{folded, folded_wildcard, words_of_pattern};

/// What a text must have.
#[derive(Clone, Debug)]
pub(super) enum Text {
    /// One of these.
    Any(Words),
    /// This, literally: it has no words, so there is nothing to fold.
    Literal(Finder<'static>),
    /// This, in any case, where it may be.
    Search(Search),
    /// A word of this pattern, of which this is the longest piece.
    Word(Wildcard, Option<Search>),
    /// A part of this pattern, which is more than a word; and its whole words.
    Part(Wildcard, Vec<String>),
    /// Nothing has it.
    Never,
}

/// Words and phrases, by how they are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    /// All of them, where they are few.
    all: Vec<Vec<String>>,
    plain: Vec<Sequence>,
    /// Single words, where they are many.
    many: HashSet<Box<str>>,
    folded: Vec<Phrase>,
}

/// Words next to each other, whatever is between them.
#[derive(Clone, Debug)]
struct Phrase {
    /// The longest word: where it is not, the phrase is not.
    word: Finder<'static>,
    /// All the words with a blank round each, where there are several.
    all: Option<Finder<'static>>,
}

impl Text {
    pub(super) fn new(value: &Literal) -> Self {
        match value {
            Literal::Wild(pieces) => Self::pattern(pieces),
            Literal::Phrase(text) => Self::any([text.as_str()].into_iter(), text),
            Literal::Term(text) => Self::any(text.split_whitespace(), text),
            Literal::Bool(_) | Literal::Null => {
                let text = value.as_text().unwrap_or_default();
                Self::any([text].into_iter(), text)
            }
        }
    }

    /// Whether `value` has it.
    pub(super) fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Any(words) => words.matches(value),
            Self::Literal(finder) => finder.find(value).is_some(),
            Self::Search(search) => search.is_in(value),
            Self::Word(pattern, longest) => {
                longest.as_ref().is_none_or(|longest| longest.is_in(value))
                    && with_folded(value, |text| {
                        words::split(text).any(|word| pattern.matches(word.as_bytes()))
                    })
            }
            Self::Part(pattern, _) => with_folded(value, |text| pattern.occurs(text)),
            Self::Never => false,
        }
    }

    /// Lists of words: every text that matches has all of one of them.
    pub(super) fn required_words(&self) -> Vec<Vec<String>> {
        match self {
            Self::Any(words) => words.all.clone(),
            Self::Part(_, whole) => vec![whole.clone()],
            Self::Literal(_) | Self::Search(_) | Self::Word(..) | Self::Never => vec![],
        }
    }

    /// Lists of texts in lower case: every text that matches has all of one of them in it.
    pub(super) fn required_texts(&self) -> Vec<Vec<String>> {
        match self {
            Self::Any(words) => words.all.clone(),
            Self::Search(search) => vec![vec![search.needle().to_owned()]],
            Self::Word(pattern, _) | Self::Part(pattern, _) => vec![pattern.pieces()],
            Self::Literal(_) | Self::Never => vec![],
        }
    }

    /// One of `parts`, each as a phrase; `whole`, literally, if they have no word.
    fn any<'a>(parts: impl Iterator<Item = &'a str>, whole: &str) -> Self {
        let mut seen = HashSet::new();
        let mut phrases = vec![];
        for part in parts {
            let words: Vec<String> = words::words(part).map(String::from).collect();
            if !words.is_empty() && seen.insert(words.clone()) {
                phrases.push(words);
            }
        }
        if !phrases.is_empty() {
            return Self::Any(Words::new(phrases));
        }
        let whole = whole.trim();
        if whole.is_empty() { Self::Never } else { Self::Literal(finder(whole)) }
    }

    fn pattern(pieces: &[String]) -> Self {
        let wildcard = folded_wildcard(pieces);
        let pieces: Vec<String> = pieces.iter().map(|piece| folded(piece)).collect();
        let last = pieces.len().saturating_sub(1);
        let mut texts = pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty());
        let only = texts.next().filter(|_| texts.next().is_none());
        let is_words = pieces.iter().all(|piece| piece.chars().all(is_word));
        if let Some((at, piece)) = only.filter(|_| is_words)
            && let Some(search) = Search::new(piece, at == 0, at == last)
        {
            return Self::Search(search);
        }
        if is_words {
            let longest = pieces.iter().max_by_key(|piece| piece.len());
            return Self::Word(
                wildcard,
                longest.and_then(|piece| Search::new(piece, false, false)),
            );
        }
        Self::Part(wildcard, words_of_pattern(&pieces))
    }
}

impl Words {
    fn new(phrases: Vec<Vec<String>>) -> Self {
        let mut all = Self::default();
        let is_many = phrases.len() > MAX_FINDERS;
        if phrases.len() <= MAX_REQUIRED {
            all.all.clone_from(&phrases);
        }
        for mut words in phrases {
            if is_many && words.len() == 1 {
                all.many.extend(words.pop().map(String::into_boxed_str));
            } else if let Some(sequence) = Sequence::new(&words) {
                all.plain.push(sequence);
            } else {
                all.folded.push(Phrase::new(&words));
            }
        }
        all
    }

    fn matches(&self, value: &[u8]) -> bool {
        if self.plain.iter().any(|sequence| sequence.is_in(value)) {
            return true;
        }
        if self.many.is_empty() && self.folded.is_empty() {
            return false;
        }
        with_folded(value, |text| {
            !self.many.is_empty() && words::split(text).any(|word| self.many.contains(word))
                || has_phrase(text, &self.folded)
        })
    }
}

impl Phrase {
    fn new(words: &[String]) -> Self {
        let longest = words.iter().max_by_key(|word| word.len()).map_or("", String::as_str);
        let all = (words.len() > 1).then(|| finder(&format!(" {} ", words.join(" "))));
        Self { word: finder(longest), all }
    }
}

/// Calls `then` with `value` folded.
pub(super) fn with_folded<T>(value: &[u8], then: impl FnOnce(&str) -> T) -> T {
    FOLDED.with_borrow_mut(|folded| {
        words::fold(value, folded);
        let result = then(folded);
        if folded.capacity() > MAX_KEPT {
            *folded = String::new();
        }
        result
    })
}

fn has_phrase(text: &str, phrases: &[Phrase]) -> bool {
    let mut is_spaced = false;
    phrases.iter().any(|phrase| {
        let Some(all) = &phrase.all else { return has_word(text, &phrase.word) };
        if phrase.word.find(text.as_bytes()).is_none() {
            return false;
        }
        SPACED.with_borrow_mut(|spaced| {
            if !is_spaced {
                is_spaced = true;
                space(text, spaced);
            }
            let is_there = all.find(spaced.as_bytes()).is_some();
            if spaced.capacity() > MAX_KEPT {
                *spaced = String::new();
                is_spaced = false;
            }
            is_there
        })
    })
}

/// Whether `word` is in a folded text, and not only inside others.
fn has_word(text: &str, word: &Finder<'static>) -> bool {
    let mut from = 0;
    while let Some(rest) = text.get(from..) {
        let Some(found) = word.find(rest.as_bytes()) else { return false };
        let at = from + found;
        if is_boundary(text, at) && is_boundary(text, at + word.needle().len()) {
            return true;
        }
        // The word that this is in goes on; no other begins before its end.
        from = at + text.get(at..).map_or(0, |inside| run(inside, true).max(1));
    }
    false
}

/// Replaces what `out` holds by the words of `text`, with one blank round each.
fn space(text: &str, out: &mut String) {
    out.clear();
    out.push(' ');
    for word in words::split(text) {
        out.push_str(word);
        out.push(' ');
    }
}

fn finder(text: &str) -> Finder<'static> {
    Finder::new(text.as_bytes()).into_owned()
}

/// Up to so many words each is searched for; beyond, each word of the text is looked up.
const MAX_FINDERS: usize = 8;

/// More phrases than this are not told to an index.
const MAX_REQUIRED: usize = 32;

/// The memory that a thread keeps for the next value, in bytes.
const MAX_KEPT: usize = 1 << 20;

thread_local! {
    /// The value that is being matched, folded.
    static FOLDED: RefCell<String> = const { RefCell::new(String::new()) };
    /// Its words with one blank round each.
    static SPACED: RefCell<String> = const { RefCell::new(String::new()) };
}
