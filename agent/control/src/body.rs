//! What the loop carries, and one method per room.
//!
//! Answers what each room is given and where its product is kept. The rooms themselves are the layers; this file only hands
//! on. It does not know in which state the machine is.

use std::sync::Arc;

use homeostat_cognition as cognition;
use homeostat_core::{
    ActionId, Assessment, BasisPoints, Bulk, Caution, Checkpoint, Command, Event, Generation, Knowledge, Learner,
    Millis, OperatorCommand, Plan, Policy, PolicyView, Regime, Report, Settings, Snapshot, TickNumber, TickRecord,
    Timestamp,
};
use homeostat_decision as decision;
use homeostat_execution::{Execution, Gate, Step};
use homeostat_learning as learning;
use homeostat_perception::Perception;

use crate::CheckpointScope;
use crate::beside::Beside;
use crate::machine::Stimulus;
use crate::recovered::believable;

/// Reports taken per tick. Every open trial can report once, be asked once and be undone once; more are noise.
const REPORTS_MAX: usize = 16_384;

/// Operator commands taken per tick. People are slower; a script that is faster loses the surplus.
const OPERATOR_COMMANDS_MAX: usize = 256;

/// How long the loop waits for the world's answers after a restart before the deadlines of the trials decide.
const STARTING_MAX: Millis = Millis::from_secs(30);

/// A blind loop sees again only when the share of signals that are not fresh has fallen clearly below the limit.
const SEES_AGAIN_BELOW: BasisPoints = BasisPoints(8000);

/// Everything the loop carries from event to event.
pub(crate) struct Body {
    policies: &'static [&'static dyn Policy],
    learner: &'static dyn Learner,
    guards: Vec<&'static dyn decision::Guard>,
    caution: Caution,
    pub(crate) settings: Settings,
    settings_generation: Generation,
    perception: Perception,
    forecaster: cognition::Forecaster,
    assessment: Arc<Assessment>,
    pub(crate) execution: Execution,
    pub(crate) knowledge: Knowledge,
    pub(crate) beside: Option<Box<Beside>>,
    reports: Vec<Report>,
    operator: Vec<OperatorCommand>,
    held: bool,
    draining: bool,
    must_ask_world: bool,
    now: Timestamp,
    started: Option<Timestamp>,
    tick: TickNumber,
    next_action: ActionId,
}

/// What the first three rooms made of a tick.
#[derive(Clone, Copy)]
pub(crate) struct Thought<'a> {
    pub(crate) snapshot: &'a Arc<Snapshot>,
    pub(crate) assessment: &'a Arc<Assessment>,
    pub(crate) plan: &'a Arc<Plan>,
}

impl Body {
    pub(crate) fn new(policies: &'static [&'static dyn Policy], learner: &'static dyn Learner) -> Body {
        Body {
            policies,
            learner,
            guards: decision::CATALOGUE.to_vec(),
            caution: Caution::default(),
            settings: Settings::default(),
            settings_generation: Generation::default(),
            perception: Perception::default(),
            forecaster: cognition::Forecaster::default(),
            assessment: Arc::default(),
            execution: Execution::default(),
            knowledge: Knowledge::default(),
            beside: None,
            reports: Vec::new(),
            operator: Vec::new(),
            held: false,
            draining: false,
            must_ask_world: false,
            now: Timestamp::default(),
            started: None,
            tick: TickNumber::default(),
            next_action: ActionId(1),
        }
    }

    /// Takes in an event's payload and says what the machine must know of it.
    pub(crate) fn absorb(&mut self, now: Timestamp, event: Event) -> Stimulus {
        // A driver whose clock went back is not followed there: no deadline may move away again.
        self.now = self.now.max(now);
        self.started.get_or_insert(self.now);
        match event {
            Event::Observed(observations) => {
                self.perception.absorb(self.now, &observations, &self.settings.perception);
                Stimulus::Absorbed
            }
            Event::Reported(report) => {
                if self.reports.len() < REPORTS_MAX {
                    self.reports.push(report);
                }
                Stimulus::Absorbed
            }
            Event::Operator(command) => self.absorb_operator(command),
            Event::Reconfigured(settings) => {
                self.settings = *settings;
                self.settings_generation = self.settings_generation.next();
                Stimulus::Absorbed
            }
            Event::Recovered(checkpoint) => self.recover(*checkpoint),
            Event::Tick => Stimulus::Tick,
            Event::Drain => {
                self.draining = true;
                Stimulus::Drain
            }
        }
    }

    fn absorb_operator(&mut self, command: OperatorCommand) -> Stimulus {
        if self.operator.len() < OPERATOR_COMMANDS_MAX {
            self.operator.push(command.clone());
        }
        match command {
            OperatorCommand::Hold => {
                self.held = true;
                Stimulus::Hold
            }
            OperatorCommand::Resume => {
                self.held = false;
                self.caution.undone.arm_all();
                Stimulus::Resume
            }
            OperatorCommand::Arm { kind, target } => {
                self.caution.undone.arm(&kind, target.as_ref());
                Stimulus::Absorbed
            }
            OperatorCommand::Approve(_) | OperatorCommand::Reject(_) => Stimulus::Absorbed,
        }
    }

    /// Takes a guard out, so that it can be shown what it is for.
    pub(crate) fn drop_guard(&mut self, name: &str) {
        self.guards.retain(|guard| guard.name() != name);
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.held
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn caution(&self) -> &Caution {
        &self.caution
    }

    fn recover(&mut self, checkpoint: Checkpoint) -> Stimulus {
        let checkpoint = believable(checkpoint);
        self.settings = checkpoint.settings;
        self.settings_generation = checkpoint.settings_generation;
        let bulk = checkpoint.bulk.map(|bulk| *bulk).unwrap_or_default();
        self.perception = Perception::recovered(bulk.counts);
        self.assessment = Arc::new(checkpoint.assessment);
        self.execution = Execution::recovered(checkpoint.trials, checkpoint.in_force, checkpoint.ledger);
        self.caution = checkpoint.caution;
        self.knowledge = Knowledge { baselines: bulk.baselines, histories: bulk.histories, ..checkpoint.knowledge };
        self.held = checkpoint.held;
        self.must_ask_world = true;
        self.tick = checkpoint.tick;
        self.next_action = checkpoint.next_action;
        if self.held { Stimulus::Hold } else { Stimulus::Absorbed }
    }

    pub(crate) fn perceive(&mut self) -> Arc<Snapshot> {
        self.tick = self.tick.next();
        Arc::new(self.perception.freeze(self.now, &self.settings.perception))
    }

    /// Whether the loop is blind, which only the snapshot can tell.
    pub(crate) fn regime_seeing(&self, regime: Regime, snapshot: &Snapshot) -> Regime {
        let limit = self.settings.perception.blind_above;
        let clearly_below = SEES_AGAIN_BELOW.of(limit.0.into());
        match regime {
            Regime::Engaged if limit < snapshot.blindness => Regime::Blind,
            Regime::Blind if u64::from(snapshot.blindness.0) <= clearly_below => Regime::Engaged,
            regime => regime,
        }
    }

    pub(crate) fn assess(&mut self, snapshot: &Snapshot) -> Arc<Assessment> {
        let forecasts = self.forecaster.forecast(snapshot, &self.knowledge.starts, &self.settings);
        let assessment = cognition::assess(snapshot, &self.assessment, &self.settings);
        self.assessment = Arc::new(Assessment { forecasts, ..assessment });
        self.assessment.clone()
    }

    pub(crate) fn plan(&mut self, regime: Regime, snapshot: &Snapshot, assessment: &Assessment) -> Arc<Plan> {
        let approved: Vec<_> = self
            .operator
            .iter()
            .filter_map(|command| match command {
                OperatorCommand::Approve(id) => self.execution.awaiting(*id),
                _ => None,
            })
            .collect();
        let view = PolicyView {
            snapshot,
            assessment,
            knowledge: &self.knowledge,
            settings: &self.settings,
            in_force: self.execution.in_force(),
            trials: self.execution.trials(),
            ledger: self.execution.ledger(),
        };
        decision::watch(&mut self.caution, &view);
        let (policies, learner, next_action) = (self.policies, self.learner, self.next_action);
        let (guards, caution, approved) = (self.guards.as_slice(), &self.caution, approved.as_slice());
        let inputs = decision::Inputs { view, policies, learner, guards, caution, regime, next_action, approved };
        let plan = decision::plan(inputs);
        if let Some(beside) = &mut self.beside {
            let view = PolicyView { settings: &beside.settings, ..view };
            beside.plan = decision::plan(decision::Inputs { view, approved: &[], ..inputs });
        }
        self.next_action = ActionId(self.next_action.0 + plan.requests.len() as u64);
        Arc::new(plan)
    }

    pub(crate) fn execute(&mut self, regime: Regime, snapshot: &Snapshot, plan: &Plan) -> Step {
        let (now, gate, mut step) = (self.now, gate(regime), Step::default());
        if std::mem::take(&mut self.must_ask_world) {
            self.execution.ask_world(now, &mut step);
        }
        self.execution.take_reports(now, std::mem::take(&mut self.reports), &mut step);
        for command in &self.operator {
            if let OperatorCommand::Reject(id) = command {
                self.execution.decline(now, *id, &mut step);
            }
        }
        for id in &plan.approved {
            self.execution.release(now, *id, &mut step);
        }
        self.execution.advance(now, gate, snapshot, &mut step);
        self.execution.start(now, gate, plan, &self.settings, &mut step);
        step
    }

    pub(crate) fn learn(&mut self, step: &Step, thought: Thought<'_>) {
        let Thought { snapshot, assessment, plan } = thought;
        let settings = &self.settings;
        let lessons = learning::Lessons { plan, outcomes: &step.outcomes, snapshot, assessment, settings };
        learning::settle(&mut self.knowledge, lessons);
        decision::note(&mut self.caution, &step.outcomes, self.execution.ledger(), self.now);
    }

    /// Writes the record, and after it the effects it explains.
    pub(crate) fn record(&mut self, regime: Regime, thought: Thought<'_>, step: Step, commands: &mut Vec<Command>) {
        let effects = step.effects.clone();
        commands.push(Command::Record(Box::new(TickRecord {
            tick: self.tick,
            at: self.now,
            regime,
            snapshot: thought.snapshot.clone(),
            assessment: thought.assessment.clone(),
            plan: thought.plan.clone(),
            effects: step.effects,
            trials: step.changes,
            outcomes: step.outcomes,
            operator: std::mem::take(&mut self.operator),
            knowledge: self.knowledge.generation,
        })));
        commands.extend(effects.into_iter().map(Command::Effect));
    }

    pub(crate) fn regime_after_hold(&self) -> Regime {
        match (self.draining, self.is_starting()) {
            (true, _) => Regime::Draining,
            (false, true) => Regime::Starting,
            (false, false) => Regime::Engaged,
        }
    }

    pub(crate) fn regime_after(&self, regime: Regime) -> Regime {
        match regime {
            Regime::Starting if !self.is_starting() => Regime::Engaged,
            regime => regime,
        }
    }

    fn is_starting(&self) -> bool {
        let begun = self.started.unwrap_or(self.now);
        (self.must_ask_world || self.execution.is_in_doubt()) && self.now.since(begun) < STARTING_MAX
    }

    pub(crate) fn checkpoint(&self, scope: CheckpointScope) -> Checkpoint {
        let Knowledge { generation, efficacy, choices, starts, .. } = &self.knowledge;
        let (generation, efficacy, choices) = (*generation, efficacy.clone(), choices.clone());
        let bulk = || Bulk {
            counts: self.perception.counts(),
            baselines: self.knowledge.baselines.clone(),
            histories: self.knowledge.histories.clone(),
        };
        Checkpoint {
            tick: self.tick,
            next_action: self.next_action,
            held: self.held,
            assessment: (*self.assessment).clone(),
            trials: self.execution.trials().to_vec(),
            ledger: self.execution.ledger().clone(),
            caution: self.caution.clone(),
            knowledge: Knowledge { generation, efficacy, choices, starts: starts.clone(), ..Knowledge::default() },
            in_force: self.execution.in_force().clone(),
            bulk: (scope == CheckpointScope::StateAndBulk).then(|| Box::new(bulk())),
            settings: self.settings.clone(),
            settings_generation: self.settings_generation,
        }
    }
}

/// Only an engaged loop emits; one that drains finishes what it began.
const fn gate(regime: Regime) -> Gate {
    match regime {
        Regime::Engaged => Gate::Open,
        Regime::Draining => Gate::FinishOnly,
        Regime::Starting | Regime::Holding | Regime::Blind => Gate::Closed,
    }
}
