//! Execution: a plan and reports in, effects and outcomes out.
//!
//! Answers where every action in flight stands and what must be sent to the outside now. Chooses nothing: values, deadlines
//! and the way back were decided in the plan. A trial is data, so the loop never waits for one.

mod judge;

use homeostat_core::actions::{self, ActionKind};
use homeostat_core::{
    ActionId, ActionRequest, Actuation, Autonomy, Effect, Expected, InForce, Indicator, Ledger, LedgerEntry, Millis,
    Outcome, Plan, Report, ReportKind, Settings, Snapshot, Timestamp, Trial, TrialChange, TrialStage, TrialState,
    Verdict,
};

/// Times the way back is sent before it is given up.
const UNDO_ATTEMPTS_MAX: u32 = 3;

/// How long the outside may take to say how it stands.
const READ_BACK_WITHIN: Millis = Millis::from_secs(10);

/// Trials open at once: every target with every kind of action, for a thousand targets. More are not begun.
const TRIALS_MAX: usize = 4096;

/// Whether effects may be sent at this tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// Only to finish what is open; nothing is begun.
    FinishOnly,
    /// No. Reports are taken, deadlines wait.
    Closed,
}

/// What one tick of execution brought.
#[derive(Debug, Default)]
pub struct Step {
    /// To be sent to the outside, in order.
    pub effects: Vec<Effect>,
    /// How trials moved.
    pub changes: Vec<TrialChange>,
    /// What became of those that ended.
    pub outcomes: Vec<Outcome>,
}

/// All actions in flight, and what is set as far as the world has confirmed it.
#[derive(Debug, Default)]
pub struct Execution {
    trials: Vec<Trial>,
    in_force: InForce,
    ledger: Ledger,
}

impl Execution {
    /// Continues with what an earlier process had in flight.
    pub fn recovered(mut trials: Vec<Trial>, in_force: InForce, ledger: Ledger) -> Execution {
        trials.sort_by_key(|trial| trial.request.id);
        Execution { trials, in_force, ledger }
    }

    /// Open trials, oldest first.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// What is set.
    pub fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// What was decided lately.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Asks how the world stands for every trial whose effect is in doubt after a restart.
    pub fn ask_world(&mut self, now: Timestamp, step: &mut Step) {
        for trial in &mut self.trials {
            if let TrialState::Requested { deadline, asked } = &mut trial.state {
                (*deadline, *asked) = (now + READ_BACK_WITHIN, true);
                let (id, actuation) = (trial.request.id, trial.request.action.actuation.clone());
                step.effects.push(Effect::ReadBack { id, actuation });
            }
        }
    }

    /// Whether the answer to [`Self::ask_world`] is still out for some trial.
    pub fn is_in_doubt(&self) -> bool {
        self.trials.iter().any(|trial| matches!(trial.state, TrialState::Requested { asked: true, .. }))
    }

    /// Takes what the outside reported since the last tick.
    pub fn take_reports(&mut self, now: Timestamp, reports: Vec<Report>, step: &mut Step) {
        for report in reports {
            // Ids grow, so trials are in their order.
            let Ok(place) = self.trials.binary_search_by_key(&report.id, |trial| trial.request.id) else { continue };
            let trial = &mut self.trials[place];
            let complaint = match &report.kind {
                ReportKind::Failed { why } => Some(why.clone()),
                _ => None,
            };
            if let Some(state) = after_report(now, trial, report.kind) {
                note_in_force(&mut self.in_force, trial, &state);
                enter(trial, state, Measured { complaint, ..Measured::default() }, step);
            }
        }
        self.drop_judged();
    }

    /// A person said no to `id`.
    pub fn decline(&mut self, now: Timestamp, id: ActionId, step: &mut Step) {
        let asked =
            |trial: &&mut Trial| matches!(trial.state, TrialState::AwaitingApproval { .. }) && trial.request.id == id;
        if let Some(trial) = self.trials.iter_mut().find(asked) {
            enter(trial, judged(now, Verdict::Declined), Measured::default(), step);
        }
        self.drop_judged();
    }

    /// The request that waits for a person under `id`.
    pub fn awaiting(&self, id: ActionId) -> Option<&ActionRequest> {
        let waits =
            |trial: &&Trial| matches!(trial.state, TrialState::AwaitingApproval { .. }) && trial.request.id == id;
        self.trials.iter().find(waits).map(|trial| &trial.request)
    }

    /// A person said yes to `id`, and the guards still agree.
    pub fn release(&mut self, now: Timestamp, id: ActionId, step: &mut Step) {
        let Some(trial) = self.trials.iter_mut().find(|trial| trial.request.id == id) else { return };
        let deadline = now + kind_of(&trial.request).apply_within;
        enter(trial, TrialState::Requested { deadline, asked: false }, Measured::default(), step);
        step.effects.push(Effect::Apply { id, actuation: trial.request.action.actuation.clone() });
        // It was decided long ago; what rests, and what is spent, counts from now on.
        self.ledger.enter(LedgerEntry { at: now, ..entry(&trial.request) });
    }

    /// Moves every trial whose time has come.
    pub fn advance(&mut self, now: Timestamp, gate: Gate, snapshot: &Snapshot, step: &mut Step) {
        for trial in &mut self.trials {
            if let Some(change) = due(now, gate, trial, snapshot) {
                enter(trial, change.state, change.measured, step);
                step.effects.extend(change.effect);
            }
        }
        self.drop_judged();
    }

    /// Begins what the plan requests, as far as autonomy lets it.
    pub fn start(&mut self, now: Timestamp, gate: Gate, plan: &Plan, settings: &Settings, step: &mut Step) {
        for request in &plan.requests {
            assert!(gate == Gate::Open, "a plan has requests only when the agent may act");
            if self.trials.len() == TRIALS_MAX {
                break;
            }
            self.ledger.enter(entry(request));
            self.begin(now, request, settings, step);
        }
        self.drop_judged();
    }

    fn begin(&mut self, now: Timestamp, request: &ActionRequest, settings: &Settings, step: &mut Step) {
        let approval_expires = settings.autonomy.approval_expires;
        let state = match settings.autonomy_of(&request.action) {
            Autonomy::Observe => judged(now, Verdict::NotActed),
            Autonomy::Approve => TrialState::AwaitingApproval { expires: now + approval_expires },
            Autonomy::Act => TrialState::Requested { deadline: now + kind_of(request).apply_within, asked: false },
        };
        if let TrialState::Requested { .. } = state {
            step.effects.push(Effect::Apply { id: request.id, actuation: request.action.actuation.clone() });
        }
        let trial = Trial { request: request.clone(), state };
        step.changes.push(change(&trial, None));
        if let TrialState::Judged { verdict, .. } = trial.state {
            step.outcomes.push(outcome(&trial, verdict, Measured::default()));
        }
        self.trials.push(trial);
    }

    fn drop_judged(&mut self) {
        self.trials.retain(Trial::is_open);
    }
}

/// What was measured or complained of when a trial moved.
#[derive(Debug, Default)]
struct Measured {
    after: Option<u64>,
    expected: Option<Expected>,
    complaint: Option<String>,
}

/// Where a trial goes because its time has come, and what must be sent.
struct Due {
    state: TrialState,
    measured: Measured,
    effect: Option<Effect>,
}

fn due(now: Timestamp, gate: Gate, trial: &Trial, snapshot: &Snapshot) -> Option<Due> {
    match &trial.state {
        TrialState::AwaitingApproval { expires } if *expires <= now => Some(ended(judged(now, Verdict::Declined))),
        _ if gate == Gate::Closed => None,
        TrialState::Requested { deadline, .. } if *deadline <= now && is_seen(&trial.request, snapshot) => {
            Some(ended(settling(now, &trial.request)))
        }
        TrialState::Requested { deadline, asked: false } if *deadline <= now => Some(ask(now, &trial.request)),
        TrialState::Requested { deadline, asked: true } if *deadline <= now => {
            Some(undo(now, trial, Verdict::Failed, 1))
        }
        TrialState::Settling { until, .. } if *until <= now => {
            let (verdict, measured) = judge::judge(&trial.request, snapshot, now);
            match verdict {
                Verdict::Undone => Some(Due { measured, ..undo(now, trial, verdict, 1) }),
                _ => Some(Due { measured, ..ended(judged(now, verdict)) }),
            }
        }
        TrialState::Undoing { deadline, attempts, because } if *deadline <= now => {
            if *attempts < UNDO_ATTEMPTS_MAX {
                return Some(undo(now, trial, *because, attempts + 1));
            }
            let complaint = Some(format!("the way back was sent {attempts} times and never confirmed"));
            let measured = Measured { complaint, ..Measured::default() };
            Some(Due { measured, ..ended(judged(now, Verdict::Failed)) })
        }
        _ => None,
    }
}

fn after_report(now: Timestamp, trial: &Trial, report: ReportKind) -> Option<TrialState> {
    match (&trial.state, report) {
        (TrialState::Requested { .. }, ReportKind::Applied) => Some(settling(now, &trial.request)),
        (TrialState::Requested { .. }, ReportKind::Failed { .. }) => Some(judged(now, Verdict::Failed)),
        (TrialState::Requested { .. }, ReportKind::ReadBack { actual: Some(actual) }) => {
            // What is neither there nor as it was before has been changed by somebody else meanwhile. It is theirs now:
            // taking "our" change back would undo theirs.
            let is_there = actual == trial.request.action.actuation;
            Some(if is_there { settling(now, &trial.request) } else { judged(now, Verdict::Failed) })
        }
        (TrialState::Undoing { because, .. }, ReportKind::Undone) => Some(judged(now, *because)),
        // Everything else is late, doubled or answers a question no longer asked; the deadlines decide.
        _ => None,
    }
}

fn ask(now: Timestamp, request: &ActionRequest) -> Due {
    Due {
        state: TrialState::Requested { deadline: now + READ_BACK_WITHIN, asked: true },
        measured: Measured::default(),
        effect: Some(Effect::ReadBack { id: request.id, actuation: request.action.actuation.clone() }),
    }
}

fn undo(now: Timestamp, trial: &Trial, because: Verdict, attempts: u32) -> Due {
    let Some(way_back) = trial.request.action.way_back.clone() else { return ended(judged(now, Verdict::Failed)) };
    Due {
        state: TrialState::Undoing { deadline: now + kind_of(&trial.request).apply_within, attempts, because },
        measured: Measured::default(),
        effect: Some(Effect::Undo { id: trial.request.id, actuation: way_back }),
    }
}

fn ended(state: TrialState) -> Due {
    Due { state, measured: Measured::default(), effect: None }
}

fn settling(now: Timestamp, request: &ActionRequest) -> TrialState {
    TrialState::Settling { applied: now, until: now + kind_of(request).settle }
}

/// Whether the snapshot shows that it was done, although nobody reported it.
fn is_seen(request: &ActionRequest, snapshot: &Snapshot) -> bool {
    match &request.action.actuation {
        Actuation::SetReplicas { service, replicas } => {
            snapshot.service_value(service, Indicator::ReplicasReady) == Some(replicas.0.into())
        }
        Actuation::SetParameter { service, parameter, value } => {
            snapshot.service_value(service, parameter.indicator()) == Some(*value)
        }
        Actuation::SetSampling { .. }
        | Actuation::Restart { .. }
        | Actuation::Profile { .. }
        | Actuation::Notify { .. } => false,
    }
}

fn judged(at: Timestamp, verdict: Verdict) -> TrialState {
    TrialState::Judged { at, verdict }
}

fn enter(trial: &mut Trial, state: TrialState, measured: Measured, step: &mut Step) {
    let from = trial.state.stage();
    trial.state = state;
    step.changes.push(change(trial, Some(from)));
    if let TrialState::Judged { verdict, .. } = trial.state {
        step.outcomes.push(outcome(trial, verdict, measured));
    }
}

fn change(trial: &Trial, from: Option<TrialStage>) -> TrialChange {
    TrialChange {
        id: trial.request.id,
        kind: trial.request.action.kind.clone(),
        target: trial.request.action.target.clone(),
        from,
        to: trial.state.stage(),
    }
}

fn outcome(trial: &Trial, verdict: Verdict, measured: Measured) -> Outcome {
    Outcome {
        id: trial.request.id,
        kind: trial.request.action.kind.clone(),
        target: trial.request.action.target.clone(),
        incident: trial.request.incident.map(|(_, kind)| kind),
        verdict,
        before: trial.request.baseline,
        after: measured.after,
        expected: measured.expected,
        complaint: measured.complaint,
    }
}

/// Applied settings come into force; those taken back go out of it.
fn note_in_force(in_force: &mut InForce, trial: &Trial, next: &TrialState) {
    let set = match (&trial.state, next) {
        (TrialState::Requested { .. }, TrialState::Settling { .. }) => Some(&trial.request.action.actuation),
        (TrialState::Undoing { .. }, TrialState::Judged { .. }) => trial.request.action.way_back.as_ref(),
        _ => None,
    };
    match set {
        Some(Actuation::SetSampling { service, operation: None, sampling }) => {
            in_force.sampling.insert(service.clone(), *sampling);
        }
        Some(Actuation::SetSampling { service, operation: Some(operation), sampling }) => {
            in_force.operations.insert((service.clone(), operation.clone()), *sampling);
        }
        Some(Actuation::SetParameter { service, parameter, value }) => {
            in_force.parameters.entry(service.clone()).or_default().insert(*parameter, *value);
        }
        _ => {}
    }
}

fn entry(request: &ActionRequest) -> LedgerEntry {
    LedgerEntry {
        id: request.id,
        kind: request.action.kind.clone(),
        class: request.action.class,
        target: request.action.target.clone(),
        at: request.decided,
        turns: request.action.turns(),
    }
}

fn kind_of(request: &ActionRequest) -> &'static ActionKind {
    actions::kind(request.action.kind.as_str()).expect("every action's kind is in the catalogue")
}

#[cfg(test)]
mod tests;
