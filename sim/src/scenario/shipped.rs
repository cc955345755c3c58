//! The shipped scenarios.
//!
//! Answers which scenarios the binary can run by name. They are built in, so that a binary alone can prove itself.

use crate::scenario::{Scenario, ScenarioError};

macro_rules! shipped {
    ($($name:literal,)*) => {
        /// Names and texts of the scenarios in `tests/scenarios`.
        pub const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../tests/scenarios/", $name, ".yaml"))),)*
        ];
    };
}

shipped! {
    "steady_state",
    "starved_service",
    "traffic_step",
    "burst_under_budget",
    "scarce_goals",
    "failing_dependency",
    "lost_reports",
    "blind_sensors",
    "crash_in_trial",
    "kill_switch",
    "wedged_instance",
    "restart_in_vain",
    "slow_is_not_wedged",
    "overload_at_ceiling",
    "capacity_before_shedding",
    "dearer_work",
    "retry_storm",
    "cache_cold_start",
    "pool_exhaustion",
    "noisy_neighbour",
    "cold_start_scale_out",
    "replica_loss",
    "late_sensor",
    "frozen_sensor",
    "wrong_sensor",
    "contradictory_sensor",
    "failing_actuator",
    "lying_actuator",
    "partial_actuator",
}

/// The shipped scenario called `name`.
pub fn shipped(name: &str) -> Result<Scenario, ScenarioError> {
    let Some((name, text)) = SHIPPED.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        return Err(ScenarioError::Unknown { name: name.to_owned(), known: known.join(", ") });
    };
    Scenario::parse(name, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: everything in `tests/scenarios`.
    /// Guarantees: each file is built in under its name, and each is valid.
    #[test]
    fn every_scenario_file_is_shipped_and_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/scenarios");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let mut names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(files, names, "add the file's name to the list in sim/src/scenario/shipped.rs");
        for name in names {
            shipped(name).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    /// Scenario: a name nobody knows.
    /// Guarantees: the error lists the names there are.
    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        assert!(shipped("nothing").unwrap_err().to_string().contains("steady_state"));
    }
}
