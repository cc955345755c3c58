//! What is worth telling of actions.
//!
//! Answers what was decided, done and learned, with the reason and the measure. Sampling changes of one tick are told
//! together: five services sampled differently are one thought.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use homeostat_core::actions::{self, ActionClass, Expectation};
use homeostat_core::{
    ActionId, ActionRequest, Actuation, EfficacyKey, Millis, Outcome, ServiceName, ServiceSampling, TickRecord,
    Timestamp, TrialStage, Verdict,
};

use super::{ACTIONS_MAX, Begun, Story, clock, names};
use crate::demo::line::{Line, Room, Tone};

impl Story {
    pub(super) fn tell_decided(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        let (sampling, others): (Vec<_>, Vec<_>) =
            record.plan.requests.iter().partition(|request| request.action.class == ActionClass::Sampling);
        for request in others {
            let what = changed(&request.action.actuation, request.action.way_back.as_ref());
            let line = self.line(record, Room::Decided, format!("{} {what}", request.id));
            let says_it_all = what.contains(&request.why);
            lines.push(if says_it_all { line } else { line.because(&request.why) });
        }
        // A change that answers an incident is told by itself; the others make room for it.
        let (answers, routine): (Vec<_>, Vec<_>) = sampling.into_iter().partition(|request| request.incident.is_some());
        lines.extend(self.resampling(record, &answers));
        lines.extend(self.resampling(record, &routine));
        for request in &record.plan.requests {
            if self.actions.len() < ACTIONS_MAX {
                let (stage, since) = (TrialStage::Requested, record.at);
                self.actions.insert(request.id, Begun { request: request.clone(), stage, since, after: None });
            }
        }
    }

    fn resampling(&self, record: &TickRecord, requests: &[&ActionRequest]) -> Option<Line> {
        let first = requests.first()?;
        let ids: Vec<ActionId> = requests.iter().map(|request| request.id).collect();
        // Services with the same change share one mention, in the order of their first.
        let mut changes: Vec<(String, Vec<&str>)> = Vec::new();
        for request in requests {
            let (service, change) = resampled(request)?;
            match changes.iter_mut().find(|(same, _)| *same == change) {
                Some((_, services)) => services.push(service.as_str()),
                None => changes.push((change, vec![service.as_str()])),
            }
        }
        let changes: Vec<String> =
            changes.into_iter().map(|(change, services)| format!("{} {change}", names(services.into_iter()))).collect();
        let text = format!("{} {}: {}", which(&ids), direction(requests), changes.join("; "));
        let line = self.line(record, Room::Decided, text);
        Some(line.because(first.why.split(": ").next().unwrap_or(&first.why)))
    }

    pub(super) fn tell_done(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        let (mut in_force, mut taken_back) = (Vec::new(), Vec::new());
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
                (Actuation::SetSampling { .. }, TrialStage::Settling) => in_force.push(change.id),
                (Actuation::SetSampling { .. }, TrialStage::Undoing) => taken_back.push(change.id),
                _ => lines.extend(self.done(record, change.id, change.to, &actuation)),
            }
        }
        let mut together = |ids: &[ActionId], what: &str| {
            if !ids.is_empty() {
                lines.push(self.line(record, Room::Did, format!("{} {what}", which(ids))));
            }
        };
        together(&in_force, "in force: the sampler and the SDKs follow");
        together(&taken_back, "being taken back");
    }

    fn done(&self, record: &TickRecord, id: ActionId, stage: TrialStage, actuation: &Actuation) -> Option<Line> {
        let what = proposed(actuation);
        let line = match stage {
            TrialStage::Settling if matches!(actuation, Actuation::Notify { .. }) => return None,
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
                self.line(record, Room::Did, format!("{id} delivered; without a webhook that is the log"))
            }
            TrialStage::Requested | TrialStage::Judged(_) => return None,
        };
        Some(line)
    }

    pub(super) fn tell_learned(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        // The outcomes of sampling, by verdict: one thought each.
        let mut sampling: BTreeMap<Verdict, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &record.outcomes {
            if let Some(begun) = self.actions.get_mut(&outcome.id) {
                begun.after = outcome.after;
            }
            let tried = EfficacyKey { incident: outcome.incident, action: outcome.kind.clone() };
            self.tried.entry(tried).or_default().count(outcome.verdict);
            if outcome.kind == actions::ADJUST_SAMPLING.name {
                sampling.entry(outcome.verdict).or_default().push(outcome);
            } else if outcome.kind != actions::NOTIFY.name {
                lines.push(self.learned(record, outcome, &outcome.id.to_string()));
            }
        }
        for outcomes in sampling.values() {
            let ids: Vec<ActionId> = outcomes.iter().map(|outcome| outcome.id).collect();
            lines.extend(outcomes.first().map(|first| self.learned(record, first, &which(&ids))));
        }
    }

    fn learned(&self, record: &TickRecord, outcome: &Outcome, which: &str) -> Line {
        let mut text = format!("{which} {}", outcome.verdict);
        let begun = self.actions.get(&outcome.id);
        text.extend(begun.and_then(Begun::measured).map(|measured| format!(": {measured}")));
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
        if let Actuation::SetSampling { service, operation: None, sampling } = actuation {
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
        let expectation = &self.request.action.expectation;
        let measure = expectation.measure()?;
        let (unit, after) = (measure.unit(), self.after?);
        match expectation {
            Expectation::StaysBelow { limit, .. } => {
                Some(format!("{measure} {}, promised at most {}", unit.render(after), unit.render(*limit)))
            }
            _ => Some(format!("{measure} {} → {}", unit.render(self.request.baseline?), unit.render(after))),
        }
    }
}

/// An actuation as a wish, in few words.
pub(crate) fn proposed(actuation: &Actuation) -> String {
    match actuation {
        Actuation::SetReplicas { service, replicas } => format!("run {service} with {replicas} workers"),
        Actuation::SetSampling { service, sampling, .. } => {
            format!("keep {} of {service}'s ordinary traces", sampling.tail)
        }
        Actuation::Notify { incident, text, .. } => format!("tell people about {incident}: {text}"),
        Actuation::SetParameter { .. } | Actuation::Restart { .. } | Actuation::Profile { .. } => actuation.to_string(),
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

/// Whether these changes keep more or less.
fn direction(requests: &[&ActionRequest]) -> &'static str {
    let tails = requests.iter().filter_map(|request| match (&request.action.way_back, &request.action.actuation) {
        (Some(Actuation::SetSampling { sampling: from, .. }), Actuation::SetSampling { sampling: to, .. }) => {
            Some(from.tail.cmp(&to.tail))
        }
        _ => None,
    });
    let orders: Vec<Ordering> = tails.collect();
    match (orders.contains(&Ordering::Less), orders.contains(&Ordering::Greater)) {
        (true, false) => "keep more ordinary traces",
        (false, true) => "keep fewer ordinary traces",
        _ => "keep other shares of traces",
    }
}

/// Whose sampling is changed, and how: `100 % → 41 %`.
fn resampled(request: &ActionRequest) -> Option<(&ServiceName, String)> {
    let Actuation::SetSampling { service, sampling: to, .. } = &request.action.actuation else { return None };
    match &request.action.way_back {
        Some(Actuation::SetSampling { sampling: from, .. }) => Some((service, steps(*from, *to))),
        _ => Some((service, to.tail.to_string())),
    }
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

/// `a-3`, `a-3 to a-7` where none between is missing, or `a-3, a-5`.
pub(crate) fn which(ids: &[ActionId]) -> String {
    match ids {
        [first, .., last] if last.0.abs_diff(first.0) + 1 == ids.len() as u64 => {
            format!("{} to {}", first.min(last), first.max(last))
        }
        ids => ids.iter().map(ActionId::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn settle(request: &ActionRequest) -> Millis {
    actions::kind(request.action.kind.as_str()).map_or(Millis(0), |kind| kind.settle)
}
