//! The sampling plan in force.
//!
//! Answers which plan the data plane and the SDKs' samplers follow now. Does not decide it. Sampling is the one actuation that
//! is carried out inside this process, so it cannot fail and is reported done at once.

use std::collections::BTreeMap;

use homeostat_core::{
    Actuation, Generation, InForce, Micros, OperationName, OperationPlan, SamplingPlan, ServiceName, ServiceSampling,
    Settings,
};

/// Hands a new plan to everybody who follows it.
pub(crate) type Publish = Box<dyn Fn(&SamplingPlan) + Send>;

/// Holds the plan and publishes each change of it.
pub(crate) struct Sampler {
    plan: SamplingPlan,
    publish: Publish,
}

impl Sampler {
    /// Starts from `plan`, which everybody already follows.
    pub(crate) fn new(plan: SamplingPlan, publish: Publish) -> Sampler {
        Sampler { plan, publish }
    }

    /// Samples `service`, or its `operation`, like this from now on.
    pub(crate) fn set(&mut self, service: ServiceName, operation: Option<OperationName>, sampling: ServiceSampling) {
        match operation {
            None => drop(self.plan.services.insert(service, sampling)),
            Some(operation) => {
                self.plan.operations.entry(service).or_default().entry(operation).or_default().sampling =
                    Some(sampling);
            }
        }
        self.publish_next();
    }

    /// Follows new settings. What was set per service stays, also where the loop has not yet read the report of it.
    pub(crate) fn follow(&mut self, settings: &Settings, in_force: &InForce) {
        let mut set = in_force.clone();
        set.sampling.append(&mut self.plan.services);
        for (service, operations) in std::mem::take(&mut self.plan.operations) {
            let own = |(operation, plan): (OperationName, OperationPlan)| {
                Some(((service.clone(), operation), plan.sampling?))
            };
            set.operations.extend(operations.into_iter().filter_map(own));
        }
        self.plan = plan(settings, &set, self.plan.generation);
        self.publish_next();
    }

    /// How `service`, or its `operation`, is sampled now, as an actuation.
    pub(crate) fn read_back(&self, service: &ServiceName, operation: Option<&OperationName>) -> Actuation {
        let sampling = match operation {
            None => self.plan.of(service.as_str()),
            Some(operation) => self.plan.of_operation(service.as_str(), operation.as_str()),
        };
        Actuation::SetSampling { service: service.clone(), operation: operation.cloned(), sampling }
    }

    fn publish_next(&mut self) {
        self.plan.generation = self.plan.generation.next();
        (self.publish)(&self.plan);
    }
}

/// The plan that follows from what people want and what the loop has set. Where sampling is not adaptive, what the loop once
/// set is of the past: people have said how they want it.
pub(crate) fn plan(settings: &Settings, in_force: &InForce, generation: Generation) -> SamplingPlan {
    let objectives = &settings.objectives;
    let threshold = |(name, promised): (&ServiceName, &homeostat_core::ServiceObjectives)| {
        (name.clone(), promised.latency_threshold)
    };
    SamplingPlan {
        generation,
        default: settings.sampling.initial,
        services: if settings.sampling.adaptive { in_force.sampling.clone() } else { BTreeMap::new() },
        operations: operations(settings, in_force),
        default_slow_above: objectives.default.latency_threshold,
        slow_above: objectives.services.iter().map(threshold).collect::<BTreeMap<_, _>>(),
    }
}

/// What a goal names, and only that: what was set for an operation that nobody names any more is of the past.
fn operations(
    settings: &Settings,
    in_force: &InForce,
) -> BTreeMap<ServiceName, BTreeMap<OperationName, OperationPlan>> {
    let sampling = |service: &ServiceName, operation: &OperationName| {
        let set = in_force.operations.get(&(service.clone(), operation.clone()));
        set.copied().filter(|_| settings.sampling.adaptive)
    };
    let mut named = BTreeMap::new();
    for (service, operations) in settings.goals.operations() {
        let plan = |(operation, slow_above): (OperationName, Option<Micros>)| {
            let sampling = sampling(&service, &operation);
            (operation, OperationPlan { sampling, slow_above })
        };
        let plans = operations.into_iter().map(plan).collect();
        named.insert(service, plans);
    }
    named
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use homeostat_core::SamplingProbability;

    use super::*;

    /// Scenario: a restart finds one service's sampling in force, and settings with a threshold of its own for another.
    /// Guarantees: both are in the plan; a change of one publishes the whole plan under the next generation.
    #[test]
    fn a_plan_is_rebuilt_from_what_is_in_force() {
        let tenth = SamplingProbability::from_ppm_saturating(100_000);
        let sampling = ServiceSampling { head: tenth, tail: tenth };
        let in_force = InForce { sampling: BTreeMap::from([("cart".into(), sampling)]), ..InForce::default() };
        let mut settings = Settings::default();
        let mut strict = settings.objectives.default;
        strict.latency_threshold = Micros::from_millis(20);
        settings.objectives.services.insert("web".into(), strict);
        let rebuilt = plan(&settings, &in_force, Generation(4));
        assert_eq!(rebuilt.of("cart"), sampling);
        assert_eq!(rebuilt.slow_threshold("web"), Micros::from_millis(20));

        let published = Arc::new(Mutex::new(Vec::new()));
        let seen = published.clone();
        let publish = move |plan: &SamplingPlan| seen.lock().expect("not poisoned").push(plan.clone());
        let mut sampler = Sampler::new(rebuilt, Box::new(publish));
        sampler.set("web".into(), None, sampling);
        let published = published.lock().expect("not poisoned");
        assert_eq!(
            (published[0].generation, published[0].of("web"), published[0].of("cart")),
            (Generation(5), sampling, sampling)
        );
        let read_back = sampler.read_back(&"web".into(), None);
        assert_eq!(read_back, Actuation::SetSampling { service: "web".into(), operation: None, sampling });
    }

    /// Scenario: the loop has lowered a service; people then choose fixed sampling, and later adaptive sampling again.
    /// Guarantees: fixed means what people said, for every service; adaptive goes on from what the loop has in force.
    #[test]
    fn fixed_sampling_is_what_people_said() {
        let tenth = SamplingProbability::from_ppm_saturating(100_000);
        let low = ServiceSampling { head: tenth, tail: tenth };
        let in_force = InForce { sampling: BTreeMap::from([("cart".into(), low)]), ..InForce::default() };
        let (adaptive, mut fixed) = (Settings::default(), Settings::default());
        fixed.sampling.adaptive = false;
        let mut sampler = Sampler::new(plan(&adaptive, &in_force, Generation(1)), Box::new(|_| {}));
        sampler.follow(&fixed, &in_force);
        assert_eq!(sampler.plan.of("cart"), fixed.sampling.initial);
        sampler.follow(&adaptive, &in_force);
        assert_eq!((sampler.plan.of("cart"), sampler.plan.generation), (low, Generation(3)));
    }
}
