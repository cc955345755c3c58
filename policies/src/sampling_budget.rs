//! Sampling within a budget, and no more than is needed.
//!
//! Answers with which probabilities the traces of each service are kept, so that all of them together stay within the span
//! budget and each is known as precisely as wanted. Suspects of open incidents come first. Does not decide about errors and
//! slow traces: those are always kept. A budget over all services is water-filled rather than divided by services, so that
//! what one does not need goes to the others.

use std::collections::BTreeMap;

use homeostat_core::actions;
use homeostat_core::{
    IncidentId, Indicator, Label, PROPOSALS_MAX, Policy, PolicyView, Proposal, SamplingProbability, SamplingSettings,
    Served, ServiceName, ServiceSampling, Target,
};

use crate::precision;

pub(crate) const SAMPLING_BUDGET: SamplingBudget = SamplingBudget;

/// The share of the budget that ordinary traces keep even when traces kept by rule use all of it: without a picture of the
/// normal nobody can tell what is not.
const ORDINARY_SHARE_MIN: u64 = 4;

/// A probability is lowered when it is this much too high, in percent of what it should be…
const LOWER_FROM_PERCENT: u64 = 110;
/// …and raised when what it should be is this much higher. Lowering is quicker because a budget is a promise.
const RAISE_FROM_PERCENT: u64 = 130;

/// The correction for traces that touch several services, which makes kept spans exceed what each probability alone would
/// give, is bounded by this factor; a measurement that says more is not believed.
const CORRECTION_MAX: u64 = 8;

pub(crate) struct SamplingBudget;

impl Policy for SamplingBudget {
    fn name(&self) -> &'static str {
        "sampling_budget"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        if !view.settings.sampling.adaptive {
            return;
        }
        let streams = streams(view);
        let rested = view
            .ledger
            .within(view.snapshot.at, actions::ADJUST_SAMPLING.cooldown)
            .all(|entry| entry.class != actions::ADJUST_SAMPLING.class);
        let Some(budget) = Budget::of(view, &streams) else { return };
        let tails = budget.fill(&streams, &view.settings.sampling);
        let heads = heads(&streams, &view.settings.sampling);
        let moves = streams.iter().zip(tails).zip(heads).filter_map(|((stream, tail), head)| {
            // All services move together and then rest together, so that the effect measured is that of one change. Only a
            // new suspect does not wait.
            let may_move = rested || (stream.suspect_of.is_some() && stream.in_force.tail < tail);
            may_move.then(|| stream.propose(ServiceSampling { head, tail }, budget.total_milli, view))?
        });
        // Of the services beyond, the next time is early enough: whoever has moved does not come again.
        proposals.extend(moves.take(PROPOSALS_MAX));
    }
}

/// The spans of one service. Rates in thousandths per second.
struct Stream<'a> {
    service: &'a ServiceName,
    in_force: ServiceSampling,
    received: u64,
    ordinary: u64,
    requests: u64,
    /// Whether an SDK samples for it and has fetched the probability in force.
    steerable: Steerable,
    suspect_of: Option<IncidentId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Steerable {
    No,
    NotYetFetched,
    Yes,
}

fn streams<'a>(view: &PolicyView<'a>) -> Vec<Stream<'a>> {
    let touched = touched(view);
    let mut in_force = view.in_force.sampling.iter().peekable();
    let stream = |served: Served<'a>| {
        // Both are in name order, so they are walked side by side.
        while in_force.next_if(|(service, _)| *service < served.service).is_some() {}
        let set = in_force.next_if(|(service, _)| *service == served.service).map(|(_, sampling)| *sampling);
        stream(&served, set.unwrap_or(view.settings.sampling.initial), &touched)
    };
    view.snapshot.served().filter_map(stream).collect()
}

/// What open incidents say of each service they touch: the first active one that suspects it, if any does.
fn touched<'a>(view: &PolicyView<'a>) -> BTreeMap<&'a ServiceName, Option<IncidentId>> {
    let mut touched: BTreeMap<&ServiceName, Option<IncidentId>> = BTreeMap::new();
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

fn stream<'a>(
    served: &Served<'a>,
    in_force: ServiceSampling,
    touched: &BTreeMap<&ServiceName, Option<IncidentId>>,
) -> Option<Stream<'a>> {
    let (service, value) = (served.service, |indicator| served.value(indicator));
    let received = value(Indicator::SpansReceivedTotal)?;
    let steerable = match value(Indicator::HeadProbability) {
        None => Steerable::No,
        Some(ppm) if ppm == u64::from(in_force.head.ppm()) => Steerable::Yes,
        Some(_) => Steerable::NotYetFetched,
    };
    let touched = touched.get(service).copied();
    // What an incident turned into slow and failed traces may be ordinary again any moment; the budget must hold then too.
    let by_rule = if touched.is_some() { 0 } else { value(Indicator::SpansKeptByRuleTotal).unwrap_or(0) };
    Some(Stream {
        service,
        in_force,
        received,
        ordinary: received.saturating_sub(by_rule),
        requests: value(Indicator::RequestsTotal).unwrap_or(received),
        steerable,
        suspect_of: touched.flatten(),
    })
}

/// What may be kept, in thousandths of a span per second.
struct Budget {
    total_milli: u64,
    ordinary_milli: u64,
}

impl Budget {
    fn of(view: &PolicyView<'_>, streams: &[Stream<'_>]) -> Option<Budget> {
        let settings = &view.settings.sampling;
        let agent = |indicator| view.snapshot.reading(&Target::Agent, indicator).fresh();
        let (received, kept) = (agent(Indicator::SpansReceivedTotal)?, agent(Indicator::SpansKeptTotal)?);
        let by_rule = agent(Indicator::SpansKeptByRuleTotal)?;
        let total_milli = settings.kept_share_max.of(received).min(settings.kept_spans_per_second_max * 1000);
        let left = total_milli.saturating_sub(by_rule).max(total_milli / ORDINARY_SHARE_MIN);
        let expected: u64 = streams.iter().map(|stream| part(stream.in_force.tail, stream.ordinary)).sum();
        let ordinary_milli = correct(left, expected, kept.saturating_sub(by_rule));
        Some(Budget { total_milli, ordinary_milli })
    }

    /// A probability for each stream, so that together they keep about the budget.
    fn fill(&self, streams: &[Stream<'_>], settings: &SamplingSettings) -> Vec<SamplingProbability> {
        let needs: Vec<_> = streams.iter().map(|stream| self.need(stream, settings)).collect();
        let keeps = |level: SamplingProbability| -> u64 {
            streams.iter().zip(&needs).map(|(stream, need)| part(level.max(*need), stream.ordinary)).sum()
        };
        let needed = keeps(SamplingProbability::NEVER);
        if self.ordinary_milli < needed {
            let cut = |need: &SamplingProbability| scale(*need, self.ordinary_milli, needed).max(settings.floor);
            return needs.iter().map(cut).collect();
        }
        // The water level: the highest probability that all services can have. Bisection over a million takes twenty steps.
        let (mut low, mut high) = (0_u64, 1_000_000_u64);
        while low < high {
            let middle = (low + high).div_ceil(2);
            let fits = keeps(SamplingProbability::from_ppm_saturating(middle)) <= self.ordinary_milli;
            (low, high) = if fits { (middle, high) } else { (low, middle - 1) };
        }
        let level = SamplingProbability::from_ppm_saturating(low);
        needs.iter().map(|need| two_digits(level.max(*need)).max(settings.floor)).collect()
    }

    /// What a service needs: as much as its estimates want; a suspect as much as half of the whole budget gives.
    fn need(&self, stream: &Stream<'_>, settings: &SamplingSettings) -> SamplingProbability {
        let requests = stream.requests.saturating_mul(settings.precision_window.0) / 1_000_000;
        let for_precision = precision::needed(requests, settings);
        if stream.suspect_of.is_none() {
            return for_precision;
        }
        let half = (self.total_milli / 2).saturating_mul(1_000_000).checked_div(stream.ordinary).unwrap_or(1_000_000);
        SamplingProbability::from_ppm_saturating(half).max(for_precision)
    }
}

/// Shrinks `budget` by how far more is kept than was expected. It is never stretched: a trace is kept with the highest
/// probability among its services, so keeping less than expected only means that kept spans lag behind received ones.
fn correct(budget: u64, expected: u64, measured: u64) -> u64 {
    if measured <= expected || expected == 0 {
        return budget;
    }
    let corrected = (u128::from(budget) * u128::from(expected) / u128::from(measured)) as u64;
    corrected.max(budget / CORRECTION_MAX)
}

/// Head probabilities such that the spans of SDKs that can be steered fit into what the others leave. One factor for all,
/// because a callee's spans depend on its callers' probabilities.
fn heads(streams: &[Stream<'_>], settings: &SamplingSettings) -> Vec<SamplingProbability> {
    let received = |steerable: bool| -> u64 {
        streams
            .iter()
            .filter(|stream| (stream.steerable != Steerable::No) == steerable)
            .map(|stream| stream.received)
            .sum()
    };
    let allowed = settings.received_spans_per_second_max * 1000;
    let (steered, others) = (received(true), received(false));
    let left = allowed.saturating_sub(others).max(allowed / 10);
    let settled = streams.iter().all(|stream| stream.steerable != Steerable::NotYetFetched);
    let next = |stream: &Stream<'_>| match (stream.steerable, settled) {
        (Steerable::Yes, true) if 0 < steered => {
            two_digits(scale(stream.in_force.head, left, steered)).max(settings.floor)
        }
        _ => stream.in_force.head,
    };
    streams.iter().map(next).collect()
}

impl Stream<'_> {
    fn propose(&self, wanted: ServiceSampling, budget_milli: u64, view: &PolicyView<'_>) -> Option<Proposal> {
        let factor = view.settings.guards.sampling_factor_max;
        let step = |from: SamplingProbability, to: SamplingProbability| {
            if !differs(from, to) {
                return from;
            }
            let highest = factor.of(from.ppm().into()).max(u64::from(from.ppm()) + 1);
            let lowest = (u64::from(from.ppm()) * 10_000).div_ceil(u64::from(factor.0).max(1));
            SamplingProbability::from_ppm_saturating(u64::from(to.ppm()).clamp(lowest, highest))
        };
        let (from, floor) = (self.in_force, view.settings.sampling.floor);
        let to = ServiceSampling {
            head: step(from.head, wanted.head).max(floor),
            tail: step(from.tail, wanted.tail).max(floor),
        };
        (from != to).then(|| Proposal {
            policy: Label::new(SAMPLING_BUDGET.name()),
            incident: self.suspect_of,
            action: actions::adjust_sampling(self.service, from, to, budget_milli),
            why: self.why(from, to, budget_milli),
        })
    }

    fn why(&self, from: ServiceSampling, to: ServiceSampling, budget_milli: u64) -> String {
        let rate = Indicator::SpansReceivedTotal.unit();
        let (service, received) = (self.service, rate.render(self.received));
        let cause = match self.suspect_of {
            Some(incident) => format!("{service} is suspected in {incident}"),
            None => format!("{service} sends {received} of spans; the budget is {}", rate.render(budget_milli)),
        };
        let mut moves = Vec::new();
        if from.tail != to.tail {
            moves.push(format!("tail {} → {}", from.tail, to.tail));
        }
        if from.head != to.head {
            moves.push(format!("head {} → {}", from.head, to.head));
        }
        format!("{cause}: {}", moves.join(", "))
    }
}

fn differs(from: SamplingProbability, to: SamplingProbability) -> bool {
    let (from, to) = (u64::from(from.ppm()), u64::from(to.ppm()));
    to * LOWER_FROM_PERCENT < from * 100
        || from * RAISE_FROM_PERCENT < to * 100
        || (to == 1_000_000 && from * 110 < to * 100)
}

fn part(probability: SamplingProbability, of: u64) -> u64 {
    (u128::from(of) * u128::from(probability.ppm()) / 1_000_000) as u64
}

fn scale(probability: SamplingProbability, numerator: u64, denominator: u64) -> SamplingProbability {
    let ppm = u128::from(probability.ppm()) * u128::from(numerator) / u128::from(denominator.max(1));
    SamplingProbability::from_ppm_saturating(u64::try_from(ppm).unwrap_or(u64::MAX))
}

/// Two significant digits, rounded down: more would be noise, and readable numbers are easier to trust.
fn two_digits(probability: SamplingProbability) -> SamplingProbability {
    let mut unit = 1;
    while 100 <= probability.ppm() / unit {
        unit *= 10;
    }
    SamplingProbability::from_ppm_saturating((probability.ppm() / unit * unit).into())
}

#[cfg(test)]
mod tests {
    use homeostat_core::Actuation;

    use super::*;
    use crate::testing::World;

    fn with_streams(rates: &[(&str, u64)]) -> World {
        let total: u64 = rates.iter().map(|(_, rate)| rate * 1000).sum();
        let world = World::default()
            .agent(Indicator::SpansReceivedTotal, total)
            .agent(Indicator::SpansKeptTotal, total)
            .agent(Indicator::SpansKeptByRuleTotal, 0);
        rates.iter().fold(world, |world, (service, rate)| {
            world
                .gauge(service, Indicator::SpansReceivedTotal, rate * 1000)
                .gauge(service, Indicator::SpansKeptByRuleTotal, 0)
                .gauge(service, Indicator::RequestsTotal, rate * 1000)
                .counted(service)
        })
    }

    fn tails(world: &World) -> Vec<u32> {
        let tail = |proposal: &Proposal| match &proposal.action.actuation {
            Actuation::SetSampling { sampling, .. } => sampling.tail.ppm(),
            other => panic!("{other}"),
        };
        world.proposals(&SAMPLING_BUDGET).iter().map(tail).collect()
    }

    fn kept(rates: &[(&str, u64)], tails: &[u32]) -> u64 {
        rates.iter().zip(tails).map(|((_, rate), tail)| rate * u64::from(*tail) / 1_000_000).sum()
    }

    /// Scenario: 2 000 spans/s may be kept; two services send 50 000 and 15.
    /// Guarantees: the quiet one keeps more of its own than the loud one, and together they fit into the budget.
    #[test]
    fn the_budget_goes_where_it_is_needed() {
        let rates = [("loud", 50_000), ("quiet", 15)];
        let tails = tails(&with_streams(&rates));
        // The quiet service may stay as it was, at one, and then proposes nothing.
        let tails = [tails[0], tails.get(1).copied().unwrap_or(1_000_000)];
        assert!(tails[0] < tails[1], "{tails:?}");
        assert!(kept(&rates, &tails) <= 5008, "{tails:?}: one step goes down to a tenth at most");
    }

    /// Scenario: everything fits.
    /// Guarantees: nothing is proposed.
    #[test]
    fn what_fits_is_left_alone() {
        assert!(tails(&with_streams(&[("web", 500), ("cart", 500)])).is_empty());
    }

    /// Scenario: three spans are kept where one was expected, because traces touch three services.
    /// Guarantees: the budget that is shared out shrinks by that factor; it never grows, and absurd measurements are bounded.
    #[test]
    fn reality_corrects_the_budget() {
        assert_eq!(correct(900, 100, 300), 300);
        assert_eq!(correct(900, 0, 300), 900);
        assert_eq!(correct(900, 300, 100), 900);
        assert_eq!(correct(800, 1, 1_000_000), 100);
    }

    /// Scenario: a probability moves by less than a tenth down, by a fifth up, and by more.
    /// Guarantees: small moves are not worth an action; downwards counts sooner than upwards.
    #[test]
    fn small_moves_are_left_alone() {
        let differs = |from, to| {
            let p = SamplingProbability::from_ppm_saturating;
            super::differs(p(from), p(to))
        };
        assert!(!differs(100_000, 95_000) && differs(100_000, 80_000));
        assert!(!differs(100_000, 120_000) && differs(100_000, 140_000));
    }
}
