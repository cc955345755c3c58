//! Instances one by one.
//!
//! Answers which instances of a service hold requests and finish none, which are being started anew, and how far each has
//! got. Instances that are well are alike and share the station's queue; only those that are not are looked at singly, so
//! a good day costs nothing. An instance is known by its place in the fleet; the highest places are given up first.

use std::collections::{BTreeMap, BTreeSet};

/// What is special about single instances of one service.
#[derive(Debug, Default)]
pub(crate) struct Instances {
    /// Requests that each wedged instance holds.
    wedged: BTreeMap<u32, u32>,
    /// Being started anew.
    down: BTreeSet<u32>,
    /// Requests that each has finished. As long as the fleet has ever been.
    finished: Vec<u64>,
    /// Requests finished that nobody has been credited with yet.
    uncredited: u64,
}

/// One instance, read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstanceReadings {
    pub(crate) place: u32,
    pub(crate) in_flight: u64,
    pub(crate) finished: u64,
}

impl Instances {
    /// How many of the fleet do no work.
    pub(crate) fn out(&self) -> u32 {
        (self.wedged.len() + self.down.len()) as u32
    }

    /// How many are being started anew.
    pub(crate) fn down(&self) -> u32 {
        self.down.len() as u32
    }

    /// The places that take requests and finish none, and how many places take requests at all.
    pub(crate) fn swallow(&self, ready: u32) -> (u32, u32) {
        (self.wedged.len() as u32, ready - self.down())
    }

    /// The wedged instance of this number, counted from zero.
    pub(crate) fn wedged(&self, number: u32) -> Option<u32> {
        self.wedged.keys().nth(number as usize).copied()
    }

    /// The first `count` instances that are well stop finishing what they take.
    pub(crate) fn wedge(&mut self, ready: u32, count: u32) {
        let well = (0..ready).filter(|place| !self.wedged.contains_key(place) && !self.down.contains(place));
        let chosen: Vec<u32> = well.take(count as usize).collect();
        self.wedged.extend(chosen.into_iter().map(|place| (place, 0)));
    }

    /// All go on by themselves. What they held is lost all the same.
    pub(crate) fn unwedge(&mut self) {
        self.wedged.clear();
    }

    /// `place` goes down; says whether it was there.
    pub(crate) fn take_down(&mut self, ready: u32, place: u32) -> bool {
        if ready <= place || !self.down.insert(place) {
            return false;
        }
        self.wedged.remove(&place);
        true
    }

    /// `place` is back.
    pub(crate) fn come_back(&mut self, place: u32) {
        self.down.remove(&place);
        // A new process counts from zero.
        if let Some(finished) = self.finished.get_mut(place as usize) {
            *finished = 0;
        }
    }

    /// Forgets what was special about places that are no longer there.
    pub(crate) fn keep(&mut self, ready: u32) {
        self.wedged.retain(|place, _| *place < ready);
        self.down.retain(|place| *place < ready);
    }

    pub(crate) fn hold(&mut self, place: u32) {
        *self.wedged.entry(place).or_default() += 1;
    }

    pub(crate) fn let_go(&mut self, place: u32) {
        if let Some(held) = self.wedged.get_mut(&place) {
            *held = held.saturating_sub(1);
        }
    }

    pub(crate) fn held(&self, place: u32) -> u32 {
        self.wedged.get(&place).copied().unwrap_or(0)
    }

    /// Requests held by all wedged instances together.
    pub(crate) fn held_by_all(&self) -> u32 {
        self.wedged.values().sum()
    }

    /// One request was finished by an instance that is well.
    pub(crate) fn finish(&mut self) {
        self.uncredited += 1;
    }

    /// Every instance that can be asked. What was finished, and the `shared` requests in flight, are put down to those that
    /// are well in equal parts.
    pub(crate) fn read(&mut self, ready: u32, shared: u32) -> Vec<InstanceReadings> {
        let well: Vec<u32> = (0..ready).filter(|place| !self.down.contains(place)).collect();
        let working: Vec<u32> = well.iter().copied().filter(|place| !self.wedged.contains_key(place)).collect();
        self.finished.resize(self.finished.len().max(ready as usize), 0);
        if let Some(count) = std::num::NonZeroU64::new(working.len() as u64) {
            for (number, place) in (0_u64..).zip(&working) {
                // The first ones get what does not divide.
                let rest = u64::from(number < self.uncredited % count);
                self.finished[*place as usize] += self.uncredited / count + rest;
            }
            self.uncredited = 0;
        }
        let each = shared.div_ceil((working.len() as u32).max(1));
        let reading = |place: u32| {
            let in_flight = if self.wedged.contains_key(&place) { self.held(place) } else { each };
            InstanceReadings { place, in_flight: in_flight.into(), finished: self.finished[place as usize] }
        };
        well.into_iter().map(reading).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(instances: &mut Instances) -> Vec<u64> {
        instances.read(3, 4).iter().map(|instance| instance.finished).collect()
    }

    /// Scenario: three instances finish seven requests; the first wedges and takes two; four more are finished; it is
    /// started anew.
    /// Guarantees: what is finished is shared by those that are well, nothing is lost, and a new process counts from zero.
    #[test]
    fn a_wedged_instance_finishes_nothing() {
        let mut instances = Instances::default();
        (0..7).for_each(|_| instances.finish());
        assert_eq!(finished(&mut instances), [3, 2, 2]);
        instances.wedge(3, 1);
        (0..2).for_each(|_| instances.hold(0));
        (0..4).for_each(|_| instances.finish());
        assert_eq!(finished(&mut instances), [3, 4, 4]);
        assert_eq!(instances.read(3, 4)[0].in_flight, 2);
        assert!(instances.take_down(3, 0) && !instances.take_down(3, 0) && !instances.take_down(3, 3));
        assert_eq!((instances.out(), finished(&mut instances)), (1, vec![4, 4]));
        instances.come_back(0);
        assert_eq!((instances.out(), finished(&mut instances)), (0, vec![0, 4, 4]));
    }
}
