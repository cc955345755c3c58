//! The tree on disk.
//!
//! Answers which files the project has and what is in them. Does not judge them. The walk skips what is built and what is
//! hidden, so a dirty working copy gives the same answer as a fresh clone.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders within one another that are walked. The deepest now is seven; a cycle of links would show here.
const DEPTH_MAX: usize = 16;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the workspace").to_owned()
}

/// One file: its path from the root, with `/` between folders, and its text.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    /// The file's name without folder and ending.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }
}

/// Every file whose name ends in one of `endings`, in path order.
pub(crate) fn files(endings: &[&str]) -> Vec<SourceFile> {
    let mut found = Vec::new();
    walk(&root(), "", endings, 0, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no file ends in any of {endings:?}: the walk is broken");
    found
}

/// Every Rust source.
pub(crate) fn sources() -> Vec<SourceFile> {
    files(&[".rs"])
}

/// Names of folders at the root that are not hidden.
pub(crate) fn top_level_folders() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root())
        .expect("the root can be read")
        .map(|entry| entry.expect("the root can be read"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn walk(folder: &Path, prefix: &str, endings: &[&str], depth: usize, found: &mut Vec<SourceFile>) {
    assert!(depth < DEPTH_MAX, "{prefix} is nested too deeply");
    for entry in fs::read_dir(folder).expect("the tree can be read") {
        let entry = entry.expect("the tree can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().expect("the tree can be read");
        let skipped = matches!(name.as_str(), "target" | "node_modules" | ".git");
        if kind.is_dir() && !skipped {
            walk(&entry.path(), &format!("{path}/"), endings, depth + 1, found);
        } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
            let text = fs::read_to_string(entry.path()).unwrap_or_else(|error| panic!("{path}: {error}"));
            found.push(SourceFile { path, text });
        }
    }
}

/// Fails with all complaints, if there are any.
pub(crate) fn no_complaints(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaint(s):\n{}", complaints.len(), complaints.join("\n"));
}
