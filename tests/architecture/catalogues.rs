//! Catalogues.
//!
//! Answers whether every detector, guard, action, policy, fault and checker is in the one visible list of its family. A
//! file that is compiled but not listed would never run, and nobody would notice.

use std::collections::BTreeSet;

use crate::house::{self, SourceFile};
use crate::lexer::{self, Kind};

/// One family: its folder, the file with its catalogue, and what the code of a member says. Other files in the folder are
/// what members share.
struct Family {
    folder: &'static str,
    catalogue: &'static str,
    mark: &'static str,
}

const fn family(folder: &'static str, catalogue: &'static str, mark: &'static str) -> Family {
    Family { folder, catalogue, mark }
}

const FAMILIES: &[Family] = &[
    family("layers/cognition/src/detectors/", "layers/cognition/src/detectors.rs", "impl Detector for"),
    family("layers/decision/src/guards/", "layers/decision/src/guards.rs", "impl Guard for"),
    family("layers/core/src/actions/", "layers/core/src/actions.rs", ": ActionKind ="),
    family("policies/src/", "policies/src/lib.rs", "impl Policy for"),
    family("sim/src/faults/", "sim/src/faults.rs", "impl Fault for"),
    family("sim/src/checkers/", "sim/src/checkers.rs", "impl Checker for"),
];

/// The members of a family.
fn members<'f>(files: &'f [SourceFile], family: &Family) -> Vec<&'f SourceFile> {
    let mark = lexer::code(family.mark);
    let is_member = |file: &&SourceFile| {
        let code = lexer::code(&file.text);
        file.path.starts_with(family.folder)
            && file.path != family.catalogue
            && (0..code.len()).any(|index| lexer::is_at(&code, index, &mark))
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
    for family in FAMILIES {
        let members = members(&files, family);
        let is_built = files.iter().any(|file| file.path.starts_with(family.folder));
        match files.iter().find(|file| file.path == family.catalogue) {
            Some(catalogue) => complaints.extend(
                unlisted(&members, &catalogue.text)
                    .into_iter()
                    .map(|path| format!("{path} is not in {}", family.catalogue)),
            ),
            None => assert!(!is_built, "{} has no catalogue {}", family.folder, family.catalogue),
        }
        assert!(!is_built || !members.is_empty(), "{} has members: the mark of the family is wrong", family.folder);
    }
    house::no_complaints(&complaints);
}

/// Scenario: a member that is declared and listed, one that is only declared, one that is neither, and a helper.
/// Guarantees: the first and the helper pass, the others do not.
#[test]
fn an_unlisted_member_is_found() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let member = "impl Guard for G {}";
    let files = [
        file("g/budget.rs", member),
        file("g/envelope.rs", member),
        file("g/cooldown.rs", member),
        file("g/helper.rs", "// impl Guard for G {}"),
        file("g.rs", ""),
    ];
    let members = members(&files, &family("g/", "g.rs", "impl Guard for"));
    let catalogue = "mod budget;\nmod envelope;\nmod helper;\n/// cooldown\nconst CATALOGUE: &[G] = &[&BUDGET];";
    assert_eq!(unlisted(&members, catalogue), ["g/envelope.rs", "g/cooldown.rs"]);
}
