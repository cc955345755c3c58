//! How much must be sampled for an estimate to be good enough.
//!
//! Answers the smallest sampling probability at which a service's request count, error share and 99th percentile can be
//! estimated from kept traces within the wanted precision. Does not know any budget.

use homeostat_core::{SamplingProbability, SamplingSettings};

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
}
