//! Documents that people write, read.
//!
//! Answers what stands in a text, as a tree in which everything knows its place, and what a file of operator rules or of
//! their tests means. Opens nothing and decides nothing: whoever has the text hands it in. It is a crate of its own because
//! the manifest and the simulator's scenarios both name rules, and a rule means the same in both.

pub mod place;
pub mod problems;
pub mod rule_tests;
pub mod rules;
pub mod scalars;
pub mod section;
pub mod text;

pub use problems::{Note, Place, Problem, Report};

use text::Value;

/// The groups under which a document may stand. The second is the project's own.
pub const API_VERSIONS: [&str; 2] = ["observability.cncf.io/v1", "homeostat.dev/v1alpha1"];

/// The `kind` of a document, if it can be told.
pub fn kind_of(text: &str) -> Option<String> {
    let Value::Mapping(entries) = text::parse(text).ok()?.value else { return None };
    let (_, node) = entries.into_iter().find(|(key, _)| key.name == "kind")?;
    scalars::text(&node.value).ok()
}

/// Reads `apiVersion` and `kind`, which must be there and be right.
pub fn read_identity(document: &mut section::Section<'_>, kind: &str, report: &mut Report) {
    if let Some(field) = document.require("apiVersion", report) {
        match scalars::text(&field.node.value) {
            Ok(text) if API_VERSIONS.contains(&text.as_str()) => {}
            _ => {
                let must = format!("must be {} or {}", API_VERSIONS[0], API_VERSIONS[1]);
                field.problem(format!("{must}, found {}", field.node.value.describe()), report);
            }
        }
    }
    if let Some(field) = document.require("kind", report)
        && scalars::text(&field.node.value).as_deref() != Ok(kind)
    {
        field.problem(format!("must be {kind}, found {}", field.node.value.describe()), report);
    }
}
