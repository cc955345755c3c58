//! What can be seen of the loop from outside it.
//!
//! Answers how the loop stands after its last tick, for the API, the page, the metrics and the demo. Does not reach into the
//! loop: the driver publishes a new view after every tick, so no reader can ever make a tick wait.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use homeostat_core::{
    ActionId, ActionRequest, InForce, Knowledge, Label, Outcome, Regime, ServiceName, ServiceSampling, Settings,
    Target, TickRecord, Timestamp, Trial, TrialStage, Verdict, Way,
};
use serde::{Deserialize, Serialize};

/// How the loop stands after its last tick.
#[derive(Clone, Debug)]
pub(crate) struct LoopView {
    /// The regime the next tick will run in.
    pub(crate) regime: Regime,
    /// The last record, if there was a tick yet.
    pub(crate) record: Option<Arc<TickRecord>>,
    /// Open trials.
    pub(crate) trials: Arc<[Trial]>,
    /// What was decided lately, newest first.
    pub(crate) decisions: Arc<VecDeque<Decision>>,
    /// What people want.
    pub(crate) settings: Arc<Settings>,
    /// What is set.
    pub(crate) in_force: Arc<InForce>,
    /// What was learned.
    pub(crate) knowledge: Arc<Knowledge>,
    /// The file that holds the agent, while it does.
    pub(crate) hold_file: Option<PathBuf>,
    /// What was taken back too often to be tried again.
    pub(crate) disarmed: Vec<Disarmed>,
    /// Why the agent does not act, if something is broken.
    pub(crate) trouble: Option<Trouble>,
    /// What the driver counted since it started.
    pub(crate) counts: LoopCounts,
}

impl LoopView {
    /// How `service` is sampled.
    pub(crate) fn sampling_of(&self, service: &ServiceName) -> ServiceSampling {
        let wanted = &self.settings.sampling;
        let set = self.in_force.sampling.get(service).filter(|_| wanted.adaptive);
        set.copied().unwrap_or(wanted.initial)
    }

    /// The view until the first tick.
    pub(crate) fn before_the_first_tick(settings: &Settings) -> LoopView {
        LoopView {
            regime: Regime::Starting,
            record: None,
            trials: Arc::new([]),
            decisions: Arc::default(),
            settings: Arc::new(settings.clone()),
            in_force: Arc::default(),
            knowledge: Arc::default(),
            hold_file: None,
            disarmed: Vec::new(),
            trouble: None,
            counts: LoopCounts::default(),
        }
    }
}

/// How any target is written where one could be named.
pub(crate) const ANY_TARGET: &str = "*";

/// One kind of change that is not tried any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disarmed {
    /// The kind of action.
    pub(crate) kind: Label,
    /// On what; `*` means on anything.
    pub(crate) target: String,
    /// The same as the loop knows it.
    pub(crate) on: Option<Target>,
    /// Which way it turns its knobs.
    pub(crate) way: Option<Way>,
    /// How often it was taken back in a row.
    pub(crate) undone: u32,
    /// Until when, unless a person arms it before.
    pub(crate) until: Timestamp,
}

/// Something is broken, and the agent does not act because of it. The data plane goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trouble {
    /// The journal cannot be written, so nothing may be done that would have to be explained by it.
    JournalNotWritable {
        /// What the store said.
        why: String,
    },
    /// An assertion of the loop failed. It does not run on with a state nobody can vouch for.
    LoopStopped {
        /// The assertion's text.
        why: String,
    },
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::JournalNotWritable { why } => write!(
                f,
                "the journal cannot be written ({why}), so nothing is done; telemetry goes on; restart the agent"
            ),
            Trouble::LoopStopped { why } => {
                write!(f, "the loop stopped at a failed assertion ({why}); telemetry goes on; restart the agent")
            }
        }
    }
}

/// What the driver counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoopCounts {
    /// Ticks.
    pub(crate) ticks: u64,
    /// Ticks that were skipped because the one before took too long.
    pub(crate) ticks_skipped: u64,
    /// How long ticks took.
    pub(crate) tick_durations: Durations,
    /// Records and their events committed to the journal.
    pub(crate) commits: u64,
    /// Commits that failed.
    pub(crate) commit_errors: u64,
    /// Observations dropped because the loop had no room for them.
    pub(crate) observations_dropped: u64,
    /// Effects handed to the outside, by kind of actuation.
    pub(crate) effects: [EffectCounts; EffectKind::ALL.len()],
    /// Trials that ended, by verdict.
    pub(crate) verdicts: [u64; VERDICTS.len()],
}

/// Every verdict, in the order in which they are counted.
pub(crate) const VERDICTS: [Verdict; 6] =
    [Verdict::Kept, Verdict::Undone, Verdict::Inconclusive, Verdict::Failed, Verdict::NotActed, Verdict::Declined];

impl LoopCounts {
    /// Counts one ended trial.
    pub(crate) fn count_verdict(&mut self, verdict: Verdict) {
        let place = VERDICTS.iter().position(|known| *known == verdict).expect("every verdict is listed");
        self.verdicts[place] += 1;
    }
}

/// Effects of one kind, by what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EffectCounts {
    /// Done.
    pub(crate) done: u64,
    /// Refused or failed.
    pub(crate) failed: u64,
}

/// Kinds of effects as metrics tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EffectKind {
    /// Sampling was set.
    SetSampling,
    /// Replicas were set.
    SetReplicas,
    /// A parameter was set.
    SetParameter,
    /// An instance was restarted.
    Restart,
    /// A profile was taken.
    Profile,
    /// People were told.
    Notify,
    /// The world's state was read.
    ReadBack,
}

impl EffectKind {
    /// All kinds.
    pub(crate) const ALL: [EffectKind; 7] = [
        EffectKind::SetSampling,
        EffectKind::SetReplicas,
        EffectKind::SetParameter,
        EffectKind::Restart,
        EffectKind::Profile,
        EffectKind::Notify,
        EffectKind::ReadBack,
    ];

    /// The name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            EffectKind::SetSampling => "set_sampling",
            EffectKind::SetReplicas => "set_replicas",
            EffectKind::SetParameter => "set_parameter",
            EffectKind::Restart => "restart",
            EffectKind::Profile => "profile",
            EffectKind::Notify => "notify",
            EffectKind::ReadBack => "read_back",
        }
    }
}

/// A histogram of tick durations. The bounds run from "nothing to do" to "the next tick is late".
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations {
    counts: [u64; Durations::BOUNDS_S.len()],
    /// All of them.
    pub(crate) count: u64,
    /// Their sum in seconds.
    pub(crate) sum_s: f64,
}

impl Durations {
    /// Upper bounds in seconds.
    pub(crate) const BOUNDS_S: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0];

    /// Counts one duration.
    pub(crate) fn observe(&mut self, seconds: f64) {
        self.count += 1;
        self.sum_s += seconds;
        if let Some(place) = Self::BOUNDS_S.iter().position(|bound| seconds <= *bound) {
            self.counts[place] += 1;
        }
    }

    /// Each bound with the count at or below it.
    pub(crate) fn cumulative(&self) -> Vec<(f64, u64)> {
        let mut below = 0;
        let pairs = Self::BOUNDS_S.iter().zip(self.counts);
        pairs
            .map(|(bound, count)| {
                (*bound, {
                    below += count;
                    below
                })
            })
            .collect()
    }
}

/// One decided action and how far it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    /// What was decided.
    pub(crate) request: ActionRequest,
    /// In one sentence: the actuation as people read it.
    pub(crate) what: String,
    /// How far its trial got.
    pub(crate) stage: Option<TrialStage>,
    /// When it last moved.
    pub(crate) moved: Timestamp,
    /// What became of it.
    pub(crate) outcome: Option<Outcome>,
}

/// Decisions that are kept at hand; older ones are in the journal. A screen shows fewer.
const DECISIONS_MAX: usize = 100;

/// Takes over what one record says about decisions.
pub(crate) fn remember(decisions: &mut VecDeque<Decision>, record: &TickRecord) {
    for request in &record.plan.requests {
        let what = request.action.actuation.to_string();
        let decision = Decision { request: request.clone(), what, stage: None, moved: record.at, outcome: None };
        decisions.push_front(decision);
    }
    decisions.truncate(DECISIONS_MAX);
    for change in &record.trials {
        if let Some(decision) = find(decisions, change.id) {
            decision.stage = Some(change.to);
            decision.moved = record.at;
        }
    }
    for outcome in &record.outcomes {
        if let Some(decision) = find(decisions, outcome.id) {
            decision.outcome = Some(outcome.clone());
        }
    }
}

fn find(decisions: &mut VecDeque<Decision>, id: ActionId) -> Option<&mut Decision> {
    decisions.iter_mut().find(|decision| decision.request.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::samples::{record_of_a_decision, record_of_its_outcome};

    /// Scenario: a decision and its end arrive in two records.
    /// Guarantees: one line stands for both, with the last stage and the outcome.
    #[test]
    fn a_decision_is_one_line_from_birth_to_end() {
        let mut decisions = VecDeque::new();
        remember(&mut decisions, &record_of_a_decision());
        assert_eq!(decisions[0].stage, Some(TrialStage::Requested));
        remember(&mut decisions, &record_of_its_outcome());
        assert_eq!(decisions.len(), 1);
        assert_eq!(decisions[0].stage, Some(TrialStage::Judged(Verdict::Kept)));
        assert_eq!(decisions[0].outcome.as_ref().and_then(|outcome| outcome.after), Some(5500));
    }

    /// Scenario: more decisions than are kept at hand.
    /// Guarantees: the oldest fall out.
    #[test]
    fn old_decisions_fall_out() {
        let mut decisions = VecDeque::new();
        for _ in 0..DECISIONS_MAX + 10 {
            remember(&mut decisions, &record_of_a_decision());
        }
        assert_eq!(decisions.len(), DECISIONS_MAX);
    }

    /// Scenario: a quick tick, a slow one, and one beyond every bound.
    /// Guarantees: buckets are cumulative and the one beyond is in the count alone.
    #[test]
    fn durations_are_cumulative() {
        let mut durations = Durations::default();
        for seconds in [0.0004, 0.02, 7.0] {
            durations.observe(seconds);
        }
        let cumulative = durations.cumulative();
        assert_eq!(cumulative.first(), Some(&(0.0005, 1)));
        assert_eq!(cumulative.last(), Some(&(1.0, 2)));
        assert_eq!(durations.count, 3);
    }
}
