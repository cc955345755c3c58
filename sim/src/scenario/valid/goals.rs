//! Goals of a scenario, checked.
//!
//! Answers whether journeys begin and pass where there is something, and turns them into the loop's own words.

use homeostat_core::{
    BasisPoints, Entry, GoalSettings, Journey, JourneyName, LatencyPromise, Micros, Millis, OperationName, ServiceName,
    Settings,
};

use crate::scenario::raw::{RawGoals, RawJourney};
use crate::scenario::valid::Validation;

impl Validation<'_> {
    pub(super) fn goals(&mut self, raw: &RawGoals, settings: &mut Settings) {
        let mut goals = GoalSettings::default();
        for (name, journey) in &raw.journeys {
            let path = format!("settings.goals.journeys.{name}");
            goals.journeys.insert(JourneyName::from(name.as_str()), self.journey(&path, journey));
        }
        let precision = &mut goals.precision;
        self.between("settings.goals.error_rate_bp".to_owned(), raw.error_rate_bp.into(), 1, 10_000);
        self.between("settings.goals.p99_rank_bp".to_owned(), raw.p99_rank_bp.into(), 1, 10_000);
        self.between("settings.goals.window_s".to_owned(), raw.window_s, 1, 86_400);
        precision.error_rate = BasisPoints(raw.error_rate_bp);
        precision.p99_rank = BasisPoints(raw.p99_rank_bp);
        precision.window = Millis::from_secs(raw.window_s);
        goals.strengthen(&mut settings.objectives);
        settings.goals = goals;
    }

    fn journey(&mut self, path: &str, raw: &RawJourney) -> Journey {
        self.index(&format!("{path}.service"), &raw.service);
        for (index, service) in raw.through.iter().enumerate() {
            self.index(&format!("{path}.through[{index}]"), service);
        }
        self.between(format!("{path}.reliability_bp"), raw.reliability_bp.into(), 5000, 9999);
        self.between(format!("{path}.window_d"), raw.window_d, 7, 30);
        let latency = raw.latency.as_ref().map(|latency| {
            self.between(format!("{path}.latency.ratio_bp"), latency.ratio_bp.into(), 5000, 9999);
            let threshold = Micros::from_millis(latency.threshold_ms);
            LatencyPromise { threshold, ratio: BasisPoints(latency.ratio_bp) }
        });
        let operation = raw.operation.as_deref().map(OperationName::from);
        Journey {
            entries: vec![Entry { service: ServiceName::from(raw.service.as_str()), operation }],
            through: raw.through.iter().map(|service| ServiceName::from(service.as_str())).collect(),
            importance: raw.importance,
            reliability: BasisPoints(raw.reliability_bp),
            latency,
            window: Millis::from_secs(raw.window_d * 86_400),
        }
    }
}
