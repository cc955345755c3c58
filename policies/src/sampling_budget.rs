//! Sampling within a budget, and no more than is needed.
//!
//! Answers with which probabilities the traces of each service, and of each operation that a goal names, are kept, so that all
//! of them together stay within the span budget and each is known as precisely as wanted. When that does not fit, importance
//! decides. Does not decide about errors and slow traces: those are always kept. A budget over all services is water-filled
//! rather than divided by services, so that what one does not need goes to the others.

mod allotment;
mod heads;
mod streams;

use homeostat_core::actions;
use homeostat_core::{
    Indicator, Label, PROPOSALS_MAX, Policy, PolicyView, Proposal, SamplingProbability, SamplingSettings,
    ServiceSampling, Target,
};

use crate::precision;
use heads::heads;
use streams::{Stream, streams};

pub use allotment::{Claim, allot, part};
pub use streams::{Asked, Place, asked};

pub(crate) const SAMPLING_BUDGET: SamplingBudget = SamplingBudget;

/// The share of the budget that ordinary traces keep even when traces kept by rule use all of it: without a picture of the
/// normal nobody can tell what is not.
const ORDINARY_SHARE_MIN: u64 = 4;

/// A probability is lowered when it is this much too high, in percent of what it should be…
const LOWER_FROM_PERCENT: u64 = 110;
/// …and raised when what it should be is this much higher. Lowering is quicker because a budget is a promise.
const RAISE_FROM_PERCENT: u64 = 130;
/// The same where a goal asks for a precision: it must hold even where a small rise is left alone.
const RAISE_PROMISED_FROM_PERCENT: u64 = 110;
/// And lowered later: operations are so few that a tenth may be chance. Less than what may exceed the budget before a change
/// counts as harmful.
const LOWER_PROMISED_FROM_PERCENT: u64 = 120;

/// From where a probability is lowered and raised.
type Limits = (u64, u64);
const LIMITS: Limits = (LOWER_FROM_PERCENT, RAISE_FROM_PERCENT);
const PROMISED_LIMITS: Limits = (LOWER_PROMISED_FROM_PERCENT, RAISE_PROMISED_FROM_PERCENT);

/// What goals need is met with this much to spare, in percent, so that neither rounding to two digits nor a rise that is left
/// alone takes it below.
const PROMISED_PERCENT: u64 = 125;

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
        let heads = heads(&streams, &view.settings.sampling);
        let tails = budget.fill(&streams, &heads, &view.settings.sampling);
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
    fn fill(
        &self,
        streams: &[Stream<'_>],
        heads: &[SamplingProbability],
        settings: &SamplingSettings,
    ) -> Vec<SamplingProbability> {
        let claim = |(stream, head): (&Stream<'_>, &SamplingProbability)| Claim {
            class: stream.class,
            need: self.need(stream, *head, settings),
            ordinary_milli: stream.claimed,
        };
        let claims: Vec<Claim> = streams.iter().zip(heads).map(claim).collect();
        let tails = allot(&claims, self.ordinary_milli, settings.floor);
        tails.into_iter().map(|tail| two_digits(tail).max(settings.floor)).collect()
    }

    /// What a stream needs: as much as its estimates want, and as goals want; a suspect as much as half of the whole budget
    /// gives.
    fn need(&self, stream: &Stream<'_>, head: SamplingProbability, settings: &SamplingSettings) -> SamplingProbability {
        let requests = stream.requests.saturating_mul(settings.precision_window.0) / 1_000_000;
        // What nobody promised of an operation is not asked for it either: that of its service covers it.
        let for_service = stream.operation.is_none().then(|| precision::needed(requests, settings));
        let for_goal = stream.demand.map(|demand| allotment::scale(demand.tail(head), PROMISED_PERCENT, 100));
        let for_precision = for_service.max(for_goal).unwrap_or(SamplingProbability::NEVER);
        if stream.suspect_of.is_none() {
            return for_precision;
        }
        let half = (self.total_milli / 2).saturating_mul(1_000_000).checked_div(stream.ordinary).unwrap_or(1_000_000);
        SamplingProbability::from_ppm_saturating(half).max(for_precision)
    }
}

/// Shrinks `budget` by how far more is kept than was expected and chance explains. It is never stretched: a trace is kept with
/// the highest probability among its services, so keeping less than expected only means that kept spans lag behind received
/// ones.
fn correct(budget: u64, expected: u64, measured: u64) -> u64 {
    if measured <= expected + chance(expected) || expected == 0 {
        return budget;
    }
    let corrected = (u128::from(budget) * u128::from(expected) / u128::from(measured)) as u64;
    corrected.max(budget / CORRECTION_MAX)
}

impl Stream<'_> {
    fn propose(&self, wanted: ServiceSampling, budget_milli: u64, view: &PolicyView<'_>) -> Option<Proposal> {
        let factor = view.settings.guards.sampling_factor_max;
        let limits = if self.demand.is_some() { PROMISED_LIMITS } else { LIMITS };
        let step = |from: SamplingProbability, to: SamplingProbability| {
            if !differs(from, to, limits) {
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
            action: match self.operation {
                None => actions::adjust_sampling(self.service, from, to, budget_milli),
                Some(operation) => {
                    let key = (self.service.clone(), operation.clone());
                    actions::adjust_operation_sampling(&key, from, to, budget_milli)
                }
            },
            why: self.why(from, to, budget_milli),
        })
    }

    fn why(&self, from: ServiceSampling, to: ServiceSampling, budget_milli: u64) -> String {
        let rate = Indicator::SpansReceivedTotal.unit();
        let (service, received) = (self.service, rate.render(self.received));
        let subject = self.operation.map_or_else(|| service.to_string(), |operation| format!("{service} {operation}"));
        let cause = match (self.suspect_of, self.operation) {
            (Some(incident), None) => format!("{service} is suspected in {incident}"),
            (Some(incident), Some(_)) => format!("{subject} passes a suspect of {incident}"),
            (None, _) => format!("{subject} sends {received} of spans; the budget is {}", rate.render(budget_milli)),
        };
        let cause = match self.demand {
            Some(demand) => {
                format!("{cause}; {} journeys in the window must be known ({})", demand.journeys, self.class)
            }
            None => cause,
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

fn differs(from: SamplingProbability, to: SamplingProbability, (lower_from, raise_from): Limits) -> bool {
    let (from, to) = (u64::from(from.ppm()), u64::from(to.ppm()));
    to * lower_from < from * 100 || from * raise_from < to * 100 || (to == 1_000_000 && from * 110 < to * 100)
}

/// By how much more than `expected` thousandths of a span per second may be kept by chance: two standard deviations of what ten
/// seconds bring, where traces of five spans are kept or not. Correcting chance would move every probability all the time.
fn chance(expected: u64) -> u64 {
    const SPANS_PER_TRACE: f64 = 5.0;
    const SECONDS: f64 = 10.0;
    let spans = expected as f64 / 1000.0 * SECONDS;
    (2.0 * (spans * SPANS_PER_TRACE).sqrt() / SECONDS * 1000.0).round() as u64
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
    use std::collections::BTreeMap;

    use homeostat_core::{Actuation, BasisPoints, Entry, Importance, Journey, Millis};

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
        assert_eq!(correct(900_000, 100_000, 300_000), 300_000);
        assert_eq!(correct(900_000, 100_000, 110_000), 900_000, "chance explains a tenth");
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
            super::differs(p(from), p(to), LIMITS)
        };
        assert!(!differs(100_000, 95_000) && differs(100_000, 80_000));
        assert!(!differs(100_000, 120_000) && differs(100_000, 140_000));
    }

    fn journey(operation: &str, importance: Importance) -> Journey {
        Journey {
            entries: vec![Entry { service: "web".into(), operation: Some(operation.into()) }],
            through: ["pay".into()].into(),
            importance,
            reliability: BasisPoints(9990),
            latency: None,
            window: Millis::from_secs(30 * 86_400),
        }
    }

    /// `web` and `pay` send 5000 spans/s each; of these, traces that begin with `buy` have 300 and those with `browse` 9000.
    fn shop(budget: u64) -> World {
        let operation = |world: World, name: &str, requests: u64, spans: u64| {
            world
                .operation("web", name, Indicator::RequestsTotal, requests * 1000)
                .operation("web", name, Indicator::SpansReceivedTotal, spans * 1000)
                .operation("web", name, Indicator::SpansKeptByRuleTotal, 0)
        };
        let world = with_streams(&[("web", 5000), ("pay", 5000)])
            .budget(budget)
            .journey("buy", journey("buy", Importance::Critical))
            .journey("browse", journey("browse", Importance::Low));
        operation(operation(world, "buy", 30, 300), "browse", 900, 9000)
    }

    /// The tails that are wanted, before any step is bounded.
    fn wanted(world: &World) -> BTreeMap<String, u32> {
        world.look(|view| {
            let streams = streams(view);
            let budget = Budget::of(view, &streams).unwrap();
            let tails = budget.fill(&streams, &heads(&streams, &view.settings.sampling), &view.settings.sampling);
            let name = |stream: &Stream<'_>| stream.operation.map_or(stream.service.to_string(), ToString::to_string);
            streams.iter().zip(tails).map(|(stream, tail)| (name(stream), tail.ppm())).collect()
        })
    }

    /// Scenario: 30 journeys a second are critical and 900 of low importance begin at one service; 300 spans/s, then 20, may
    /// be kept.
    /// Guarantees: the critical operation gets what its precision needs and a quarter more, as long as the budget holds that,
    /// and then nine tenths of it; the low one, which sends thirty times as much, is left what the others do not need.
    #[test]
    fn a_critical_operation_is_known_first() {
        // Rank: N = 18 000, (1 - p)/p = 0.005² · 18 000 / (1.96² · 0.0099) = 11.8, p = 0.078; a quarter more is 0.097.
        let (plenty, scarce) = (wanted(&shop(300)), wanted(&shop(20)));
        assert_eq!((plenty["buy"], scarce["buy"]), (97_000, 60_000));
        assert_eq!(scarce["browse"], 100, "the floor");
        assert!((20_000..40_000).contains(&plenty["browse"]), "{plenty:?}");
        let kept = |tails: &BTreeMap<String, u32>| {
            let streams = [("buy", 300), ("browse", 9000), ("web", 350), ("pay", 350)];
            streams.iter().map(|(name, spans)| spans * u64::from(tails[*name])).sum::<u64>() / 1_000_000
        };
        assert!(kept(&plenty) <= 300 && kept(&scarce) <= 20, "{plenty:?} {scarce:?}");
    }

    /// Scenario: the same; a trace of the operation is to be sampled differently.
    /// Guarantees: the proposal is for the operation, within the floor and one bounded step, and says which journeys it is for.
    #[test]
    fn an_operation_is_proposed_by_itself() {
        let proposals = shop(20).proposals(&SAMPLING_BUDGET);
        let target = Target::Operation("web".into(), "buy".into());
        let buy = proposals.iter().find(|proposal| proposal.action.target == target).unwrap();
        assert!(matches!(&buy.action.actuation, Actuation::SetSampling { operation: Some(_), sampling, .. }
            if sampling.tail.ppm() == 100_000));
        assert!(buy.why.contains("18000 journeys in the window must be known (critical)"), "{}", buy.why);
    }

    /// Scenario: an SDK that can be steered begins everything, 930 journeys a second; only 2000 spans/s may be received.
    /// Guarantees: what is left over for the critical operation is more than for the others, and together they fit.
    #[test]
    fn heads_are_kept_high_where_it_matters() {
        let mut world = shop(300).gauge("web", Indicator::HeadProbability, 1_000_000);
        world.settings_mut().sampling.received_spans_per_second_max = 7000;
        let heads = world.look(|view| {
            let streams = streams(view);
            let heads = heads(&streams, &view.settings.sampling);
            let name = |stream: &Stream<'_>| stream.operation.map_or(stream.service.to_string(), ToString::to_string);
            streams.iter().zip(heads).map(|(stream, head)| (name(stream), head.ppm())).collect::<BTreeMap<_, _>>()
        });
        assert!(heads["browse"] < heads["buy"], "{heads:?}");
        let received = 300 * u64::from(heads["buy"]) + 9000 * u64::from(heads["browse"]);
        assert!(received / 1_000_000 <= 7000, "{heads:?}");
    }
}
