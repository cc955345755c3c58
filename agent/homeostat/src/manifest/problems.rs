//! Everything that is wrong with one manifest.
//!
//! Answers how problems are printed: each with its file, line and column. The problems themselves come from whoever reads.

use std::fmt;

use homeostat_documents::Problem;
use serde::Serialize;

use super::ManifestSource;

/// Everything that is wrong with one manifest and the files it names, in reading order. Never empty.
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
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}", problem.describe(&self.source))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
