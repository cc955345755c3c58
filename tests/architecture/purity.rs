//! The pure rooms.
//!
//! Answers whether `layers`, `agent/control` and `policies` stay free of clocks, I/O, threads, locks, channels, logging and
//! unordered collections, in their tests too. Looks at code only; a comment may speak of what is not used. The compiler
//! cannot hold this, because all of it is in the standard library.

use crate::house;
use crate::lexer::{self, Kind, Token};

/// The pure rooms.
pub(crate) const ROOMS: &[&str] = &["layers/", "agent/control/", "policies/"];

/// What they must not touch, and what to do instead.
const FORBIDDEN: &[(&str, &str)] = &[
    ("async", "return a command; the driver awaits"),
    ("await", "return a command; the driver awaits"),
    ("tokio", "return a command; the driver awaits"),
    ("std::fs", "return a record; the journal writes it"),
    ("std::io", "return a command; an adapter does it"),
    ("std::net", "return a command; an adapter does it"),
    ("std::process", "return a command; an adapter does it"),
    ("std::env", "take it from the settings"),
    ("std::thread", "the loop is one call after another"),
    ("thread_local!", "pass the state"),
    ("static mut", "pass the state"),
    ("Mutex", "pass the state"),
    ("RwLock", "pass the state"),
    ("OnceLock", "pass the state"),
    ("LazyLock", "pass the state"),
    ("mpsc", "return a command"),
    ("HashMap", "use BTreeMap: order is behaviour"),
    ("HashSet", "use BTreeSet: order is behaviour"),
    ("Instant", "take now: Timestamp"),
    ("SystemTime", "take now: Timestamp"),
    ("println!", "return a fact; the driver shows it"),
    ("eprintln!", "return a fact; the driver shows it"),
    ("print!", "return a fact; the driver shows it"),
    ("dbg!", "return a fact; the driver shows it"),
    ("tracing::", "return a fact; the driver logs it"),
    ("rand::rng", "draw from a named stream of the seed"),
    ("thread_rng", "draw from a named stream of the seed"),
];

/// Children of `std` that are as bad inside a group: `use std::{fmt, fs}`.
const FORBIDDEN_IN_STD: &[&str] = &["fs", "io", "net", "process", "env", "thread"];

fn impurities(source: &str) -> Vec<String> {
    let code = lexer::code(source);
    let mut complaints = Vec::new();
    for (phrase, instead) in FORBIDDEN {
        let tokens = lexer::code(phrase);
        for index in (0..code.len()).filter(|index| lexer::is_at(&code, *index, &tokens)) {
            complaints.push(format!("{}: {phrase}: {instead}", code[index].line));
        }
    }
    let group = lexer::code("std::{");
    for index in (0..code.len()).filter(|index| lexer::is_at(&code, *index, &group)) {
        let open = index + group.len() - 1;
        let inside = &code[open..lexer::closing(&code, open)];
        let bad = |token: &&Token| token.kind == Kind::Word && FORBIDDEN_IN_STD.contains(&token.text.as_str());
        complaints.extend(inside.iter().filter(bad).map(|token| format!("{}: std::{}", token.line, token.text)));
    }
    complaints
}

/// Scenario: every source of the pure rooms.
/// Guarantees: the loop cannot read a clock, wait, touch the outside or depend on a hash's order, so the same events give
/// the same journal.
#[test]
fn the_pure_rooms_are_pure() {
    let files: Vec<_> =
        house::sources().into_iter().filter(|file| ROOMS.iter().any(|room| file.path.starts_with(room))).collect();
    assert!(ROOMS.iter().all(|room| files.iter().any(|file| file.path.starts_with(room))), "every room has sources");
    let complaints: Vec<String> = files
        .iter()
        .flat_map(|file| impurities(&file.text).into_iter().map(|complaint| format!("{}:{complaint}", file.path)))
        .collect();
    house::no_complaints(&complaints);
}

/// Scenario: each forbidden phrase in code, in a comment, in a string, and inside a group of imports.
/// Guarantees: it is found in code and only there.
#[test]
fn an_impurity_is_found() {
    for (phrase, _) in FORBIDDEN {
        assert!(!impurities(&format!("fn f() {{\n {phrase} x; }}")).is_empty(), "{phrase}");
        assert!(impurities(&format!("// {phrase}\nfn f() {{ g(\"{phrase}\"); }}")).is_empty(), "{phrase}");
    }
    assert_eq!(impurities("\nuse std::{fmt, fs::File};"), ["2: std::fs"]);
    assert!(impurities("use std::{fmt, ops::Add}; fn environment() { self.net.process() }").is_empty());
    assert!(impurities("struct MyInstant; fn asynchronous() {}").is_empty());
}
