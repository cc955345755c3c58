//! One target has at most one open trial per kind of action.
//!
//! Follows trials through the changes that records tell, so it also notices a trial that ends without having begun.

use std::collections::BTreeMap;

use homeostat_core::{ActionId, Label, Target, TickRecord, TrialStage};

use crate::checkers::{Checker, Complaint, Scene};

/// The open trial of each kind on each target. Bounded by kinds times services.
#[derive(Default)]
pub(crate) struct OneTrial {
    open: BTreeMap<(Label, Target), ActionId>,
}

impl Checker for OneTrial {
    fn record(&mut self, record: &TickRecord, scene: &Scene<'_>, complaints: &mut Vec<Complaint>) {
        for change in &record.trials {
            let key = (change.kind.clone(), change.target.clone());
            let open = self.open.get(&key).copied();
            if change.from.is_none()
                && let Some(other) = open.filter(|other| *other != change.id)
            {
                let expected = format!("no second {} on {} while {other} is open", change.kind, change.target);
                complaints.push(scene.complain(expected, change.id.to_string()));
            }
            if change.from.is_some() && open != Some(change.id) {
                let expected = format!("{} to be the open trial on {}", change.id, change.target);
                complaints.push(scene.complain(expected, format!("{open:?}")));
            }
            match change.to {
                TrialStage::Judged(_) => self.open.remove(&key),
                _ => self.open.insert(key, change.id),
            };
        }
    }
}
