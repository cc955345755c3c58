//! A restart leaves others that carry on.
//!
//! Counts restarts of each service over ten minutes against the instances that the plant has: at most a third of them, rounded
//! up, and never the only one.

use std::collections::{BTreeMap, VecDeque};

use homeostat_core::{ActionRequest, Actuation, Effect, Millis, ServiceName, Timestamp};

use crate::checkers::{Checker, Complaint, Scene};
use crate::plants::Readings;

/// Restarts of one service within this time count together.
const WINDOW: Millis = Millis::from_secs(600);

/// When each service was restarted lately, and the most instances it had.
#[derive(Default)]
pub(crate) struct CarriesOn {
    restarted: BTreeMap<ServiceName, VecDeque<Timestamp>>,
    instances: BTreeMap<ServiceName, u32>,
}

impl Checker for CarriesOn {
    fn second(&mut self, truth: &Readings, scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        for (name, readings) in scene.names.iter().zip(&truth.services) {
            let most = self.instances.entry(name.clone()).or_default();
            *most = readings.replicas.max(*most);
        }
    }

    fn effect(
        &mut self,
        effect: &Effect,
        _request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let Effect::Apply { id, actuation: Actuation::Restart { service, .. } } = effect else { return };
        let now = scene.now.wall();
        let lately = self.restarted.entry(service.clone()).or_default();
        lately.retain(|at| now.since(*at) < WINDOW);
        lately.push_back(now);
        let instances = self.instances.get(service).copied().unwrap_or_default();
        let (found, allowed) = (lately.len(), instances.div_ceil(3) as usize);
        if allowed < found || instances < 2 {
            let expected = format!("at most {allowed} of the {instances} instances of {service} restarted in {WINDOW}");
            complaints.push(scene.complain(expected, format!("{found} with {id}")));
        }
    }
}
