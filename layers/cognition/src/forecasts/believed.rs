//! Which way is believed, and how far.
//!
//! Answers with the way whose bound would have cost least so far, and with that bound. What each way got wrong is kept as
//! differences of square roots, because load that doubles varies by more, but by less than double: between the spread of
//! counts, which grows with the root, and that of shares. Differences of an hour are kept; the bound is the expectation plus
//! the difference that was not exceeded as often as wanted.

use std::collections::VecDeque;

use homeostat_core::{BasisPoints, Label};

use crate::forecasts::ways::{NAMES, Past, WAYS};

/// Differences kept of each way: an hour of them.
const DIFFERENCES_MAX: usize = 720;

/// Forecasts that wait for their time: ten minutes of them, and room for one that is put off.
const PENDING_MAX: usize = 128;

/// Steps of demand that there must be before anything is expected: what is expected of less, at a start above all, is wrong in
/// ways that never come again.
const PAST_MIN: u64 = 12;

/// After so many steps in a row that exceeded what was believed, all ways are believed alike: the highest bound counts.
const EXCEEDED_MAX: u32 = 3;

/// Losses and coverage fade by this share at each step: half is gone after half an hour.
const FADE: u64 = 519;

/// A root is taken of a demand times this, so that it has digits.
const ROOT_OF: u64 = 1_000_000;

/// What is believed at one step.
#[derive(Debug)]
pub(super) struct Belief {
    pub(super) expected: u64,
    pub(super) upper: u64,
    pub(super) method: Label,
    pub(super) settled: u32,
    pub(super) covered: BasisPoints,
}

/// What was expected for one step.
#[derive(Debug)]
struct Pending {
    due: u64,
    roots: [u64; WAYS],
    uppers: [u64; WAYS],
    believed: usize,
}

/// Everything remembered of one service's forecasts.
#[derive(Debug, Default)]
pub(super) struct Believed {
    step: u64,
    /// Steps at which demand was seen without a break.
    unbroken: u64,
    past: Past,
    pending: VecDeque<Pending>,
    differences: [VecDeque<i64>; WAYS],
    losses: [u64; WAYS],
    settled: u32,
    /// Steps in a row that exceeded what was believed.
    exceeded: u32,
    /// Bounds not exceeded, and all, faded; in steps times [`FADE`].
    held: (u64, u64),
}

impl Believed {
    /// A step at which demand was not seen: what was expected for it is never compared.
    pub(super) fn pass(&mut self) {
        self.step += 1;
        self.unbroken = 0;
        while self.pending.pop_front_if(|pending| pending.due <= self.step).is_some() {}
    }

    /// Takes in the demand of one step and looks `steps` ahead.
    pub(super) fn step(&mut self, demand: u64, steps: usize, coverage: BasisPoints) -> Belief {
        self.step += 1;
        self.unbroken += 1;
        while let Some(pending) = self.pending.pop_front_if(|pending| pending.due <= self.step) {
            self.settle(&pending, demand, coverage);
        }
        self.past.push(demand);
        let expected = self.past.expect(steps);
        let roots = expected.map(root);
        let place = place(self.settled, steps, coverage);
        let uppers: [u64; WAYS] = std::array::from_fn(|way| self.upper(way, roots[way], place));
        let believed = match self.exceeded {
            EXCEEDED_MAX.. => (0..WAYS).max_by_key(|way| uppers[*way]),
            _ => (0..WAYS).min_by_key(|way| self.losses[*way]),
        };
        let believed = believed.unwrap_or(0);
        if PAST_MIN <= self.unbroken && self.pending.len() < PENDING_MAX {
            self.pending.push_back(Pending { due: self.step + steps as u64, roots, uppers, believed });
        }
        Belief {
            expected: expected[believed],
            upper: uppers[believed],
            method: Label::new(NAMES[believed]),
            settled: self.settled,
            covered: BasisPoints::from_ratio(self.held.0, self.held.1),
        }
    }

    fn settle(&mut self, pending: &Pending, demand: u64, coverage: BasisPoints) {
        let came = root(demand);
        for way in 0..WAYS {
            let differences = &mut self.differences[way];
            if differences.len() == DIFFERENCES_MAX {
                differences.pop_front();
            }
            differences.push_back(came as i64 - pending.roots[way] as i64);
            self.losses[way] =
                self.losses[way] - self.losses[way] / FADE + pinball(demand, pending.uppers[way], coverage);
        }
        let is_held = demand <= pending.uppers[pending.believed];
        self.exceeded = if is_held { 0 } else { self.exceeded + 1 };
        let (held, all) = self.held;
        self.held = (held - held / FADE + if is_held { FADE } else { 0 }, all - all / FADE + FADE);
        self.settled = self.settled.saturating_add(1);
    }

    /// The bound of `way`, which expects a demand with this root: widened by the difference at this place among all.
    fn upper(&self, way: usize, root: u64, place: BasisPoints) -> u64 {
        let mut differences: Vec<i64> = self.differences[way].iter().copied().collect();
        let place = (place.of(differences.len() as u64) as usize).min(differences.len().saturating_sub(1));
        let widened = match differences.is_empty() {
            true => 0,
            false => *differences.select_nth_unstable(place).1,
        };
        let upper = root.saturating_add_signed(widened);
        // Upwards, so that what stays as it is is not exceeded by a rounding.
        (u128::from(upper) * u128::from(upper)).div_ceil(u128::from(ROOT_OF)) as u64
    }
}

/// Where among the differences the bound is taken. Of n that are independent it is at (n + 1) · coverage / n, so that few are
/// not trusted as if they were many. Forecasts that overlap are not independent; as many are as fit into the time one after the
/// other, and no more than are kept.
fn place(settled: u32, steps: usize, coverage: BasisPoints) -> BasisPoints {
    let independent = u64::from(settled).min(DIFFERENCES_MAX as u64) / steps.max(1) as u64;
    let place = (independent + 1) * u64::from(coverage.0) / independent.max(1);
    BasisPoints(place.min(10_000) as u32)
}

/// What a bound costs: too low weighs as much more than too high as it is to be exceeded more seldom.
fn pinball(demand: u64, upper: u64, coverage: BasisPoints) -> u64 {
    let weight = if upper < demand { coverage } else { coverage.complement() };
    demand.abs_diff(upper).saturating_mul(weight.0.into()).min(u64::MAX / FADE)
}

fn root(demand: u64) -> u64 {
    demand.saturating_mul(ROOT_OF).isqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COVERAGE: BasisPoints = BasisPoints(9000);

    /// Plays `demand` for so many steps; gives how often the believed bound held once there were a hundred, and the last belief.
    fn played(steps: u64, demand: impl Fn(u64) -> u64) -> (f64, Belief) {
        let mut believed = Believed::default();
        let (mut bounds, mut held, mut last) = (VecDeque::new(), Vec::new(), None);
        for step in 0..steps {
            let now = demand(step);
            let belief = believed.step(now, 14, COVERAGE);
            bounds.push_back((belief.settled, belief.upper));
            if 14 < bounds.len()
                && let Some((settled, upper)) = bounds.pop_front()
                && 100 <= settled
            {
                held.push(now <= upper);
            }
            last = Some(belief);
        }
        let share = held.iter().filter(|held| **held).count() as f64 / held.len() as f64;
        (share, last.unwrap())
    }

    /// Noise that repeats itself: a scrambled counter, evenly up to `most`.
    fn noise(step: u64, most: u64) -> u64 {
        (step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % most
    }

    /// Scenario: noise around a level, a ramp that goes on, and bursts of a minute every eight.
    /// Guarantees: wanted for 90 of 100, the bound holds in 88 to 96 steps of noise and in more than 85 of everything else.
    #[test]
    fn a_bound_holds_as_often_as_wanted() {
        let (share, belief) = played(3000, |step| 5000 + noise(step, 2000));
        assert!((0.88..=0.96).contains(&share), "{share}");
        assert!((6400..7400).contains(&belief.upper), "{}", belief.upper);
        assert!(0.85 <= played(600, |step| 2000 + 10 * step).0);
        assert!(0.85 <= played(3000, |step| if step % 96 < 12 { 9000 } else { 2000 }).0);
    }

    /// Scenario: a steady ramp; then noise around a level.
    /// Guarantees: the line is believed for the one, and a long mean for the other.
    #[test]
    fn the_fitting_way_is_believed() {
        let (_, belief) = played(700, |step| 2000 + 20 * step);
        assert_eq!(belief.method, Label::new("line"));
        assert!(belief.expected.abs_diff(2000 + 20 * 713) < 400, "{}", belief.expected);
        let (_, belief) = played(3000, |step| 5000 + noise(step, 3000));
        assert!(belief.method.as_str().starts_with("mean of"), "{:?}", belief.method);
        assert_ne!(belief.method, Label::new("mean of 15 s"));
    }

    /// Scenario: forecasts of fourteen steps, of which 0, 100, 140, 280 and 5000 have come due; wanted is nine tenths.
    /// Guarantees: with fewer than nine independent ones the widest counts; with many it is nine tenths and a little.
    #[test]
    fn few_differences_are_not_trusted_as_many() {
        let place = |settled| place(settled, 14, COVERAGE).0;
        assert_eq!([0, 100, 140, 280, 5000].map(place), [9000, 10_000, 9900, 9450, 9176]);
    }

    /// Scenario: a day of steps.
    /// Guarantees: memory stays bounded.
    #[test]
    fn what_is_remembered_is_bounded() {
        let mut believed = Believed::default();
        (0..17_280).for_each(|step| drop(believed.step(noise(step, 9000), 120, COVERAGE)));
        assert!(believed.pending.len() <= PENDING_MAX);
        assert!(believed.differences.iter().all(|differences| differences.len() <= DIFFERENCES_MAX));
    }
}
