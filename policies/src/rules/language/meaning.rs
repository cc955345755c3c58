//! What the parts of a condition are, and whether they fit.
//!
//! Answers which variable a name is, of which type a value is, and what is wrong where two do not go together. Knows nothing
//! of tokens. A part that is already wrong has no type, and nothing more is said of what it stands in: one mistake is one
//! flaw.

use homeostat_core::{Arithmetic, Comparison, MILLIONTHS, Step, Value, ValueType, Variable};

use super::{FUNCTIONS, Flaw, nearest};
use crate::rules::facts::INCIDENT_KINDS;

/// One name of a path.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) start: usize,
    pub(super) name: String,
    /// Whether a `.?` stands before it.
    pub(super) optional: bool,
}

/// A value that has been read.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    start: usize,
    /// `None` where something in it is wrong.
    kind: Option<ValueType>,
    from: From,
}

/// Where a value comes from, as far as that helps to find a wrong unit.
#[derive(Clone, Debug)]
enum From {
    Variable(Variable),
    Constant(Value),
    Elsewhere,
}

/// Longest span of time: a hundred years. Sums of them are far from overflowing.
const SPAN_US_MAX: f64 = 100.0 * 366.0 * 86_400e6;

/// Functions of CEL that people will try, and what to write instead.
const ABSENT: &[(&str, &str)] = &[
    ("all", "there are no lists to walk over in conditions"),
    ("exists", "there are no lists to walk over in conditions"),
    ("exists_one", "there are no lists to walk over in conditions"),
    ("filter", "there are no lists to walk over in conditions"),
    ("map", "there are no lists to walk over in conditions"),
    ("matches", "patterns are not part of conditions: use contains, startsWith or endsWith"),
    ("size", "sizes are not part of conditions"),
    ("timestamp", "instants are not part of conditions: use time.hour, time.minute and time.day_of_week"),
    ("now", "the time is read as time.hour, time.minute and time.day_of_week"),
];

fn typed(start: usize, kind: Option<ValueType>) -> Typed {
    Typed { start, kind, from: From::Elsewhere }
}

/// A true or false that begins at `start`.
pub(super) fn flag(start: usize) -> Typed {
    typed(start, Some(ValueType::Flag))
}

pub(super) fn constant(value: &Value, start: usize) -> Typed {
    Typed { start, kind: Some(value.value_type()), from: From::Constant(value.clone()) }
}

/// The variable that `path` names.
pub(super) fn variable(path: &[Part]) -> (Option<Variable>, Typed, Option<Flaw>) {
    let start = path[0].start;
    let names: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
    let name = names.join(".");
    match Variable::ALL.iter().find(|variable| variable.name() == name) {
        Some(variable) => {
            let kind = Some(variable.value_type());
            (Some(*variable), Typed { start, kind, from: From::Variable(*variable) }, None)
        }
        None => (None, typed(start, None), Some(Flaw { start, what: unknown_variable(&name) })),
    }
}

fn unknown_variable(name: &str) -> String {
    let known: Vec<&str> = Variable::ALL.iter().map(|variable| variable.name()).collect();
    let group = format!("{}.", name.split('.').next().unwrap_or_default());
    let of_group: Vec<&str> = known.iter().filter(|known| known.starts_with(&group)).copied().collect();
    let by_field = || known.iter().find(|known| known.split_once('.').is_some_and(|(_, field)| field == name)).copied();
    match nearest(name, &known).or_else(by_field) {
        _ if name.len() + 1 == group.len() && !of_group.is_empty() => {
            format!("{name} has no value of its own; there are {}", of_group.join(", "))
        }
        Some(meant) => format!("unknown variable {name}; did you mean {meant}?"),
        None if of_group.is_empty() => {
            format!("unknown variable {name}; variables begin with service, burn_rate, incident or time")
        }
        None => format!("unknown variable {name}; there are {}", of_group.join(", ")),
    }
}

/// What is said of a function that is not there.
pub(super) fn unknown_function(name: &str) -> String {
    if let Some((_, instead)) = ABSENT.iter().find(|(absent, _)| *absent == name) {
        return format!("{name}: {instead}");
    }
    let plain = |function: &'static str| {
        let before = function.split('(').next().unwrap_or_default();
        before.rsplit('.').next().unwrap_or_default()
    };
    let known: Vec<&str> = FUNCTIONS.iter().map(|(function, _)| plain(function)).collect();
    match nearest(name, &known) {
        Some(meant) => format!("unknown function {name}; did you mean {meant}?"),
        None => format!("unknown function {name}; there are {}", known.join(", ")),
    }
}

/// Whether the condition as a whole is true or false.
pub(super) fn whole(whole: &Typed) -> Option<Flaw> {
    let kind = whole.kind.filter(|kind| *kind != ValueType::Flag)?;
    let what = format!("a condition must be true or false, this is {}; compare it with something", one(kind));
    Some(Flaw { start: whole.start, what })
}

/// Two values of one operator.
pub(super) fn combine(step: &Step, start: usize, sides: &[Typed; 2]) -> (Typed, Option<Flaw>) {
    let [a, b] = sides;
    match step {
        Step::And | Step::Or => {
            let sign = if *step == Step::And { "&&" } else { "||" };
            let wrong = sides.iter().find(|side| side.kind.is_some_and(|kind| kind != ValueType::Flag));
            let flaw = wrong.map(|side| {
                let kind = one(side.kind.unwrap_or(ValueType::Flag));
                let what = format!("{sign} joins what is true or false, this is {kind}; compare it with something");
                Flaw { start: side.start, what }
            });
            (flag(a.start), flaw)
        }
        Step::Compare(comparison) => (flag(a.start), compared(*comparison, start, a, b)),
        Step::Search(_) => {
            let wrong = sides.iter().find(|side| side.kind.is_some_and(|kind| kind != ValueType::Text));
            let flaw = wrong.map(|side| Flaw { start: side.start, what: "must be a string here".to_owned() });
            (flag(a.start), flaw)
        }
        Step::Calculate(arithmetic) => calculated(*arithmetic, start, a, b),
        _ => (typed(a.start, None), None),
    }
}

fn compared(comparison: Comparison, start: usize, a: &Typed, b: &Typed) -> Option<Flaw> {
    let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if ordered && a.kind == Some(ValueType::Flag) && b.kind == Some(ValueType::Flag) {
        return Some(Flaw { start, what: "true and false have no order; use == or !=".to_owned() });
    }
    equal(a, b)
}

/// Whether two values can be compared, and whether a constant can be meant as it stands.
pub(super) fn equal(a: &Typed, b: &Typed) -> Option<Flaw> {
    let (kind_a, kind_b) = (a.kind?, b.kind?);
    if kind_a != kind_b && !(is_number(kind_a) && is_number(kind_b)) {
        return Some(Flaw { start: b.start, what: cannot_compare(a, kind_a, b, kind_b) });
    }
    match (&a.from, &b.from) {
        (From::Variable(variable), From::Constant(value)) => never(*variable, value, b.start),
        (From::Constant(value), From::Variable(variable)) => never(*variable, value, a.start),
        _ => None,
    }
}

fn cannot_compare(a: &Typed, kind_a: ValueType, b: &Typed, kind_b: ValueType) -> String {
    let name = |side: &Typed, kind: ValueType| match &side.from {
        From::Variable(variable) => format!("{variable}, {},", one(kind)),
        _ => one(kind).to_owned(),
    };
    let hint = match (kind_a, kind_b) {
        (ValueType::Span, _) | (_, ValueType::Span) => "; a span of time is written duration(\"300ms\")",
        (ValueType::Text, _) | (_, ValueType::Text) => "; numbers stand without quotes, texts with them",
        _ => "",
    };
    format!("{} cannot be compared with {}{hint}", name(a, kind_a), name(b, kind_b).trim_end_matches(','))
}

/// What is said of a constant that a variable never comes near: most likely a percentage, or a word that does not occur.
fn never(variable: Variable, value: &Value, start: usize) -> Option<Flaw> {
    let number = match value {
        Value::Whole(number) => number.saturating_mul(MILLIONTHS),
        Value::Millionths(number) => *number,
        Value::Text(text) => return unknown_word(variable, text, start),
        Value::Flag(_) | Value::SpanUs(_) => return None,
    };
    let most = match variable {
        // A service that queues may use more than it has.
        Variable::Utilization => 10 * MILLIONTHS,
        Variable::ErrorRatio | Variable::SlowRatio | Variable::Sampling => MILLIONTHS,
        Variable::Hour => 24 * MILLIONTHS,
        Variable::Minute => 60 * MILLIONTHS,
        Variable::DayOfWeek => 7 * MILLIONTHS,
        _ => return None,
    };
    let what = match variable {
        _ if number <= most => return None,
        Variable::Hour | Variable::Minute | Variable::DayOfWeek => format!("{variable} is never that large"),
        _ => format!("{variable} is a share, where 1 is all: 80 % is written 0.8"),
    };
    Some(Flaw { start, what })
}

fn unknown_word(variable: Variable, text: &str, start: usize) -> Option<Flaw> {
    let known: &[&str] = match variable {
        Variable::IncidentKind => INCIDENT_KINDS,
        Variable::IncidentSeverity => &["page", "ticket"],
        _ => return None,
    };
    if known.contains(&text) {
        return None;
    }
    let what = match nearest(text, known) {
        Some(meant) => format!("{variable} is never \"{text}\"; did you mean \"{meant}\"?"),
        None => format!("{variable} is never \"{text}\"; it is one of {}", known.join(", ")),
    };
    Some(Flaw { start, what })
}

/// One of a type, with its article.
fn one(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Flag => "a bool",
        ValueType::Whole => "an int",
        ValueType::Decimal => "a double",
        ValueType::Span => "a duration",
        ValueType::Text => "a string",
    }
}

fn is_number(kind: ValueType) -> bool {
    matches!(kind, ValueType::Whole | ValueType::Decimal)
}

fn calculated(arithmetic: Arithmetic, start: usize, a: &Typed, b: &Typed) -> (Typed, Option<Flaw>) {
    let (Some(kind_a), Some(kind_b)) = (a.kind, b.kind) else { return (typed(a.start, None), None) };
    let adds = matches!(arithmetic, Arithmetic::Add | Arithmetic::Subtract);
    let fits = kind_a == kind_b
        && match kind_a {
            ValueType::Whole => true,
            ValueType::Decimal => arithmetic != Arithmetic::Remainder,
            ValueType::Span => adds,
            ValueType::Flag | ValueType::Text => false,
        };
    if fits {
        return (typed(a.start, Some(kind_a)), None);
    }
    let what = match (kind_a, kind_b) {
        (ValueType::Whole, ValueType::Decimal) | (ValueType::Decimal, ValueType::Whole) => {
            "int and double do not mix here: write 2.0 rather than 2, or double(…)".to_owned()
        }
        (ValueType::Decimal, ValueType::Decimal) => "% is the remainder of whole numbers".to_owned(),
        (ValueType::Text, ValueType::Text) => "texts cannot be computed with".to_owned(),
        _ => format!("{kind_a} and {kind_b} cannot be computed with like this"),
    };
    (typed(a.start, None), Some(Flaw { start, what }))
}

/// `condition ? yes : no`
pub(super) fn choose(condition: &Typed, yes: &Typed, no: &Typed) -> (Typed, Option<Flaw>) {
    let unclear = condition.kind.is_some_and(|kind| kind != ValueType::Flag);
    let differ = matches!((yes.kind, no.kind), (Some(yes), Some(no)) if yes != no);
    let flaw = if unclear {
        Some(Flaw { start: condition.start, what: "what stands before ? must be true or false".to_owned() })
    } else if differ {
        Some(Flaw { start: no.start, what: "both sides of : must be of one type".to_owned() })
    } else {
        None
    };
    let kind = yes.kind.filter(|_| flaw.is_none());
    (typed(condition.start, kind), flaw)
}

/// What has one operand.
pub(super) fn prefix(step: &Step, start: usize, operand: &Typed) -> (Typed, Option<Flaw>) {
    let Some(kind) = operand.kind else { return (typed(start, None), None) };
    let (fits, result, must) = match step {
        Step::Not => (kind == ValueType::Flag, ValueType::Flag, "! needs something true or false behind it"),
        Step::ToDecimal => (is_number(kind), ValueType::Decimal, "double takes a number"),
        Step::ToWhole => (is_number(kind), ValueType::Whole, "int takes a number"),
        _ => (!matches!(kind, ValueType::Flag | ValueType::Text), kind, "- needs a number behind it"),
    };
    let flaw = (!fits).then(|| Flaw { start: operand.start, what: must.to_owned() });
    (typed(start, fits.then_some(result)), flaw)
}

/// `1h30m` in microseconds: numbers with units, one behind the other, as Go and CEL write them.
pub(super) fn span_us(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    let mut sum = 0.0;
    if rest.is_empty() {
        return None;
    }
    // Each round takes at least two characters.
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let unit_us = match &tail[..letters] {
            "us" | "µs" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            "m" => 60e6,
            "h" => 3600e6,
            _ => return None,
        };
        sum += digits.parse::<f64>().ok()? * unit_us;
        rest = &tail[letters..];
    }
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    (sum <= SPAN_US_MAX).then(|| (sign * sum.round()) as i64)
}
