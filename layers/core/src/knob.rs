//! Knobs.
//!
//! Answers which quantities an actuation sets, and whether a change turns one up or down. Guards and checkers compare changes
//! by knob, because two kinds of action may turn the same one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Actuation, Parameter};

/// One quantity of a target that an actuation sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Knob {
    /// How many instances run.
    Replicas,
    /// The probability that an SDK starts a trace, in parts per million.
    HeadSampling,
    /// The probability that an ordinary trace is kept, in parts per million.
    TailSampling,
    /// A parameter of the service, in the unit of its indicator.
    Parameter(Parameter),
}

/// One knob was turned, or is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Which one.
    pub knob: Knob,
    /// Where it stood.
    pub from: u64,
    /// Where it was set.
    pub to: u64,
}

/// Which way a knob is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To a higher value.
    Up,
    /// To a lower value.
    Down,
}

impl Turn {
    /// The turns from one actuation to another: every knob that both set, moved or not.
    pub fn between(from: &Actuation, to: &Actuation) -> Vec<Turn> {
        let before = from.levels();
        let level = |knob| before.iter().find(|(known, _)| *known == knob).map(|(_, level)| *level);
        to.levels().into_iter().filter_map(|(knob, to)| Some(Turn { knob, from: level(knob)?, to })).collect()
    }

    /// Which way; none if it stays where it was.
    pub fn way(&self) -> Option<Way> {
        match self.from.cmp(&self.to) {
            std::cmp::Ordering::Less => Some(Way::Up),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Way::Down),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Up => "up",
            Way::Down => "down",
        })
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Knob::Replicas => f.write_str("replicas"),
            Knob::HeadSampling => f.write_str("head sampling"),
            Knob::TailSampling => f.write_str("tail sampling"),
            Knob::Parameter(parameter) => write!(f, "{parameter}"),
        }
    }
}
