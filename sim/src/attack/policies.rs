//! Policies that know no measure.
//!
//! Answers what an eager policy would propose: always the same, for every service that may be scaled, whatever is seen. None
//! of them is evil; each is a way in which a good policy can be wrong.

use homeostat_core::actions::{self, Action, Measure};
use homeostat_core::{
    Indicator, Label, Millis, Policy, PolicyView, Proposal, Reading, Replicas, SamplingProbability, ServiceName,
    ServiceSampling, Signal, Target, Way,
};

/// Those that ship: the rules of the scenario and what stands against them.
pub(crate) const USUAL: &[&dyn Policy] = homeostat_policies::CATALOGUE;
pub(crate) const GROW: &[&dyn Policy] = &[&Grow];
pub(crate) const SHRINK: &[&dyn Policy] = &[&Shrink];
pub(crate) const LEAP: &[&dyn Policy] = &[&Leap];
pub(crate) const FLIP: &[&dyn Policy] = &[&Flip];
pub(crate) const RESTART: &[&dyn Policy] = &[&Restart];
pub(crate) const RAISE: &[&dyn Policy] = &[&Raise];

/// One replica more, of every service, from what was seen last.
struct Grow;

impl Policy for Grow {
    fn name(&self) -> &'static str {
        "grow"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for (service, seen) in seen(view) {
            proposals.push(proposal(self.name(), scale(service, seen, seen + 1)));
        }
    }
}

/// One replica less, of every service.
struct Shrink;

impl Policy for Shrink {
    fn name(&self) -> &'static str {
        "shrink"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for (service, seen) in seen(view).filter(|(_, seen)| 0 < *seen) {
            proposals.push(proposal(self.name(), scale(service, seen, seen - 1)));
        }
    }
}

/// As many replicas as are allowed, at once.
struct Leap;

impl Policy for Leap {
    fn name(&self) -> &'static str {
        "leap"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for (service, seen) in seen(view) {
            let most = view.settings.scaling.services[service].max.0;
            if seen < most {
                proposals.push(proposal(self.name(), scale(service, seen, most)));
            }
        }
    }
}

/// One replica more and one less, by turns.
struct Flip;

impl Policy for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for (service, seen) in seen(view) {
            let last = view.ledger.last(&actions::SCALE_REPLICAS.name, &Target::Service(service.clone()));
            let was_up = last.and_then(|entry| entry.turns.first()).is_some_and(|turn| turn.way() == Some(Way::Up));
            let to = if was_up { seen.saturating_sub(1) } else { seen + 1 };
            proposals.push(proposal(self.name(), scale(service, seen, to)));
        }
    }
}

/// Every instance that is seen, one after the other, whether it is stuck or not.
struct Restart;

impl Policy for Restart {
    fn name(&self) -> &'static str {
        "restart"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for service in view.settings.permissions.services.keys() {
            for (instance, _) in view.snapshot.instances(service) {
                proposals.push(proposal(self.name(), actions::restart_instance(service, instance)));
            }
        }
    }
}

/// Five times as many traces of every service, whatever the budget is.
struct Raise;

/// Between two raises: the last one must have left the past from which the next one's counterfactual is made.
const RAISED_EVERY: Millis = Millis::from_secs(240);

impl Policy for Raise {
    fn name(&self) -> &'static str {
        "raise"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for service in view.snapshot.services() {
            let last = view.ledger.last(&actions::ADJUST_SAMPLING.name, &Target::Service(service.clone()));
            if last.is_some_and(|last| view.snapshot.at.since(last.at) < RAISED_EVERY) {
                continue;
            }
            let from = view.in_force.sampling.get(service).copied().unwrap_or(view.settings.sampling.initial);
            let tail = SamplingProbability::from_ppm_saturating(u64::from(from.tail.ppm()) * 5);
            let action = actions::adjust_sampling(service, from, ServiceSampling { tail, ..from }, 0);
            proposals.push(proposal(self.name(), action));
        }
    }
}

/// The services that may be scaled, with the number of replicas seen last, however long ago.
fn seen<'a>(view: &PolicyView<'a>) -> impl Iterator<Item = (&'a ServiceName, u32)> {
    let (settings, snapshot) = (view.settings, view.snapshot);
    settings.scaling.services.keys().filter_map(|service| {
        match snapshot.reading(&Target::Service(service.clone()), Indicator::ReplicasReady) {
            Reading::Fresh { value } | Reading::Stale { last: value, .. } => Some((service, value as u32)),
            Reading::Missing { .. } => None,
        }
    })
}

fn scale(service: &ServiceName, from: u32, to: u32) -> Action {
    let used = Measure::Reading(Signal::new(Target::Service(service.clone()), Indicator::Utilization));
    if from < to {
        actions::scale_out(service, Replicas(from), Replicas(to), used)
    } else {
        // Whatever utilisation comes of it is promised to be well.
        actions::scale_in(service, Replicas(from), Replicas(to), used, u64::MAX)
    }
}

fn proposal(policy: &'static str, action: Action) -> Proposal {
    Proposal { policy: Label::new(policy), incident: None, action, why: "more is better, or less".to_owned() }
}
