//! Regular expressions, of bounded size. They are matched in time linear in the text.

use regex::bytes::{Regex, RegexBuilder};

/// Compiles a pattern, refusing what would be too large.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_PROGRAM)
        .dfa_size_limit(MAX_CACHE)
        .nest_limit(MAX_NEST)
        .build()
}

/// The largest compiled program, in bytes.
const MAX_PROGRAM: usize = 1 << 20;

/// The memory that matching may use for what it learns, in bytes.
const MAX_CACHE: usize = 2 << 20;

/// The most groups in each other.
const MAX_NEST: u32 = 50;
