//! What a manager is worth.
//!
//! Answers how good a run was, in one number and in four plain ones. The number, per run:
//!
//! ```text
//! utility = good requests − bad requests − price · capacity · replica-seconds
//! ```
//!
//! A request is good if it succeeds within the latency that is promised. It earns one; a bad one earns nothing and costs one,
//! so that losing a request weighs twice what serving it brings (SWIM, Moreno and others 2018, also lets late periods cost
//! rather than earn nothing). Replicas cost from the order on, also while they start. The price is that of a replica-second as
//! a share of what a replica earns when it is never idle; a twentieth means that at a usual utilisation of 60 % a twelfth of
//! what is earned is spent on capacity. A lower price flatters whoever keeps too much, a higher one whoever keeps too little,
//! so results are shown for half and twice the price too.

/// What counts for how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// What a bad request costs, where a good one earns one.
    pub bad: f64,
    /// What a replica-second costs, as a share of what a replica earns when it is never idle.
    pub replica: f64,
}

impl Default for Prices {
    fn default() -> Self {
        Prices { bad: 1.0, replica: 0.05 }
    }
}

impl Prices {
    /// The same with replicas at `factor` times their price.
    #[must_use]
    pub fn replicas_times(self, factor: f64) -> Prices {
        Prices { replica: self.replica * factor, ..self }
    }
}

/// One run in plain numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Requests answered as promised.
    pub good: u64,
    /// Requests that failed or came late.
    pub bad: u64,
    /// Seconds in which a larger share of what was answered was bad than the objective allows.
    pub broken_s: u64,
    /// Replicas asked for, summed over seconds.
    pub replica_s: u64,
    /// Changes of the number of replicas.
    pub actions: u64,
    /// Changes in the other direction than the one before.
    pub reversals: u64,
}

impl Score {
    /// The utility, with one replica answering `capacity` requests a second when it is never idle.
    pub fn utility(&self, prices: Prices, capacity: f64) -> f64 {
        self.good as f64 - prices.bad * self.bad as f64 - prices.replica * capacity * self.replica_s as f64
    }

    /// The share of requests that were bad.
    pub fn bad_share(&self) -> f64 {
        self.bad as f64 / (self.good + self.bad).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: ninety good and ten bad requests, a hundred replica-seconds of which each could have earned two.
    /// Guarantees: 90 − 10 − 0.05 · 2 · 100 = 70, and replicas at twice the price cost twice as much.
    #[test]
    fn utility_is_what_its_formula_says() {
        let score = Score { good: 90, bad: 10, replica_s: 100, ..Score::default() };
        assert!((score.utility(Prices::default(), 2.0) - 70.0).abs() < 1e-9);
        assert!((score.utility(Prices::default().replicas_times(2.0), 2.0) - 60.0).abs() < 1e-9);
        assert!((score.bad_share() - 0.1).abs() < 1e-9);
    }
}
