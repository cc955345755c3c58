//! Catalogues.
//!
//! Answers whether every detector, guard, action, policy, fault and checker is in the one visible list of its family. A
//! file that is compiled but not listed would never run, and nobody would notice.

use std::collections::BTreeSet;

use crate::house::{self, SourceFile};
use crate::lexer::{self, Kind};

/// Each family's folder and the file with its catalogue.
const FAMILIES: &[(&str, &str)] = &[
    ("layers/cognition/src/detectors/", "layers/cognition/src/detectors.rs"),
    ("layers/decision/src/guards/", "layers/decision/src/guards.rs"),
    ("layers/core/src/actions/", "layers/core/src/actions.rs"),
    ("agent/adapters/src/sources/", "agent/adapters/src/sources.rs"),
    ("policies/src/", "policies/src/lib.rs"),
    ("sim/src/faults/", "sim/src/faults.rs"),
    ("sim/src/checkers/", "sim/src/checkers.rs"),
];

/// The members of a family: files directly in its folder, apart from the catalogue and tests.
fn members<'f>(files: &'f [SourceFile], folder: &str, catalogue: &str) -> Vec<&'f SourceFile> {
    let is_member = |file: &&SourceFile| {
        let rest = file.path.strip_prefix(folder);
        rest.is_some_and(|rest| !rest.contains('/')) && file.path != catalogue && file.stem() != "tests"
    };
    files.iter().filter(is_member).collect()
}

/// Stems that `catalogue` declares as modules and names once more, in the list or in what it hands on.
fn listed(catalogue: &str) -> BTreeSet<String> {
    let code = lexer::code(catalogue);
    let (mut declared, mut named) = (BTreeSet::new(), BTreeSet::new());
    for (index, token) in code.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
        let before = index.checked_sub(1).map(|before| code[before].text.as_str());
        let set = if before == Some("mod") { &mut declared } else { &mut named };
        set.insert(token.text.to_lowercase());
    }
    declared.intersection(&named).cloned().collect()
}

fn unlisted(members: &[&SourceFile], catalogue: &str) -> Vec<String> {
    let listed = listed(catalogue);
    members.iter().filter(|file| !listed.contains(file.stem())).map(|file| file.path.clone()).collect()
}

/// Scenario: every family whose folder exists.
/// Guarantees: each member is declared and named in the family's catalogue.
#[test]
fn every_member_is_in_its_catalogue() {
    let files = house::sources();
    let mut complaints = Vec::new();
    for (folder, catalogue) in FAMILIES {
        let members = members(&files, folder, catalogue);
        match files.iter().find(|file| file.path == *catalogue) {
            Some(file) => complaints
                .extend(unlisted(&members, &file.text).into_iter().map(|path| format!("{path} is not in {catalogue}"))),
            None if members.is_empty() => {}
            None => complaints.push(format!("{folder} has no catalogue {catalogue}")),
        }
    }
    house::no_complaints(&complaints);
}

/// Scenario: a member that is declared and listed, one that is only declared, and one that is neither.
/// Guarantees: only the first passes.
#[test]
fn an_unlisted_member_is_found() {
    let file = |path: &str| SourceFile { path: path.to_owned(), text: String::new() };
    let files = [file("g/budget.rs"), file("g/envelope.rs"), file("g/cooldown.rs"), file("g/deep/x.rs"), file("g.rs")];
    let members = members(&files, "g/", "g.rs");
    let catalogue = "mod budget;\nmod envelope;\n/// cooldown\nconst CATALOGUE: &[G] = &[&BUDGET];";
    assert_eq!(unlisted(&members, catalogue), ["g/envelope.rs", "g/cooldown.rs"]);
}
