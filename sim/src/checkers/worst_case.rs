//! Fewer replicas only past the busiest moment of the waiting time.
//!
//! Works out again, from the readings in every record, how many replicas would have brought a service to its target, and
//! holds each reduction against the highest of these numbers. Where a forecast is trusted it takes the forecast's own word for
//! what is needed, over the forecast's waiting time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use homeostat_core::{ActionRequest, Actuation, Effect, Indicator, Millis, ServiceName, TickRecord, Timestamp};

use crate::checkers::{Checker, Complaint, Scene};

/// Seconds remembered of each service; more than any waiting time in a scenario.
const SECONDS_MAX: usize = 3600;

/// What every record said was wanted, per service.
#[derive(Default)]
pub(crate) struct WorstCase {
    wanted: BTreeMap<ServiceName, VecDeque<(Timestamp, u64)>>,
    first: BTreeMap<ServiceName, Timestamp>,
    /// Whose forecast was trusted in the last record.
    forecast: BTreeSet<ServiceName>,
}

impl Checker for WorstCase {
    fn record(&mut self, record: &TickRecord, scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        let scaling = &scene.settings.scaling;
        for service in scaling.services.keys() {
            let value = |indicator| record.snapshot.service_value(service, indicator);
            let (Some(used), Some(ready)) = (value(Indicator::Utilization), value(Indicator::ReplicasReady)) else {
                continue;
            };
            let target = f64::from(scaling.utilization_target.0);
            let ratio = used as f64 / target;
            let tolerance = f64::from(scaling.tolerance.0) / 10_000.0;
            // Chance in the last digit must not make this checker stricter than the rule it checks.
            let exact = ready as f64 * ratio - 1e-6;
            let wanted = if (ratio - 1.0).abs() <= tolerance + 1e-9 { ready } else { exact.ceil().max(0.0) as u64 };
            let forecast = record.assessment.trusted_forecast(service);
            let wanted = forecast.map_or(wanted, |forecast| forecast.needed_now);
            match forecast {
                Some(_) => self.forecast.insert(service.clone()),
                None => self.forecast.remove(service),
            };
            let history = self.wanted.entry(service.clone()).or_default();
            if history.len() == SECONDS_MAX {
                history.pop_front();
            }
            history.push_back((record.at, wanted));
            self.first.entry(service.clone()).or_insert(record.at);
        }
    }

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
        if from <= to {
            return;
        }
        let (now, scaling) = (scene.now.wall(), &scene.settings.scaling);
        let window: Millis = match self.forecast.contains(service) {
            true => scaling.predictive.reduce_after,
            false => scaling.reduce_after,
        };
        if self.first.get(service).is_none_or(|first| now.since(*first) < window) {
            complaints.push(scene.complain(format!("{service} watched for {window} before {id}"), "less"));
        }
        let history = self.wanted.get(service).into_iter().flatten();
        let most = history.filter(|(at, _)| now.since(*at) < window).map(|(_, wanted)| *wanted).max();
        if let Some(most) = most.filter(|most| u64::from(to.0) < *most) {
            let expected = format!("at least the {most} replicas of {service} that were needed within {window}");
            complaints.push(scene.complain(expected, format!("\"{actuation}\"")));
        }
    }
}
