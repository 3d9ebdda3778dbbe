//! The Kibana Query Language: reading it, and asking values.
//!
//! ```text
//!  text ──parse──▶ Query ──Prepared::new──▶ tree of Nodes, its Leafs with their Matchers
//!                    │                         │
//!                    ├─ to_json, to_kql        ├─ columns: `Matcher::matches` for each value
//!                                              └─ rows: `matches(&prepared, &lookup)`
//! ```
//!
//! # What the lenient syntax adds
//!
//! | written                       | in Kibana         | here                                    |
//! |-------------------------------|-------------------|-----------------------------------------|
//! | `cannot connect`              | error: has a `not`| keywords begin where a word does        |
//! | `not(a:1)`, `a:1 AND(b:2)`    | error             | the blank before `(` may be left out    |
//! | `not not a:1`                 | error             | as it says                              |
//! | `url:http://x`, `t:12:30`, `ip:::1`, `a:b:c` | error | a `:` in the first word is text      |
//! | `m:see http://x at 12:30`     | error             | in a later one, if plainly a URL or time|
//! | `n:[1 TO 5]`, `n:[* TO 5}`    | text, literally   | a range; `}` leaves the end out         |
//! | `path:~/^\/var\/(log\|tmp)/`  | text, literally   | a regular expression, found anywhere    |
//!
//! `a:b c:d` stays an error: there an operator is missing. Everything else that Kibana reads is
//! read as Kibana reads it. A name or a value that is text in spite of its look goes in quotes.
//!
//! # What values mean
//!
//! By the name of the field:
//!
//! * `message`, `event.original` are *analysed*: words ([`words`]) in any case. A quoted value is a
//!   phrase, its words next to each other; an unquoted one is any of its words, where what is
//!   joined by punctuation (`198.51.100.7`, `disk-full`) stays together as a phrase. A value
//!   without a word (`"->"`) is looked for literally. `*` stays within a word, unless other text
//!   of the pattern does not.
//! * `level` is compared in any case.
//! * `@timestamp`, `received_at` are times ([`parse_time`]). One that is written to the day, the
//!   minute or the second is all of it: `@timestamp:2026-06-15` is the day, `> 2026-06-15` is
//!   after it, `<= 2026-06-15` is to its end.
//! * All others are exact: text equals to the byte, numbers as numbers (`5` is `5.0`, of any
//!   size), addresses as addresses, and `10.0.0.0/8` is every address in it. Nothing is
//!   normalised: `é` and `e` with an accent are two texts. A comparison is numeric where both
//!   sides are numbers, and else by bytes.
//!
//! `host` asks `host.name` too: that is where a `host` that is text is kept.
//!
//! `null` is a field that holds `null`; `field:*` is one that holds anything else, an object too. A bare value
//! asks every field, each by its own rule.
//!
//! # How it is evaluated
//!
//! [`Prepared`] is a tree of [`Node`]s. An engine that has columns walks it by itself: for a
//! [`Node::Leaf`] it takes the columns whose name [`Leaf::accepts`], prunes with
//! [`Matcher::required_words`] and [`Matcher::time_bounds`], and asks [`Leaf::matcher_for`] the
//! column for each value; a row matches if any of its values does. [`Node::Exists`] wants a value
//! that is not `null`. [`Node::Nested`] is [`Nested::flat`] (over the dotted columns), or any
//! array of objects for which [`Nested::matches_json`]. [`matches()`] is the same over the rows
//! that a [`Lookup`] stands for.

mod address;
mod json;
mod matcher;
mod number;
mod parse;
mod prepared;
mod query;
mod row;
mod time;
mod wildcard;
pub mod words;
mod write;

pub use self::json::Object;
pub use self::matcher::Matcher;
pub use self::number::{number, whole_number};
pub use self::parse::{ParseError, parse};
pub use self::prepared::{Leaf, Nested, Node, Prepared};
pub use self::query::{Field, Literal, Parsed, Query, RangeOp, Syntax};
pub use self::row::{Lookup, matches};
pub use self::time::{TimeError, parse_time};

/// The longest query, in bytes.
pub const MAX_LEN: usize = 64 * 1024;

/// The most groups, of any bracket, in each other.
pub const MAX_DEPTH: usize = 100;

/// The most `field:{ }` in each other.
pub const MAX_NESTED: usize = 8;

/// The most conditions in a query.
pub const MAX_CLAUSES: usize = 10_000;

/// The most regular expressions in a query.
pub const MAX_REGEXES: usize = 16;

#[cfg(test)]
mod tests;
