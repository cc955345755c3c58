//! What guards remember, kept up.
//!
//! Answers what a tick adds to what guards remember: how many replicas each service needs now, who turned which knob, and what
//! had to be taken back. Looks only at what is fresh; what is not seen is not remembered as zero. What nobody lets the agent
//! change is not followed, so the manifest bounds the memory.

use std::collections::BTreeSet;

use homeostat_core::actions::{LIMIT_CONCURRENCY, SCALE_REPLICAS, SET_DIMMER};
use homeostat_core::{
    Caution, Habit, Hands, Indicator, Knob, Label, Ledger, LedgerEntry, Millis, OtherHand, Outcome, Parameter,
    PolicyView, ServiceName, Target, Timestamp, TrialState, Turn, Verdict,
};

/// How long a decision explains that its value is found, whatever became of its trial: a change may take effect long after
/// its report was given up, but not longer than everything that waits for it.
const EXPLAINS_FOR: Millis = Millis::from_secs(300);

/// Takes in what is seen at this tick, before it is decided.
pub fn watch(caution: &mut Caution, view: &PolicyView<'_>) {
    let named = &view.settings.scaling.services;
    caution.needs.retain(|service, _| named.contains_key(service));
    named.keys().for_each(|service| watch_needs(caution, service, view));
    let knobs = knobs(view);
    caution.hands.retain(|key, _| knobs.contains(key));
    knobs.into_iter().for_each(|key| watch_hands(caution, key, view));
}

/// The knobs that people let the agent turn, but for sampling, which nobody else can.
fn knobs(view: &PolicyView<'_>) -> BTreeSet<(ServiceName, Knob)> {
    let replicas = view.settings.scaling.services.keys().map(|service| (service.clone(), Knob::Replicas));
    let parameters = view.settings.permissions.services.iter().flat_map(|(service, permitted)| {
        let permitted = Parameter::ALL.into_iter().filter(|parameter| permitted.range(*parameter).is_some());
        permitted.map(|parameter| (service.clone(), Knob::Parameter(parameter)))
    });
    replicas.chain(parameters).collect()
}

/// Takes in how trials ended at this tick.
pub fn note(caution: &mut Caution, outcomes: &[Outcome], ledger: &Ledger, now: Timestamp) {
    for outcome in outcomes {
        let Some(entry) = ledger.entry(outcome.id) else { continue };
        match outcome.verdict {
            Verdict::Undone => caution.undone.taken_back(now, &habit_of(entry)),
            Verdict::Kept => caution.undone.kept(&habit_of(entry)),
            // Nothing was shown, or nothing was done.
            Verdict::Inconclusive | Verdict::Failed | Verdict::NotActed | Verdict::Declined => {}
        }
        let went_back = matches!(outcome.verdict, Verdict::Undone | Verdict::Failed);
        for (turn, service) in entry.turns.iter().zip(entry.target.service().into_iter().cycle()) {
            if let Some(hands) = caution.hands.get_mut(&(service.clone(), turn.knob)) {
                hands.back = went_back.then_some(turn.from);
            }
        }
    }
}

fn habit_of(entry: &LedgerEntry) -> Habit {
    let way = entry.turns.iter().filter_map(Turn::way).max();
    Habit { kind: entry.kind.clone(), target: Some(entry.target.clone()), way }
}

/// ceil(replicas × utilisation / target), the rule of Kubernetes' Horizontal Pod Autoscaler; what runs, inside its tolerance.
fn watch_needs(caution: &mut Caution, service: &ServiceName, view: &PolicyView<'_>) {
    let value = |indicator| view.snapshot.service_value(service, indicator);
    let Some(used) = value(Indicator::Utilization) else { return };
    let Some(ready) = value(Indicator::ReplicasReady) else { return };
    let scaling = &view.settings.scaling;
    let target = u64::from(scaling.utilization_target.0).max(1);
    let is_tolerated = used.abs_diff(target) <= scaling.tolerance.of(target);
    let by_rule = if is_tolerated { ready } else { ready.saturating_mul(used).div_ceil(target) };
    // Where the forecast holds, what is needed is what staffing says, and not what a fixed utilisation does.
    let need = view.assessment.trusted_forecast(service).map_or(by_rule, |forecast| forecast.needed_now);
    let needs = caution.needs.entry(service.clone()).or_default();
    needs.see(view.snapshot.at, need, scaling.reduce_after);
}

/// Compares where a knob stands with where somebody is known to have wanted it. Fewer replicas are no sign of another hand:
/// they may have been lost, or not be ready yet; more do not come by themselves. A parameter stands exactly where it was set.
fn watch_hands(caution: &mut Caution, (service, knob): (ServiceName, Knob), view: &PolicyView<'_>) {
    let Some(indicator) = indicator(knob) else { return };
    let Some(seen) = view.snapshot.service_value(&service, indicator) else { return };
    let now = view.snapshot.at;
    let Some(hands) = caution.hands.get_mut(&(service.clone(), knob)) else {
        caution.hands.insert((service, knob), Hands { level: seen, back: None, other: None });
        return;
    };
    let own = own_levels(service, knob, view, hands.back);
    let is_foreign = match knob {
        Knob::Parameter(_) => seen != hands.level,
        _ => hands.level < seen && own.iter().all(|level| *level < seen),
    };
    if own.contains(&seen) {
        hands.level = seen;
    } else if is_foreign {
        hands.other = Some(OtherHand { at: now, expected: hands.level, found: seen });
        hands.level = seen;
    }
    hands.other.take_if(|other| view.settings.guards.yield_for <= now.since(other.at));
}

/// Where the last decision takes a knob, and where its way back leads if that is or was taken. Where it stood before explains
/// nothing else: whoever puts it back there is another hand.
fn own_levels(service: ServiceName, knob: Knob, view: &PolicyView<'_>, back: Option<u64>) -> Vec<u64> {
    let Some(last) = kind(knob).and_then(|kind| view.ledger.last(&kind, &Target::Service(service))) else {
        return Vec::new();
    };
    let trial = view.trials.iter().find(|trial| trial.request.id == last.id);
    if trial.is_none() && EXPLAINS_FOR <= view.snapshot.at.since(last.at) {
        return Vec::new();
    }
    let Some(turn) = last.turns.iter().find(|turn| turn.knob == knob) else { return Vec::new() };
    let goes_back = trial.is_some_and(|trial| matches!(trial.state, TrialState::Undoing { .. }));
    let back = back.filter(|level| *level == turn.from);
    [Some(turn.to), back, goes_back.then_some(turn.from)].into_iter().flatten().collect()
}

/// The kind of action that turns a knob.
fn kind(knob: Knob) -> Option<Label> {
    match knob {
        Knob::Replicas => Some(SCALE_REPLICAS.name),
        Knob::Parameter(Parameter::ConcurrencyLimit) => Some(LIMIT_CONCURRENCY.name),
        Knob::Parameter(Parameter::Dimmer) => Some(SET_DIMMER.name),
        Knob::HeadSampling | Knob::TailSampling => None,
    }
}

/// Where it is seen how a knob stands.
const fn indicator(knob: Knob) -> Option<Indicator> {
    match knob {
        Knob::Replicas => Some(Indicator::ReplicasReady),
        Knob::Parameter(parameter) => Some(parameter.indicator()),
        Knob::HeadSampling | Knob::TailSampling => None,
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::actions::ActionClass;
    use homeostat_core::{
        ActionId, Assessment, InForce, Knowledge, Reading, Replicas, ServiceScaling, Settings, Signal, Snapshot,
    };

    use super::*;

    /// A service of which `ready` is seen at a second, after the decisions in `ledger`.
    fn seen(caution: &mut Caution, ledger: &Ledger, second: u64, ready: u64) -> Option<OtherHand> {
        let mut settings = Settings::default();
        settings.scaling.services.insert("cart".into(), ServiceScaling { min: Replicas(1), max: Replicas(9) });
        let signal = Signal::new(Target::Service("cart".into()), Indicator::ReplicasReady);
        let signals = [(signal, Reading::Fresh { value: ready })].into();
        let snapshot = Snapshot { at: Timestamp(second * 1000), signals, ..Snapshot::default() };
        let view = PolicyView {
            snapshot: &snapshot,
            assessment: &Assessment::default(),
            knowledge: &Knowledge::default(),
            settings: &settings,
            in_force: &InForce::default(),
            trials: &[],
            ledger,
        };
        watch(caution, &view);
        caution.hands[&(ServiceName::from("cart"), Knob::Replicas)].other
    }

    fn decide(ledger: &mut Ledger, second: u64, from: u64, to: u64) {
        ledger.enter(LedgerEntry {
            id: ActionId(second),
            kind: SCALE_REPLICAS.name.clone(),
            class: ActionClass::Scaling,
            target: Target::Service("cart".into()),
            at: Timestamp(second * 1000),
            turns: vec![Turn { knob: Knob::Replicas, from, to }],
        });
    }

    fn end(caution: &mut Caution, ledger: &Ledger, id: u64, verdict: Verdict) {
        let outcome = Outcome {
            id: ActionId(id),
            kind: Label::new("scale_replicas"),
            target: Target::Service("cart".into()),
            incident: None,
            verdict,
            before: None,
            after: None,
            expected: None,
            complaint: None,
        };
        note(caution, &[outcome], ledger, Timestamp(id * 1000 + 500));
    }

    /// Scenario: own growth that starts one by one, a lost instance that comes back, an own reduction that is taken back;
    /// then a reduction that somebody else puts back, and more than anybody decided.
    /// Guarantees: only the last two are another hand's, and it is forgotten after its time.
    #[test]
    fn more_than_was_wanted_is_another_hand() {
        let (mut caution, mut ledger) = (Caution::default(), Ledger::default());
        assert_eq!(seen(&mut caution, &ledger, 1, 2), None);
        decide(&mut ledger, 2, 2, 4);
        for (second, ready) in [(3, 2), (4, 3), (5, 4), (6, 3), (9, 4)] {
            assert_eq!(seen(&mut caution, &ledger, second, ready), None, "{second}");
        }
        decide(&mut ledger, 100, 4, 3);
        assert_eq!(seen(&mut caution, &ledger, 101, 3), None);
        end(&mut caution, &ledger, 100, Verdict::Undone);
        assert_eq!(seen(&mut caution, &ledger, 102, 4), None);
        decide(&mut ledger, 200, 4, 2);
        end(&mut caution, &ledger, 200, Verdict::Kept);
        assert_eq!(seen(&mut caution, &ledger, 201, 2), None);
        let other = seen(&mut caution, &ledger, 230, 4).map(|other| (other.expected, other.found));
        assert_eq!(other, Some((2, 4)));
        assert!(seen(&mut caution, &ledger, 829, 4).is_some());
        assert_eq!(seen(&mut caution, &ledger, 830, 4), None);
        assert!(seen(&mut caution, &ledger, 831, 7).is_some());
    }
}
