//! What choices were worth.
//!
//! Answers which reward a choice earned, and adds it to the sums. An action that promised to relieve something earns by how
//! much lower the measure surely is than it was forecast to be without the action; one that promised to do no harm earns what
//! it gave back when it kept its promise, and loses one when it had to be taken back. Acting costs a hundredth, and capacity
//! a tenth for twice as much, so that adding it and giving it back earn nothing together. Doing nothing is measured against
//! the same kind of forecast: what it earns is what forecasts get wrong, so that an error which rewards every action alike
//! rewards doing nothing too and decides no choice.

use homeostat_core::actions::Expectation;
use homeostat_core::{
    ActionRequest, ChoiceRecord, Features, Knowledge, LinearSums, Outcome, PendingChoice, Plan, Snapshot, Verdict,
    Watch,
};

use crate::{bounded, improvement_bp};

/// What it costs to act, in basis points: doing nothing wins where nothing is to be won.
const COST_BP: i64 = 100;

/// What a kept promise to do no harm earns where nothing is given back, such as keeping more spans within the budget. Half,
/// because what it brings is worth less than what harm would cost.
const NO_HARM_BP: i64 = 5000;

/// What having to take something back loses.
const UNDONE_BP: i64 = -10_000;

/// Choices whose trials are open; as many as trials may be. Beyond it the oldest is forgotten unlearned.
const PENDING_MAX: usize = 4096;

/// Choices to do nothing that are waited for. Beyond it they are made and not learned from.
const WATCHES_MAX: usize = 4096;

/// The price of capacity, in parts of the share by which it changes: a tenth for twice as much, and back again.
const CAPACITY_PARTS: i64 = 5;

/// What more capacity costs besides. It pays where it relieves by more than that, and where it relieves nothing it is waste.
fn capacity_bp(pending: &PendingChoice) -> i64 {
    let grows_bp = i64::from(pending.features.0[Features::GROWS_BY]);
    if pending.relieves { grows_bp / CAPACITY_PARTS } else { 0 }
}

/// What a kept promise to do no harm earns: the price of the capacity that was given back, if it was that.
fn no_harm_bp(pending: &PendingChoice) -> i64 {
    match i64::from(pending.features.0[Features::SHRINKS_BY]) {
        0 => NO_HARM_BP,
        shrinks_bp => shrinks_bp / CAPACITY_PARTS,
    }
}

/// Takes down the choices of this tick, and learns from those whose outcome is known by now.
pub(crate) fn settle(knowledge: &mut Knowledge, plan: &Plan, outcomes: &[Outcome], snapshot: &Snapshot) {
    let choices = &mut knowledge.choices;
    for record in &plan.choices {
        note(&mut choices.sums, record);
        let request = record.request.and_then(|id| plan.requests.iter().find(|request| request.id == id));
        if let Some((request, pending)) = request.and_then(|request| Some((request, pending(request, record)?))) {
            choices.pending.insert(request.id, pending);
        }
        if choices.watches.len() < WATCHES_MAX {
            choices.watches.extend(record.watch.clone());
        }
    }
    while PENDING_MAX < choices.pending.len() {
        choices.pending.pop_first();
    }
    for outcome in outcomes {
        if let Some(pending) = choices.pending.remove(&outcome.id)
            && let Some(reward) = reward_bp(pending, outcome)
        {
            learn(&mut choices.sums, &pending.features, reward);
        }
    }
    let watches = std::mem::take(&mut choices.watches);
    let (due, waiting): (Vec<Watch>, _) = watches.into_iter().partition(|watch| watch.until <= snapshot.at);
    choices.watches = waiting;
    for watch in due {
        if let Some(reward) = watch_reward_bp(&watch, snapshot) {
            learn(&mut choices.sums, &watch.features, reward);
        }
    }
}

/// What doing nothing earned: by how much the measure is surely lower than forecast; nothing where there was none to watch.
pub(crate) fn watch_reward_bp(watch: &Watch, snapshot: &Snapshot) -> Option<i64> {
    match &watch.relieved {
        Some(measure) => {
            let expected = watch.forecast?.expected(measure, snapshot.at, measure.load(snapshot));
            Some(bounded(expected.shown_improvement_bp(measure.read(snapshot)?)))
        }
        None => Some(0),
    }
}

/// Sums that cannot be believed are begun anew rather than added to.
fn learn(sums: &mut LinearSums, features: &Features, reward_bp: i64) {
    believable(sums).add(features, reward_bp);
}

fn believable(sums: &mut LinearSums) -> &mut LinearSums {
    if sums.check().is_err() {
        *sums = LinearSums::default();
    }
    sums
}

/// Takes down how far a choice strayed from the rule. One that nothing came of strayed nowhere.
fn note(sums: &mut LinearSums, record: &ChoiceRecord) {
    let option = |place: usize| record.options.get(place).map(|option| &option.features);
    let came_to_pass = record.request.is_some() || record.watch.is_some();
    if let Some((taken, rule)) = option(record.taken).zip(option(record.rule)).filter(|_| came_to_pass) {
        believable(sums).note(taken, rule);
    }
}

/// What must be remembered of a choice until its trial ends; of telling people there is nothing to learn.
pub(crate) fn pending(request: &ActionRequest, record: &ChoiceRecord) -> Option<PendingChoice> {
    let features = record.options.get(record.taken)?.features;
    match request.action.expectation {
        Expectation::Relieves { .. } => Some(PendingChoice { features, relieves: true }),
        Expectation::StaysBelow { .. } => Some(PendingChoice { features, relieves: false }),
        Expectation::Delivered => None,
    }
}

/// What a trial earned; nothing is learned from what was not done or could not be measured.
pub(crate) fn reward_bp(pending: PendingChoice, outcome: &Outcome) -> Option<i64> {
    let earned = match outcome.verdict {
        Verdict::NotActed | Verdict::Declined => return None,
        Verdict::Failed => 0,
        _ if pending.relieves => improvement_bp(outcome)?,
        Verdict::Kept => no_harm_bp(&pending),
        Verdict::Undone => UNDONE_BP,
        Verdict::Inconclusive => 0,
    };
    Some(earned - COST_BP - capacity_bp(&pending))
}

#[cfg(test)]
mod tests {
    use homeostat_core::actions::Measure;
    use homeostat_core::{ActionId, Counterfactual, Expected, Indicator, Label, Reading, Signal, Target, Timestamp};

    use super::*;

    fn outcome(verdict: Verdict, before: u64, after: u64) -> Outcome {
        Outcome {
            id: ActionId(1),
            kind: Label::new("scale_replicas"),
            target: Target::Agent,
            incident: None,
            verdict,
            before: Some(before),
            after: Some(after),
            expected: Some(Expected { low: before, high: before }),
            complaint: None,
        }
    }

    /// Scenario: trials of both kinds of promise end in every way.
    /// Guarantees: relief earns what it relieved less the price of capacity, harmlessness what it gave back, harm loses, and
    /// what was not done teaches nothing.
    #[test]
    fn rewards_follow_the_promise() {
        let check = |relieves, verdict, before, after, expected| {
            let pending = PendingChoice { features: Features::default(), relieves };
            assert_eq!(reward_bp(pending, &outcome(verdict, before, after)), expected, "{verdict}");
        };
        check(true, Verdict::Kept, 100, 40, Some(5900));
        check(true, Verdict::Inconclusive, 100, 110, Some(-1100));
        check(false, Verdict::Kept, 50, 60, Some(4900));
        check(false, Verdict::Undone, 50, 90, Some(-10_100));
        check(false, Verdict::Inconclusive, 50, 90, Some(-100));
        check(true, Verdict::Failed, 1, 1, Some(-100));
        check(true, Verdict::NotActed, 1, 1, None);
        check(true, Verdict::Declined, 1, 1, None);
        let mut doubles = PendingChoice { features: Features::default(), relieves: true };
        doubles.features.0[Features::GROWS_BY] = 5000;
        assert_eq!(reward_bp(doubles, &outcome(Verdict::Kept, 100, 40)), Some(4900));
        let mut halves = PendingChoice { features: Features::default(), relieves: false };
        halves.features.0[Features::SHRINKS_BY] = 5000;
        assert_eq!(reward_bp(halves, &outcome(Verdict::Kept, 50, 60)), Some(900));
    }

    /// Scenario: nothing was done while utilisation stood at 80 % and was forecast to; a minute later it is at 30 %.
    /// Guarantees: nothing is learned before the time has come; then doing nothing earns what the forecast missed, once.
    #[test]
    fn doing_nothing_earns_what_was_not_forecast() {
        let signal = Signal::new(Target::Service("cart".into()), Indicator::Utilization);
        let mut features = Features::default();
        features.0[0] = 10_000;
        let watch = Watch {
            kind: Label::new("scale_replicas"),
            target: Target::Service("cart".into()),
            features,
            relieved: Some(Measure::Reading(signal.clone())),
            before: Some(8000),
            forecast: Some(Counterfactual::without_past(Timestamp(40_000), 8000, None)),
            until: Timestamp(60_000),
        };
        let mut knowledge = Knowledge::default();
        knowledge.choices.watches.push(watch);
        let at = |at| Snapshot {
            at: Timestamp(at),
            signals: [(signal.clone(), Reading::Fresh { value: 3600 })].into(),
            ..Snapshot::default()
        };
        settle(&mut knowledge, &Plan::default(), &[], &at(59_999));
        assert_eq!(knowledge.choices.sums, LinearSums::default());
        for _ in 0..2 {
            settle(&mut knowledge, &Plan::default(), &[], &at(60_000));
            assert_eq!((knowledge.choices.sums.count, knowledge.choices.sums.vector[0]), (1, 10_000 * 5000));
        }
    }

    /// Scenario: sums that cannot be believed when the next outcome comes.
    /// Guarantees: learning begins anew instead of building on them.
    #[test]
    fn poisoned_sums_are_begun_anew() {
        let mut sums = LinearSums { count: u64::MAX, ..LinearSums::default() };
        learn(&mut sums, &Features::default(), 5);
        assert_eq!((sums.count, sums.check()), (1, Ok(())));
    }
}
