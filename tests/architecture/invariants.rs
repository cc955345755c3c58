//! Invariants.
//!
//! Answers whether every invariant in `ARCHITECTURE.md` names a test that exists. A promise whose test was renamed away
//! would read as well as before and hold nothing.

use std::collections::BTreeSet;
use std::fs;

use crate::functions;
use crate::house;

/// Rows below this are a table that lost its content.
const ROWS_MIN: usize = 5;

/// The rows of the table whose last column is headed "test", each with the names in that column.
fn rows(document: &str) -> Vec<(usize, Vec<String>)> {
    let mut rows = Vec::new();
    let mut in_table = false;
    for (number, line) in document.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let last = cells.last().copied().unwrap_or_default();
        if !line.trim_start().starts_with('|') {
            in_table = false;
        } else if !in_table {
            in_table =
                last.trim_matches('*').to_lowercase().starts_with("test") || last.to_lowercase().starts_with("held by");
        } else if !last.chars().all(|c| matches!(c, '-' | ':' | ' ')) {
            rows.push((number + 1, names(last)));
        }
    }
    rows
}

/// Names of functions between backticks; a path's last part counts.
fn names(cell: &str) -> Vec<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let last_part = |name: &str| name.rsplit("::").next().unwrap_or_default().trim_end_matches("()").to_owned();
    quoted.map(last_part).filter(|name| name.contains('_')).collect()
}

fn complaints_about(rows: &[(usize, Vec<String>)], tests: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, names) in rows {
        if names.is_empty() {
            complaints.push(format!("ARCHITECTURE.md:{line}: the invariant names no test"));
        }
        for name in names.iter().filter(|name| !tests.contains(*name)) {
            complaints.push(format!("ARCHITECTURE.md:{line}: no test is called {name}"));
        }
    }
    complaints
}

/// Scenario: the table of invariants in `ARCHITECTURE.md`.
/// Guarantees: each line names at least one test, and every test it names exists.
#[test]
fn every_invariant_is_held_by_a_test() {
    let document = fs::read_to_string(house::root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let rows = rows(&document);
    assert!(ROWS_MIN <= rows.len(), "ARCHITECTURE.md has a table of invariants whose last column is headed test");
    let tests: BTreeSet<String> = house::sources()
        .iter()
        .flat_map(|file| functions::functions(&file.text))
        .filter(|function| function.is_test)
        .map(|function| function.name)
        .collect();
    house::no_complaints(&complaints_about(&rows, &tests));
}

/// Scenario: a document with another table, and invariants that name an existing test, a missing one, and none.
/// Guarantees: only the wrong lines of the right table are found.
#[test]
fn an_invariant_without_its_test_is_found() {
    let document = "\
| word | meaning |
|---|---|
| tick | one `pass_through` |

| invariant | test |
|---|---|
| holds | `a::it_holds` |
| does not | `it_is_gone` |
| silent | some day |
";
    let tests = BTreeSet::from(["it_holds".to_owned()]);
    let found = complaints_about(&rows(document), &tests);
    assert_eq!(
        found,
        ["ARCHITECTURE.md:8: no test is called it_is_gone", "ARCHITECTURE.md:9: the invariant names no test"]
    );
}
