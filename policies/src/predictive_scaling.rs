//! Replicas follow the forecast.
//!
//! Answers how many replicas a service will need when what is asked for at once begins to serve: enough for the bound of the
//! forecast, staffed by Erlang's C so that few requests wait longer than is promised. Both are the assessment's; this policy
//! weighs them against what serves and what is on its way. It is silent where the forecast is not trusted, and target tracking
//! is silent where it is. What is on its way counts as if it served: otherwise a start would be asked for again and again
//! until it is over.

use homeostat_core::actions::{self, Action, Measure};
use homeostat_core::{
    BasisPoints, Forecast, IncidentId, Indicator, Label, Policy, PolicyView, Proposal, ServiceScaling, Signal, Target,
};

use crate::scaling::{answered, relief, replicas};

pub(crate) const PREDICTIVE_SCALING: PredictiveScaling = PredictiveScaling;

/// A reduction after which more than this is used, and more than before, was harmful: hardly anything is to spare.
const USED_MAX: BasisPoints = BasisPoints(9500);

pub(crate) struct PredictiveScaling;

impl Policy for PredictiveScaling {
    fn name(&self) -> &'static str {
        "predictive_scaling"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for (service, envelope) in &view.settings.scaling.services {
            let Some(forecast) = view.assessment.trusted_forecast(service) else { continue };
            let Some(ready) = view.snapshot.service_value(service, Indicator::ReplicasReady) else { continue };
            let wanted = view.knowledge.starts.get(service).map_or(ready, |starts| starts.wanted(ready));
            let sizing = Sizing { forecast, envelope, ready, wanted };
            proposals.extend(sizing.grow(view).or_else(|| sizing.shrink()));
        }
    }
}

/// What a service will need, and what it has.
struct Sizing<'a> {
    forecast: &'a Forecast,
    envelope: &'a ServiceScaling,
    ready: u64,
    /// Serving, or on the way.
    wanted: u64,
}

impl Sizing<'_> {
    fn grow(&self, view: &PolicyView<'_>) -> Option<Proposal> {
        // A queue that forms now is no noise.
        let needed = self.forecast.needed_steadily.max(self.forecast.needed_now);
        let highest = view.settings.guards.replica_factor_max.of(self.wanted).max(self.wanted + 1);
        let to = needed.min(highest).min(self.envelope.max.0.into());
        if to <= self.wanted {
            return None;
        }
        let service = &self.forecast.service;
        let action = actions::scale_out(service, replicas(self.wanted), replicas(to), relief(service, view));
        Some(self.proposal(action, answered(service, view), to))
    }

    fn shrink(&self) -> Option<Proposal> {
        let lowest = self.wanted.div_ceil(2).max(self.envelope.min.0.into()).max(1);
        let to = self.forecast.needed_lately.max(lowest);
        if self.wanted <= to {
            return None;
        }
        let service = &self.forecast.service;
        let measure = Measure::Reading(Signal::new(Target::Service(service.clone()), Indicator::Utilization));
        let action = actions::scale_in(service, replicas(self.wanted), replicas(to), measure, u64::from(USED_MAX.0));
        Some(self.proposal(action, None, to))
    }

    fn proposal(&self, action: Action, incident: Option<IncidentId>, to: u64) -> Proposal {
        let Forecast { service, demand, upper, ahead, method, .. } = self.forecast;
        let busy = |demand: u64| format!("{}.{}", demand / 1000, demand % 1000 / 100);
        let why = format!(
            "{service} keeps {} of {} replicas busy and in {ahead} at most {} ({method}); that takes {to}",
            busy(*demand),
            self.ready,
            busy(*upper)
        );
        Proposal { policy: Label::new(PREDICTIVE_SCALING.name()), incident, action, why }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Actuation, Awaited, Millis, Timestamp};

    use super::*;
    use crate::target_tracking::TARGET_TRACKING;
    use crate::testing::World;

    fn forecast(now: u64, ahead: u64, lately: u64) -> Forecast {
        Forecast {
            service: "cart".into(),
            ahead: Millis::from_secs(70),
            demand: 2500,
            expected: 2500,
            upper: 3100,
            method: Label::new("line"),
            settled: 100,
            covered: BasisPoints(9600),
            trusted: true,
            needed_now: now,
            needed_ahead: ahead,
            needed_steadily: ahead,
            needed_lately: lately,
        }
    }

    fn world(ready: u64, forecast: Forecast) -> World {
        let world = World::default().at(1000).scalable("cart", 1, 12).gauge("cart", Indicator::ReplicasReady, ready);
        world.gauge("cart", Indicator::Utilization, 5000).forecast(forecast)
    }

    fn proposed(world: &World) -> Option<u32> {
        match world.proposals(&PREDICTIVE_SCALING).first().map(|proposal| &proposal.action.actuation) {
            Some(Actuation::SetReplicas { replicas, .. }) => Some(replicas.0),
            _ => None,
        }
    }

    /// Scenario: four replicas serve; three to twenty will be needed; later four more are on their way.
    /// Guarantees: what is needed and not there is asked for, at most twice what there is; what is on its way is not asked for
    /// again.
    #[test]
    fn what_is_needed_and_not_coming_is_asked_for() {
        assert_eq!(proposed(&world(4, forecast(3, 4, 4))), None);
        assert_eq!(proposed(&world(4, forecast(3, 6, 6))), Some(6));
        assert_eq!(proposed(&world(4, forecast(5, 3, 5))), Some(5));
        assert_eq!(proposed(&world(4, forecast(3, 20, 20))), Some(8));
        let awaited = Awaited { since: Timestamp(990_000), replicas: 8 };
        let coming = |needed| world(4, forecast(3, needed, needed)).awaiting("cart", awaited);
        assert_eq!(proposed(&coming(8)), None);
        assert_eq!(proposed(&coming(20)), Some(12));
    }

    /// Scenario: eight replicas serve; three are needed, and five were lately; then one is enough for everything.
    /// Guarantees: a reduction goes no further than what was needed lately, and halves at most.
    #[test]
    fn a_reduction_goes_no_further_than_the_last_need() {
        assert_eq!(proposed(&world(8, forecast(3, 3, 5))), Some(5));
        assert_eq!(proposed(&world(8, forecast(1, 1, 1))), Some(4));
    }

    /// Scenario: pressing load with a forecast that is trusted, and with one that is not.
    /// Guarantees: exactly one of the two scaling policies speaks.
    #[test]
    fn one_scaling_policy_speaks_at_a_time() {
        let trusted = world(4, forecast(3, 6, 6)).pressed("cart");
        assert!(proposed(&trusted).is_some() && trusted.proposals(&TARGET_TRACKING).is_empty());
        let doubted = world(4, Forecast { trusted: false, ..forecast(3, 6, 6) }).pressed("cart");
        assert!(proposed(&doubted).is_none() && !doubted.proposals(&TARGET_TRACKING).is_empty());
    }
}
