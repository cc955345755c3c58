//! Learning: outcomes in, the next knowledge out.
//!
//! Answers how well each kind of action helps against each kind of incident, and what is normal. Changes no plan: what is
//! learned is read at the next tick. Everything is kept as sums, so the knowledge of two nodes merges by addition.

mod bandit;
pub mod evaluation;
mod histories;
mod linear;
mod outcomes;
mod starts;

use homeostat_core::{
    Assessment, Baseline, Efficacy, EfficacyKey, Knowledge, Outcome, PerIndicator, Plan, Reading, Settings, Snapshot,
};

pub use bandit::{LINEAR_BANDIT, LOSS_MAX, LinearBandit};

/// Readings a baseline holds before its sums are halved: about twelve days at one a second. Halving lets the past fade
/// without losing the additive form.
const BASELINE_COUNT_MAX: u64 = 1 << 20;

/// Targets whose baselines are kept; as many as perception follows unless told otherwise.
const TARGETS_MAX: usize = 16_384;

/// Improvements beyond this are counted as this, so that one division by a small number does not drown the rest.
const IMPROVEMENT_BP_MAX: i64 = 10_000;

/// What a tick brought.
#[derive(Clone, Copy, Debug)]
pub struct Lessons<'a> {
    /// What was decided.
    pub plan: &'a Plan,
    /// What became of earlier decisions.
    pub outcomes: &'a [Outcome],
    /// What was known.
    pub snapshot: &'a Snapshot,
    /// What was wrong.
    pub assessment: &'a Assessment,
    /// What people want.
    pub settings: &'a Settings,
}

/// Learns from what this tick brought.
pub fn settle(knowledge: &mut Knowledge, lessons: Lessons<'_>) {
    let Lessons { plan, outcomes, snapshot, assessment, settings } = lessons;
    outcomes::settle(knowledge, plan, outcomes, snapshot);
    starts::settle(knowledge, plan, outcomes, snapshot);
    for outcome in outcomes {
        let key = EfficacyKey { incident: outcome.incident, action: outcome.kind.clone() };
        let efficacy = knowledge.efficacy.entry(key).or_default();
        efficacy.count(outcome.verdict);
        if let Some(improvement) = improvement_bp(outcome) {
            efficacy.improvement_bp_sum += improvement;
            efficacy.improvement_count += 1;
        }
    }
    histories::note(knowledge, snapshot, settings);
    // What is normal is learned only while nothing is wrong: an incident must not become its own baseline.
    if assessment.incidents.is_empty() {
        learn_baselines(knowledge, snapshot);
    }
    knowledge.generation = knowledge.generation.next();
}

/// The sum of what two nodes know.
#[must_use]
pub fn merge(mut one: Knowledge, other: &Knowledge) -> Knowledge {
    for (key, theirs) in &other.efficacy {
        let ours = one.efficacy.entry(key.clone()).or_default();
        *ours = add_efficacy(*ours, *theirs);
    }
    for (signal, theirs) in other.baselines.iter() {
        let ours = one.baselines.get_or_default(signal);
        ours.count += theirs.count;
        ours.sum = ours.sum.saturating_add(theirs.sum);
        ours.sum_of_squares = ours.sum_of_squares.saturating_add(theirs.sum_of_squares);
    }
    for (service, theirs) in &other.starts {
        let ours = one.starts.entry(service.clone()).or_default();
        (ours.count, ours.sum_ms) = (ours.count + theirs.count, ours.sum_ms.saturating_add(theirs.sum_ms));
    }
    // Open trials and watches are each node's own; only what came of them is shared.
    one.choices.sums = one.choices.sums.merged(&other.choices.sums);
    one.generation = one.generation.max(other.generation).next();
    one
}

fn add_efficacy(one: Efficacy, other: Efficacy) -> Efficacy {
    Efficacy {
        kept: one.kept + other.kept,
        undone: one.undone + other.undone,
        inconclusive: one.inconclusive + other.inconclusive,
        failed: one.failed + other.failed,
        improvement_bp_sum: one.improvement_bp_sum + other.improvement_bp_sum,
        improvement_count: one.improvement_count + other.improvement_count,
    }
}

/// How much better the promised measure surely is than it would have been; every measure is one of which less is better.
fn improvement_bp(outcome: &Outcome) -> Option<i64> {
    Some(bounded(outcome.expected?.shown_improvement_bp(outcome.after?)))
}

fn bounded(improvement_bp: i64) -> i64 {
    improvement_bp.clamp(-IMPROVEMENT_BP_MAX, IMPROVEMENT_BP_MAX)
}

fn learn_baselines(knowledge: &mut Knowledge, snapshot: &Snapshot) {
    let mut known = knowledge.baselines.rows_mut().peekable();
    let mut unknown = Vec::new();
    // Both are in the order of their targets, so they are walked side by side and nothing is looked up.
    for (target, readings) in snapshot.signals.rows() {
        while known.next_if(|(other, _)| *other < target).is_some() {}
        match known.next_if(|(other, _)| *other == target) {
            Some((_, baselines)) => add_readings(baselines, readings),
            None => unknown.push((target, readings)),
        }
    }
    drop(known);
    let room = TARGETS_MAX.saturating_sub(knowledge.baselines.targets());
    for (target, readings) in unknown.into_iter().take(room) {
        let mut baselines = PerIndicator::default();
        add_readings(&mut baselines, readings);
        if !baselines.is_empty() {
            knowledge.baselines.insert_row(target.clone(), baselines);
        }
    }
}

fn add_readings(baselines: &mut PerIndicator<Baseline>, readings: &PerIndicator<Reading>) {
    for (indicator, reading) in readings.iter() {
        let Reading::Fresh { value } = *reading else { continue };
        add_reading(baselines.get_or_default(indicator), value);
    }
}

fn add_reading(baseline: &mut Baseline, value: u64) {
    if BASELINE_COUNT_MAX <= baseline.count {
        baseline.count /= 2;
        baseline.sum /= 2;
        baseline.sum_of_squares /= 2;
    }
    baseline.count += 1;
    baseline.sum = baseline.sum.saturating_add(value);
    baseline.sum_of_squares = baseline.sum_of_squares.saturating_add(u128::from(value) * u128::from(value));
}

#[cfg(test)]
mod tests {
    use homeostat_core::{ActionId, Expected, IncidentKind, Indicator, Label, ServiceName, Signal, Target, Verdict};

    use super::*;

    fn outcome(verdict: Verdict, before: u64, after: u64) -> Outcome {
        Outcome {
            id: ActionId(1),
            kind: Label::new("scale_replicas"),
            target: Target::Service(ServiceName::from("cart")),
            incident: Some(IncidentKind::Saturation),
            verdict,
            before: Some(before),
            after: Some(after),
            expected: Some(Expected { low: before, high: before }),
            complaint: None,
        }
    }

    fn tick(knowledge: &mut Knowledge, outcomes: &[Outcome], snapshot: &Snapshot, assessment: &Assessment) {
        let (plan, settings) = (&Plan::default(), &Settings::default());
        settle(knowledge, Lessons { plan, outcomes, snapshot, assessment, settings });
    }

    fn learned(outcomes: &[Outcome]) -> Knowledge {
        let mut knowledge = Knowledge::default();
        tick(&mut knowledge, outcomes, &Snapshot::default(), &Assessment::default());
        knowledge
    }

    /// Scenario: scaling kept its promise twice and was taken back once.
    /// Guarantees: counts and improvements over what was expected are sums, and success is expected at (2 + 1) / (3 + 2).
    #[test]
    fn efficacy_is_a_sum() {
        let outcomes = [(Verdict::Kept, 100, 50), (Verdict::Kept, 100, 0), (Verdict::Undone, 100, 200)];
        let knowledge = learned(&outcomes.map(|(verdict, before, after)| outcome(verdict, before, after)));
        let efficacy = knowledge.efficacy.values().next().expect("one key");
        assert_eq!((efficacy.kept, efficacy.undone, efficacy.improvement_bp_sum), (2, 1, 5000 + 10_000 - 10_000));
        assert_eq!(efficacy.success().0, 6000);
    }

    /// Scenario: two nodes learn separately; a third sees everything.
    /// Guarantees: the merged knowledge of the two equals that of the third, whichever way they are merged.
    #[test]
    fn knowledge_merges_by_addition() {
        let (a, b) = (outcome(Verdict::Kept, 100, 50), outcome(Verdict::Inconclusive, 100, 98));
        let all = learned(&[a.clone(), b.clone()]);
        let (one, other) = (learned(&[a]), learned(&[b]));
        assert_eq!(merge(one.clone(), &other).efficacy, all.efficacy);
        assert_eq!(merge(other, &one).efficacy, all.efficacy);
    }

    /// Scenario: a signal is read for longer than a baseline holds.
    /// Guarantees: the count stays bounded and the mean stays true.
    #[test]
    fn baselines_are_bounded() {
        let mut baseline = Baseline::default();
        for _ in 0..BASELINE_COUNT_MAX + 10 {
            add_reading(&mut baseline, 7);
        }
        assert!(baseline.count <= BASELINE_COUNT_MAX);
        assert_eq!(baseline.mean(), Some(7));
    }

    /// Scenario: a healthy tick, then one with an open incident.
    /// Guarantees: only the healthy one teaches what is normal.
    #[test]
    fn an_incident_is_not_its_own_baseline() {
        let signal = Signal::new(Target::Service("cart".into()), Indicator::Utilization);
        let snapshot =
            Snapshot { signals: [(signal.clone(), Reading::Fresh { value: 5 })].into(), ..Snapshot::default() };
        let mut knowledge = Knowledge::default();
        let healthy = Assessment::default();
        tick(&mut knowledge, &[], &snapshot, &healthy);
        let incident = homeostat_core::Incident {
            id: Default::default(),
            kind: IncidentKind::Saturation,
            severity: homeostat_core::Severity::Page,
            opened: Default::default(),
            last_seen: Default::default(),
            services: Vec::new(),
            findings: Vec::new(),
            hypotheses: Vec::new(),
        };
        tick(&mut knowledge, &[], &snapshot, &Assessment { incidents: vec![incident], ..healthy });
        assert_eq!(knowledge.baselines[&signal].count, 1);
    }
}
