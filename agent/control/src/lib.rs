//! The loop: event in, commands out; no async, no clock, no I/O.
//!
//! ```text
//!            Observed, Reported, Operator            absorbed at any time; trigger nothing
//!                        │
//!  Tick ─▶ perceiving ─▶ assessing ─▶ deciding ─▶ executing ─▶ learning ─▶ at rest, in one regime
//!           Snapshot      Assessment   Plan        Effects      Knowledge     starting · holding · blind · engaged · draining
//! ```
//!
//! Answers what is to be carried out, given everything that has happened. The live driver and the simulator are two small
//! programs around [`ControlLoop::handle`]. Same events in the same order give the same commands, byte for byte. It is a
//! library of its own, and not part of the binary, so that nothing impure can slip in.

mod beside;
mod body;
mod following;
mod machine;
mod recovered;

use homeostat_core::{
    Caution, Checkpoint, Command, Event, InForce, Knowledge, Learner, Plan, Policy, Regime, Settings, Timestamp, Trial,
};
use statig::prelude::*;

pub use homeostat_cognition::{PERIOD, RULES, Rule, goals};
pub use homeostat_learning::{LOSS_MAX, evaluation};

pub use crate::beside::Planned;
pub use crate::following::Following;

use crate::beside::Beside;
use crate::body::Body;
use crate::machine::{Machine, Moment, Stimulus};

/// Steps of the machine that one event may cause: five rooms, and the way in and out.
const STEPS_PER_EVENT_MAX: usize = 7;

/// Whether a checkpoint carries its bulk, which is large and changes slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointScope {
    /// Everything but the bulk.
    State,
    /// Everything.
    StateAndBulk,
}

/// The names of the guards, in the order in which they are asked.
pub fn guard_names() -> impl Iterator<Item = &'static str> {
    homeostat_decision::CATALOGUE.iter().map(|guard| guard.name())
}

/// The loop.
pub struct ControlLoop {
    machine: statig::blocking::StateMachine<Machine>,
    body: Body,
}

impl ControlLoop {
    /// A loop that has seen nothing, with these policies in this order.
    pub fn new(policies: &'static [&'static dyn Policy]) -> ControlLoop {
        ControlLoop::with_learner(policies, &homeostat_learning::LINEAR_BANDIT)
    }

    /// A loop that asks another learner than the one that ships.
    pub fn with_learner(policies: &'static [&'static dyn Policy], learner: &'static dyn Learner) -> ControlLoop {
        ControlLoop { machine: Machine.state_machine(), body: Body::new(policies, learner) }
    }

    /// The same loop, which also plans every tick as if people wanted `settings`, and does not act on that.
    #[must_use]
    pub fn beside(mut self, settings: Settings) -> ControlLoop {
        self.body.beside = Some(Box::new(Beside { settings, plan: Plan::default() }));
        self
    }

    /// What would have been planned at the last tick, if [`Self::beside`] was asked for.
    pub fn planned_beside(&self) -> Option<&Plan> {
        self.body.beside.as_ref().map(|beside| &beside.plan)
    }

    /// The same loop without the guard called `name`. Only for those who show what a guard is for: an agent has them all.
    #[must_use]
    pub fn without_guard(mut self, name: &str) -> ControlLoop {
        self.body.drop_guard(name);
        self
    }

    /// Takes one event; returns what is to be carried out, in order.
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        let mut stimulus = self.body.absorb(now, event);
        let mut commands = Vec::new();
        for _ in 0..STEPS_PER_EVENT_MAX {
            let mut moment = Moment { body: &mut self.body, commands: &mut commands };
            self.machine.handle_with_context(&stimulus, &mut moment);
            if machine::is_at_rest(self.machine.state()) {
                break;
            }
            stimulus = Stimulus::Proceed;
        }
        assert!(machine::is_at_rest(self.machine.state()), "a tick runs to completion within one event");
        commands
    }

    /// What the loop carries from tick to tick.
    pub fn checkpoint(&self, scope: CheckpointScope) -> Checkpoint {
        self.body.checkpoint(scope)
    }

    /// The regime the next tick will begin in.
    pub fn regime(&self) -> Regime {
        machine::regime(self.machine.state())
    }

    /// Whether an operator holds it.
    pub fn is_held(&self) -> bool {
        self.body.is_held()
    }

    /// The latest time it was told.
    pub fn now(&self) -> Timestamp {
        self.body.now()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.body.settings
    }

    /// What is set in the world.
    pub fn in_force(&self) -> &InForce {
        self.body.execution.in_force()
    }

    /// What guards remember.
    pub fn caution(&self) -> &Caution {
        self.body.caution()
    }

    /// What was learned.
    pub fn knowledge(&self) -> &Knowledge {
        &self.body.knowledge
    }

    /// Open trials, oldest first.
    pub fn trials(&self) -> &[Trial] {
        self.body.execution.trials()
    }
}
