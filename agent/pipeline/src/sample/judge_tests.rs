//! Tests of the judge: which rule keeps what.

use homeostat_core::Seed;
use rand::Rng;

use super::*;
use crate::sample::shape::{Node, Shaper};
use crate::sample::threshold::Randomness;
