//! What is worth telling of actions.
//!
//! Answers what was decided, done and learned, with the reason and the measure. Sampling changes of one tick are told
//! together: five services sampled differently are one thought.

use homeostat_core::actions::{self, ActionClass};
use homeostat_core::{
    ActionId, ActionRequest, Actuation, EfficacyKey, Millis, Outcome, ServiceSampling, TickRecord, Timestamp,
    TrialStage, Verdict,
};

use super::{ACTIONS_MAX, Begun, Story, clock};
use crate::demo::line::{Line, Room, Tone};

impl Story {
    pub(super) fn tell_decided(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        let (sampling, others): (Vec<_>, Vec<_>) =
            record.plan.requests.iter().partition(|request| request.action.class == ActionClass::Sampling);
        for request in others {
            let what = changed(&request.action.actuation, request.action.way_back.as_ref());
            lines.push(self.line(record, Room::Decided, format!("{} {what}", request.id)).because(&request.why));
        }
        if let (Some(first), Some(last)) = (sampling.first(), sampling.last()) {
            let changes: Vec<String> = sampling.iter().filter_map(|request| resampled(request)).collect();
            let text = format!("{} keep of ordinary traces: {}", range(first.id, last.id), changes.join(", "));
            lines.push(self.line(record, Room::Decided, text).because(&first.why));
        }
        for request in &record.plan.requests {
            if self.actions.len() < ACTIONS_MAX {
                let (stage, since) = (TrialStage::Requested, record.at);
                self.actions.insert(request.id, Begun { request: request.clone(), stage, since, after: None });
            }
        }
    }

    pub(super) fn tell_done(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        let mut resampled = Vec::new();
        for change in &record.trials {
            let Some(begun) = self.actions.get_mut(&change.id) else { continue };
            (begun.stage, begun.since) = (change.to, record.at);
            let (actuation, way_back) = (begun.request.action.actuation.clone(), begun.request.action.way_back.clone());
            match change.to {
                TrialStage::Settling => self.now_in_force(&actuation),
                TrialStage::Judged(Verdict::Undone) => way_back.iter().for_each(|before| self.now_in_force(before)),
                _ => {}
            }
            match (&actuation, change.to) {
                (Actuation::SetSampling { .. }, TrialStage::Settling) => resampled.push(change.id),
                _ => lines.extend(self.done(record, change.id, change.to, &actuation)),
            }
        }
        if let (Some(first), Some(last)) = (resampled.first(), resampled.last()) {
            lines.push(self.line(
                record,
                Room::Did,
                format!("{} in force: the sampler and the SDKs follow", range(*first, *last)),
            ));
        }
    }

    fn done(&self, record: &TickRecord, id: ActionId, stage: TrialStage, actuation: &Actuation) -> Option<Line> {
        let what = proposed(actuation);
        let line = match stage {
            TrialStage::Settling => {
                let judged = record.at + settle(&self.actions.get(&id)?.request);
                let when = clock(judged.since(self.began));
                self.line(record, Room::Did, format!("{id} done: {what}; to be judged at {when}")).tone(Tone::Good)
            }
            TrialStage::Undoing => {
                self.line(record, Room::Did, format!("{id} is being taken back: {what}")).tone(Tone::Bad)
            }
            TrialStage::AwaitingApproval => self.line(record, Room::Did, format!("{id} asks first: {what}")),
            TrialStage::Judged(Verdict::Kept) if matches!(actuation, Actuation::Notify { .. }) => {
                self.line(record, Room::Did, format!("{id} delivered: {what}"))
            }
            TrialStage::Requested | TrialStage::Judged(_) => return None,
        };
        Some(line)
    }

    pub(super) fn tell_learned(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        let mut kept = Vec::new();
        for outcome in &record.outcomes {
            if let Some(begun) = self.actions.get_mut(&outcome.id) {
                begun.after = outcome.after;
            }
            let tried = EfficacyKey { incident: outcome.incident, action: outcome.kind.clone() };
            self.tried.entry(tried).or_default().count(outcome.verdict);
            let is_sampling = outcome.kind == actions::ADJUST_SAMPLING.name;
            if is_sampling && outcome.verdict == Verdict::Kept {
                kept.push(outcome);
            } else if outcome.kind != actions::NOTIFY.name {
                lines.push(self.learned(record, outcome, &outcome.id.to_string()));
            }
        }
        if let (Some(first), Some(last)) = (kept.first(), kept.last()) {
            lines.push(self.learned(record, first, &range(first.id, last.id)));
        }
    }

    fn learned(&self, record: &TickRecord, outcome: &Outcome, which: &str) -> Line {
        let mut text = format!("{which} {}", outcome.verdict);
        let begun = self.actions.get(&outcome.id);
        let measure = begun.and_then(|begun| begun.request.action.expectation.measure());
        if let (Some(measure), Some(before), Some(after)) = (measure, outcome.before, outcome.after) {
            let unit = measure.unit();
            text.push_str(&format!(": {measure} {} → {}", unit.render(before), unit.render(after)));
        }
        if let Some(complaint) = &outcome.complaint {
            text.push_str(&format!(": {complaint}"));
        }
        let tone = match outcome.verdict {
            Verdict::Kept => Tone::Good,
            Verdict::Undone | Verdict::Failed => Tone::Bad,
            Verdict::Inconclusive | Verdict::NotActed | Verdict::Declined => Tone::Plain,
        };
        let line = self.line(record, Room::Learned, text).tone(tone);
        match self.experience(outcome) {
            Some(experience) => line.because(experience),
            None => line,
        }
    }

    /// How often this kind of action has helped against this kind of incident in this run.
    fn experience(&self, outcome: &Outcome) -> Option<String> {
        let incident = outcome.incident?;
        let tried = self.tried.get(&EfficacyKey { incident: Some(incident), action: outcome.kind.clone() })?;
        let judged = tried.kept + tried.undone + tried.inconclusive;
        Some(format!("{} has helped in {} of {judged} trials against {incident}", outcome.kind, tried.kept))
    }

    fn now_in_force(&mut self, actuation: &Actuation) {
        if let Actuation::SetSampling { service, sampling } = actuation {
            self.sampling.insert(service.clone(), *sampling);
        }
    }
}

impl Begun {
    /// Whether it still needs attention.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.stage, TrialStage::Judged(_))
    }

    /// How long until it is judged; `None` where that is not known yet.
    pub(crate) fn settles_in(&self, now: Timestamp) -> Option<Millis> {
        (self.stage == TrialStage::Settling).then(|| (self.since + settle(&self.request)).since(now))
    }

    /// The promised measure, before and after, as far as it is known.
    pub(crate) fn measured(&self) -> Option<String> {
        let measure = self.request.action.expectation.measure()?;
        let unit = measure.unit();
        Some(format!("{measure} {} → {}", unit.render(self.request.baseline?), unit.render(self.after?)))
    }
}

/// An actuation as a wish, in few words.
pub(crate) fn proposed(actuation: &Actuation) -> String {
    match actuation {
        Actuation::SetReplicas { service, replicas } => format!("run {service} with {replicas} workers"),
        Actuation::SetSampling { service, sampling } => {
            format!("keep {} of {service}'s ordinary traces", sampling.tail)
        }
        Actuation::Notify { incident, text, .. } => format!("tell people about {incident}: {text}"),
    }
}

/// An actuation with what it replaces.
pub(crate) fn changed(actuation: &Actuation, before: Option<&Actuation>) -> String {
    match (actuation, before) {
        (Actuation::SetReplicas { .. }, Some(Actuation::SetReplicas { replicas, .. })) => {
            format!("{} instead of {replicas}", proposed(actuation))
        }
        _ => proposed(actuation),
    }
}

/// `catalog 100 → 41 %`, or for a change at the source `frontend 100 → 41 % (SDK 100 → 50 %)`.
fn resampled(request: &ActionRequest) -> Option<String> {
    let Actuation::SetSampling { service, sampling: to } = &request.action.actuation else { return None };
    let from = match &request.action.way_back {
        Some(Actuation::SetSampling { sampling, .. }) => *sampling,
        _ => return Some(format!("{service} {}", to.tail)),
    };
    Some(format!("{service} {}", steps(from, *to)))
}

fn steps(from: ServiceSampling, to: ServiceSampling) -> String {
    let tail = format!("{} → {}", from.tail, to.tail);
    let head = format!("SDK {} → {}", from.head, to.head);
    match (from.tail == to.tail, from.head == to.head) {
        (false, true) => tail,
        (true, false) => head,
        _ => format!("{tail} ({head})"),
    }
}

/// `a-3`, or `a-3 to a-7`.
pub(crate) fn range(first: ActionId, last: ActionId) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

fn settle(request: &ActionRequest) -> Millis {
    actions::kind(request.action.kind.as_str()).map_or(Millis(0), |kind| kind.settle)
}
