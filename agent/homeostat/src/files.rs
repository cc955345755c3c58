//! Documents on disk.
//!
//! Answers what stands in a file or a folder of documents, within bounds, or what is wrong with them. Does not know what a
//! manifest is; of rules it knows which files of a folder hold some.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use homeostat_core::{Rule, RuleSettings};
use homeostat_documents::{Note, Place, Problem, rules};

/// The largest file that is read: a thousand services with all their keys fit ten times over.
pub(crate) const BYTES_MAX: u64 = 1024 * 1024;

/// Files of one folder that are read. One for each rule that an agent may have is plenty.
const FILES_MAX: usize = RuleSettings::RULES_MAX;

/// What a file of tests ends with; everything else that ends in `.yaml` or `.yml` is a file of rules.
const TEST_ENDINGS: [&str; 2] = ["_test.yaml", "_test.yml"];

/// The text of the file at `path`.
pub(crate) fn read_text(path: &Path) -> Result<String, Problem> {
    let bytes = read_bounded(path).map_err(|error| Problem::whole(format!("cannot be read: {error}"), None))?;
    if BYTES_MAX < bytes.len() as u64 {
        return Err(Problem::whole(format!("larger than {} KiB; this is not a document", BYTES_MAX / 1024), None));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = place_of(error.as_bytes(), error.utf8_error().valid_up_to());
        Problem::whole("not UTF-8 from here on; save the file as UTF-8", Some(at))
    })
}

/// One byte more than allowed shows that a file is too large without reading all of it.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The place of the byte at `offset`, up to which `bytes` is UTF-8.
fn place_of(bytes: &[u8], offset: usize) -> Place {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place { line: before.matches('\n').count() as u64 + 1, column: before[line_start..].chars().count() as u64 + 1 }
}

/// The rules in the file at `path`. Problems carry its name.
pub(crate) fn read_rules(path: &Path) -> Result<(Vec<Rule>, Vec<Note>), Vec<Problem>> {
    let named = |problem: Problem| Problem { file: Some(path.display().to_string()), ..problem };
    let read = read_text(path).map_err(|problem| vec![problem]).and_then(|text| rules::read(&text));
    read.map_err(|problems| problems.into_iter().map(named).collect())
}

/// The rules of all files in `dir`, in the order of the files' names. One wrong file is as good as none: a folder is taken
/// as a whole or not at all.
pub(crate) fn read_rules_in(dir: &Path) -> Result<(Vec<Rule>, Vec<Note>), Vec<Problem>> {
    let files = files_of(dir, Files::Rules).map_err(|problem| vec![problem])?;
    let (mut all, mut notes, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for file in &files {
        match read_rules(file) {
            Ok((rules, said)) => {
                problems.extend(twice(&all, &rules, file));
                all.extend(rules);
                notes.extend(said);
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok((all, notes)) } else { Err(problems) }
}

/// Rules of `file` whose name is taken.
pub(crate) fn twice(taken: &[Rule], rules: &[Rule], file: &Path) -> Vec<Problem> {
    let is_taken = |rule: &&Rule| taken.iter().any(|other| other.name == rule.name);
    let problem = |rule: &Rule| Problem {
        file: Some(file.display().to_string()),
        ..Problem::whole(
            format!("a second rule called {}; names are unique among all rules of an agent", rule.name),
            None,
        )
    };
    rules.iter().filter(is_taken).map(problem).collect()
}

/// Which files of a folder are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// Rules.
    Rules,
    /// Their tests.
    Tests,
}

/// The files of `dir` that are meant, by name.
pub(crate) fn files_of(dir: &Path, meant: Files) -> Result<Vec<PathBuf>, Problem> {
    let failed = |error: io::Error| Problem {
        file: Some(dir.display().to_string()),
        ..Problem::whole(format!("cannot be read: {error}"), None)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_test = TEST_ENDINGS.iter().any(|ending| name.ends_with(ending));
        // What begins with a dot is an editor's, or Kubernetes' bookkeeping of a mounted volume.
        let is_document = !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml"));
        if is_document && is_test == (meant == Files::Tests) {
            files.push(path);
        }
        if FILES_MAX < files.len() {
            return Err(Problem {
                file: Some(dir.display().to_string()),
                ..Problem::whole(format!("has more than {FILES_MAX} files of rules"), None)
            });
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use crate::manifest::Manifest;

    /// Scenario: a manifest names a folder of rules beside it, with rules, tests and other files; then one rule gets a mistake,
    /// then its name is taken twice; then the folder is gone.
    /// Guarantees: the rules of all files are taken, whatever the working directory is; a mistake is told with its own file, and
    /// nothing of a folder with a mistake is taken.
    #[test]
    fn rules_are_read_from_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let manifest = dir.path().join("agent.yaml");
        let head = "apiVersion: homeostat.dev/v1alpha1\nkind: ";
        let spec = "metadata: {name: t}\nspec: {automation: {rules: {dir: rules.d}}}\n";
        file("agent.yaml", &format!("{head}ObservabilityManifest\n{spec}"));
        std::fs::create_dir(dir.path().join("rules.d")).unwrap();
        let rules = |name: &str, when: &str| {
            format!(
                "{head}RuleSet\nspec:\n  rules:\n    - name: {name}\n      selector: {{}}\n      when: {when}\n      then: {{sample: 1}}\n"
            )
        };
        file("rules.d/b.yml", &rules("b", "time.hour == 1"));
        file("rules.d/a.yaml", &rules("a", "time.hour == 2"));
        file("rules.d/a_test.yaml", "not read");
        file("rules.d/README.md", "nor this");
        let loaded = Manifest::load(&manifest).unwrap();
        let names: Vec<&str> = loaded.settings.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let problems = || Manifest::load(&manifest).unwrap_err().to_string();
        file("rules.d/b.yml", &rules("b", "time.our == 1"));
        let path = dir.path().join("rules.d/b.yml");
        let expected = format!(
            "{}:7:13: spec.rules[0].when: unknown variable time.our; did you mean time.hour?\n          when: time.our == 1\n                ^",
            path.display()
        );
        assert_eq!(problems(), expected);
        file("rules.d/b.yml", &rules("a", "true"));
        assert!(problems().contains("b.yml: a second rule called a"), "{}", problems());
        std::fs::remove_dir_all(dir.path().join("rules.d")).unwrap();
        assert!(problems().contains("rules.d: cannot be read: No such file"), "{}", problems());
    }
}
