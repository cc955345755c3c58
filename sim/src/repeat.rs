//! The same run again.
//!
//! Answers whether one seed gave the same run twice, and if not, which record is the first that differs. A failure that
//! cannot be repeated is worth little, and the reason why it cannot is then the first thing to be found.

use homeostat_core::{Seed, TickRecord};

use crate::scenario::{Options, RunReport, Scenario, run};
use crate::world::Keep;

/// Where two runs of one seed part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The record, counted from one; none if all records are the same and only the plant differs.
    pub record: Option<usize>,
    /// What the first run wrote, from where it differs.
    pub first: String,
    /// What the second one wrote.
    pub second: String,
}

/// Characters shown of each record from where they differ, and before it.
const SHOWN: usize = 160;

/// Runs the seed of `report` again, the same way; says where the two part.
pub fn repeat(scenario: &Scenario, report: &RunReport, options: &Options) -> Option<Divergence> {
    if run(scenario, report.seed, options).digest == report.digest {
        return None;
    }
    // Records are kept only now, because a run that is the same needs none. Both runs are new: what differs between these
    // two differs for the same reason.
    Some(first_difference(&records(scenario, report.seed, options), &records(scenario, report.seed, options)))
}

fn records(scenario: &Scenario, seed: Seed, options: &Options) -> Vec<TickRecord> {
    run(scenario, seed, &Options { keep: Keep::Records, ..*options }).records
}

fn first_difference(first: &[TickRecord], second: &[TickRecord]) -> Divergence {
    let longer = first.len().max(second.len());
    let Some(place) = (0..longer).find(|place| first.get(*place) != second.get(*place)) else {
        return Divergence { record: None, first: String::new(), second: String::new() };
    };
    let text = |record: Option<&TickRecord>| match record {
        Some(record) => serde_json::to_string(record).expect("a record serialises"),
        None => "nothing".to_owned(),
    };
    let (first, second) = (text(first.get(place)), text(second.get(place)));
    let parting = first.chars().zip(second.chars()).take_while(|(one, other)| one == other).count();
    let excerpt = |text: &str| text.chars().skip(parting.saturating_sub(SHOWN)).take(2 * SHOWN).collect();
    Divergence { record: Some(place + 1), first: excerpt(&first), second: excerpt(&second) }
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.record {
            Some(record) => write!(
                f,
                "two runs of the same seed part at record {record}: first {}, second {}",
                self.first, self.second
            ),
            None => f.write_str("two runs of the same seed differ in the plant, and in no record"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use homeostat_core::{Policy, PolicyView, Proposal};

    use super::*;
    use crate::scenario::shipped;

    /// A policy that is not pure: it does nothing in the first ticks it is ever asked in, and something later.
    struct Moody;

    static ASKED: AtomicU32 = AtomicU32::new(0);

    impl Policy for Moody {
        fn name(&self) -> &'static str {
            "moody"
        }

        fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
            if 900 < ASKED.fetch_add(1, Ordering::Relaxed) {
                homeostat_policies::CATALOGUE.iter().for_each(|policy| policy.propose(view, proposals));
            }
        }
    }

    /// Scenario: a run twice as it ships, and twice with a policy that remembers having been asked before.
    /// Guarantees: the first two are the same; of the others the first record that differs is named and shown.
    #[test]
    fn what_cannot_be_repeated_is_shown_where_it_parts() {
        let scenario = shipped("starved_service").unwrap();
        let options = Options::default();
        assert_eq!(repeat(&scenario, &run(&scenario, Seed(1), &options), &options), None);
        let moody = Options { policies: &[&Moody], ..options };
        let report = run(&scenario, Seed(1), &moody);
        let found = repeat(&scenario, &report, &moody);
        assert!(found.is_some());
        let quiet = records(&scenario, Seed(1), &Options { policies: &[], ..options });
        let usual = records(&scenario, Seed(1), &options);
        let parts = first_difference(&quiet, &usual);
        let place = parts.record.expect("doing nothing is not the same as doing something");
        assert!(quiet[..place - 1] == usual[..place - 1] && quiet[place - 1] != usual[place - 1]);
        assert_ne!(parts.first, parts.second);
        assert_eq!(first_difference(&quiet, &quiet).record, None);
    }
}
