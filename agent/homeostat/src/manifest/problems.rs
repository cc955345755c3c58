//! Problems and notes.
//!
//! Answers what is wrong with a manifest, and what is right but has no effect yet, each with its place. Does not judge; it
//! only collects and prints. All problems are kept, because fixing them one run at a time wastes an operator's day.

use std::fmt;

use serde::Serialize;

use super::ManifestSource;

/// Problems that are kept. A file with more is not a manifest, and nobody reads further.
const PROBLEMS_MAX: usize = 200;

/// A place in a file; both count from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Place {
    /// The line.
    pub(crate) line: u64,
    /// The column, in characters.
    pub(crate) column: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// Where it stands; `None` where the file as a whole is meant.
    pub(crate) at: Option<Place>,
    /// The key, as a path from the root; empty where the text as a whole is meant.
    pub(crate) path: String,
    /// What is wrong, and what would be right.
    pub(crate) what: String,
}

/// Everything that is wrong with one manifest, in reading order. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problems {
    /// Where the manifest came from.
    pub(crate) source: ManifestSource,
    /// What is wrong.
    pub(crate) list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if 0 < index {
                writeln!(f)?;
            }
            write!(f, "{}", self.source)?;
            if let Some(Place { line, column }) = problem.at {
                write!(f, ":{line}:{column}")?;
            }
            if !problem.path.is_empty() {
                write!(f, ": {}", problem.path)?;
            }
            write!(f, ": {}", problem.what)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Something an operator should know about a manifest that is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Note {
    /// The key is understood and checked, but this version does not act on it.
    NotYet {
        /// The key.
        path: String,
        /// Where it stands.
        at: Place,
    },
    /// The key has an effect that may surprise.
    Remark {
        /// The key.
        path: String,
        /// What to know.
        what: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::NotYet { path, at } => write!(f, "accepted, not acted on yet: {path} (line {})", at.line),
            Note::Remark { path, what } => write!(f, "{path}: {what}"),
        }
    }
}

/// What is collected while a manifest is read.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    notes: Vec<Note>,
}

impl Report {
    /// Adds a problem.
    pub(super) fn problem(&mut self, at: Place, path: &str, what: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { at: Some(at), path: path.to_owned(), what: what.into() });
        }
    }

    /// Adds a note about a key without effect.
    pub(super) fn not_yet(&mut self, at: Place, path: &str) {
        self.notes.push(Note::NotYet { path: path.to_owned(), at });
    }

    /// Adds a note about a key with a surprising effect.
    pub(super) fn remark(&mut self, path: &str, what: impl Into<String>) {
        self.notes.push(Note::Remark { path: path.to_owned(), what: what.into() });
    }

    /// The notes, if nothing is wrong.
    pub(super) fn close(mut self, source: &ManifestSource) -> Result<Vec<Note>, Problems> {
        if self.problems.is_empty() {
            return Ok(self.notes);
        }
        self.problems.sort_by_key(|problem| problem.at);
        Err(Problems { source: source.clone(), list: self.problems })
    }
}
