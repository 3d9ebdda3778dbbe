//! All content rules at once.
//!
//! A message, or a read of many, is looked at once by a [`Filter`] for what most rules cannot match
//! without, which most messages have nothing of. Of those that pass all such texts are searched for
//! together, in one pass, and only the rules whose text is there are tried: the time grows with the
//! message, and not with the number of rules. Rules that have no such text, as `[0-9]{16}`, are a
//! few, and searched for together in every message.

use std::sync::Arc;

use aho_corasick::AhoCorasick;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};
use regex_syntax::hir::Hir;

use super::error::GateError;
use super::filter::Filter;
use super::required::{fold, required};
use super::rule::{Rule, RuleKind};

/// Content rules, compiled; immutable.
#[derive(Debug)]
pub struct Content {
    rules: Vec<(Arc<Rule>, Regex)>,
    filter: Filter,
    /// The texts of the filter, and whose each is: its number in `rules`.
    texts: Option<(AhoCorasick, Vec<usize>)>,
    /// The rules that have no such text.
    always: Option<(Regex, Vec<usize>)>,
}

impl Content {
    /// Compiles rules; `None` where none of them is about content.
    ///
    /// # Errors
    ///
    /// They take more memory together than they may, or too many have no text of four bytes.
    pub(super) fn new(rules: &[Arc<Rule>]) -> Result<Option<Self>, GateError> {
        let (mut compiled, mut texts, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for rule in rules.iter().filter(|rule| rule.kind.is_content()) {
            let (hir, number) = (parse(rule)?, compiled.len());
            match required(&hir) {
                Some(needed) => texts.extend(needed.into_iter().map(|text| (text, number))),
                None => always.push((hir.clone(), number)),
            }
            compiled.push((Arc::clone(rule), build(&[hir], MAX_ONE)?));
        }
        if compiled.is_empty() {
            return Ok(None);
        }
        if always.len() > MAX_ALWAYS {
            return Err(GateError::Full {
                of: "rules without a text of four bytes",
                max: MAX_ALWAYS,
            });
        }
        let filter = Filter::new(texts.iter().map(|(text, _)| text.as_slice()));
        let (texts, owners): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
        let texts = match texts.is_empty() {
            true => None,
            false => {
                let many = |_| GateError::invalid("pattern", "fewer texts", "too many together");
                Some((AhoCorasick::new(texts).map_err(many)?, owners))
            }
        };
        let (hirs, numbers): (Vec<_>, Vec<_>) = always.into_iter().unzip();
        let always = match hirs.is_empty() {
            true => None,
            false => Some((build(&hirs, MAX_ALL)?, numbers)),
        };
        Ok(Some(Self { rules: compiled, filter, texts, always }))
    }

    /// Whether a rule may match in a part of `text`; most often it says no.
    pub fn may_be_in(&self, text: &[u8]) -> bool {
        self.always.is_some() || self.filter.may_be_in(text)
    }

    /// Looks at many messages at once: none of those that end before this place has the text of a
    /// rule in it, but for [those](Self::find_textless) that have no text.
    pub fn find_text(&self, messages: &[u8]) -> Option<usize> {
        self.filter.find(messages)
    }

    /// The rules that match in `text`, the oldest first, and a bounded number of them.
    pub fn find(&self, text: &[u8]) -> Vec<&Arc<Rule>> {
        let mut found = Vec::new();
        if self.filter.may_be_in(text) {
            self.try_likely(text, &mut found);
        }
        self.search_always(text, &mut found);
        self.rules_of(found)
    }

    /// The same of the rules that have no text by which they would be known to be there.
    pub fn find_textless(&self, text: &[u8]) -> Vec<&Arc<Rule>> {
        let mut found = Vec::new();
        self.search_always(text, &mut found);
        self.rules_of(found)
    }

    fn search_always(&self, text: &[u8], found: &mut Vec<usize>) {
        if let Some((rules, numbers)) = &self.always {
            let mut patterns = PatternSet::new(rules.pattern_len());
            rules.which_overlapping_matches(&Input::new(text), &mut patterns);
            found.extend(patterns.iter().filter_map(|pattern| numbers.get(pattern.as_usize())));
        }
    }

    fn rules_of(&self, mut found: Vec<usize>) -> Vec<&Arc<Rule>> {
        found.sort_unstable();
        found.into_iter().filter_map(|number| Some(&self.rules.get(number)?.0)).collect()
    }

    /// Tries the rules whose texts are there.
    fn try_likely(&self, text: &[u8], found: &mut Vec<usize>) {
        let Some((texts, owners)) = &self.texts else { return };
        let folded: Vec<u8> = text.iter().map(|byte| fold(*byte)).collect();
        let mut seen = vec![false; self.rules.len()];
        let mut tried = 0;
        for one in texts.find_overlapping_iter(&folded) {
            let Some(number) = owners.get(one.pattern().as_usize()) else { continue };
            let is_new = seen.get_mut(*number).is_some_and(|seen| !std::mem::replace(seen, true));
            if !is_new {
                continue;
            }
            let matches = |(_, rule): &(Arc<Rule>, Regex)| rule.is_match(text);
            if self.rules.get(*number).is_some_and(matches) {
                found.push(*number);
            }
            tried += 1;
            if tried >= MAX_TRIED {
                return;
            }
        }
    }
}

/// Looks at a rule as it is compiled, alone.
pub(super) fn check(rule: &Rule) -> Result<(), GateError> {
    if !rule.kind.is_content() {
        return Ok(());
    }
    let hir = parse(rule)?;
    if hir.properties().minimum_len() == Some(0) {
        let expected = "an expression that does not match nothing, and so everything";
        return Err(GateError::invalid("pattern", expected, "one that does"));
    }
    build(&[hir], MAX_ONE).map(|_| ())
}

/// What a rule looks for; a literal is an expression without anything special in it.
fn parse(rule: &Rule) -> Result<Hir, GateError> {
    let is_literal = rule.kind == RuleKind::Literal;
    let pattern =
        if is_literal { regex_syntax::escape(&rule.pattern) } else { rule.pattern.clone() };
    let config = syntax::Config::new().unicode(false).utf8(false).nest_limit(MAX_DEPTH);
    let config = config.case_insensitive(is_literal && !rule.case_sensitive);
    syntax::parse_with(&pattern, &config).map_err(|error| {
        // The last line says what is wrong, those before it show where.
        let text = error.to_string();
        let what =
            text.lines().last().unwrap_or_default().chars().take(MAX_SHOWN).collect::<String>();
        GateError::invalid("pattern", "a regular expression", what)
    })
}

fn build(expressions: &[Hir], max: usize) -> Result<Regex, GateError> {
    let config = Regex::config()
        .match_kind(MatchKind::All)
        .utf8_empty(false)
        .nfa_size_limit(Some(max))
        .onepass(false)
        .dfa(false);
    let built = Regex::builder().configure(config).build_many_from_hir(expressions);
    built.map_err(|_| {
        let expected = format!("expressions of at most {} MiB when compiled", max >> 20);
        GateError::invalid("pattern", expected, "more")
    })
}

/// The most rules that are tried on one message: one in which so many texts of rules are is none
/// that an honest sender writes.
const MAX_TRIED: usize = 256;

/// The most rules that are searched for in every message.
const MAX_ALWAYS: usize = 256;

/// The most that one expression may take when compiled, in bytes.
const MAX_ONE: usize = 1 << 20;

/// The same of those that are searched for in every message, together.
const MAX_ALL: usize = 16 << 20;

/// How deep an expression may be nested.
const MAX_DEPTH: u32 = 50;

/// Characters of an error about an expression.
const MAX_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(kind: &str, pattern: &str) -> Rule {
        let rule = serde_json::json!({"id": pattern, "kind": kind, "pattern": pattern});
        serde_json::from_value(rule).unwrap()
    }

    fn content(rules: Vec<Rule>) -> Content {
        let rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
        Content::new(&rules).unwrap().unwrap()
    }

    #[test]
    fn rules_are_found_together() {
        let content = content(vec![
            rule("literal", "union select"),
            rule("regex", r"(?i)drop\s+table"),
            rule("literal", "x'"),
            rule("regex", "[0-9]{16}"),
            Rule { case_sensitive: true, ..rule("literal", "EVIL") },
            rule("literal", "select"),
        ]);
        let find = |text: &str| {
            let found = content.find(text.as_bytes());
            found.iter().map(|rule| rule.pattern.clone()).collect::<Vec<_>>().join(" | ")
        };
        let table = [
            ("all is well", ""),
            ("1 UNION SELECT 2", "union select | select"),
            ("DROP \t TABLE users", r"(?i)drop\s+table"),
            ("x' 4111111111111111", "x' | [0-9]{16}"),
            ("evil EVIL", "EVIL"),
            ("evil", ""),
            ("", ""),
        ];
        for (text, want) in table {
            assert_eq!(find(text), want, "{text}");
        }
        assert_eq!(content.find(b"\xff\0select\xfe").len(), 1);
    }

    #[test]
    fn bl_06_what_would_take_too_much_is_refused() {
        let table = [
            ("(a{1000}){1000}", "1 MiB when compiled"),
            ("(((((((((a{10}){10}){10}){10}){10}){10}){10}){10}){10}){10}", "1 MiB"),
            ("(?:){4294967295}", "an expression that does not match nothing"),
            ("a*", "an expression that does not match nothing"),
            (".*", "an expression that does not match nothing"),
            ("(", "a regular expression"),
            (r"\p{Greek}", "a regular expression"),
            (&"(".repeat(100), "a regular expression"),
        ];
        for (pattern, want) in table {
            let error = check(&rule("regex", pattern)).unwrap_err().to_string();
            assert!(error.contains(want) && error.len() < 300, "{pattern}: {error}");
        }
        assert!(check(&rule("regex", "a.*b")).is_ok());
    }

    #[test]
    fn bl_06_ten_thousand_rules_take_time_by_the_message_alone() {
        let mut rules: Vec<_> =
            (0..5000).map(|n| rule("literal", &format!("literal number {n:05}"))).collect();
        rules.extend((0..5000).map(|n| rule("regex", &format!("(?i)expression +number {n:05}"))));
        let content = content(rules);
        let found = content.find(b"Expression   number 04321 and LITERAL number 00042");
        assert_eq!(found.len(), 2);
        // A text that is the beginning of a match everywhere, and never one.
        let hard = "expression number ".repeat(4000);
        assert!(content.find(hard.as_bytes()).is_empty());
    }
}
