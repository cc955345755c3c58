//! Evaluating a condition.
//!
//! Answers what a list of steps comes to for one service. Every step is taken once, in order, so the cost is the number of
//! steps whatever the values are; there are no loops and no recursion. What is not known stays not known, by Kleene's logic:
//! `false && unknown` is false, `true && unknown` is unknown. A failure is a value too, and decides nothing that does not
//! depend on it. Nothing here panics: steps that do not fit together are a failure.

use std::cmp::Ordering;
use std::fmt;

use homeostat_core::{Arithmetic, Comparison, Condition, MILLIONTHS, Micros, Search, Step, Value};

use super::facts::{Fact, Facts};

/// A value, with its text borrowed from the rule or from what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth<'a> {
    Flag(bool),
    Whole(i64),
    Millionths(i64),
    SpanUs(i64),
    Text(&'a str),
}

/// What a step leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    Known(Worth<'a>),
    /// Something it rests on is stale or missing.
    Unknown,
    Failed(Failure),
}

/// Why a condition has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    DividedByZero,
    OutOfRange,
    /// The steps do not fit together.
    Unsound,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::DividedByZero => "it divides by zero",
            Failure::OutOfRange => "a number in it is too large",
            Failure::Unsound => "its steps do not fit together",
        })
    }
}

const UNSOUND: Outcome<'static> = Outcome::Failed(Failure::Unsound);

impl<'a> Worth<'a> {
    pub(super) fn of(value: &'a Value) -> Worth<'a> {
        match value {
            Value::Flag(flag) => Worth::Flag(*flag),
            Value::Whole(number) => Worth::Whole(*number),
            Value::Millionths(number) => Worth::Millionths(*number),
            Value::SpanUs(span) => Worth::SpanUs(*span),
            Value::Text(text) => Worth::Text(text),
        }
    }
}

impl fmt::Display for Worth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Worth::Flag(flag) => write!(f, "{flag}"),
            Worth::Whole(number) => write!(f, "{number}"),
            Worth::Millionths(number) => {
                let (whole, part) = (number.unsigned_abs() / 1_000_000, number.unsigned_abs() % 1_000_000);
                let sign = if *number < 0 { "-" } else { "" };
                let part = format!("{part:06}");
                let part = part.trim_end_matches('0');
                write!(f, "{sign}{whole}.{}", if part.is_empty() { "0" } else { part })
            }
            Worth::SpanUs(span) if *span < 0 => write!(f, "-{}", Micros(span.unsigned_abs())),
            Worth::SpanUs(span) => write!(f, "{}", Micros(span.unsigned_abs())),
            Worth::Text(text) => f.write_str(text),
        }
    }
}

/// What `steps` come to, given `facts`. The stack is emptied first; what it holds afterwards means nothing.
pub(super) fn evaluate<'a>(steps: &'a [Step], facts: &Facts<'a>, stack: &mut Vec<Outcome<'a>>) -> Outcome<'a> {
    stack.clear();
    if Condition::STEPS_MAX < steps.len() {
        return UNSOUND;
    }
    for step in steps {
        match outcome(step, facts, stack) {
            Some(outcome) => stack.push(outcome),
            None => return UNSOUND,
        }
    }
    match (stack.pop(), stack.is_empty()) {
        (Some(outcome), true) => outcome,
        _ => UNSOUND,
    }
}

/// Whether every step finds its operands, and one value is left.
pub(super) fn leaves_one(steps: &[Step]) -> bool {
    let depth = steps.iter().try_fold(0_usize, |depth, step| Some(depth.checked_sub(operands(step))? + 1));
    depth == Some(1)
}

fn operands(step: &Step) -> usize {
    match step {
        Step::Constant(_) | Step::Read(_) | Step::IsFresh(_) | Step::IsStale(_) | Step::WorstCase(_) => 0,
        Step::Not | Step::Negate | Step::ToDecimal | Step::ToWhole => 1,
        Step::OrElse | Step::And | Step::Or | Step::Compare(_) | Step::Calculate(_) | Step::Search(_) => 2,
        Step::Choose => 3,
        Step::IsIn(options) => usize::from(*options) + 1,
    }
}

/// `None` where an operand is not there.
fn outcome<'a>(step: &'a Step, facts: &Facts<'a>, stack: &mut Vec<Outcome<'a>>) -> Option<Outcome<'a>> {
    Some(match step {
        Step::Constant(value) => Outcome::Known(Worth::of(value)),
        Step::Read(variable) => facts.read(*variable).fresh(),
        Step::WorstCase(variable) => facts.read(*variable).worst(),
        Step::IsFresh(variable) => flag(matches!(facts.read(*variable), Fact::Fresh(_))),
        Step::IsStale(variable) => flag(matches!(facts.read(*variable), Fact::Stale(_))),
        Step::OrElse => {
            let (value, otherwise) = pop_two(stack)?;
            if value == Outcome::Unknown { otherwise } else { value }
        }
        Step::Not => known(stack.pop()?, |value| match value {
            Worth::Flag(value) => flag(!value),
            _ => UNSOUND,
        }),
        Step::Negate => known(stack.pop()?, negate),
        Step::ToDecimal => known(stack.pop()?, |value| match value {
            Worth::Whole(number) => within(i128::from(number) * i128::from(MILLIONTHS), Worth::Millionths),
            decimal => Outcome::Known(decimal),
        }),
        Step::ToWhole => known(stack.pop()?, |value| match value {
            Worth::Millionths(number) => Outcome::Known(Worth::Whole(number / MILLIONTHS)),
            whole => Outcome::Known(whole),
        }),
        Step::And => junction(pop_two(stack)?, false),
        Step::Or => junction(pop_two(stack)?, true),
        Step::Choose => {
            let (yes, no) = pop_two(stack)?;
            known(stack.pop()?, |condition| match condition {
                Worth::Flag(true) => yes,
                Worth::Flag(false) => no,
                _ => UNSOUND,
            })
        }
        Step::Compare(comparison) => both(pop_two(stack)?, |a, b| compare(*comparison, a, b)),
        Step::Calculate(arithmetic) => both(pop_two(stack)?, |a, b| calculate(*arithmetic, a, b)),
        Step::Search(search) => both(pop_two(stack)?, |a, b| find(*search, a, b)),
        Step::IsIn(options) => {
            let first = stack.len().checked_sub(usize::from(*options))?;
            let found = first.checked_sub(1).map(|needle| is_in(stack[needle], &stack[first..]))?;
            stack.truncate(first - 1);
            found
        }
    })
}

const fn flag<'a>(flag: bool) -> Outcome<'a> {
    Outcome::Known(Worth::Flag(flag))
}

/// The last two, in the order in which they were pushed.
fn pop_two<'a>(stack: &mut Vec<Outcome<'a>>) -> Option<(Outcome<'a>, Outcome<'a>)> {
    let second = stack.pop()?;
    Some((stack.pop()?, second))
}

fn known<'a>(outcome: Outcome<'a>, then: impl FnOnce(Worth<'a>) -> Outcome<'a>) -> Outcome<'a> {
    match outcome {
        Outcome::Known(value) => then(value),
        other => other,
    }
}

/// What is unknown outweighs what failed: it may be that with more knowledge nothing fails.
fn both<'a>((a, b): (Outcome<'a>, Outcome<'a>), then: impl FnOnce(Worth<'a>, Worth<'a>) -> Outcome<'a>) -> Outcome<'a> {
    match (a, b) {
        (Outcome::Known(a), Outcome::Known(b)) => then(a, b),
        (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
        (Outcome::Failed(failure), _) | (_, Outcome::Failed(failure)) => Outcome::Failed(failure),
    }
}

/// `&&` and `||`: `decisive` on either side decides, whatever the other is.
fn junction<'a>(sides: (Outcome<'a>, Outcome<'a>), decisive: bool) -> Outcome<'a> {
    if sides.0 == flag(decisive) || sides.1 == flag(decisive) {
        return flag(decisive);
    }
    both(sides, |a, b| match (a, b) {
        (Worth::Flag(_), Worth::Flag(_)) => flag(!decisive),
        _ => UNSOUND,
    })
}

fn within<'a>(number: i128, as_worth: fn(i64) -> Worth<'a>) -> Outcome<'a> {
    i64::try_from(number).map_or(Outcome::Failed(Failure::OutOfRange), |number| Outcome::Known(as_worth(number)))
}

fn negate(value: Worth<'_>) -> Outcome<'_> {
    match value {
        Worth::Whole(number) => within(-i128::from(number), Worth::Whole),
        Worth::Millionths(number) => within(-i128::from(number), Worth::Millionths),
        Worth::SpanUs(span) => within(-i128::from(span), Worth::SpanUs),
        Worth::Flag(_) | Worth::Text(_) => UNSOUND,
    }
}

/// How two values are ordered; whole and decimal numbers compare by what they are worth.
fn order(a: Worth<'_>, b: Worth<'_>) -> Option<Ordering> {
    let scaled = |whole: i64| i128::from(whole) * i128::from(MILLIONTHS);
    Some(match (a, b) {
        (Worth::Flag(a), Worth::Flag(b)) => a.cmp(&b),
        (Worth::Whole(a), Worth::Whole(b))
        | (Worth::Millionths(a), Worth::Millionths(b))
        | (Worth::SpanUs(a), Worth::SpanUs(b)) => a.cmp(&b),
        (Worth::Whole(a), Worth::Millionths(b)) => scaled(a).cmp(&b.into()),
        (Worth::Millionths(a), Worth::Whole(b)) => i128::from(a).cmp(&scaled(b)),
        (Worth::Text(a), Worth::Text(b)) => a.cmp(b),
        _ => return None,
    })
}

fn compare<'a>(comparison: Comparison, a: Worth<'_>, b: Worth<'_>) -> Outcome<'a> {
    let Some(order) = order(a, b) else { return UNSOUND };
    flag(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

fn is_in<'a>(needle: Outcome<'a>, options: &[Outcome<'a>]) -> Outcome<'a> {
    let equal = |option: &Outcome<'a>| both((needle, *option), |a, b| compare(Comparison::Equal, a, b));
    options.iter().fold(flag(false), |found, option| junction((found, equal(option)), true))
}

fn calculate<'a>(arithmetic: Arithmetic, a: Worth<'_>, b: Worth<'_>) -> Outcome<'a> {
    let scale = i128::from(MILLIONTHS);
    let (a, b, as_worth): (i128, i128, fn(i64) -> Worth<'a>) = match (a, b) {
        (Worth::Whole(a), Worth::Whole(b)) => (a.into(), b.into(), Worth::Whole),
        (Worth::Millionths(a), Worth::Millionths(b)) => (a.into(), b.into(), Worth::Millionths),
        (Worth::SpanUs(a), Worth::SpanUs(b)) if matches!(arithmetic, Arithmetic::Add | Arithmetic::Subtract) => {
            (a.into(), b.into(), Worth::SpanUs)
        }
        _ => return UNSOUND,
    };
    let is_decimal = as_worth(0) == Worth::Millionths(0);
    // A product of two numbers of 64 bits, and of one with a million, fits 128 bits.
    match arithmetic {
        Arithmetic::Add => within(a + b, as_worth),
        Arithmetic::Subtract => within(a - b, as_worth),
        Arithmetic::Multiply => within(if is_decimal { a * b / scale } else { a * b }, as_worth),
        Arithmetic::Divide | Arithmetic::Remainder if b == 0 => Outcome::Failed(Failure::DividedByZero),
        Arithmetic::Divide => within(if is_decimal { a * scale / b } else { a / b }, as_worth),
        Arithmetic::Remainder => within(a % b, as_worth),
    }
}

fn find<'a>(search: Search, text: Worth<'_>, wanted: Worth<'_>) -> Outcome<'a> {
    let (Worth::Text(text), Worth::Text(wanted)) = (text, wanted) else { return UNSOUND };
    flag(match search {
        Search::Contains => text.contains(wanted),
        Search::StartsWith => text.starts_with(wanted),
        Search::EndsWith => text.ends_with(wanted),
    })
}
