//! Some requests are refused so that the others are answered in time.
//!
//! Answers how many requests in flight an overloaded service should admit, when more capacity is not to be had. Without a
//! limit every request of an overloaded service waits until its caller gives up, and all work is for nobody. Optional work
//! is left out first, where people allow it; both are given back step by step when it is calm. Does not choose whom to refuse.
//!
//! The limit follows the gradient of the response time, as TCP Vegas and Netflix' concurrency limits do (Brakmo and Peterson
//! 1995; `Gradient2Limit`): `next = limit · g + √limit` with `g = wanted / found`, held between one half and one. Found is the
//! mean time in the service by Little's law, requests in flight divided by requests admitted per second. What is wanted is
//! not the shortest time ever seen, which needs long calm to know, but half of the promised threshold: the promise says
//! what users accept, and the mean must lie well below what 99 of 100 requests may take.

use homeostat_core::actions::{self, Action, Measure};
use homeostat_core::{
    BasisPoints, Finding, FindingState, IncidentId, IncidentKind, Indicator, Label, Millis, ObjectiveKind, Parameter,
    Policy, PolicyView, Proposal, Range, ServiceName, ServicePermissions,
};

pub(crate) const SHED_LOAD: ShedLoad = ShedLoad;

/// How long scaling is given to relieve an overload where it still could: two steps with their cooldowns, and a start.
const SCALING_PATIENCE: Millis = Millis::from_secs(60);

/// The limit is raised again only while requests take at most this share of the time they may take, so that raising and
/// lowering do not take turns.
const ROOM: BasisPoints = BasisPoints(8000);

/// Answers may become this much rarer before a lower limit counts as harmful: twice the noise of ten seconds at fifty
/// requests a second.
const GAP_MARGIN: BasisPoints = BasisPoints(1000);

/// A raised limit may bring this share of slow requests before it counts as harmful.
const SLOW_MARGIN: BasisPoints = BasisPoints(500);

/// Where the time in the service is fine and requests are slow all the same, the limit falls by this share: the decrease of
/// AIMD, gentler than its usual half because the gradient does the large steps.
const DECREASE: BasisPoints = BasisPoints(1000);

/// One step of the dimmer.
const DIMMER_STEP: u64 = 2500;

pub(crate) struct ShedLoad;

impl Policy for ShedLoad {
    fn name(&self) -> &'static str {
        "shed_load"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for (service, permitted) in &view.settings.permissions.services {
            let Some(load) = Load::of(service, *permitted, view) else { continue };
            let wanted = if load.is_overloaded(view) { load.give_up(view) } else { load.give_back(view) };
            let proposal = |(action, why)| {
                let (policy, incident) = (Label::new(SHED_LOAD.name()), load.incident(view));
                Proposal { policy, incident, action, why }
            };
            proposals.extend(wanted.map(proposal));
        }
    }
}

/// How a service is loaded, as far as it concerns its limit and its dimmer.
struct Load<'a> {
    service: &'a ServiceName,
    permitted: ServicePermissions,
    saturated: Option<&'a Finding>,
    in_flight: u64,
    /// Admitted, in thousandths per second.
    admitted: u64,
    shed: u64,
    /// Of the admitted.
    slow: BasisPoints,
    /// The mean time that admitted requests spend in the service.
    found_us: u64,
    wanted_us: u64,
}

impl<'a> Load<'a> {
    /// `None` where something is not known: what is not seen is not touched.
    fn of(service: &'a ServiceName, permitted: ServicePermissions, view: &PolicyView<'a>) -> Option<Load<'a>> {
        let value = |indicator| view.snapshot.service_value(service, indicator);
        let in_flight = value(Indicator::RequestsInFlight)?;
        // Without this nobody could say that it is calm.
        value(Indicator::Utilization)?;
        let shed = value(Indicator::ShedTotal)?;
        let admitted = value(Indicator::RequestsTotal)?.saturating_sub(shed);
        let slow = BasisPoints::from_ratio(value(Indicator::SlowTotal)?.min(admitted), admitted);
        let found_us = (in_flight * 1_000_000_000).checked_div(admitted).unwrap_or(u64::MAX);
        let wanted_us = view.settings.objectives.of(service).latency_threshold.0 / 2;
        let saturated = view.assessment.findings.iter().find(|finding| {
            let is_so = finding.kind == IncidentKind::Saturation && finding.state == FindingState::Firing;
            is_so && finding.service == *service
        });
        Some(Load { service, permitted, saturated, in_flight, admitted, shed, slow, found_us, wanted_us })
    }

    /// Capacity is used up, users feel it, and more capacity is not to be had.
    fn is_overloaded(&self, view: &PolicyView<'_>) -> bool {
        let Some(saturated) = self.saturated else { return false };
        let budget = view.settings.objectives.of(self.service).budget(ObjectiveKind::Latency);
        budget < self.slow && !self.may_scale(saturated, view)
    }

    fn may_scale(&self, saturated: &Finding, view: &PolicyView<'_>) -> bool {
        let Some(envelope) = view.settings.scaling.services.get(self.service) else { return false };
        let replicas = view.snapshot.service_value(self.service, Indicator::ReplicasReady);
        let has_room = replicas.is_some_and(|replicas| replicas < envelope.max.0.into());
        has_room && view.snapshot.at.since(saturated.since) < SCALING_PATIENCE
    }

    /// Less optional work, else fewer requests.
    fn give_up(&self, view: &PolicyView<'_>) -> Option<(Action, String)> {
        let gap = Measure::AnswerGap { service: self.service.clone() }.read(view.snapshot)?;
        let gap = gap + GAP_MARGIN.of(gap);
        if let Some((from, allowed)) = self.stands_at(Parameter::Dimmer, view)
            && allowed.min < from
        {
            let to = from.saturating_sub(DIMMER_STEP).max(allowed.min);
            let action = actions::dim(self.service, share(from), share(to), gap);
            return Some((action, format!("{}; work that can be done without is left out", self.state())));
        }
        let (from, allowed) = self.stands_at(Parameter::ConcurrencyLimit, view)?;
        let to = self.lower(from, view).max(allowed.min);
        let action = || actions::lower_limit(self.service, from, to, gap);
        (to < from).then(|| (action(), format!("{}; fewer are admitted so that those are in time", self.state())))
    }

    /// Admits more requests, else does more optional work.
    fn give_back(&self, view: &PolicyView<'_>) -> Option<(Action, String)> {
        let budget = view.settings.objectives.of(self.service).budget(ObjectiveKind::Latency);
        let has_room = self.slow.0 <= budget.0 / 2 && self.found_us <= ROOM.of(self.wanted_us);
        if !has_room {
            return None;
        }
        let slow_max = u64::from(SLOW_MARGIN.0.max(budget.0));
        let (from, allowed) = self.stands_at(Parameter::ConcurrencyLimit, view)?;
        if from < allowed.max {
            let to = self.raise(from).min(allowed.max);
            return Some((
                actions::raise_limit(self.service, from, to, slow_max),
                format!("{}; there is room for more", self.state()),
            ));
        }
        let (from, allowed) = self.stands_at(Parameter::Dimmer, view)?;
        let is_due = from < allowed.max && self.saturated.is_none() && self.shed == 0;
        let to = (from + DIMMER_STEP).min(allowed.max);
        let action = || actions::brighten(self.service, share(from), share(to), slow_max);
        is_due.then(|| (action(), format!("{}; there is room for more", self.state())))
    }

    /// `limit · g + √limit` of what is really in flight, and less than now in any case; never below what one step may do.
    fn lower(&self, limit: u64, view: &PolicyView<'_>) -> u64 {
        let binding = limit.min(self.in_flight).max(1);
        let gradient = gradient(self.wanted_us, self.found_us);
        let next = gradient.of(binding) + binding.isqrt();
        let lowest = (u128::from(limit) * 10_000).div_ceil(view.settings.guards.limit_factor_max.0.max(1).into());
        next.min(limit - DECREASE.of(limit).max(1).min(limit)).max(lowest as u64)
    }

    /// One more root while requests are refused, as congestion control does; twice as many when nobody is.
    fn raise(&self, limit: u64) -> u64 {
        if 0 < self.shed { limit + limit.isqrt().max(1) } else { limit * 2 }
    }

    fn stands_at(&self, parameter: Parameter, view: &PolicyView<'_>) -> Option<(u64, Range)> {
        Some((view.parameter(self.service, parameter)?, self.permitted.range(parameter)?))
    }

    /// The incident this answers: one that suspects the service, else one that touches it.
    fn incident(&self, view: &PolicyView<'_>) -> Option<IncidentId> {
        let incidents = &view.assessment.incidents;
        let suspects = incidents.iter().find(|incident| incident.suspect() == Some(self.service));
        let touches = || incidents.iter().find(|incident| incident.services.contains(self.service));
        suspects.or_else(touches).map(|incident| incident.id)
    }

    fn state(&self) -> String {
        let Load { service, in_flight, slow, .. } = self;
        let rate = Indicator::RequestsTotal.unit().render(self.admitted);
        let (found, wanted) = (homeostat_core::Micros(self.found_us), homeostat_core::Micros(self.wanted_us));
        format!(
            "{service} has {in_flight} requests in flight at {rate}, {found} each where {wanted} are wanted, {slow} slow"
        )
    }
}

/// Wanted by found time, between one half and one.
fn gradient(wanted_us: u64, found_us: u64) -> BasisPoints {
    let ratio = BasisPoints::from_ratio(wanted_us.min(found_us), found_us.max(1));
    BasisPoints(ratio.0.max(5000))
}

fn share(value: u64) -> BasisPoints {
    BasisPoints(u32::try_from(value).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use homeostat_core::Actuation;

    use super::*;
    use crate::testing::World;

    /// A service with a threshold of 500 ms, limited to 8 to 256 requests, saturated since second 900, that admits 100 requests a
    /// second; it is second 1000.
    fn loaded(limit: u64, in_flight: u64, slow_milli: u64) -> World {
        let range = Some(Range { min: 8, max: 256 });
        World::default()
            .at(1000)
            .permits("cart", ServicePermissions { limit: range, ..Default::default() })
            .gauge("cart", Indicator::Utilization, 9900)
            .gauge("cart", Indicator::RequestsTotal, 100_000)
            .gauge("cart", Indicator::ShedTotal, 0)
            .gauge("cart", Indicator::SlowTotal, slow_milli)
            .gauge("cart", Indicator::ErrorsTotal, 1000)
            .gauge("cart", Indicator::RequestsInFlight, in_flight)
            .gauge("cart", Indicator::ConcurrencyLimit, limit)
    }

    fn saturated(limit: u64, in_flight: u64, slow_milli: u64) -> World {
        loaded(limit, in_flight, slow_milli).firing("cart", IncidentKind::Saturation)
    }

    fn proposed(world: &World) -> Option<(Parameter, u64)> {
        match world.proposals(&SHED_LOAD).first().map(|proposal| &proposal.action.actuation) {
            Some(Actuation::SetParameter { parameter, value, .. }) => Some((*parameter, *value)),
            _ => None,
        }
    }

    fn limit(world: &World) -> Option<u64> {
        proposed(world).map(|(_, value)| value)
    }

    /// Scenario: requests take 2 s, 500 ms and 200 ms where 250 ms are wanted, most of them, or none of them, slow.
    /// Guarantees: the formula's number, at most halved, at least a tenth less, never below the envelope; nothing while the
    /// promise is kept.
    #[test]
    fn the_limit_follows_the_gradient() {
        assert_eq!(limit(&saturated(256, 200, 90_000)), Some(128));
        assert_eq!(limit(&saturated(64, 50, 90_000)), Some(32));
        assert_eq!(limit(&saturated(40, 36, 90_000)), Some(30));
        assert_eq!(limit(&saturated(40, 20, 5000)), Some(24));
        assert_eq!(limit(&saturated(9, 200, 90_000)), Some(8));
        assert_eq!(limit(&saturated(40, 36, 900)), None);
        assert_eq!(limit(&loaded(256, 200, 90_000)), None);
    }

    /// Scenario: the same overload of a service that may still scale, since 59 s and since 60 s, and of one at its ceiling.
    /// Guarantees: scaling is given its time where it could help, and only there.
    #[test]
    fn capacity_comes_first() {
        let scalable = |replicas| {
            loaded(256, 200, 90_000).scalable("cart", 1, 4).gauge("cart", Indicator::ReplicasReady, replicas)
        };
        let since = |world: World, second| world.firing_since("cart", IncidentKind::Saturation, second);
        assert_eq!(limit(&since(scalable(2), 941)), None);
        assert_eq!(limit(&since(scalable(2), 940)), Some(128));
        assert_eq!(limit(&since(scalable(4), 990)), Some(128));
    }

    /// Scenario: a limited service with room, while requests are refused, and when none is; one without room; one at its
    /// ceiling.
    /// Guarantees: one root more while others are refused, twice as many when nobody is, and no further than the good day.
    #[test]
    fn what_was_taken_is_given_back() {
        assert_eq!(limit(&loaded(25, 15, 0).gauge("cart", Indicator::ShedTotal, 10_000)), Some(30));
        assert_eq!(limit(&loaded(25, 15, 0)), Some(50));
        assert_eq!(limit(&loaded(200, 15, 0)), Some(256));
        assert_eq!(limit(&loaded(25, 24, 0)), None);
        assert_eq!(limit(&loaded(256, 15, 0)), None);
    }

    /// Scenario: overload, then calm, of a service that can also be dimmed.
    /// Guarantees: optional work goes before requests do, and comes back after them.
    #[test]
    fn optional_work_goes_first() {
        let range = Some(Range { min: 0, max: 10_000 });
        let permitted =
            ServicePermissions { limit: Some(Range { min: 8, max: 256 }), dimmer: range, ..Default::default() };
        let dimmed = |world: World, share| world.permits("cart", permitted).gauge("cart", Indicator::Dimmer, share);
        let overload = |share| dimmed(saturated(256, 200, 90_000), share);
        assert_eq!(proposed(&overload(10_000)), Some((Parameter::Dimmer, 7500)));
        assert_eq!(proposed(&overload(0)), Some((Parameter::ConcurrencyLimit, 128)));
        assert_eq!(proposed(&dimmed(loaded(64, 15, 0), 0)), Some((Parameter::ConcurrencyLimit, 128)));
        assert_eq!(proposed(&dimmed(loaded(256, 15, 0), 0)), Some((Parameter::Dimmer, 2500)));
        assert_eq!(proposed(&dimmed(loaded(256, 15, 0), 10_000)), None);
    }

    /// Scenario: an overload of which one reading is missing.
    /// Guarantees: what is not seen is not touched.
    #[test]
    fn half_of_the_evidence_sheds_nothing() {
        let stale = |indicator| saturated(256, 200, 90_000).stale("cart", indicator, Millis::from_secs(60));
        for indicator in
            [Indicator::Utilization, Indicator::RequestsInFlight, Indicator::ShedTotal, Indicator::ErrorsTotal]
        {
            assert_eq!(limit(&stale(indicator)), None, "{indicator:?}");
        }
        assert_eq!(limit(&stale(Indicator::ConcurrencyLimit)), None);
    }
}
