//! Not everything at once.
//!
//! Counts the services that were scaled, those that lost something, and how much one lost, in a window that slides with the
//! clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use homeostat_core::{ActionRequest, Actuation, Effect, ServiceName, Timestamp};

use crate::checkers::{Checker, Complaint, Scene};

/// One change of replicas.
struct Change {
    at: Timestamp,
    service: ServiceName,
    from: u32,
    to: u32,
}

/// The changes within the window.
#[derive(Default)]
pub(crate) struct BlastRadius {
    changes: VecDeque<Change>,
}

impl Checker for BlastRadius {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { id, actuation }, Some(request)) = (effect, request) else { return };
        let (Actuation::SetReplicas { service, replicas: to }, Some(Actuation::SetReplicas { replicas: from, .. })) =
            (actuation, &request.action.way_back)
        else {
            return;
        };
        let (at, radius) = (scene.now.wall(), scene.settings.guards.blast_radius);
        while self.changes.front().is_some_and(|change| radius.window <= at.since(change.at)) {
            self.changes.pop_front();
        }
        self.changes.push_back(Change { at, service: service.clone(), from: from.0, to: to.0 });
        let mut demand = |what: &str, found: u64, limit: u64| {
            if limit < found {
                let expected = format!("at most {limit} {what} within {}", radius.window);
                complaints.push(scene.complain(expected, format!("{found} with {id}")));
            }
        };
        let changed: BTreeSet<&ServiceName> = self.changes.iter().map(|change| &change.service).collect();
        demand("services scaled", changed.len() as u64, radius.targets_max.into());
        let mut lost: BTreeMap<&ServiceName, (u64, u64)> = BTreeMap::new();
        for change in self.changes.iter().filter(|change| change.to < change.from) {
            let (gone, most) = lost.entry(&change.service).or_default();
            *gone += u64::from(change.from - change.to);
            *most = u64::from(change.from).max(*most);
        }
        if to < from {
            let all = scene.names.len() as u64 * u64::from(radius.services_max.0) / 10_000;
            demand("services reduced", lost.len() as u64, all.max(1));
            let grown = self.changes.iter().filter(|change| change.service == *service).map(|change| change.from).max();
            let (gone, most) = lost[service];
            let most = most.max(u64::from(grown.unwrap_or(0)));
            demand("replicas taken away", gone, (most * u64::from(radius.replicas_max.0) / 10_000).max(1));
        }
    }
}
