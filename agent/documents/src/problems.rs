//! Problems and notes.
//!
//! Answers what is wrong with a document, and what is right but has no effect yet, each with its place. Does not judge; it
//! only collects and prints. All problems are kept, because fixing them one run at a time wastes an operator's day.

use std::fmt;

use serde::Serialize;

/// Problems that are kept. A file with more is not a document of ours, and nobody reads further.
const PROBLEMS_MAX: usize = 200;

/// Bytes of a line that is shown; a longer one would only be in the way.
const LINE_SHOWN_MAX: usize = 200;

/// A place in a file; both count from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it stands; `None` where the file as a whole is meant.
    pub at: Option<Place>,
    /// The key, as a path from the root; empty where the text as a whole is meant.
    pub path: String,
    /// What is wrong, and what would be right.
    pub what: String,
    /// The line in which it stands, where seeing it helps: in the text of a condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The file, where it is another one than whoever was asked to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Problem {
    /// A problem with a text as a whole.
    pub fn whole(what: impl Into<String>, at: Option<Place>) -> Problem {
        Problem { at, path: String::new(), what: what.into(), line: None, file: None }
    }

    /// The problem in words, as one with `source`; with the line and a caret below it where that helps.
    pub fn describe(&self, source: &dyn fmt::Display) -> String {
        let mut text = match &self.file {
            Some(file) => file.clone(),
            None => source.to_string(),
        };
        if let Some(Place { line, column }) = self.at {
            text += &format!(":{line}:{column}");
        }
        if !self.path.is_empty() {
            text += &format!(": {}", self.path);
        }
        text += &format!(": {}", self.what);
        if let (Some(line), Some(Place { column, .. })) = (&self.line, self.at) {
            // Tabs stay tabs, so that the caret stands below its character in any terminal.
            let before = line.chars().take(usize::try_from(column).unwrap_or(1).saturating_sub(1));
            let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            text += &format!("\n    {line}\n    {indent}^");
        }
        text
    }
}

/// Something an operator should know about a document that is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
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
pub struct Report {
    source: String,
    problems: Vec<Problem>,
    notes: Vec<Note>,
}

impl Report {
    /// An empty one, on the document `source`.
    pub fn on(source: &str) -> Report {
        Report { source: source.to_owned(), ..Report::default() }
    }

    /// Adds a problem with the byte `offset` of the text `value`, which stands at `at`; the line is shown with it.
    pub fn problem_within(&mut self, (at, value, offset): (Place, &str, usize), path: &str, what: impl Into<String>) {
        let at = crate::place::locate(&self.source, at, value, offset);
        let line = self.source.lines().nth(usize::try_from(at.line).unwrap_or(0).saturating_sub(1));
        let line = line.filter(|line| line.len() <= LINE_SHOWN_MAX).map(str::to_owned);
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { at: Some(at), path: path.to_owned(), what: what.into(), line, file: None });
        }
    }

    /// Adds a problem.
    pub fn problem(&mut self, at: Place, path: &str, what: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { path: path.to_owned(), ..Problem::whole(what, Some(at)) });
        }
    }

    /// Adds a note about a key without effect.
    pub fn not_yet(&mut self, at: Place, path: &str) {
        self.notes.push(Note::NotYet { path: path.to_owned(), at });
    }

    /// Adds a note about a key with a surprising effect.
    pub fn remark(&mut self, path: &str, what: impl Into<String>) {
        self.notes.push(Note::Remark { path: path.to_owned(), what: what.into() });
    }

    /// The notes, if nothing is wrong.
    pub fn close(mut self) -> Result<Vec<Note>, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(self.notes);
        }
        self.problems.sort_by_key(|problem| problem.at);
        Err(self.problems)
    }
}
