//! Functions.
//!
//! Answers whether every function fits a screen and every test says what it guarantees. Counts lines from the signature to
//! the closing brace, because that is what a reader scrolls.

use crate::house;
use crate::lexer::{self, Kind, Token};

/// The longest function.
const LINES_MAX: usize = 70;

/// Words in the name of a test; fewer do not make a sentence.
const NAME_WORDS_MIN: usize = 3;

/// A function that has a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    lines: usize,
    pub(crate) is_test: bool,
    docs: String,
}

/// All functions of a source, those inside others and inside macros included.
pub(crate) fn functions(source: &str) -> Vec<Function> {
    let tokens: Vec<Token> = lexer::tokens(source).into_iter().filter(|token| token.kind != Kind::Comment).collect();
    (0..tokens.len()).filter_map(|index| function_at(&tokens, index)).collect()
}

fn is_mark(token: &Token, text: &str) -> bool {
    token.kind == Kind::Mark && token.text == text
}

fn function_at(tokens: &[Token], index: usize) -> Option<Function> {
    let (keyword, name) = (&tokens[index], tokens.get(index + 1)?);
    let is_function = keyword.kind == Kind::Word && keyword.text == "fn" && name.kind == Kind::Word;
    if !is_function {
        return None;
    }
    let open = body(tokens, index)?;
    let close = lexer::closing(tokens, open);
    let (is_test, docs) = preamble(tokens, index);
    let lines = tokens[close].line + 1 - keyword.line;
    Some(Function { name: name.text.clone(), line: keyword.line, lines, is_test, docs })
}

/// The brace that opens the body; `None` for a declaration that ends in a semicolon.
fn body(tokens: &[Token], from: usize) -> Option<usize> {
    let mut index = from;
    while index < tokens.len() {
        match (tokens[index].kind, tokens[index].text.as_str()) {
            (Kind::Mark, "(" | "[") => index = lexer::closing(tokens, index),
            (Kind::Mark, "{") => return Some(index),
            (Kind::Mark, ";") => return None,
            _ => {}
        }
        index += 1;
    }
    None
}

/// Whether the attributes before the function at `index` make it a test, and its doc comment.
fn preamble(tokens: &[Token], index: usize) -> (bool, String) {
    let (mut is_test, mut docs) = (false, Vec::new());
    let mut at = index;
    while 0 < at {
        at -= 1;
        let token = &tokens[at];
        if is_mark(token, "]") {
            let close = at;
            while 0 < at && !is_mark(&tokens[at], "#") {
                at -= 1;
            }
            is_test |= is_test_attribute(&tokens[at..close]);
        } else if token.kind == Kind::Doc {
            docs.insert(0, token.text.as_str());
        } else if !matches!(token.text.as_str(), "pub" | "async" | "const" | "(" | ")" | "crate" | "super") {
            break;
        }
    }
    (is_test, docs.join("\n"))
}

/// `#[test]`, `#[tokio::test]`, `#[tokio::test(…)]`, but not `#[cfg(test)]`.
fn is_test_attribute(attribute: &[Token]) -> bool {
    let path: Vec<&str> =
        attribute.iter().skip(2).map(|token| token.text.as_str()).take_while(|text| *text != "(").collect();
    path.last() == Some(&"test")
}

fn too_long(source: &str) -> Vec<String> {
    let long = |function: &Function| LINES_MAX < function.lines;
    let say = |f: Function| format!("{}: {} has {} lines; {LINES_MAX} is the limit", f.line, f.name, f.lines);
    functions(source).into_iter().filter(long).map(say).collect()
}

fn silent_tests(source: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for Function { name, line, is_test, docs, .. } in functions(source) {
        if is_test && !(docs.contains("Scenario: ") && docs.contains("Guarantees: ")) {
            complaints.push(format!("{line}: the test {name} must say /// Scenario: … and /// Guarantees: …"));
        }
        if is_test && name.split('_').count() < NAME_WORDS_MIN {
            complaints.push(format!("{line}: the test {name} must have a sentence for its name"));
        }
    }
    complaints
}

fn over_all_sources(check: impl Fn(&str) -> Vec<String>) {
    let complaints: Vec<String> = house::sources()
        .iter()
        .flat_map(|file| check(&file.text).into_iter().map(|complaint| format!("{}:{complaint}", file.path)))
        .collect();
    house::no_complaints(&complaints);
}

/// Scenario: every function of the house, tests included.
/// Guarantees: each fits a screen.
#[test]
fn functions_fit_a_screen() {
    over_all_sources(too_long);
}

/// Scenario: every test of the house.
/// Guarantees: each says which scenario it plays and what it guarantees, and its name is a sentence.
#[test]
fn tests_say_what_they_guarantee() {
    over_all_sources(silent_tests);
}

/// Scenario: functions of exactly the limit, one line longer, nested, generic, and without a body.
/// Guarantees: only the one that is too long is found, with its name and line.
#[test]
fn a_long_function_is_found() {
    let body = |lines: usize| "x();\n".repeat(lines);
    assert!(too_long(&format!("fn fits() {{\n{}}}", body(LINES_MAX - 2))).is_empty());
    let long =
        format!("\nimpl T {{ fn long<const N: usize>(a: [u8; 4]) -> R where A: B {{\n{}}} }}", body(LINES_MAX - 1));
    assert_eq!(too_long(&long), ["2: long has 71 lines; 70 is the limit"]);
    assert!(too_long(&format!("trait T {{ fn declared(); }}\n{}", body(100))).is_empty());
    assert!(too_long(&format!("const T: fn(u8) -> u8 = f;\n{}", body(100))).is_empty());
    let inner = format!("mod m {{ fn outer() {{ fn inner() {{\n{}}} }} }}", body(LINES_MAX));
    assert_eq!(too_long(&inner).len(), 2);
}

/// Scenario: tests with a full doc comment, half of one, none, and of other test attributes.
/// Guarantees: silent tests are found under every attribute, and functions that are no tests are left alone.
#[test]
fn a_silent_test_is_found() {
    let attribute = "#[test]";
    let good = "/// Scenario: a\n/// Guarantees: b\n#[test]\nfn one_two_three() {}";
    assert!(silent_tests(good).is_empty());
    assert!(silent_tests("#[cfg(test)]\nfn helper() {}").is_empty());
    assert_eq!(silent_tests(&format!("/// Scenario: a\n{attribute}\nfn one_two_three() {{}}")).len(), 1);
    assert_eq!(silent_tests("#[tokio::test(start_paused = true)]\nasync fn one_two_three() {}").len(), 1);
    assert_eq!(silent_tests(&good.replace("one_two_three", "works")).len(), 1);
    let in_macro = "proptest! {\n #![proptest_config(c())]\n #[test]\n fn one_two_three(a in 0..3) { } }";
    assert_eq!(silent_tests(in_macro).len(), 1);
}
