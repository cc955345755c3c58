//! The streams of spans that a budget is shared among.
//!
//! Answers what is known of each: how many spans and requests there are, how they are sampled now, what goals ask for and
//! whether somebody suspects it. A stream is all traces that begin with an operation which a goal names, or what else a service
//! sends. Does not choose a probability.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_core::{
    GoalSettings, Importance, IncidentId, Indicator, OperationName, PolicyView, SamplingProbability, Served,
    ServiceName, ServiceSampling, Target, Window, WindowCounts,
};

use crate::precision::Demand;

/// The spans of one service or operation. Rates in thousandths per second.
pub(super) struct Stream<'a> {
    pub(super) service: &'a ServiceName,
    pub(super) operation: Option<&'a OperationName>,
    pub(super) in_force: ServiceSampling,
    pub(super) received: u64,
    pub(super) ordinary: u64,
    /// The same as it is reckoned with: of an operation, without the noise of ten seconds.
    pub(super) claimed: u64,
    pub(super) requests: u64,
    /// Whether an SDK samples for it and has fetched the probability in force.
    pub(super) steerable: Steerable,
    pub(super) suspect_of: Option<IncidentId>,
    /// How much it matters.
    pub(super) class: Importance,
    /// What goals ask of it.
    pub(super) demand: Option<Demand>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Steerable {
    No,
    NotYetFetched,
    Yes,
}

/// What goals ask of the traces that begin at one place: the strictest of all journeys that begin there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// As much as the most important of them.
    pub importance: Importance,
    /// As little as the strictest of them.
    pub budget_ppm: u32,
}

/// Where a journey begins: a service, or one operation of it.
pub type Place<'a> = (&'a ServiceName, Option<&'a OperationName>);

/// What `goals` ask, place by place.
pub fn asked(goals: &GoalSettings) -> BTreeMap<Place<'_>, Asked> {
    let mut asked: BTreeMap<Place<'_>, Asked> = BTreeMap::new();
    for journey in goals.journeys.values() {
        let budget_ppm = journey.reliability.complement().0 * 100;
        for entry in &journey.entries {
            let one = Asked { importance: journey.importance, budget_ppm };
            let known = asked.entry((&entry.service, entry.operation.as_ref())).or_insert(one);
            known.importance = known.importance.max(one.importance);
            known.budget_ppm = known.budget_ppm.min(one.budget_ppm);
        }
    }
    asked
}

/// Every stream: services in name order, then named operations in name order.
pub(super) fn streams<'a>(view: &PolicyView<'a>) -> Vec<Stream<'a>> {
    let (touched, asked) = (touched(view), asked(&view.settings.goals));
    let mut in_force = view.in_force.sampling.iter().peekable();
    let stream = |served: Served<'a>| {
        // Both are in name order, so they are walked side by side.
        while in_force.next_if(|(service, _)| *service < served.service).is_some() {}
        let set = in_force.next_if(|(service, _)| *service == served.service).map(|(_, sampling)| *sampling);
        let in_force = set.unwrap_or(view.settings.sampling.initial);
        let stream = of_service(&served, in_force, &touched)?;
        Some(stream.weighed(asked.get(&(served.service, None)).copied(), view))
    };
    let mut streams: Vec<Stream<'a>> = view.snapshot.served().filter_map(stream).collect();
    let named = asked.iter().filter_map(|((service, operation), asked)| Some((*service, (*operation)?, *asked)));
    let operations: Vec<Stream<'a>> = named
        .filter_map(|(service, operation, asked)| {
            let stream = of_operation((service, operation), view, &touched)?;
            Some(stream.weighed(Some(asked), view))
        })
        .collect();
    take_out(&mut streams, &operations, view);
    streams.extend(operations);
    streams
}

impl Stream<'_> {
    fn weighed(mut self, asked: Option<Asked>, view: &PolicyView<'_>) -> Self {
        let goals = &view.settings.goals;
        if self.suspect_of.is_some() {
            self.class = view.assessment.goals.importance_of(self.service).max(Importance::Normal);
        }
        if let Some(asked) = asked {
            self.class = asked.importance;
            // What SDKs did not begin happened as well.
            let head = match self.steerable {
                Steerable::No => SamplingProbability::ALWAYS,
                Steerable::NotYetFetched | Steerable::Yes => self.in_force.head,
            };
            let begun = u128::from(self.requests) * u128::from(goals.precision.window.0) / 1_000_000;
            let journeys = (begun * 1_000_000 / u128::from(head.ppm().max(1))) as u64;
            self.demand = Some(Demand { journeys, budget_ppm: asked.budget_ppm, precision: goals.precision });
        }
        self
    }
}

/// What open incidents say of each service they touch: the first active one that suspects it, if any does.
type Touched<'a> = BTreeMap<&'a ServiceName, Option<IncidentId>>;

fn touched<'a>(view: &PolicyView<'a>) -> Touched<'a> {
    let mut touched: Touched<'_> = BTreeMap::new();
    for incident in &view.assessment.incidents {
        for service in &incident.services {
            touched.entry(service).or_default();
        }
        if let (true, Some(suspect)) = (incident.is_active(), incident.suspect()) {
            touched.entry(suspect).or_default().get_or_insert(incident.id);
        }
    }
    touched
}

fn of_service<'a>(served: &Served<'a>, in_force: ServiceSampling, touched: &Touched<'_>) -> Option<Stream<'a>> {
    let (service, value) = (served.service, |indicator| served.value(indicator));
    let received = value(Indicator::SpansReceivedTotal)?;
    let touched = touched.get(service).copied();
    // What an incident turned into slow and failed traces may be ordinary again any moment; the budget must hold then too.
    let by_rule = if touched.is_some() { 0 } else { value(Indicator::SpansKeptByRuleTotal).unwrap_or(0) };
    Some(Stream {
        service,
        operation: None,
        in_force,
        received,
        ordinary: received.saturating_sub(by_rule),
        claimed: received.saturating_sub(by_rule),
        requests: value(Indicator::RequestsTotal).unwrap_or(received),
        steerable: steerable(value(Indicator::HeadProbability), in_force),
        suspect_of: touched.flatten(),
        class: Importance::Normal,
        demand: None,
    })
}

/// The traces that begin with one operation. An incident anywhere on its journeys' path concerns all of them.
fn of_operation<'a>(
    (service, operation): (&'a ServiceName, &'a OperationName),
    view: &PolicyView<'_>,
    touched: &Touched<'_>,
) -> Option<Stream<'a>> {
    let target = Target::Operation(service.clone(), operation.clone());
    let value = |indicator| view.snapshot.reading(&target, indicator).fresh();
    let set = view.in_force.operations.get(&(service.clone(), operation.clone())).copied();
    let as_service = || view.in_force.sampling.get(service).copied();
    let in_force = set.or_else(as_service).unwrap_or(view.settings.sampling.initial);
    let received = value(Indicator::SpansReceivedTotal)?;
    // Until its SDK has been told about the operation, it samples it like the service.
    let told =
        value(Indicator::HeadProbability).or_else(|| view.snapshot.service_value(service, Indicator::HeadProbability));
    let passed = passed(view, (service, operation));
    let touched: Vec<Option<IncidentId>> =
        touched.iter().filter(|(service, _)| passed.contains(*service)).map(|(_, suspect_of)| *suspect_of).collect();
    let by_rule = if touched.is_empty() { value(Indicator::SpansKeptByRuleTotal).unwrap_or(0) } else { 0 };
    let recent = value(Indicator::RequestsTotal).unwrap_or(0);
    let requests = steadied(recent, view.snapshot.operations.get(&(service.clone(), operation.clone())));
    let claimed = u128::from(received.saturating_sub(by_rule)) * u128::from(requests);
    Some(Stream {
        service,
        operation: Some(operation),
        in_force,
        received,
        ordinary: received.saturating_sub(by_rule),
        claimed: claimed.checked_div(u128::from(recent)).unwrap_or(0) as u64,
        requests,
        steerable: steerable(told, in_force),
        suspect_of: touched.into_iter().flatten().next(),
        class: Importance::Normal,
        demand: None,
    })
}

/// Requests in thousandths per second over the last minute, unless the last ten seconds had clearly more: an operation has so
/// few that its share of a budget would follow every chance, and everybody else's with it.
fn steadied(recent: u64, counts: Option<&WindowCounts>) -> u64 {
    let minute =
        counts.map_or(0, |counts| counts.over(Window::Minute).requests * 1_000_000 / Window::Minute.length().0);
    if minute * 130 < recent * 100 { recent } else { minute }
}

/// The services that journeys pass which begin with this operation.
fn passed<'a>(
    view: &PolicyView<'a>,
    (service, operation): (&ServiceName, &OperationName),
) -> BTreeSet<&'a ServiceName> {
    let begins_here = |journey: &homeostat_core::Journey| {
        journey.entries.iter().any(|entry| entry.service == *service && entry.operation.as_ref() == Some(operation))
    };
    let journeys = view.settings.goals.journeys.iter().filter(|(_, journey)| begins_here(journey));
    let states = journeys.filter_map(|(name, _)| view.assessment.goals.journeys.get(name));
    states.flat_map(|state| &state.path).map(|part| &part.service).collect()
}

fn steerable(told: Option<u64>, in_force: ServiceSampling) -> Steerable {
    match told {
        None => Steerable::No,
        Some(ppm) if ppm == u64::from(in_force.head.ppm()) => Steerable::Yes,
        Some(_) => Steerable::NotYetFetched,
    }
}

/// Takes the spans of named operations out of the services they pass. How they spread over these is not known, so each gives
/// the same share of its own; together that is exact.
fn take_out(services: &mut [Stream<'_>], operations: &[Stream<'_>], view: &PolicyView<'_>) {
    if operations.is_empty() {
        return;
    }
    let keys = operations.iter().filter_map(|stream| Some((stream.service, stream.operation?)));
    let passed: BTreeSet<&ServiceName> = keys.flat_map(|key| passed(view, key)).collect();
    let is_passed = |stream: &&mut Stream<'_>| passed.contains(stream.service);
    let sum = |streams: &[Stream<'_>], is_counted: &dyn Fn(&Stream<'_>) -> bool| {
        let counted = streams.iter().filter(|stream| is_counted(stream));
        counted.fold((0, 0), |sum, stream| (sum.0 + stream.received, sum.1 + stream.ordinary))
    };
    let whole = sum(services, &|stream| passed.contains(stream.service));
    let named = sum(operations, &|_| true);
    let rest = |own: u64, whole: u64, named: u64| {
        let left = u128::from(own) * u128::from(whole.saturating_sub(named));
        left.checked_div(u128::from(whole)).unwrap_or(0) as u64
    };
    for stream in services.iter_mut().filter(is_passed) {
        stream.received = rest(stream.received, whole.0, named.0);
        stream.ordinary = rest(stream.ordinary, whole.1, named.1);
        stream.claimed = stream.ordinary;
    }
}
