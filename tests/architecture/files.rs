//! Files.
//!
//! Answers whether every source says what it is for, stays short enough to be one idea, and fits its columns. rustfmt keeps
//! code in its columns but leaves comments alone, so width is checked here; a long text stays in one piece to be searched.

use std::collections::BTreeSet;

use crate::house;
use crate::lexer::{self, Kind};

/// The longest source. The style aims at 250 lines and thinks at 400; beyond this a file holds two ideas.
const LINES_MAX: usize = 600;

/// The widest line of code, in characters; the same as in `rustfmt.toml`.
const WIDTH_MAX: usize = 120;

/// The widest line of a comment, without indentation and marker. It is wrapped by hand, so it has a few characters more.
const PROSE_MAX: usize = 124;

/// Words in a header's longest sentence. Fewer are a title.
const SENTENCE_WORDS_MIN: usize = 5;

/// The text of the `//!` comment that opens a source.
fn header(source: &str) -> String {
    let lines = source.lines().skip_while(|line| line.starts_with("#!["));
    let lines: Vec<&str> = lines.map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    lines.join(" ")
}

/// Whether a text has at least one sentence: a capital letter, some words, a full stop.
fn has_sentence(text: &str) -> bool {
    text.split_inclusive(['.', '?']).map(str::trim).any(|sentence| {
        let starts = sentence.chars().next().is_some_and(|c| c.is_uppercase() || c == '`' || c.is_numeric());
        starts && sentence.ends_with(['.', '?']) && SENTENCE_WORDS_MIN <= sentence.split_whitespace().count()
    })
}

/// Lines with quoted text.
fn quoted_lines(source: &str) -> BTreeSet<usize> {
    let quoted = |token: &lexer::Token| token.kind == Kind::Quoted;
    let lines = |token: lexer::Token| token.line..=token.line + token.text.matches('\n').count();
    lexer::tokens(source).into_iter().filter(quoted).flat_map(lines).collect()
}

/// How much wider a line is than it may be.
fn excess(line: &str) -> usize {
    let comment = line.trim_start().strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).trim_start());
    let (text, most) = comment.map_or((line, WIDTH_MAX), |text| (text, PROSE_MAX));
    text.chars().count().saturating_sub(most)
}

fn complaints_about(source: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !has_sentence(&header(source)) {
        complaints.push("1: must open with //! and say in a sentence what it answers".to_owned());
    }
    let lines = source.lines().count();
    if LINES_MAX < lines {
        complaints.push(format!("{LINES_MAX}: has {lines} lines; split it by idea"));
    }
    let quoted = quoted_lines(source);
    for (number, line) in (1..).zip(source.lines()) {
        let excess = excess(line);
        if 0 < excess && !quoted.contains(&number) {
            complaints.push(format!("{number}: is {excess} characters too wide"));
        }
    }
    complaints
}

/// Scenario: every source of the house.
/// Guarantees: each opens with a header that says something, holds one idea's worth of lines, and fits its columns.
#[test]
fn every_file_introduces_itself_and_stays_small() {
    let complaints: Vec<String> = house::sources()
        .iter()
        .flat_map(|file| complaints_about(&file.text).into_iter().map(|found| format!("{}:{found}", file.path)))
        .collect();
    house::no_complaints(&complaints);
}

/// Scenario: sources without a header, with a title only, with a header after the code, too long and too wide.
/// Guarantees: each is found, and a good one is not.
#[test]
fn a_silent_or_overgrown_file_is_found() {
    let good = "//! Title.\n//!\n//! Answers what a good header looks like.\n\nfn f() {}\n";
    assert!(complaints_about(good).is_empty());
    assert_eq!(complaints_about("fn f() {}\n").len(), 1);
    assert_eq!(complaints_about("//! Title.\n").len(), 1);
    assert_eq!(complaints_about("fn f() {}\n//! Answers what a late header looks like.\n").len(), 1);
    assert_eq!(complaints_about(&format!("{good}{}", "\n".repeat(LINES_MAX - 4))).len(), 1);
    let text = format!("{good}const T: &str = \"a\n{}\";", "ä".repeat(2 * WIDTH_MAX));
    assert!(complaints_about(&text).is_empty());
    for (lead, width) in [("", WIDTH_MAX), ("    /// ", PROSE_MAX)] {
        let wide = |width| complaints_about(&format!("{good}{lead}{}", "ä".repeat(width))).len();
        assert_eq!((wide(width), wide(width + 1)), (0, 1), "{lead}");
    }
}

/// Scenario: every file with a name that two machines could spell differently.
/// Guarantees: sources are named in lower case, in words, so that a newcomer can guess them.
#[test]
fn files_have_plain_names() {
    let plain = |stem: &str| stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let complaints: Vec<String> =
        house::sources().into_iter().filter(|file| !plain(file.stem())).map(|file| file.path).collect();
    house::no_complaints(&complaints);
}
