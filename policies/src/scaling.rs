//! What scaling policies share.
//!
//! Answers how a number is said in replicas. Does not know how many are wanted.

use homeostat_core::Replicas;

/// As many replicas, or as many as can be said.
pub(crate) fn replicas(number: u64) -> Replicas {
    Replicas(u32::try_from(number).unwrap_or(u32::MAX))
}
