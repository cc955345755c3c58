//! Tests of the language: what is taken, what is refused and where, and that no text can do harm.

use homeostat_core::{Arithmetic, Comparison, Step, Value, Variable};
use proptest::prelude::*;

use super::*;
use crate::rules::is_sound;

fn flaws(text: &str) -> Vec<(usize, String)> {
    read(text).expect_err(text).into_iter().map(|flaw| (flaw.start, flaw.what)).collect()
}

/// Scenario: operators of different strength, without brackets.
/// Guarantees: they bind as in CEL, and operands come before what takes them.
#[test]
fn operators_bind_as_in_cel() {
    let steps = read("has(service.replicas) && service.replicas + 1 * 2 > 3 || false").unwrap().steps;
    let whole = |number| Step::Constant(Value::Whole(number));
    let expected = [
        Step::IsFresh(Variable::Replicas),
        Step::Read(Variable::Replicas),
        whole(1),
        whole(2),
        Step::Calculate(Arithmetic::Multiply),
        Step::Calculate(Arithmetic::Add),
        whole(3),
        Step::Compare(Comparison::Greater),
        Step::And,
        Step::Constant(Value::Flag(false)),
        Step::Or,
    ];
    assert_eq!(steps, expected);
}

/// Scenario: every form that the language has.
/// Guarantees: each is taken, with a comment and over several lines too.
#[test]
fn what_is_documented_is_taken() {
    for text in [
        "true",
        "service.utilization >= 0.85 // busy",
        "service.latency_p99 > duration(\"1m30s\") &&\n  service.replicas < service.replicas_max",
        "service.name in [\"a\", 'b'] ? burn_rate.latency > 14.4 : !(1 == 2)",
        "service.?utilization.orValue(0.0) > 0.5 || stale(service.utilization)",
        "worst(service.error_ratio) > 0.01 && -service.replicas < 0 && 7 % 2 == 1",
        "double(service.replicas) * 1.5e2 > 3.0 && int(burn_rate.latency) >= 1",
        "service.name.startsWith(\"cart\") || service.name.endsWith('-eu') || (service.name).contains(\"x\")",
        "incident.kind == \"latency_burn\" && incident.severity == \"page\" && incident.age > duration('5m')",
        "time.hour >= 9 && time.day_of_week in [1, 2]",
    ] {
        let read = read(text).unwrap_or_else(|flaws| panic!("{text}: {flaws:?}"));
        assert!(is_sound(&read), "{text}");
    }
    for (function, _) in FUNCTIONS {
        let known = function.split('(').next().unwrap().rsplit('.').next().unwrap();
        assert!(meaning::unknown_function(known).contains(known), "{function}");
    }
}

/// Scenario: the mistakes of somebody new: a typing error, a percentage, a unit, a type, a word of another language.
/// Guarantees: each is found at its place, and the answer says what would be right.
#[test]
fn mistakes_are_found_where_they_are() {
    let check = |text: &str, start: usize, what: &str| {
        let found = flaws(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].0 == start && found[0].1.contains(what), "{text}: {found:?}");
    };
    check("service.utilisation > 0.8", 0, "did you mean service.utilization?");
    check("utilization > 0.8", 0, "did you mean service.utilization?");
    check("service > 0.8", 0, "service has no value of its own; there are service.name");
    check("has(incident)", 4, "incident.kind");
    check("pod.name == 'x'", 0, "variables begin with service, burn_rate, incident or time");
    check("service.utilization > 80", 22, "is a share, where 1 is all: 80 % is written 0.8");
    check("service.utilization > 80%", 25, "there is no percent here");
    check("service.latency_p99 > 300ms", 25, "duration(\"…ms\")");
    check("service.latency_p99 > 300", 22, "duration(\"300ms\")");
    check("service.latency_p99 > \"300ms\"", 22, "duration(\"300ms\")");
    check("duration(\"5 minutes\") < incident.age", 9, "must be a span of time");
    check("service.utilization > \"0.8\"", 22, "numbers stand without quotes");
    check("service.utilization", 0, "compare it with something");
    check("service.utilization && true", 0, "&& joins what is true or false, this is a double");
    check("service.utilization > 0.8 and true", 26, "both is written &&");
    check("service.replicas = 2", 17, "equality is written ==");
    check("service.utilization * 2 > 1.0", 20, "write 2.0 rather than 2");
    check("service.name == checkout", 16, "unknown variable checkout");
    check("incident.kind == \"latency\"", 17, "latency_burn");
    check("service.name.matches(\"a.*\")", 13, "use contains, startsWith or endsWith");
    check("service.name.startWith(\"a\")", 13, "did you mean startsWith?");
    check("[1, 2].exists(x, x > 1)", 0, "a list stands only behind in");
    check("(service.utilization > 0.8", 26, ") is missing here");
    check("service.utilization >", 21, "ends too early");
    check("\"abc == service.name", 0, "no \" at its end");
    check("0.1234567 < service.utilization", 0, "finer than a millionth");
    check("99999999999999999999 > 1", 0, "too large");
    check("time.hour > 25", 12, "never that large");
    check("", 0, "empty");
    check("a.b.c ü", 6, "means nothing here");
}

/// Scenario: two mistakes in one condition.
/// Guarantees: both are told at once, in reading order, and neither hides or repeats the other.
#[test]
fn all_mistakes_of_a_condition_are_told() {
    let found = flaws("service.utilisation > 0.8 && (servise.replicas + 1 > 2) && service.name == 3");
    let starts: Vec<usize> = found.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts, [0, 30, 75], "{found:?}");
}

/// Scenario: brackets, signs, choices and sums, many thousands of them.
/// Guarantees: each is refused quickly and quietly; the stack never grows with the text.
#[test]
fn deep_and_long_texts_are_refused() {
    let many = |part: &str, times: usize| part.repeat(times);
    for text in [
        format!("{}1{}", many("(", 2000), many(")", 2000)),
        format!("{}true", many("!", 4000)),
        format!("{}1 > 0", many("-", 4000)),
        format!("{}true{}", many("true ? ", 500), many(": false", 500)),
        format!("{}1 > 0", many("1+", 2000)),
        format!("service.replicas in [{}1]", many("1,", 2000)),
        many("a.", 2000),
        many("x", Condition::TEXT_MAX + 1),
        format!("true{}", many(" ? true : true", 300)),
    ] {
        assert!(read(&text).is_err(), "{}…", &text[..20]);
    }
}

/// Words, signs and pieces of which conditions are made, right and wrong.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "service.utilization",
        "service.replicas",
        "service.name",
        "incident.age",
        "time.hour",
        "has(",
        "stale(",
        "worst(",
        "duration(\"5m\")",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "[",
        "]",
        "in",
        "?",
        ":",
        "<",
        "<=",
        "==",
        "!=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "0.5",
        "1",
        "\"x\"",
        "true",
        ".?",
        ".",
        "orValue(",
        "contains(",
        ",",
        "double(",
        "int(",
        "é",
    ];
    prop_oneof![
        9 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ]
}

proptest! {
    /// Scenario: arbitrary texts, and arbitrary rows of the language's own pieces.
    /// Guarantees: nothing panics; what is taken is sound, and what is refused points into the text.
    #[test]
    fn no_text_does_harm(pieces in proptest::collection::vec(piece(), 0..40), wild in "\\PC{0,200}") {
        for text in [pieces.join(" "), pieces.concat(), wild] {
            match read(&text) {
                Ok(condition) => prop_assert!(is_sound(&condition), "{}", text),
                Err(flaws) => {
                    prop_assert!(!flaws.is_empty());
                    for flaw in flaws {
                        prop_assert!(flaw.start <= text.len() && text.is_char_boundary(flaw.start), "{}", text);
                    }
                }
            }
        }
    }
}
