//! What was taken back three times is left alone.
//!
//! Follows the verdicts that records tell, per kind of change, direction and target, and across targets; after so many in a
//! row nothing of the kind may be sent until a person says so or the time is over.

use std::collections::BTreeMap;

use homeostat_core::{
    ActionId, ActionRequest, Actuation, Effect, Label, OperatorCommand, Target, TickRecord, Timestamp, Verdict,
};

use crate::checkers::{Checker, Complaint, Scene};

/// A kind of change in one direction: less than nothing stands for down.
type Change = (Label, i8);

/// A row of undos of one kind, whatever the target.
#[derive(Default)]
struct Row {
    count: u32,
    at: Timestamp,
    on: Option<Target>,
}

/// Undos in a row. Bounded by kinds times services, and open trials.
#[derive(Default)]
pub(crate) struct TakenBack {
    sent: BTreeMap<ActionId, (Change, Target)>,
    pairs: BTreeMap<(Change, Target), (u32, Timestamp)>,
    kinds: BTreeMap<Change, Row>,
}

impl Checker for TakenBack {
    fn record(&mut self, record: &TickRecord, _scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        for said in &record.operator {
            self.hear(said);
        }
        for request in &record.plan.requests {
            let change = (request.action.kind.clone(), direction(request));
            self.sent.insert(request.id, (change, request.action.target.clone()));
        }
        for outcome in &record.outcomes {
            let Some((change, target)) = self.sent.remove(&outcome.id) else { continue };
            match outcome.verdict {
                Verdict::Undone => self.undone(change, target, record.at),
                Verdict::Kept => {
                    self.kinds.remove(&change);
                    self.pairs.remove(&(change, target));
                }
                _ => {}
            }
        }
    }

    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { id, .. }, Some(request)) = (effect, request) else { return };
        let (bound, now) = (scene.settings.guards.disarm, scene.now.wall());
        let key = ((request.action.kind.clone(), direction(request)), request.action.target.clone());
        let pair = self.pairs.get(&key).copied();
        let kind = self.kinds.get(&key.0).map(|row| (row.count, row.at));
        let holds = |(count, at): &(u32, Timestamp)| bound.undone_max <= *count && now.since(*at) < bound.rearm_after;
        if let Some((count, _)) = pair.into_iter().chain(kind).find(holds) {
            let expected = format!("no {} on {} after {count} undos in a row", key.0.0, key.1);
            complaints.push(scene.complain(expected, id.to_string()));
        }
    }
}

impl TakenBack {
    fn hear(&mut self, said: &OperatorCommand) {
        match said {
            OperatorCommand::Resume => {
                self.pairs.clear();
                self.kinds.clear();
            }
            OperatorCommand::Arm { kind, target } => {
                self.pairs.retain(|((of, _), on), _| of != kind || target.as_ref().is_some_and(|target| target != on));
                if target.is_none() {
                    self.kinds.retain(|(of, _), _| of != kind);
                }
            }
            OperatorCommand::Hold | OperatorCommand::Approve(_) | OperatorCommand::Reject(_) => {}
        }
    }

    fn undone(&mut self, change: Change, target: Target, at: Timestamp) {
        let row = self.kinds.entry(change.clone()).or_default();
        // What ends in the same second, or on the same target, is no further reason to doubt the whole kind.
        if row.count == 0 || (row.at != at && row.on.as_ref() != Some(&target)) {
            *row = Row { count: row.count + 1, at, on: Some(target.clone()) };
        }
        let (count, last) = self.pairs.entry((change, target)).or_default();
        (*count, *last) = (*count + 1, at);
    }
}

fn direction(request: &ActionRequest) -> i8 {
    let compare = |from: u32, to: u32| i8::from(from < to) - i8::from(to < from);
    match (&request.action.way_back, &request.action.actuation) {
        (Some(Actuation::SetReplicas { replicas: from, .. }), Actuation::SetReplicas { replicas: to, .. }) => {
            compare(from.0, to.0)
        }
        (Some(Actuation::SetSampling { sampling: from, .. }), Actuation::SetSampling { sampling: to, .. }) => {
            let (head, tail) = (compare(from.head.ppm(), to.head.ppm()), compare(from.tail.ppm(), to.tail.ppm()));
            // Anything lowered makes it a reduction.
            if head.min(tail) < 0 { -1 } else { head.max(tail) }
        }
        (Some(Actuation::SetParameter { value: from, .. }), Actuation::SetParameter { value: to, .. }) => {
            i8::from(from < to) - i8::from(to < from)
        }
        _ => 0,
    }
}
