//! The states of the loop and the transitions between them; nothing else.
//!
//! Answers in which room of a tick, or in which regime between ticks, the loop is. Between ticks it rests in the state of its
//! regime, where everything but a tick is absorbed. A tick passes through the five rooms, each of which owns what the room
//! before handed on, so no room can be entered without its input. Regimes are states rather than superstates of the rooms
//! because the plan is computed identically in all of them: a room must not know the regime, only carry it.

use std::sync::Arc;

use homeostat_core::{Assessment, Command, Plan, Regime, Snapshot};
use homeostat_execution::Step;
use statig::prelude::*;

use crate::body::{Body, Thought};

/// What the machine is told. The payload of an event is absorbed before, so that a handler only chooses a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stimulus {
    /// Observations, reports, settings, approvals: absorbed, nothing to do.
    Absorbed,
    /// The kill switch was thrown.
    Hold,
    /// The kill switch was released.
    Resume,
    /// Finish and begin nothing.
    Drain,
    /// Think.
    Tick,
    /// Go on to the next room.
    Proceed,
}

/// The machine has no data of its own: rooms own theirs, the rest is the body's.
#[derive(Debug)]
pub(crate) struct Machine;

/// What handlers work on.
pub(crate) struct Moment<'a> {
    pub(crate) body: &'a mut Body,
    pub(crate) commands: &'a mut Vec<Command>,
}

#[state_machine(initial = "State::starting()", state(derive(Debug)), superstate(derive(Debug)))]
impl Machine {
    /// After a start, until the world's state is known for every trial in doubt.
    /// `Tick` → `perceiving`; `Hold` → `holding`; `Drain` → `draining`.
    #[state(superstate = "resting")]
    fn starting(event: &Stimulus) -> Outcome<State> {
        match event {
            Stimulus::Tick => Transition(State::perceiving(Regime::Starting)),
            _ => Super,
        }
    }

    /// The kill switch is thrown. `Tick` → `perceiving`; `Resume` → `engaged`, or `starting` if still in doubt, or
    /// `draining` if that had begun; `Drain` → `draining`.
    #[state(superstate = "resting")]
    fn holding(context: &mut Moment<'_>, event: &Stimulus) -> Outcome<State> {
        match event {
            Stimulus::Tick => Transition(State::perceiving(Regime::Holding)),
            Stimulus::Resume => Transition(at_rest(context.body.regime_after_hold())),
            _ => Super,
        }
    }

    /// Too much of the last snapshot was not fresh. `Tick` → `perceiving`; `Hold` → `holding`; `Drain` → `draining`.
    #[state(superstate = "resting")]
    fn blind(event: &Stimulus) -> Outcome<State> {
        match event {
            Stimulus::Tick => Transition(State::perceiving(Regime::Blind)),
            _ => Super,
        }
    }

    /// Perceiving and acting. `Tick` → `perceiving`; `Hold` → `holding`; `Drain` → `draining`.
    #[state(superstate = "resting")]
    fn engaged(event: &Stimulus) -> Outcome<State> {
        match event {
            Stimulus::Tick => Transition(State::perceiving(Regime::Engaged)),
            _ => Super,
        }
    }

    /// Shutting down. `Tick` → `perceiving`; `Hold` → `holding`. Nothing leads back to acting.
    #[state(superstate = "resting")]
    fn draining(event: &Stimulus) -> Outcome<State> {
        match event {
            Stimulus::Tick => Transition(State::perceiving(Regime::Draining)),
            _ => Super,
        }
    }

    /// Between ticks. `Hold` → `holding`; `Drain` → `draining`; all else is absorbed.
    #[superstate]
    fn resting(event: &Stimulus) -> Outcome<State> {
        match event {
            Stimulus::Hold => Transition(State::holding()),
            Stimulus::Drain => Transition(State::draining()),
            _ => Handled,
        }
    }

    /// First room: freezes what is known. `Proceed` → `assessing`.
    #[state(superstate = "thinking")]
    fn perceiving(regime: &Regime, context: &mut Moment<'_>, event: &Stimulus) -> Outcome<State> {
        match event {
            Stimulus::Proceed => {
                let snapshot = context.body.perceive();
                let regime = context.body.regime_seeing(*regime, &snapshot);
                Transition(State::assessing(regime, snapshot))
            }
            _ => Super,
        }
    }

    /// Second room: says what is wrong. `Proceed` → `deciding`.
    #[state(superstate = "thinking")]
    fn assessing(
        regime: &Regime,
        snapshot: &Arc<Snapshot>,
        context: &mut Moment<'_>,
        event: &Stimulus,
    ) -> Outcome<State> {
        match event {
            Stimulus::Proceed => {
                let assessment = context.body.assess(snapshot);
                Transition(State::deciding(*regime, snapshot.clone(), assessment))
            }
            _ => Super,
        }
    }

    /// Third room: plans. `Proceed` → `executing`.
    #[state(superstate = "thinking")]
    fn deciding(
        regime: &Regime,
        snapshot: &Arc<Snapshot>,
        assessment: &Arc<Assessment>,
        context: &mut Moment<'_>,
        event: &Stimulus,
    ) -> Outcome<State> {
        match event {
            Stimulus::Proceed => {
                let plan = context.body.plan(*regime, snapshot, assessment);
                Transition(State::executing(*regime, snapshot.clone(), assessment.clone(), plan))
            }
            _ => Super,
        }
    }

    /// Fourth room: moves trials and begins new ones. `Proceed` → `learning`.
    #[state(superstate = "thinking")]
    fn executing(
        regime: &Regime,
        snapshot: &Arc<Snapshot>,
        assessment: &Arc<Assessment>,
        plan: &Arc<Plan>,
        context: &mut Moment<'_>,
        event: &Stimulus,
    ) -> Outcome<State> {
        match event {
            Stimulus::Proceed => {
                let step = context.body.execute(*regime, snapshot, plan);
                Transition(State::learning(*regime, snapshot.clone(), assessment.clone(), plan.clone(), step))
            }
            _ => Super,
        }
    }

    /// Fifth room: learns and writes the record. `Proceed` → at rest in the regime that follows.
    #[state(superstate = "thinking")]
    fn learning(
        regime: &Regime,
        snapshot: &Arc<Snapshot>,
        assessment: &Arc<Assessment>,
        plan: &Arc<Plan>,
        step: &mut Step,
        context: &mut Moment<'_>,
        event: &Stimulus,
    ) -> Outcome<State> {
        match event {
            Stimulus::Proceed => {
                let step = std::mem::take(step);
                let thought = Thought { snapshot, assessment, plan };
                context.body.learn(&step, thought);
                context.body.record(*regime, thought, step, context.commands);
                Transition(at_rest(context.body.regime_after(*regime)))
            }
            _ => Super,
        }
    }

    /// Inside a tick. Nothing but `Proceed` can arrive, because a tick runs to completion within one event.
    #[superstate]
    fn thinking(event: &Stimulus) -> Outcome<State> {
        unreachable!("{event:?} inside a tick")
    }
}

/// The state in which the loop rests in `regime`.
fn at_rest(regime: Regime) -> State {
    match regime {
        Regime::Starting => State::starting(),
        Regime::Holding => State::holding(),
        Regime::Blind => State::blind(),
        Regime::Engaged => State::engaged(),
        Regime::Draining => State::draining(),
    }
}

/// Whether the machine is between ticks.
pub(crate) fn is_at_rest(state: &State) -> bool {
    !matches!(
        state,
        State::Perceiving { .. }
            | State::Assessing { .. }
            | State::Deciding { .. }
            | State::Executing { .. }
            | State::Learning { .. }
    )
}

/// The regime of a state.
pub(crate) fn regime(state: &State) -> Regime {
    match state {
        State::Starting {} => Regime::Starting,
        State::Holding {} => Regime::Holding,
        State::Blind {} => Regime::Blind,
        State::Engaged {} => Regime::Engaged,
        State::Draining {} => Regime::Draining,
        State::Perceiving { regime, .. }
        | State::Assessing { regime, .. }
        | State::Deciding { regime, .. }
        | State::Executing { regime, .. }
        | State::Learning { regime, .. } => *regime,
    }
}

#[cfg(test)]
mod tests;
