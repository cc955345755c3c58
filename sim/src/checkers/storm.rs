//! In a mass failure the loop keeps its hands still.
//!
//! Looks into the plant's own books: where more than the allowed share of services fails most of its requests, from at least
//! three places at once and not for want of capacity, nothing but telling people is in order. The loop is given time to
//! notice.

use std::collections::VecDeque;

use homeostat_core::{ActionRequest, Actuation, Effect};

use crate::checkers::{Checker, Complaint, Scene};
use crate::plants::{Readings, ServiceReadings};

/// How long the loop may take to notice: burn rates over a minute, and their confirmation.
const NOTICED_AFTER_S: u64 = 30;

/// Seconds over which failures are counted, and one to subtract from.
const KEPT: usize = 6;

/// Places where trouble starts; fewer may have one cause, or two by chance.
const PLACES_MIN: usize = 3;

/// Above this utilisation a service fails for want of capacity.
const FULL_BP: u64 = 6600;

/// The last seconds, and since when it storms.
#[derive(Default)]
pub(crate) struct Storm {
    seconds: VecDeque<Vec<ServiceReadings>>,
    since_s: Option<u64>,
}

impl Checker for Storm {
    fn second(&mut self, truth: &Readings, scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        if self.seconds.len() == KEPT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(truth.services.clone());
        let failing = self.failing();
        let count = failing.iter().filter(|failing| **failing).count();
        let starts = |index: usize| {
            let calls = &scene.plant.services[index].calls;
            failing[index] && !calls.iter().any(|call| failing.get(call.callee).copied().unwrap_or(false))
        };
        let places = (0..failing.len()).filter(|index| starts(*index)).count();
        let share = count as u64 * 10_000 / failing.len().max(1) as u64;
        let storms = u64::from(scene.settings.guards.storm_above.0) < share && PLACES_MIN <= places;
        self.since_s = storms.then(|| self.since_s.unwrap_or(scene.now.as_secs()));
    }

    fn effect(
        &mut self,
        effect: &Effect,
        _request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let Effect::Apply { actuation, id } = effect else { return };
        let Some(since_s) = self.since_s.filter(|_| !matches!(actuation, Actuation::Notify { .. })) else { return };
        if since_s + NOTICED_AFTER_S < scene.now.as_secs() {
            let expected = format!("no change in a mass failure since {since_s} s");
            complaints.push(scene.complain(expected, format!("{id} \"{actuation}\"")));
        }
    }
}

impl Storm {
    /// Which services fail more than half of their requests, though they have room.
    fn failing(&self) -> Vec<bool> {
        let (Some(first), Some(last)) = (self.seconds.front(), self.seconds.back()) else { return Vec::new() };
        let fails = |(before, after): (&ServiceReadings, &ServiceReadings)| {
            let requests = after.totals.requests - before.totals.requests;
            let errors = after.totals.errors - before.totals.errors;
            let has_room = after.utilization_bp.is_none_or(|used| used < FULL_BP);
            KEPT as u64 <= requests && requests < errors * 2 && has_room
        };
        first.iter().zip(last).map(fails).collect()
    }
}
