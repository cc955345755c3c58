//! How much must be sampled for an estimate to be good enough.
//!
//! Answers the smallest sampling probability at which a service's request count, error share and 99th percentile can be
//! estimated from kept traces within the wanted precision, and how precise they are at a given one. Does not know any budget.

use homeostat_core::{GoalPrecision, SamplingProbability, SamplingSettings, ServiceSampling};

/// The probability needed for `requests` per precision window.
///
/// Two demands, the larger counts:
///
/// - The Horvitz–Thompson estimate of a total of N requests, each kept with probability p, has the relative standard error
///   sqrt((1 - p) / (p N)) (Horvitz and Thompson 1952; Cochran, Sampling Techniques, 3rd ed., section 9A.7). Wanted at most
///   ε: p ≥ 1 / (1 + ε² N). An error share is a ratio of two such totals, of which the errors are always kept.
/// - The rank of an order statistic at quantile q of n kept requests has the standard error sqrt(q (1 - q) / n) (David and
///   Nagaraja, Order Statistics, 3rd ed., section 7.1). Wanted at most δ: p ≥ q (1 - q) / (δ² N), with q = 0.99.
pub(crate) fn needed(requests: u64, settings: &SamplingSettings) -> SamplingProbability {
    let requests = u128::from(requests);
    let (count_bp, rank_bp) = (u128::from(settings.relative_error_max.0), u128::from(settings.p99_rank_error_max.0));
    // In parts per million, with errors in basis points: ε² = bp² / 10⁸, and q (1 - q) = 0.0099 = 990 000 / 10⁸.
    let for_count = 1_000_000 * 100_000_000 / (100_000_000 + count_bp * count_bp * requests);
    let for_rank = (1_000_000_u128 * 990_000).checked_div(rank_bp * rank_bp * requests).unwrap_or(1_000_000);
    SamplingProbability::from_ppm_saturating(for_count.max(for_rank).min(1_000_000) as u64)
}

/// The quantile whose rank is looked at.
const Q: f64 = 0.99;

/// What is asked of one journey's traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Journeys in the window of the precision, whether or not their SDK sampled them.
    pub journeys: u64,
    /// The share that may fail. Precision is asked for, and stated, at the error rate at which the budget is just spent: that is
    /// the rate that must be told apart from what is promised.
    pub budget_ppm: u32,
    /// How good it must be.
    pub precision: GoalPrecision,
}

/// How precise estimates are, as half the width of an interval with the wanted confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Achieved {
    /// Of an error rate as high as the budget, in parts per million.
    pub error_rate_ppm: u64,
    /// Of the rank of the 99th percentile, in parts per million.
    pub p99_rank_ppm: u64,
}

impl Demand {
    /// What is wanted.
    pub fn wanted(&self) -> Achieved {
        Achieved {
            error_rate_ppm: self.precision.error_rate.of(u64::from(self.budget_ppm)),
            p99_rank_ppm: u64::from(self.precision.p99_rank.0) * 100,
        }
    }

    /// The lowest tail probability that meets the demand where SDKs begin traces with `head`; one where nothing does.
    ///
    /// Two demands, the larger counts. Kept are all failed traces and ordinary ones with p = head × tail, so of N journeys of
    /// which a share r fails, the Horvitz–Thompson estimates of failed and ordinary ones vary by N r (1 - h)/h and
    /// N (1 - r)(1 - p)/p (Horvitz and Thompson 1952), and their ratio, by the delta method (Cochran, Sampling Techniques, 3rd
    /// ed., section 6.4), by
    ///
    ///   V = r (1 - r)/N · [(1 - r)(1 - h)/h + r (1 - p)/p].
    ///
    /// Wanted z √V ≤ ε r. The rank of the q-quantile of the kept ones varies by q (1 - q)(1 - p)/(p N) (David and Nagaraja,
    /// Order Statistics, 3rd ed., section 7.1, with Cochran's correction for a sample from N, section 2.6); slow ones are kept
    /// all, which can only help. Wanted z √ ≤ δ.
    pub fn tail(&self, head: SamplingProbability) -> SamplingProbability {
        let (n, r, h) = (self.journeys as f64, self.rate(), head.as_f64());
        let (error, rank) = self.wanted_over_z();
        // How large (1 - p)/p may be.
        let for_error = (error * error * n / (r * (1.0 - r)) - (1.0 - r) * (1.0 - h) / h) / r;
        let for_rank = rank * rank * n / (Q * (1.0 - Q));
        let p = 1.0 / (1.0 + for_error.min(for_rank).max(0.0));
        at_least(p / h)
    }

    /// The lowest head probability that meets the demand if the tail keeps everything that begins: the same with p = h.
    pub fn head(&self) -> SamplingProbability {
        let (n, r) = (self.journeys as f64, self.rate());
        let (error, rank) = self.wanted_over_z();
        let for_error = error * error * n / (r * (1.0 - r));
        let for_rank = rank * rank * n / (Q * (1.0 - Q));
        at_least(1.0 / (1.0 + for_error.min(for_rank)))
    }

    /// How precise the estimates are under `sampling`.
    pub fn achieved(&self, sampling: ServiceSampling) -> Achieved {
        let (n, r, h) = (self.journeys.max(1) as f64, self.rate(), sampling.head.as_f64());
        let (p, z) = (h * sampling.tail.as_f64(), self.z());
        if p <= 0.0 {
            return Achieved { error_rate_ppm: 1_000_000, p99_rank_ppm: 1_000_000 };
        }
        let error = z * (r * (1.0 - r) / n * ((1.0 - r) * (1.0 - h) / h + r * (1.0 - p) / p)).sqrt();
        let rank = z * (Q * (1.0 - Q) * (1.0 - p) / (p * n)).sqrt();
        let ppm = |share: f64| (share.min(1.0) * 1e6).round() as u64;
        Achieved { error_rate_ppm: ppm(error), p99_rank_ppm: ppm(rank) }
    }

    /// The error rate that is looked at; the formulae divide by it, and by what is missing to one.
    fn rate(&self) -> f64 {
        f64::from(self.budget_ppm.clamp(1, 999_999)) / 1e6
    }

    fn z(&self) -> f64 {
        f64::from(self.precision.confidence.quantile_e4()) / 1e4
    }

    fn wanted_over_z(&self) -> (f64, f64) {
        let (error, rank) = (f64::from(self.precision.error_rate.0) / 1e4, f64::from(self.precision.p99_rank.0) / 1e4);
        (error * self.rate() / self.z(), rank / self.z())
    }
}

/// A probability of at least `p`.
fn at_least(p: f64) -> SamplingProbability {
    SamplingProbability::from_ppm_saturating((p * 1e6).ceil().clamp(0.0, 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: an error of 1 % in counts and 0.25 % in rank, for no, few, many and very many requests.
    /// Guarantees: what the formulae give, worked by hand: everything when there is little, and ever less when there is more.
    #[test]
    fn little_traffic_needs_everything() {
        let check = |requests, ppm| assert_eq!(needed(requests, &SamplingSettings::default()).ppm(), ppm, "{requests}");
        check(0, 1_000_000);
        check(100, 1_000_000);
        // 1 / (1 + 10⁻⁴ · 10⁴) = 0.5; 0.0099 / (0.0025² · 10⁴) = 0.158
        check(10_000, 500_000);
        // 1 / (1 + 10⁻⁴ · 10⁶) = 0.0099; 0.0099 / (0.0025² · 10⁶) = 0.001 584
        check(1_000_000, 9900);
    }

    fn demand(journeys: u64, budget_ppm: u32) -> Demand {
        Demand { journeys, budget_ppm, precision: GoalPrecision::default() }
    }

    fn sampled(head: u64, tail: SamplingProbability) -> ServiceSampling {
        ServiceSampling { head: SamplingProbability::from_ppm_saturating(head), tail }
    }

    /// Scenario: 60 000 journeys in ten minutes of which 0.1 % may fail; error rate within 10 % of the budget, rank within
    /// 0.5 %, with 95 % confidence; SDKs begin every trace.
    /// Guarantees: the formulae worked by hand. Rank: (1 - p)/p ≤ 0.005² · 60 000 / (1.96² · 0.0099) = 39.44, p = 0.024 73;
    /// error: (1 - p)/p ≤ 0.1² · 60 000 / (1.96² · 0.999) = 156.3, which is less strict.
    #[test]
    fn a_busy_journey_needs_little() {
        let busy = demand(60_000, 1000);
        assert_eq!(busy.tail(SamplingProbability::ALWAYS).ppm(), 24_728);
        assert_eq!(busy.wanted(), Achieved { error_rate_ppm: 100, p99_rank_ppm: 5000 });
        let achieved = busy.achieved(sampled(1_000_000, busy.tail(SamplingProbability::ALWAYS)));
        assert_eq!(achieved, Achieved { error_rate_ppm: 50, p99_rank_ppm: 5000 });
    }

    /// Scenario: SDKs begin half of the traces, so that half of the failures is never seen.
    /// Guarantees: V = r (1 - r)/N · [(1 - r)(1 - h)/h + …] says that 60 failures halved are known to ± 25 %, whatever the
    /// tail keeps; the head that would do is p ≥ 1 / (1 + 0.1² · 60 / 1.96²/0.999) = 0.865.
    #[test]
    fn what_the_head_loses_no_tail_brings_back() {
        let halved = demand(60_000, 1000);
        assert_eq!(halved.tail(SamplingProbability::from_ppm_saturating(500_000)), SamplingProbability::ALWAYS);
        let achieved = halved.achieved(sampled(500_000, SamplingProbability::ALWAYS));
        assert_eq!(achieved.error_rate_ppm, 253);
        assert_eq!(halved.head().ppm() / 1000, 864);
    }

    proptest::proptest! {
        /// Scenario: any traffic, any promise, any probabilities.
        /// Guarantees: more kept, or more traffic, is never known less precisely; and where the demand can be met, what is said
        /// to be needed meets it.
        #[test]
        fn more_is_never_less_precise(
            journeys in 1..100_000_000_u64,
            budget_ppm in 100..500_000_u32,
            one in 1..1_000_000_u32,
            other in 1..1_000_000_u32,
            head in 1..1_000_000_u64,
        ) {
            let demand = demand(journeys, budget_ppm);
            let tail = |ppm: u32| SamplingProbability::from_ppm_saturating(ppm.into());
            let less = demand.achieved(sampled(head, tail(one.min(other))));
            let more = demand.achieved(sampled(head, tail(one.max(other))));
            proptest::prop_assert!(more.error_rate_ppm <= less.error_rate_ppm);
            proptest::prop_assert!(more.p99_rank_ppm <= less.p99_rank_ppm);
            let busier = Demand { journeys: journeys * 2, ..demand }.achieved(sampled(head, tail(one)));
            let before = demand.achieved(sampled(head, tail(one)));
            proptest::prop_assert!(busier.error_rate_ppm <= before.error_rate_ppm);
            let (head, wanted) = (SamplingProbability::from_ppm_saturating(head), demand.wanted());
            let met = demand.achieved(ServiceSampling { head, tail: demand.tail(head) });
            let whole = demand.achieved(ServiceSampling { head, tail: SamplingProbability::ALWAYS });
            // Half a part in a million is rounded off either side.
            proptest::prop_assert!(met.error_rate_ppm <= wanted.error_rate_ppm.max(whole.error_rate_ppm) + 1);
            proptest::prop_assert!(met.p99_rank_ppm <= wanted.p99_rank_ppm.max(whole.p99_rank_ppm) + 1);
        }
    }
}
