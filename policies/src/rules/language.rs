//! The language of conditions: a part of CEL, Kubernetes' Common Expression Language.
//!
//! Answers what a text means, as steps, or everything that is wrong with it and where. Evaluates nothing. The part is what
//! needs no loops: comparisons, `&&`, `||`, `!`, `? :`, arithmetic, `in` a list that is written down, `has()`, and searches in
//! texts. It is read here and not by the `cel` crate, because that crate's parser overflows the stack of the whole process on
//! 95 nested brackets and needs minutes for a sum of two thousand numbers, and a rule file must never do either to an agent.
//! Types are checked while reading, so a rule that is taken has them right.

mod meaning;
mod nearest;
mod parse;
mod token;

pub use nearest::nearest;

use homeostat_core::Condition;

/// Brackets, operators and choices within one another. Deeper is not written by people.
const DEPTH_MAX: usize = 32;

/// Flaws that are told of one text; nobody reads further.
const FLAWS_MAX: usize = 20;

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The byte at which it begins.
    pub start: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Functions of the language, as they are written.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("has(x)", "whether the variable x is known and fresh"),
    ("stale(x)", "whether x was known once and is too old now"),
    ("worst(x)", "x, or where it is stale the worst it may have become since"),
    ("a.?b.orValue(y)", "a.b where it is fresh, else y"),
    ("duration(\"1m30s\")", "a span of time"),
    ("double(n)", "the whole number n as a decimal one"),
    ("int(n)", "the decimal number n, cut off to a whole one"),
    ("t.contains(s)", "whether the text s stands in t"),
    ("t.startsWith(s)", "whether t begins with s"),
    ("t.endsWith(s)", "whether t ends with s"),
];

/// Reads a condition.
pub fn read(text: &str) -> Result<Condition, Vec<Flaw>> {
    if Condition::TEXT_MAX < text.len() {
        let what = format!("longer than {} bytes; write several rules", Condition::TEXT_MAX);
        return Err(vec![Flaw { start: 0, what }]);
    }
    let steps = parse::parse(text)?;
    Ok(Condition { text: text.to_owned(), steps })
}

#[cfg(test)]
mod tests;
