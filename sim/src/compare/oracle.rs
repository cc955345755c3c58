//! Schedules for who knows the future.
//!
//! Answers how few replicas would have done, given every arrival in advance and the start delay. What arrives within a span
//! of time must find room within it, with something on top for the randomness of the work, which is not known; the k-th
//! replica serves whenever k are needed, and also through every lull that is shorter than a start takes, since a start is
//! paid for too. For a given need that is the cheapest schedule there is, because the replicas' costs simply add up. The span
//! and the reserve are not guessed but tried: a quick sketch of the queue ranks them, and the best of the sketch are played,
//! with holding one number throughout among them, so that nobody who holds one can do better.

use std::sync::Arc;

use homeostat_core::Seed;

use crate::compare::arena::{Played, play};
use crate::compare::managers::{Fixed, Schedule};
use crate::compare::score::{Prices, Score};
use crate::compare::stage::Stage;

/// Spans that are tried, as shares of the time that is promised.
const SPANS: [f64; 8] = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0];
/// Reserves that are tried, in square roots of busy workers.
const RESERVES: [f64; 7] = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0];
/// Schedules that are played: so many of those that look best in the sketch at this multiple of the price.
const PLAYED: [(f64, usize); 3] = [(1.0, 6), (0.5, 2), (2.0, 2)];
/// Fixed numbers that are played, of those that look best in the sketch.
const FIXED_PLAYED: usize = 5;

/// The best that who knows the arrivals does on `stage`, with everything that was tried for it.
pub(crate) fn oracle(stage: &Stage, seed: Seed, prices: Prices) -> Played {
    let capacity = stage.capacity_per_second();
    let scheduled = promising(stage, prices).into_iter().map(|serving| {
        // One second more than a start takes, because an order needs half a second to arrive.
        play(stage, seed, &mut Schedule { serving, lead_s: stage.start_s() + 1, asked: 0 })
    });
    let mut tried = Vec::new();
    let mut best: Option<Played> = None;
    for played in scheduled.chain([fixed(stage, seed, prices).1]) {
        tried.push(played.score);
        if best.as_ref().is_none_or(|best| worth(best, prices, capacity) < worth(&played, prices, capacity)) {
            best = Some(played);
        }
    }
    Played { tried, ..best.expect("holding one number is always among them") }
}

/// The schedules that look best in the sketch, at the price and at half and twice of it.
fn promising(stage: &Stage, prices: Prices) -> Vec<Arc<[u32]>> {
    let capacity = stage.capacity_per_second();
    let pairs = SPANS.into_iter().flat_map(|span| RESERVES.map(|reserve| (span, reserve)));
    let mut sketched: Vec<(Score, Arc<[u32]>)> = pairs
        .map(|(span, reserve)| {
            let serving: Arc<[u32]> = schedule(stage, span, reserve).into();
            (sketch(stage, |second| serving[second]), serving)
        })
        .collect();
    let mut chosen: Vec<Arc<[u32]>> = Vec::new();
    for (factor, count) in PLAYED {
        let prices = prices.replicas_times(factor);
        let worth = |sketched: &(Score, Arc<[u32]>)| sketched.0.utility(prices, capacity);
        sketched.sort_by(|one, other| worth(other).total_cmp(&worth(one)));
        let most = chosen.len() + count;
        for (_, serving) in &sketched {
            if chosen.len() < most && !chosen.contains(serving) {
                chosen.push(serving.clone());
            }
        }
    }
    chosen
}

/// The best number to hold from beginning to end, and how it fares.
pub(crate) fn fixed(stage: &Stage, seed: Seed, prices: Prices) -> (u32, Played) {
    let capacity = stage.capacity_per_second();
    let (floor, ceiling) = stage.envelope();
    let mut ranked: Vec<(f64, u32)> =
        (floor..=ceiling).map(|held| (sketch(stage, |_| held).utility(prices, capacity), held)).collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0));
    let played = ranked.into_iter().take(FIXED_PLAYED).map(|(_, held)| (held, play(stage, seed, &mut Fixed(held))));
    played
        .max_by(|one, other| worth(&one.1, prices, capacity).total_cmp(&worth(&other.1, prices, capacity)))
        .expect("an envelope is not empty")
}

/// The number that the busiest minute needs at a utilisation of 80 %.
pub(crate) fn peak(stage: &Stage) -> u32 {
    let minutes = stage.offered.chunks(60).map(|minute| minute.iter().sum::<f64>() / minute.len() as f64);
    let (floor, ceiling) = stage.envelope();
    ((minutes.fold(0.0, f64::max) / 0.8).ceil() as u32).clamp(floor, ceiling)
}

fn worth(played: &Played, prices: Prices, capacity: f64) -> f64 {
    played.score.utility(prices, capacity)
}

/// How many should serve in each second.
fn schedule(stage: &Stage, span: f64, reserve: f64) -> Vec<u32> {
    let spec = &stage.scenario.plant.services[stage.service];
    let workers = f64::from(spec.workers_per_replica.max(1));
    let promised_s = stage.scenario.slow_above()[stage.service].0 as f64 / 1e6;
    let wide = ((span * promised_s).round() as usize).max(1);
    let (floor, ceiling) = stage.envelope();
    let need = |busy: f64| ((busy + reserve * (busy / workers).sqrt()).ceil() as u32).clamp(floor, ceiling);
    let needed: Vec<u32> = moving_mean(&stage.offered, wide).into_iter().map(need).collect();
    bridge_lulls(&needed, stage.start_s())
}

/// The mean of the `wide` values around each.
fn moving_mean(values: &[f64], wide: usize) -> Vec<f64> {
    let mut sums = vec![0.0];
    let mut sum = 0.0;
    sums.extend(values.iter().map(|value| {
        sum += value;
        sum
    }));
    let mean = |at: usize| {
        let from = at.saturating_sub(wide / 2);
        let to = (from + wide).min(values.len());
        (sums[to] - sums[from]) / (to - from).max(1) as f64
    };
    (0..values.len()).map(mean).collect()
}

/// Keeps each replica through lulls of at most `longest` seconds.
fn bridge_lulls(needed: &[u32], longest: usize) -> Vec<u32> {
    let mut serving = needed.to_vec();
    let highest = needed.iter().copied().max().unwrap_or(0);
    for level in 1..=highest {
        let mut last = None;
        for at in (0..needed.len()).filter(|at| level <= needed[*at]) {
            if let Some(last) = last.replace(at)
                && at - last - 1 <= longest
            {
                serving[last + 1..at].iter_mut().for_each(|serving| *serving = (*serving).max(level));
            }
        }
    }
    serving
}

/// A rough run: work flows in by the second and waits in line; what would wait longer than promised is bad.
fn sketch(stage: &Stage, serving: impl Fn(usize) -> u32) -> Score {
    let spec = &stage.scenario.plant.services[stage.service];
    let promised_s = stage.scenario.slow_above()[stage.service].0 as f64 / 1e6;
    let capacity = stage.capacity_per_second();
    let work_s = f64::from(spec.workers_per_replica) / capacity;
    let (mut waiting, mut score, mut good, mut bad) = (0.0_f64, Score::default(), 0.0, 0.0);
    for (second, offered) in stage.offered.iter().enumerate() {
        let served = f64::from(serving(second));
        // Who arrives now waits for what is in line before, half of its own second's work included.
        let wait_s = (waiting + offered / 2.0 - served / 2.0).max(0.0) / served.max(1e-9);
        let late = promised_s < wait_s + 1.5 * work_s;
        *(if late { &mut bad } else { &mut good }) += offered * capacity;
        // Nobody waits longer than twice what is promised.
        waiting = (waiting + offered - served).clamp(0.0, 2.0 * promised_s * served);
        score.replica_s += u64::from(serving(second));
    }
    Score { good: good as u64, bad: bad as u64, ..score }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: two are needed, one for three seconds, two again, then one for five; a start takes four seconds.
    /// Guarantees: the short lull is bridged and the long one is not.
    #[test]
    fn only_short_lulls_are_bridged() {
        let needed = [2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2];
        assert_eq!(bridge_lulls(&needed, 4), [2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 2]);
    }

    /// Scenario: one busy second among idle ones.
    /// Guarantees: the mean over three spreads it over three, and the ends have what there is.
    #[test]
    fn a_mean_moves_over_its_values() {
        assert_eq!(moving_mean(&[0.0, 3.0, 0.0, 0.0], 3), [1.0, 1.0, 1.0, 0.0]);
    }
}
