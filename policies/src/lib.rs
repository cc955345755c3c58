//! Coded policies.

use homeostat_core::Policy;

/// The catalogue: every coded policy, in the order in which they propose.
pub const CATALOGUE: &[&dyn Policy] = &[];
