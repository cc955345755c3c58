//! Kubernetes' Horizontal Pod Autoscaler.
//!
//! Answers what the HPA would order, with its defaults and a CPU target. Sources, of kubernetes/kubernetes: the number of Pods,
//! with unready and missing ones, `pkg/controller/podautoscaler/replica_calculator.go` (`GetResourceReplicas`, `groupPods`);
//! stabilisation and rates, `horizontal.go` (`stabilizeRecommendationWithBehaviors`, `convertDesiredReplicasWithBehaviorRate`);
//! rates and windows, `pkg/apis/autoscaling/v2/defaults.go`; a target of 80 %, `pkg/apis/autoscaling/annotations.go`
//! (`DefaultCPUUtilization`); a sync every 15 s, tolerance 0.1, stabilisation 300 s, CPU initialisation 5 min, initial
//! readiness delay 30 s, `pkg/controller/podautoscaler/config/v1alpha1/defaults.go`. Metrics come from a metrics-server that
//! scrapes every 15 s (its `--metric-resolution`), so at a sync they are ten seconds old and cover fifteen.
//!
//! Pods of one service share their load evenly here, so that one mean stands for the Pods that are ready. No Pod is lost and
//! none is ever without metrics once it has been ready for a window, so "missing" Pods do not occur; those that start are
//! "unready" throughout, as a Pod with a readiness probe is.

use std::collections::VecDeque;

use crate::compare::managers::Manager;
use crate::plants::{Readings, ServiceReadings};
use crate::queue::SimTime;

const SYNC_S: u64 = 15;
/// Metrics are this old at a sync.
const METRICS_AGE_S: u64 = 10;
/// The time over which metrics-server takes the use of CPU.
const WINDOW_S: usize = 15;
const TOLERANCE: f64 = 0.1;
const STABILISATION_S: u64 = 300;
/// At most four Pods, or as many as there are, in 15 s.
const GROWTH_PODS: u32 = 4;
/// Recommendations kept: those of the stabilisation window.
const RECOMMENDATIONS_MAX: usize = (STABILISATION_S / SYNC_S) as usize + 1;

/// The HPA's controller.
pub(crate) struct Hpa {
    service: usize,
    target: f64,
    /// Busy and ready replicas of the last seconds, oldest first.
    used: VecDeque<(f64, u32)>,
    /// Since when each Pod serves; in the order of their becoming ready.
    ready_since_s: Vec<u64>,
    scraped: Scraped,
    recommendations: VecDeque<(u64, u32)>,
    /// Growth within the current policy period.
    grown: VecDeque<(u64, u32)>,
}

/// What metrics-server has.
#[derive(Clone, Copy, Default)]
struct Scraped {
    at_s: u64,
    /// Use of one Pod, as a share of its request.
    usage: Option<f64>,
}

impl Hpa {
    pub(crate) fn new(service: usize, target_bp: u32) -> Hpa {
        Hpa {
            service,
            target: f64::from(target_bp) / 10_000.0,
            used: VecDeque::with_capacity(WINDOW_S),
            ready_since_s: Vec::new(),
            scraped: Scraped::default(),
            recommendations: VecDeque::new(),
            grown: VecDeque::new(),
        }
    }

    fn see(&mut self, at_s: u64, seen: &ServiceReadings) {
        let ready = seen.replicas as usize;
        // Those that were there at the start have been ready for long.
        let since = if self.ready_since_s.is_empty() && at_s <= 1 { 0 } else { at_s };
        self.ready_since_s.resize(ready, since);
        if self.used.len() == WINDOW_S {
            self.used.pop_front();
        }
        let share = seen.utilization_bp.unwrap_or(0) as f64 / 10_000.0;
        self.used.push_back((share * f64::from(seen.replicas), seen.replicas));
        if at_s % SYNC_S == SYNC_S - METRICS_AGE_S {
            let (busy, ready) = self.used.iter().fold((0.0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            self.scraped = Scraped { at_s, usage: (0 < ready).then(|| busy / f64::from(ready)) };
        }
    }

    /// Pods whose metrics count: serving for a whole window when they were last scraped. All that are younger are unready.
    fn counted(&self) -> u32 {
        let window = WINDOW_S as u64;
        self.ready_since_s.iter().filter(|since| **since == 0 || **since + window <= self.scraped.at_s).count() as u32
    }

    /// `GetResourceReplicas`.
    fn recommend(&self, current: u32) -> Option<u32> {
        let (usage, ready) = (self.scraped.usage?, self.counted());
        if ready == 0 {
            return None;
        }
        let unready = current.saturating_sub(ready);
        // Use is a whole percentage there (`GetResourceUtilizationRatio`).
        let ratio_of = |usage: f64| (usage * 100.0).floor() / (self.target * 100.0);
        let ratio = ratio_of(usage);
        let is_within = |ratio: f64| (1.0 - ratio).abs() <= TOLERANCE;
        if unready == 0 || ratio <= 1.0 {
            let desired = if is_within(ratio) { current } else { (ratio * f64::from(ready)).ceil() as u32 };
            return Some(desired);
        }
        // On a growth, unready Pods count as using nothing.
        let all = f64::from(ready + unready);
        let damped = ratio_of(usage * f64::from(ready) / all);
        if is_within(damped) || damped < 1.0 {
            return Some(current);
        }
        Some(((damped * all).ceil() as u32).max(current))
    }

    /// `stabilizeRecommendationWithBehaviors`: growth at once, reductions only to the highest of the window.
    fn stabilise(&mut self, at_s: u64, current: u32, desired: u32) -> u32 {
        let lately = self.recommendations.iter().filter(|(then, _)| at_s < then + STABILISATION_S);
        let highest = lately.map(|(_, recommended)| *recommended).max().unwrap_or(0);
        if RECOMMENDATIONS_MAX <= self.recommendations.len() {
            self.recommendations.pop_front();
        }
        self.recommendations.push_back((at_s, desired));
        if current <= desired { desired } else { desired.max(highest) }
    }

    /// `convertDesiredReplicasWithBehaviorRate`: reductions may go all the way.
    fn limit(&mut self, at_s: u64, current: u32, desired: u32) -> u32 {
        self.grown.retain(|(then, _)| at_s < then + SYNC_S);
        if desired <= current {
            return desired.min(current);
        }
        let added: u32 = self.grown.iter().map(|(_, added)| added).sum();
        let at_period_start = current.saturating_sub(added);
        let highest = (at_period_start + GROWTH_PODS).max(at_period_start * 2).max(current);
        let desired = desired.min(highest);
        if current < desired {
            self.grown.push_back((at_s, desired - current));
        }
        desired
    }
}

impl Manager for Hpa {
    fn second(&mut self, now: SimTime, seen: &Readings) -> Option<u32> {
        let (at_s, seen) = (now.as_secs(), &seen.services[self.service]);
        self.see(at_s, seen);
        if at_s % SYNC_S != 0 {
            return None;
        }
        let current = seen.replicas_wanted;
        let desired = self.recommend(current)?.max(1);
        let desired = self.stabilise(at_s, current, desired);
        let desired = self.limit(at_s, current, desired);
        (desired != current).then_some(desired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service with `ready` of `wanted` replicas, used to `used_bp`.
    fn readings(ready: u32, wanted: u32, used_bp: u64) -> Readings {
        let service = ServiceReadings {
            replicas: ready,
            replicas_wanted: wanted,
            utilization_bp: Some(used_bp),
            ..Default::default()
        };
        Readings { services: vec![service], ..Readings::default() }
    }

    fn orders(hpa: &mut Hpa, from_s: u64, to_s: u64, seen: &Readings) -> Vec<(u64, u32)> {
        (from_s..to_s).filter_map(|at_s| Some((at_s, hpa.second(SimTime::from_secs(at_s), seen)?))).collect()
    }

    /// Scenario: four Pods at a target of 80 %: used to 84, 100, and 40 %.
    /// Guarantees: nothing within the tolerance; ceil(4 · 1.25) at the first sync after; a reduction once the last 4 is 300 s old.
    #[test]
    fn the_hpa_follows_its_formula() {
        let mut hpa = Hpa::new(0, 8000);
        assert_eq!(orders(&mut hpa, 1, 61, &readings(4, 4, 8400)), []);
        assert_eq!(orders(&mut hpa, 61, 76, &readings(4, 4, 10_000)), [(75, 5)]);
        let mut hpa = Hpa::new(0, 8000);
        orders(&mut hpa, 1, 31, &readings(4, 4, 8000));
        assert_eq!(orders(&mut hpa, 31, 400, &readings(4, 4, 4000)).first(), Some(&(345, 2)));
    }

    /// Scenario: five of ten Pods are starting while the others are full; then 10 of 40.
    /// Guarantees: those that start count as idle, so that nothing is added on top.
    #[test]
    fn what_is_starting_counts_as_idle() {
        let mut hpa = Hpa::new(0, 8000);
        assert_eq!(orders(&mut hpa, 1, 61, &readings(5, 10, 10_000)), []);
    }

    /// Scenario: one Pod is used ten times what it should, as a queue would ask for.
    /// Guarantees: four more at a time, then twice as many; never more in 15 s.
    #[test]
    fn growth_is_limited() {
        let mut hpa = Hpa::new(0, 1000);
        assert_eq!(orders(&mut hpa, 1, 16, &readings(1, 1, 10_000)), [(15, 5)]);
        let mut hpa = Hpa::new(0, 1000);
        assert_eq!(orders(&mut hpa, 1, 16, &readings(6, 6, 10_000)), [(15, 12)]);
    }
}
