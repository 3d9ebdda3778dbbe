//! All content rules at once.
//!
//! A message, or a read of many, is looked at once by a [`Filter`] for what most rules cannot match
//! without, which most messages have nothing of. Of those that pass all such texts are searched for
//! together, in one pass, and only the rules whose text is there are tried ([`likely`]): the time grows
//! with the message, and not with the number of rules. Rules that have no such text, as `[0-9]{16}`,
//! are a few, and searched for together in every message.

mod likely;

use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};
use regex_syntax::hir::Hir;

use self::likely::Likely;
use super::error::GateError;
use super::filter::Filter;
use super::required::required;
use super::rule::{Rule, RuleKind};

/// Content rules, compiled; immutable.
#[derive(Debug)]
pub struct Content {
    rules: Vec<Arc<Rule>>,
    filter: Filter,
    /// The rules that the filter is about.
    likely: Option<Likely>,
    /// Those that have no text, and their numbers in `rules`.
    always: Option<(Regex, Vec<usize>)>,
}

/// A rule that was found in a message.
#[derive(Clone, Debug)]
pub struct Found {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Whether it matches. It may, else: a text is there without which it cannot, and so many others
    /// are that not all were looked for.
    pub is_sure: bool,
}

impl Content {
    /// Compiles rules; `None` where none of them is about content.
    ///
    /// # Errors
    ///
    /// They take more memory together than they may, or too many have no text of four bytes.
    pub(super) fn new(rules: &[Arc<Rule>]) -> Result<Option<Self>, GateError> {
        let of_content = rules.iter().filter(|rule| rule.kind.is_content());
        let rules: Vec<Arc<Rule>> = of_content.cloned().collect();
        let (mut likely, mut always) = (likely::Builder::default(), Vec::new());
        for (number, rule) in rules.iter().enumerate() {
            let hir = parse(rule)?;
            match required(&hir) {
                Some(texts) => likely.add(rule, number, hir, texts),
                None => always.push((hir, number)),
            }
        }
        if rules.is_empty() {
            return Ok(None);
        }
        if always.len() > MAX_ALWAYS {
            return Err(GateError::Full {
                of: "rules without a text of four bytes",
                max: MAX_ALWAYS,
            });
        }
        let filter = Filter::new(likely.texts());
        let likely = likely.build()?;
        let (hirs, numbers): (Vec<_>, Vec<_>) = always.into_iter().unzip();
        let always = match hirs.is_empty() {
            true => None,
            false => Some((build(&hirs, MAX_ALL)?, numbers)),
        };
        Ok(Some(Self { rules, filter, likely, always }))
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

    /// The rules that match in `text`, the oldest first.
    pub fn find(&self, text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        if let Some(likely) = self.likely.as_ref().filter(|_| self.filter.may_be_in(text)) {
            likely.search(text, &mut found);
        }
        self.search_always(text, &mut found);
        self.rules_of(found)
    }

    /// The same of the rules that have no text by which they would be known to be there.
    pub fn find_textless(&self, text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        self.search_always(text, &mut found);
        self.rules_of(found)
    }

    fn search_always(&self, text: &[u8], found: &mut Vec<likely::Found>) {
        if let Some((rules, numbers)) = &self.always {
            let mut patterns = PatternSet::new(rules.pattern_len());
            rules.which_overlapping_matches(&Input::new(text), &mut patterns);
            let number = |place: usize| numbers.get(place).map(|number| (*number, true));
            found.extend(patterns.iter().filter_map(|pattern| number(pattern.as_usize())));
        }
    }

    fn rules_of(&self, mut found: Vec<likely::Found>) -> Vec<Found> {
        found.sort_unstable();
        let rule = |(number, is_sure)| {
            let rule = Arc::clone(self.rules.get(number)?);
            Some(Found { rule, is_sure })
        };
        found.into_iter().filter_map(rule).collect()
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
            found.iter().map(|found| found.rule.pattern.clone()).collect::<Vec<_>>().join(" | ")
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

    #[test]
    fn bl_06_of_a_thousand_rules_about_one_word_each_is_found() {
        let rule = |n| rule("regex", &format!(r"(?i)union\s+select\s+{n}\b"));
        let content = content((0..1000).map(rule).collect());
        for n in [0, 1, 255, 256, 257, 700, 999] {
            let found = content.find(format!("1 UNION  SELECT {n} from").as_bytes());
            let found: Vec<_> = found.iter().map(|f| (&*f.rule.pattern, f.is_sure)).collect();
            assert_eq!(found, [(&*format!(r"(?i)union\s+select\s+{n}\b"), true)]);
        }
        assert!(content.find(b"union select nothing").is_empty());
    }

    #[test]
    fn bl_06_nothing_is_hidden_behind_many_texts_of_other_rules() {
        let regex = |n| rule("regex", &format!("decoy{n:05}[0-9]+x"));
        let literal = |n| rule("literal", &format!("word{n:05}"));
        let content = content((0..2000).map(regex).chain((0..2000).map(literal)).collect());
        let decoys = |count| (0..count).map(|n| format!("decoy{n:05} ")).collect::<String>();
        let found = |text: &str, pattern: &str| {
            let found = content.find(text.as_bytes()).into_iter();
            found.filter(|found| found.rule.pattern == pattern).map(|found| found.is_sure).next()
        };
        // Some hundred are looked for, every one.
        let text = format!("{}decoy019991x word01999", decoys(500));
        assert_eq!(found(&text, "decoy01999[0-9]+x"), Some(true));
        assert_eq!(content.find(text.as_bytes()).len(), 2);
        // In a message that is made to take long, what is left is taken for found; a literal is
        // known where it is.
        let text = format!("{}{} decoy019991x word01999", decoys(1999), " ".repeat(200_000));
        assert_eq!(found(&text, "decoy01999[0-9]+x"), Some(false));
        assert_eq!(found(&text, "word01999"), Some(true));
        assert_eq!(found(&text, "word01998"), None);
    }

    #[test]
    fn a_literal_is_found_behind_what_only_looks_like_it() {
        let mut cased = rule("literal", "Pass-Word");
        cased.case_sensitive = true;
        let content = content(vec![cased, rule("literal", "drop-table")]);
        let count = |text: &str| content.find(text.as_bytes()).len();
        assert_eq!(count("pass-word PASS-WORD drop\rtable"), 0);
        assert_eq!(count("pass-word Pass-Word drop\rtable DROP-table"), 2);
    }
}
