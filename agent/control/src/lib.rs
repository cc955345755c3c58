//! The loop. Event in, commands out; no async, no clock, no I/O.

use homeostat_core::{Checkpoint, Command, Event, InForce, Knowledge, Policy, Regime, Settings, Timestamp, Trial};

/// Whether a checkpoint carries the long windows, which are large and change slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointScope {
    /// Everything but the request counts.
    State,
    /// Everything.
    StateAndCounts,
}

/// The loop.
pub struct ControlLoop {
    policies: &'static [&'static dyn Policy],
    settings: Settings,
    in_force: InForce,
    knowledge: Knowledge,
    trials: Vec<Trial>,
}

impl ControlLoop {
    /// A loop that has seen nothing, with these policies in this order.
    pub fn new(policies: &'static [&'static dyn Policy]) -> ControlLoop {
        ControlLoop {
            policies,
            settings: Settings::default(),
            in_force: InForce::default(),
            knowledge: Knowledge::default(),
            trials: Vec::new(),
        }
    }

    /// Takes one event; returns what is to be carried out, in order.
    pub fn handle(&mut self, _now: Timestamp, _event: Event) -> Vec<Command> {
        let _ = self.policies;
        Vec::new()
    }

    /// What the loop carries from tick to tick.
    pub fn checkpoint(&self, _scope: CheckpointScope) -> Checkpoint {
        Checkpoint::default()
    }

    /// The regime the next tick will run in.
    pub fn regime(&self) -> Regime {
        Regime::Starting
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is set in the world.
    pub fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// What was learned.
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// Open trials.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }
}
