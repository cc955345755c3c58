//! Coded policies: what is known and wrong in, proposals out.
//!
//! Answers what could be done. Policies see neither guards nor execution: they propose what would help, and whether it may
//! be done now is somebody else's word. One file and one line each; order is the order in which ties break.

mod announce;
pub mod brownout;
pub mod goals;
mod mass_failure;
pub mod precision;
mod predictive_scaling;
mod profile_suspect;
mod restart_wedged;
pub mod sampling_budget;
mod scaling;
mod shed_load;
mod target_tracking;

#[cfg(test)]
mod testing;

use homeostat_core::Policy;

/// Every coded policy, in the order in which they propose.
pub const CATALOGUE: &[&dyn Policy] = &[
    &predictive_scaling::PREDICTIVE_SCALING,
    &target_tracking::TARGET_TRACKING,
    &restart_wedged::RESTART_WEDGED,
    &shed_load::SHED_LOAD,
    &sampling_budget::SAMPLING_BUDGET,
    &profile_suspect::PROFILE_SUSPECT,
    &mass_failure::MASS_FAILURE,
    &announce::ANNOUNCE,
];
