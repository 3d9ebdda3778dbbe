//! What is wrong with a configuration, and where.

use std::fmt;

/// Everything wrong with one configuration.
#[derive(Debug, thiserror::Error)]
pub struct ConfigErrors {
    pub(super) problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, the variable or the option that it stands in.
    pub place: String,
    /// The line in the file, from 1; `None` when a default is to blame, or no file.
    pub line: Option<usize>,
    /// The dotted key, where it is known.
    pub key: Option<String>,
    /// What was expected, and what was found.
    pub what: String,
}

impl ConfigErrors {
    /// Each of them.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    pub(super) fn one(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            let newline = if number == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}", self.what)
    }
}
