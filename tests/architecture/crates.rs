//! Who may depend on whom.
//!
//! Answers whether every edge between crates is one the design allows, and whether the pure rooms stay almost free of
//! foreign crates. Edges are read from `cargo metadata`, so features, targets and dev-dependencies count too.

use std::process::Command;

use serde_json::Value;

use crate::house;

/// The allowed edges. What is not here is forbidden; a crate that is not here does not exist.
const EDGES: &[(&str, &[&str])] = &[
    ("homeostat", &["adapters", "documents", "memory", "pipeline", "policies", "control", "core", "sim"]),
    ("control", &["perception", "cognition", "decision", "execution", "learning", "core"]),
    ("perception", &["core"]),
    ("cognition", &["core"]),
    ("decision", &["core"]),
    ("execution", &["core"]),
    ("learning", &["core"]),
    ("core", &[]),
    ("policies", &["core"]),
    ("documents", &["core", "policies"]),
    ("pipeline", &["core"]),
    ("memory", &["core"]),
    ("adapters", &["core", "ebpf-loader"]),
    ("ebpf-loader", &["ebpf-common"]),
    ("ebpf-common", &[]),
    ("sim", &["control", "documents", "policies", "core"]),
];

/// Sees everything, and is seen by nobody.
const TESTS: &str = "tests";

/// Foreign crates of the rooms that must stay pure. Everybody else chooses freely, with a reason in the commit.
const FOREIGN: &[(&str, &[&str])] = &[
    ("core", &["rand", "serde"]),
    ("perception", &["serde"]),
    ("cognition", &["serde"]),
    ("decision", &["rand", "serde"]),
    ("execution", &["serde"]),
    ("learning", &["rand", "serde"]),
    ("control", &["serde", "statig"]),
    ("policies", &["serde"]),
    ("sim", &["rand", "serde", "serde-saphyr", "serde_json", "thiserror"]),
];

/// Foreign crates that any crate may use in its tests.
const FOREIGN_IN_TESTS: &[&str] = &["insta", "proptest", "serde_json", "tempfile"];

/// One dependency of one crate, with names as in [`EDGES`].
#[derive(Debug)]
struct Edge {
    from: String,
    to: String,
    is_own: bool,
    in_tests: bool,
}

fn short(name: &str) -> String {
    name.strip_prefix("homeostat-").unwrap_or(name).to_owned()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(house::root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn edges(metadata: &Value) -> Vec<Edge> {
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let of_package = |package: &Value| -> Vec<Edge> {
        let dependencies = package["dependencies"].as_array().expect("a package lists its dependencies");
        dependencies
            .iter()
            .map(|dependency| Edge {
                from: short(text(package, "name")),
                to: short(text(dependency, "name")),
                is_own: dependency["path"].is_string(),
                in_tests: dependency["kind"] == "dev",
            })
            .collect()
    };
    packages.iter().flat_map(of_package).collect()
}

/// What is wrong with one edge.
fn complaint(edge: &Edge) -> Option<String> {
    let Edge { from, to, is_own, in_tests } = edge;
    if from == TESTS && *in_tests {
        return None;
    }
    let listed = |table: &[(&str, &[&str])]| {
        table.iter().find(|(name, _)| name == from).map(|(_, allowed)| allowed.contains(&to.as_str()))
    };
    let allowed = match (is_own, in_tests) {
        (true, _) => listed(EDGES).unwrap_or(false),
        (false, true) => listed(FOREIGN).is_none() || FOREIGN_IN_TESTS.contains(&to.as_str()),
        (false, false) => listed(FOREIGN).unwrap_or(true),
    };
    (!allowed).then(|| format!("{from} must not depend on {to}"))
}

/// Scenario: every dependency of every crate, in the code and in its tests.
/// Guarantees: data flows one way through the house, layers never see each other, nothing sees the binary, and the pure
/// rooms have no foreign crate that could reach for a clock, a socket or a lock.
#[test]
fn crates_depend_only_downwards() {
    let edges = edges(&metadata());
    assert!(edges.iter().any(|edge| edge.is_own), "the house has inner edges: the reader is broken");
    let complaints: Vec<String> = edges.iter().filter_map(complaint).collect();
    house::no_complaints(&complaints);
}

/// Scenario: edges that each break another rule, and edges that break none.
/// Guarantees: the former are refused in plain words, the latter pass.
#[test]
fn a_forbidden_edge_is_found() {
    let check = |from: &str, to: &str, is_own, in_tests, expected: Option<&str>| {
        let edge = Edge { from: from.to_owned(), to: to.to_owned(), is_own, in_tests };
        assert_eq!(complaint(&edge).as_deref(), expected, "{edge:?}");
    };
    check("control", "cognition", true, false, None);
    check("perception", "cognition", true, false, Some("perception must not depend on cognition"));
    check("perception", "cognition", true, true, Some("perception must not depend on cognition"));
    check("pipeline", "control", true, false, Some("pipeline must not depend on control"));
    check("sim", "homeostat", true, false, Some("sim must not depend on homeostat"));
    check("stranger", "core", true, false, Some("stranger must not depend on core"));
    check("decision", "tokio", false, false, Some("decision must not depend on tokio"));
    check("decision", "proptest", false, true, None);
    check("decision", "tokio", false, true, Some("decision must not depend on tokio"));
    check("adapters", "tokio", false, false, None);
    check("tests", "sim", true, true, None);
    check("tests", "sim", true, false, Some("tests must not depend on sim"));
}

/// Scenario: every member of the workspace.
/// Guarantees: its name is in the table of edges, and it inherits the lints, so no crate can allow itself `unsafe`.
#[test]
fn every_crate_is_known_and_inherits_the_lints() {
    let metadata = metadata();
    let mut complaints = Vec::new();
    for package in metadata["packages"].as_array().expect("cargo metadata lists packages") {
        let name = short(text(package, "name"));
        if name != TESTS && !EDGES.iter().any(|(known, _)| *known == name) {
            complaints.push(format!("{name} is not in the table of edges"));
        }
        let manifest = std::fs::read_to_string(text(package, "manifest_path")).expect("the crate's manifest is there");
        if !inherits_lints(&manifest) {
            complaints.push(format!("{name} must say [lints] workspace = true"));
        }
    }
    house::no_complaints(&complaints);
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines.find(|line| !line.is_empty()) == Some("workspace = true")
}

/// Scenario: crate manifests with inherited, own, and no lints.
/// Guarantees: only the first passes.
#[test]
fn missing_lints_are_found() {
    assert!(inherits_lints("[package]\n\n[lints]\nworkspace = true\n"));
    assert!(!inherits_lints("[package]\n[lints.rust]\nunsafe_code = \"allow\"\n"));
    assert!(!inherits_lints("[package]\nworkspace = true\n"));
}

/// Folders at the root, each of which is a floor of the house.
const FLOORS: &[&str] = &["agent", "deploy", "docs", "ebpf", "layers", "policies", "sim", "target", "tests"];

/// Scenario: the root of the tree.
/// Guarantees: no folder has grown beside the house, so a newcomer finds everything from the floor plan.
#[test]
fn the_house_has_no_annexes() {
    let strangers: Vec<String> =
        house::top_level_folders().into_iter().filter(|name| !FLOORS.contains(&name.as_str())).collect();
    house::no_complaints(&strangers);
}
