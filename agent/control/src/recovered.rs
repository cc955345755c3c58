//! Recovered state, as far as it may be believed.
//!
//! Answers what of a checkpoint a loop can go on with. What could not have been counted, or could not have been decided by this
//! program, was damaged or written by somebody else; it is left out rather than guessed at. What is left out costs a trial its
//! verdict or a window its counts. The journal's checksums find most damage before; this is for what they do not.

use homeostat_core::{
    ActionId, Bulk, Checkpoint, Efficacy, Generation, IncidentId, Knowledge, TickNumber, Trial, actions,
};

/// Nothing that is counted gets here, even once a nanosecond for a century.
const COUNTED_MAX: u64 = 1 << 62;

/// What one trial can have improved at most, in basis points.
const IMPROVEMENT_BP_MAX: u64 = 10_000;

/// The checkpoint without what cannot be true.
pub(crate) fn believable(mut checkpoint: Checkpoint) -> Checkpoint {
    checkpoint.trials.retain(|trial| trial.request.id.0 < COUNTED_MAX && is_known(trial));
    checkpoint.trials.sort_by_key(|trial| trial.request.id);
    checkpoint.trials.dedup_by_key(|trial| trial.request.id);
    let newest = checkpoint.trials.last().map_or(0, |trial| trial.request.id.0);
    // An id must never mean two things, so the next one is beyond every id that is known.
    checkpoint.next_action = ActionId(checkpoint.next_action.0.clamp(newest + 1, COUNTED_MAX));
    checkpoint.tick = TickNumber(checkpoint.tick.0.min(COUNTED_MAX));
    checkpoint.settings_generation = Generation(checkpoint.settings_generation.0.min(COUNTED_MAX));
    let next_incident = &mut checkpoint.assessment.next_incident;
    *next_incident = IncidentId(next_incident.0.min(COUNTED_MAX));
    believe_knowledge(&mut checkpoint.knowledge);
    checkpoint.bulk.iter_mut().for_each(|bulk| believe_bulk(bulk));
    checkpoint
}

/// A trial of a kind, and of a class, that this program could have begun.
fn is_known(trial: &Trial) -> bool {
    let action = &trial.request.action;
    actions::kind(action.kind.as_str()).is_some_and(|kind| kind.class == action.class)
}

fn believe_knowledge(knowledge: &mut Knowledge) {
    knowledge.generation = Generation(knowledge.generation.0.min(COUNTED_MAX));
    knowledge.efficacy.retain(|_, efficacy| is_sum(efficacy));
}

fn is_sum(efficacy: &Efficacy) -> bool {
    let Efficacy { kept, undone, inconclusive, failed, improvement_bp_sum, improvement_count } = *efficacy;
    let counts = [kept, undone, inconclusive, failed, improvement_count];
    counts.iter().all(|count| *count < COUNTED_MAX / IMPROVEMENT_BP_MAX)
        && improvement_bp_sum.unsigned_abs() <= improvement_count * IMPROVEMENT_BP_MAX
}

fn believe_bulk(bulk: &mut Bulk) {
    bulk.counts.retain(|_, ring| ring.is_sound());
}

#[cfg(test)]
mod tests {
    use homeostat_core::{EfficacyKey, Label};

    use super::*;

    /// Scenario: a checkpoint whose counters stand at their end, with an efficacy that no trials can have summed up to.
    /// Guarantees: counting goes on from where it can, and the sum is forgotten; a checkpoint that is sound stays as it is.
    #[test]
    fn what_cannot_have_been_counted_is_left_out() {
        let mut poisoned =
            Checkpoint { tick: TickNumber(u64::MAX), next_action: ActionId(u64::MAX), ..Checkpoint::default() };
        poisoned.assessment.next_incident = IncidentId(u64::MAX);
        let key = EfficacyKey { incident: None, action: Label::new("notify") };
        let believed = Efficacy { kept: 1, improvement_bp_sum: 9000, improvement_count: 1, ..Efficacy::default() };
        poisoned.knowledge.efficacy.insert(key.clone(), Efficacy { improvement_bp_sum: i64::MAX, ..believed });
        let found = believable(poisoned);
        assert_eq!((found.tick.0, found.next_action.0), (COUNTED_MAX, COUNTED_MAX));
        assert!(found.knowledge.efficacy.is_empty());
        let mut sound = Checkpoint { next_action: ActionId(7), ..Checkpoint::default() };
        sound.knowledge.efficacy.insert(key, believed);
        assert_eq!(believable(sound.clone()), sound);
    }
}
