//! Words.
//!
//! Answers whether the project is free of unfinished business (`banned.txt`) and keeps to its vocabulary (`synonyms.txt`).
//! The lists are files of their own, so that this source does not contain what it bans.

use crate::house;
use crate::lexer::{self, Kind};
use crate::purity;

/// Each line of a list: the text and the reason.
fn list(text: &str) -> Vec<(String, String)> {
    let entry = |line: &str| {
        let (word, reason) = line.split_once("  ").unwrap_or_else(|| panic!("no reason: {line}"));
        (word.trim().to_owned(), reason.trim().to_owned())
    };
    text.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()).map(entry).collect()
}

fn banned() -> Vec<(String, String)> {
    list(include_str!("banned.txt"))
}

fn synonyms() -> Vec<(String, String)> {
    list(include_str!("synonyms.txt"))
}

/// Whether `line` has `word`, not as a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let opens = !word.starts_with(is_letter) || !before.is_some_and(is_letter);
        let closes = !word.ends_with(is_letter) || !after.is_some_and(is_letter);
        opens && closes
    })
}

fn banned_in(text: &str, banned: &[(String, String)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        for (word, reason) in banned.iter().filter(|(word, _)| has_word(line, word) || has_word(&lower, word)) {
            complaints.push(format!("{}: {word}: {reason}", number + 1));
        }
    }
    complaints
}

/// The parts of a name: `AlertState`, `alert_state` and `ALERT_STATE` all give `alert` and `state`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && was_lower) {
            parts.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
        if c != '_' {
            parts.last_mut().expect("there is a part").extend(c.to_lowercase());
        }
    }
    parts
}

fn synonyms_in(source: &str, synonyms: &[(String, String)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for token in lexer::code(source).iter().filter(|token| token.kind == Kind::Word) {
        for part in parts(&token.text) {
            let singular = part.strip_suffix('s').unwrap_or(&part);
            let found = synonyms.iter().find(|(word, _)| *word == part || word == singular);
            complaints.extend(found.map(|(_, meant)| format!("{}: {}: the word is {meant}", token.line, token.text)));
        }
    }
    complaints
}

/// Scenario: every source, script, manifest and document.
/// Guarantees: nothing unfinished is left behind under a name that admits it.
#[test]
fn nothing_is_left_unfinished() {
    let banned = banned();
    let endings = [".rs", ".toml", ".yaml", ".yml", ".md", ".py", ".mjs", ".sh", ".json"];
    let complaints: Vec<String> = house::files(&endings)
        .iter()
        .flat_map(|file| banned_in(&file.text, &banned).into_iter().map(|found| format!("{}:{found}", file.path)))
        .collect();
    house::no_complaints(&complaints);
}

/// Scenario: every name in the pure rooms.
/// Guarantees: one thing has one word, so a reader who knows the vocabulary can search for it.
#[test]
fn names_keep_to_the_vocabulary() {
    let synonyms = synonyms();
    let complaints: Vec<String> = house::sources()
        .iter()
        .filter(|file| purity::ROOMS.iter().any(|room| file.path.starts_with(room)))
        .flat_map(|file| synonyms_in(&file.text, &synonyms).into_iter().map(|found| format!("{}:{found}", file.path)))
        .collect();
    house::no_complaints(&complaints);
}

/// Scenario: each banned text alone, in capitals, and inside a longer word; a lint that is named like one.
/// Guarantees: it is found as a word, and a longer word that contains it, or one in the wrong letter case, is left alone.
#[test]
fn a_banned_word_is_found() {
    let banned = banned();
    assert!(10 <= banned.len());
    for (word, _) in &banned {
        assert!(!banned_in(&format!("a\nb {word} c"), &banned).is_empty(), "{word}");
        assert!(!banned_in(&word.to_uppercase(), &banned).is_empty(), "{word}");
    }
    assert!(banned_in("shackles, hacksaw, for nowhere, dummyish, todo = 1", &banned).is_empty());
}

/// Scenario: each synonym as a type, a function, a constant, a plural, and inside a longer word.
/// Guarantees: it is found as a part of a name and only as a whole part.
#[test]
fn a_synonym_is_found() {
    let synonyms = synonyms();
    let check = |source: &str, expected: usize| assert_eq!(synonyms_in(source, &synonyms).len(), expected, "{source}");
    check("struct AlertState;", 1);
    check("fn open_alerts() {}", 1);
    check("const VETO_MAX: u8 = 1;", 1);
    check("// an alert", 0);
    check("fn slowest_slot() {}", 0);
    check("struct Alerting;", 0);
}
