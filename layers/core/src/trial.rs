//! Trials.
//!
//! Answers where an action in flight stands. A trial is data with its own life cycle, not a state of the loop: the loop
//! goes on perceiving and acting elsewhere while trials settle.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::actions::ActionClass;
use crate::{ActionId, ActionRequest, Actuation, Expected, IncidentKind, Label, Millis, Target, Timestamp, Turn};

/// A request in flight, from `requested` to `judged`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// What was decided.
    pub request: ActionRequest,
    /// Where it stands.
    pub state: TrialState,
}

impl Trial {
    /// Whether it still needs attention.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, TrialState::Judged { .. })
    }
}

/// The life cycle: `awaiting approval → requested → settling → (undoing →) judged`, with a deadline at every step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// A person must say yes first.
    AwaitingApproval {
        /// After this the question is withdrawn.
        expires: Timestamp,
    },
    /// Sent to the outside; no answer yet.
    Requested {
        /// After this the outside is asked how it stands; if that is not answered either, the way back is taken.
        deadline: Timestamp,
        /// Whether it has been asked.
        asked: bool,
    },
    /// Applied; the world is given time to show the effect.
    Settling {
        /// When the outside reported it done.
        applied: Timestamp,
        /// When it will be judged.
        until: Timestamp,
    },
    /// The way back has been sent; no answer yet.
    Undoing {
        /// After this the undo is sent again, then given up with a page.
        deadline: Timestamp,
        /// How often it was sent.
        attempts: u32,
        /// Why it is taken back.
        because: Verdict,
    },
    /// Over.
    Judged {
        /// When.
        at: Timestamp,
        /// How it ended.
        verdict: Verdict,
    },
}

impl TrialState {
    /// The stage without its data.
    pub const fn stage(&self) -> TrialStage {
        match self {
            TrialState::AwaitingApproval { .. } => TrialStage::AwaitingApproval,
            TrialState::Requested { .. } => TrialStage::Requested,
            TrialState::Settling { .. } => TrialStage::Settling,
            TrialState::Undoing { .. } => TrialStage::Undoing,
            TrialState::Judged { verdict, .. } => TrialStage::Judged(*verdict),
        }
    }
}

/// The stage of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialStage {
    /// A person must say yes first.
    AwaitingApproval,
    /// Sent; no answer yet.
    Requested,
    /// Applied; waiting for the effect.
    Settling,
    /// Being taken back.
    Undoing,
    /// Over.
    Judged(Verdict),
}

impl fmt::Display for TrialStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrialStage::AwaitingApproval => f.write_str("awaiting approval"),
            TrialStage::Requested => f.write_str("requested"),
            TrialStage::Settling => f.write_str("settling"),
            TrialStage::Undoing => f.write_str("undoing"),
            TrialStage::Judged(verdict) => write!(f, "{verdict}"),
        }
    }
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The promise was kept; the change stays.
    Kept,
    /// It made things worse; the change was taken back.
    Undone,
    /// Neither better nor worse could be shown; the change stays and is not counted as success.
    Inconclusive,
    /// The outside refused or failed; nothing changed, or it was put back.
    Failed,
    /// Autonomy is `observe`: decided, and not carried out.
    NotActed,
    /// A person said no, or did not answer in time.
    Declined,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Kept => "kept",
            Verdict::Undone => "undone",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Failed => "failed",
            Verdict::NotActed => "not acted",
            Verdict::Declined => "declined",
        })
    }
}

/// What the outside says about one actuation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which action.
    pub id: ActionId,
    /// What happened.
    pub kind: ReportKind,
}

/// What happened to one actuation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// It is done (again, if it was done before).
    Applied,
    /// The way back has been taken.
    Undone,
    /// It could not be done.
    Failed {
        /// Why, for people.
        why: String,
    },
    /// Answer to a question after a restart: this is how the world stands.
    ReadBack {
        /// The state found; `None` if it cannot be told.
        actual: Option<Actuation>,
    },
}

/// What became of a trial, measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which action.
    pub id: ActionId,
    /// Its kind.
    pub kind: Label,
    /// On what.
    pub target: Target,
    /// The kind of incident it answered.
    pub incident: Option<IncidentKind>,
    /// How it ended.
    pub verdict: Verdict,
    /// The promised measure when it was decided.
    pub before: Option<u64>,
    /// The promised measure when it was judged.
    pub after: Option<u64>,
    /// Between which values it would have been then without the action; none if nothing was forecast.
    #[serde(default)]
    pub expected: Option<Expected>,
    /// The outside's complaint, if it failed.
    pub complaint: Option<String>,
}

/// What was decided lately, for the guards that bound how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "LedgerEntries")]
pub struct Ledger {
    entries: VecDeque<LedgerEntry>,
    /// The place of the newest entry of each kind on each target, counted from the first entry ever.
    #[serde(skip)]
    newest: BTreeMap<Target, BTreeMap<Label, u64>>,
    /// How many entries have fallen out: the place of the first that is kept.
    #[serde(skip)]
    first: u64,
}

/// A ledger on the wire.
#[derive(Deserialize)]
struct LedgerEntries {
    entries: VecDeque<LedgerEntry>,
}

impl From<LedgerEntries> for Ledger {
    fn from(read: LedgerEntries) -> Ledger {
        let mut ledger = Ledger::default();
        read.entries.into_iter().for_each(|entry| ledger.push(entry));
        ledger
    }
}

/// One decided action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Which one.
    pub id: ActionId,
    /// Its kind.
    pub kind: Label,
    /// Its class.
    pub class: ActionClass,
    /// On what.
    pub target: Target,
    /// When it was decided.
    pub at: Timestamp,
    /// The knobs it turned.
    #[serde(default)]
    pub turns: Vec<Turn>,
}

impl Ledger {
    /// Entries kept, so that a window of ten minutes at the default global budget fits; the oldest falls out.
    pub const ENTRIES_MAX: usize = 4096;

    /// Entries older than this have left every budget's window and every cooldown.
    const REMEMBERED: Millis = Millis::from_secs(3600);

    /// Writes an entry, and forgets what is too old to count.
    pub fn enter(&mut self, entry: LedgerEntry) {
        let old = |first: &LedgerEntry| Self::REMEMBERED <= entry.at.since(first.at);
        while Self::ENTRIES_MAX <= self.entries.len() || self.entries.front().is_some_and(old) {
            self.drop_oldest();
        }
        self.push(entry);
    }

    fn push(&mut self, entry: LedgerEntry) {
        let place = self.first + self.entries.len() as u64;
        self.newest.entry(entry.target.clone()).or_default().insert(entry.kind.clone(), place);
        self.entries.push_back(entry);
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.entries.pop_front() else { return };
        let place = self.first;
        self.first += 1;
        let Some(kinds) = self.newest.get_mut(&oldest.target) else { return };
        if kinds.get(&oldest.kind) == Some(&place) {
            kinds.remove(&oldest.kind);
        }
        if kinds.is_empty() {
            self.newest.remove(&oldest.target);
        }
    }

    /// Entries decided within `span` before `now`, newest first.
    pub fn within(&self, now: Timestamp, span: Millis) -> impl Iterator<Item = &LedgerEntry> {
        self.entries.iter().rev().take_while(move |entry| now.since(entry.at) < span)
    }

    /// The entry of `id`, if it is still known.
    pub fn entry(&self, id: ActionId) -> Option<&LedgerEntry> {
        self.entries.iter().rev().find(|entry| entry.id == id)
    }

    /// The newest entry for this kind on this target.
    pub fn last(&self, kind: &Label, target: &Target) -> Option<&LedgerEntry> {
        let place = self.newest.get(target)?.get(kind)?;
        self.entries.get((place - self.first) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, service: &str) -> LedgerEntry {
        LedgerEntry {
            id: ActionId(number),
            kind: Label::new("notify"),
            class: ActionClass::Notification,
            target: Target::Service(service.into()),
            at: Timestamp(number),
            turns: Vec::new(),
        }
    }

    /// Scenario: more entries than are kept, on three services in turn, one of which is entered only once, at first.
    /// Guarantees: the newest entry of a target is found as long as it is kept.
    #[test]
    fn the_newest_entry_of_a_target_is_found() {
        let mut ledger = Ledger::default();
        ledger.enter(entry(0, "once"));
        for number in 1..=Ledger::ENTRIES_MAX as u64 {
            let newest = ledger.last(&Label::new("notify"), &Target::Service("once".into()));
            assert_eq!(newest.map(|entry| entry.id), Some(ActionId(0)));
            ledger.enter(entry(number, if number.is_multiple_of(2) { "even" } else { "odd" }));
        }
        let newest = |service: &str| ledger.last(&Label::new("notify"), &Target::Service(service.into()));
        assert_eq!(newest("once"), None);
        assert_eq!(newest("even").map(|entry| entry.id), Some(ActionId(4096)));
        assert_eq!(newest("odd").map(|entry| entry.id), Some(ActionId(4095)));
        assert_eq!(ledger.last(&Label::new("scale"), &Target::Service("odd".into())), None);
    }
}
