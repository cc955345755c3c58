//! What a minute is worth.
//!
//! Answers with the two utilities that were published for SWIM. They are kept apart because they disagree: one charges for
//! servers and one does not, so that a manager can be good at one and poor at the other.

use std::fmt;

use serde::Serialize;

use crate::plants::Period;
use crate::swim::WARM_UP_S;

/// A minute whose mean response time is above this is late.
pub(crate) const LATE_ABOVE_S: f64 = 0.75;

/// What a full reply earns; a basic one earns 1.
pub(crate) const FULL_REWARD: f64 = 1.5;

/// What each server that is not there earns in a minute.
pub(crate) const SERVER_REWARD: f64 = 10.0;

/// The mean service time that both utilities take for the penalty of a late minute.
pub(crate) const SERVICE_S: f64 = 0.044_527_13;

/// What rounding may take from the dimmer without it counting as less than full.
const FULL_WITHIN: f64 = 1e-5;

/// Which of the published utilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Utility {
    /// SEAMS 2017 (Moreno et al., "Comparing model-based predictive approaches to self-adaptation"): servers cost, but
    /// only matter while every reply is full.
    Seams2017,
    /// ICAC 2016 (Moreno et al., "Efficient decision-making under uncertainty for proactive self-adaptation"): servers
    /// cost nothing.
    Icac2016,
}

impl fmt::Display for Utility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Utility::Seams2017 => "SEAMS'17",
            Utility::Icac2016 => "ICAC'16",
        })
    }
}

impl Utility {
    /// What `period` is worth on a site of at most `max_servers`.
    pub fn of(self, period: &Period, max_servers: usize) -> f64 {
        let capacity = max_servers as f64 / SERVICE_S;
        let rate = period.arrivals_per_s;
        match self {
            Utility::Seams2017 => {
                let earned = rate * ((1.0 - period.dimmer_mean) + FULL_REWARD * period.dimmer_mean);
                if is_late(period) {
                    FULL_REWARD * (rate - capacity).min(0.0)
                } else if rate * FULL_REWARD - FULL_WITHIN <= earned {
                    earned + SERVER_REWARD * (max_servers as f64 - period.servers_mean)
                } else {
                    earned
                }
            }
            Utility::Icac2016 if is_late(period) => (FULL_REWARD * (rate - capacity)).min(0.0),
            Utility::Icac2016 => {
                let earned = rate * ((1.0 - period.dimmer) + FULL_REWARD * period.dimmer);
                earned.round_ties_even()
            }
        }
    }
}

/// Whether replies took too long. A minute in which nothing ended is not late.
pub fn is_late(period: &Period) -> bool {
    period.response_s.is_some_and(|response| LATE_ABOVE_S < response)
}

/// What a run was worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// By the utility of SEAMS 2017.
    pub seams2017: f64,
    /// By the utility of ICAC 2016.
    pub icac2016: f64,
    /// Late minutes.
    pub late: u32,
    /// Minutes on time in which every reply was full.
    pub full: u32,
    /// Minutes that were scored.
    pub periods: u32,
    /// Servers that cost, averaged over the scored minutes.
    pub servers: f64,
}

impl Score {
    /// Adds up what counts: the minutes after the warm-up.
    pub fn of(periods: &[Period], max_servers: usize) -> Score {
        let mut score = Score::default();
        for period in periods.iter().filter(|period| WARM_UP_S < period.ended_s) {
            score.seams2017 += Utility::Seams2017.of(period, max_servers);
            score.icac2016 += Utility::Icac2016.of(period, max_servers);
            score.late += u32::from(is_late(period));
            score.full += u32::from(!is_late(period) && 1.0 - FULL_WITHIN <= period.dimmer_mean);
            score.periods += 1;
            score.servers += period.servers_mean;
        }
        score.servers /= f64::from(score.periods.max(1));
        score
    }

    /// By `utility`.
    pub fn by(&self, utility: Utility) -> f64 {
        match utility {
            Utility::Seams2017 => self.seams2017,
            Utility::Icac2016 => self.icac2016,
        }
    }
}

/// A mean and its spread over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the sample; zero for a single run.
    pub sd: f64,
}

impl Summary {
    /// Of `values`, which must not be empty to mean anything.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Summary {
        let count = values.clone().count().max(1) as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Summary { mean, sd: (squares / (count - 1.0).max(1.0)).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(rate: f64, response_s: f64, dimmer: f64, servers: f64) -> Period {
        Period {
            ended_s: 960.0,
            arrivals_per_s: rate,
            response_s: Some(response_s),
            dimmer_mean: dimmer,
            dimmer,
            servers_mean: servers,
            servers: servers as usize,
            active: servers as usize,
            booting: false,
            utilization: 0.0,
            timed_out: 0,
        }
    }

    /// Scenario: four minutes of a site of at most three servers, worked out by hand. κ = 3 / 0.04452713 = 67.3747.
    /// Guarantees: full and on time: 20 · 1.5 + 10 · (3 - 2) = 40 and 30; at half the dimmer 20 · 1.25 = 25 both; late:
    /// 1.5 · (20 - κ) = -71.062 both; late above κ: nothing is lost.
    #[test]
    fn utilities_are_those_worked_out_by_hand() {
        let cases = [
            (period(20.0, 0.1, 1.0, 2.0), 40.0, 30.0),
            (period(20.0, 0.1, 0.5, 2.0), 25.0, 25.0),
            (period(20.0, 0.8, 1.0, 2.0), -71.062, -71.062),
            (period(80.0, 9.0, 0.0, 3.0), 0.0, 0.0),
        ];
        for (period, seams, icac) in cases {
            assert!((Utility::Seams2017.of(&period, 3) - seams).abs() < 1e-3, "{period:?}");
            assert!((Utility::Icac2016.of(&period, 3) - icac).abs() < 1e-3, "{period:?}");
        }
    }

    /// Scenario: minutes at 0.75 s exactly, without any reply, and worth 12.5 by ICAC 2016.
    /// Guarantees: the limit itself is on time, silence is not late, and halves are rounded to the even number.
    #[test]
    fn limits_count_as_published() {
        assert!(!is_late(&period(20.0, 0.75, 1.0, 1.0)));
        assert!(!is_late(&Period { response_s: None, ..period(0.0, 0.0, 1.0, 1.0) }));
        assert!((Utility::Icac2016.of(&period(12.5, 0.1, 0.0, 1.0), 3) - 12.0).abs() < 1e-9);
    }

    /// Scenario: a minute of the warm-up and two scored ones.
    /// Guarantees: the first counts for nothing, and the spread is that of a sample.
    #[test]
    fn the_warm_up_is_not_scored() {
        let warm_up = Period { ended_s: 900.0, ..period(50.0, 9.0, 1.0, 3.0) };
        let score = Score::of(&[warm_up, period(20.0, 0.1, 1.0, 2.0), period(20.0, 0.1, 0.5, 3.0)], 3);
        assert_eq!((score.periods, score.late, score.full), (2, 0, 1));
        assert!((score.seams2017 - 65.0).abs() < 1e-9);
        assert!((score.servers - 2.5).abs() < 1e-9);
        let summary = Summary::of([1.0, 3.0].into_iter());
        assert!((summary.mean - 2.0).abs() < 1e-9 && (summary.sd - 2.0_f64.sqrt()).abs() < 1e-9);
    }
}
