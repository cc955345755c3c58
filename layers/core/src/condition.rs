//! Conditions of operator rules.
//!
//! Answers what a condition is once it has been read: a short list of steps over typed variables, in the order in which a
//! stack machine takes them. Does not evaluate them; that is the policy's. The steps are kept rather than the text, so that a
//! journal means the same after the reader of the language has changed, and so that no pure room needs a parser. Numbers with
//! a decimal point are millionths: they compare and hash, and a threshold is crossed at the same value on every machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Millionths in one.
pub const MILLIONTHS: i64 = 1_000_000;

/// What must be true for a rule to propose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What a person wrote.
    pub text: String,
    /// What it means.
    pub steps: Vec<Step>,
}

impl Condition {
    /// Steps of one condition. A screenful of text has fewer than a hundred.
    pub const STEPS_MAX: usize = 256;

    /// Bytes of its text.
    pub const TEXT_MAX: usize = 4096;
}

/// One step. Takes its operands from the stack, the last one first, and leaves one value there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A value that was written down.
    Constant(Value),
    /// What is known of a variable now.
    Read(Variable),
    /// Whether a variable is fresh.
    IsFresh(Variable),
    /// Whether a variable was known once and is too old now.
    IsStale(Variable),
    /// A variable's value, pessimistically projected when stale.
    WorstCase(Variable),
    /// The first of two values, or the second where the first is not known.
    OrElse,
    /// The opposite.
    Not,
    /// Both.
    And,
    /// Either.
    Or,
    /// The second value where the first is true, else the third.
    Choose,
    /// Compares two values.
    Compare(Comparison),
    /// Computes with two values.
    Calculate(Arithmetic),
    /// The negative.
    Negate,
    /// Whether a value is among the last so many.
    IsIn(u16),
    /// Looks for the second text in the first.
    Search(Search),
    /// A whole number as a decimal one.
    ToDecimal,
    /// A decimal number as a whole one, cut off towards zero.
    ToWhole,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A decimal number, in millionths.
    Millionths(i64),
    /// A span of time in microseconds.
    SpanUs(i64),
    /// A text.
    Text(String),
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// True or false.
    Flag,
    /// A whole number.
    Whole,
    /// A decimal number.
    Decimal,
    /// A span of time.
    Span,
    /// A text.
    Text,
}

impl Value {
    /// What it is.
    pub const fn value_type(&self) -> ValueType {
        match self {
            Value::Flag(_) => ValueType::Flag,
            Value::Whole(_) => ValueType::Whole,
            Value::Millionths(_) => ValueType::Decimal,
            Value::SpanUs(_) => ValueType::Span,
            Value::Text(_) => ValueType::Text,
        }
    }
}

impl fmt::Display for ValueType {
    /// As the language calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueType::Flag => "bool",
            ValueType::Whole => "int",
            ValueType::Decimal => "double",
            ValueType::Span => "duration",
            ValueType::Text => "string",
        })
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// How two values are computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// Where a text is looked for in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Search {
    /// Anywhere.
    Contains,
    /// At its start.
    StartsWith,
    /// At its end.
    EndsWith,
}

macro_rules! variables {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $kind:ident, $about:literal;)*) => {
        /// What a condition can read: of the service it is asked about, of the incident that touches it, and of the time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Variable {
            $(#[doc = $about] $name,)*
        }

        impl Variable {
            /// Every variable, in the order in which they are documented.
            pub const ALL: &[Variable] = &[$(Variable::$name),*];

            /// Its name in the language.
            pub const fn name(self) -> &'static str {
                match self { $(Variable::$name => $text,)* }
            }

            /// What its values are.
            pub const fn value_type(self) -> ValueType {
                match self { $(Variable::$name => ValueType::$kind,)* }
            }

            /// What it says, for people.
            pub const fn about(self) -> &'static str {
                match self { $(Variable::$name => $about,)* }
            }
        }
    };
}

variables! {
    ServiceName, "service.name", Text, "`service.name`; always known";
    Utilization, "service.utilization", Decimal, "share of its capacity in use, mean of five seconds: 0.8 is 80 %";
    LatencyP50, "service.latency_p50", Span, "median latency of the last interval";
    LatencyP99, "service.latency_p99", Span, "99th percentile of latency of the last interval";
    RequestsPerSecond, "service.requests_per_second", Decimal, "requests that enter it";
    ErrorsPerSecond, "service.errors_per_second", Decimal, "requests that fail";
    SlowPerSecond, "service.slow_per_second", Decimal, "requests slower than its latency objective";
    ErrorRatio, "service.error_ratio", Decimal, "share of the last 15 s' requests that failed; missing without requests";
    SlowRatio, "service.slow_ratio", Decimal, "share of the last 15 s' requests that were slow; missing without requests";
    Replicas, "service.replicas", Whole, "instances now serving";
    ReplicasMin, "service.replicas_min", Whole, "the fewest the manifest allows; missing where nothing may be scaled";
    ReplicasMax, "service.replicas_max", Whole, "the most the manifest allows; missing where nothing may be scaled";
    SpansReceivedPerSecond, "service.spans_received_per_second", Decimal, "spans of it that arrive";
    SpansKeptPerSecond, "service.spans_kept_per_second", Decimal, "spans of it that are kept";
    Sampling, "service.sampling", Decimal, "the probability in force with which its ordinary traces are kept; always known";
    AvailabilityBurn, "burn_rate.availability", Decimal, "how many times faster than allowed failures use up its error budget, over five minutes; missing without requests";
    LatencyBurn, "burn_rate.latency", Decimal, "the same of slow requests";
    AvailabilityBurnHour, "burn_rate.availability_1h", Decimal, "the same of failures, over an hour";
    LatencyBurnHour, "burn_rate.latency_1h", Decimal, "the same of slow requests, over an hour";
    IncidentKind, "incident.kind", Text, "kind of the open incident that suspects or touches it, such as latency_burn, availability_burn or saturation; missing without one";
    IncidentSeverity, "incident.severity", Text, "how loud it is: page or ticket";
    IncidentAge, "incident.age", Span, "since when it is open";
    IncidentSuspect, "incident.suspect", Text, "the service it suspects; missing while it suspects none";
    IncidentIsSuspect, "incident.is_suspect", Flag, "whether it suspects this service";
    Hour, "time.hour", Whole, "hour of the day in UTC, 0 to 23; always known";
    Minute, "time.minute", Whole, "minute of the hour, 0 to 59; always known";
    DayOfWeek, "time.day_of_week", Whole, "day of the week in UTC, 0 is Sunday; always known";
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
