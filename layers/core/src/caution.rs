//! What guards remember.
//!
//! Answers what guards must know of the past that no snapshot and no ledger tells: how much was needed lately, what had to be
//! taken back again and again, and what somebody else set. Does not refuse anything; guards do. It travels in the checkpoint,
//! so that a restart makes nobody less careful.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{Knob, Label, Millis, ServiceName, Target, Timestamp, Way};

/// What guards remember from tick to tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caution {
    /// How many replicas each service that may be scaled needed lately.
    pub needs: BTreeMap<ServiceName, Needs>,
    /// What was taken back, and what is disarmed for it.
    pub undone: Undone,
    /// Where each knob of a service that may be turned stood, and who turned it.
    #[serde(with = "crate::pairs")]
    pub hands: BTreeMap<(ServiceName, Knob), Hands>,
}

/// What was needed, so far back as a reduction must look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Since when it has been watched without a gap.
    since: Timestamp,
    /// When it was last watched.
    last: Timestamp,
    /// The highest needs, each lower and later than the one before.
    peaks: VecDeque<(Timestamp, u64)>,
}

impl Needs {
    /// Needs within this time are remembered as one: the highest, as if it were the last.
    const GRAIN: Millis = Millis::from_secs(10);

    /// Peaks kept. Each is lower than the one before it, so a service of a hundred replicas has at most a hundred; beyond it
    /// the oldest, which is the highest, takes the time of the next, which errs towards keeping what runs.
    const PEAKS_MAX: usize = 256;

    /// A pause longer than this is a gap: nobody knows what was needed in it.
    const GAP: Millis = Millis::from_secs(30);

    /// `need` was seen at `now`; what is older than `window` may be forgotten.
    pub fn see(&mut self, now: Timestamp, need: u64, window: Millis) {
        if self.peaks.is_empty() || Self::GAP < now.since(self.last) {
            self.since = now;
        }
        self.last = now;
        // The end of the grain that `now` is in.
        let at = Timestamp((now.0 / Self::GRAIN.0 + 1) * Self::GRAIN.0);
        let mut need = need;
        while let Some((_, peak)) = self.peaks.pop_back_if(|(other, peak)| *peak <= need || *other == at) {
            need = need.max(peak);
        }
        self.peaks.push_back((at, need));
        while self.peaks.front().is_some_and(|(at, _)| window < now.since(*at)) {
            self.peaks.pop_front();
        }
        if Self::PEAKS_MAX < self.peaks.len()
            && let Some((_, highest)) = self.peaks.pop_front()
            && let Some(first) = self.peaks.front_mut()
        {
            first.1 = highest;
        }
    }

    /// The most that was needed within `window` before `now`; none if it has not been watched for as long.
    pub fn most(&self, now: Timestamp, window: Millis) -> Option<u64> {
        let is_watched = now.since(self.last) <= Self::GAP && window <= now.since(self.since);
        let most = self.peaks.iter().filter(|(at, _)| now.since(*at) <= window).map(|(_, peak)| *peak).max();
        most.filter(|_| is_watched)
    }

    /// When it will have been watched for `window`.
    pub fn watched_at(&self, window: Millis) -> Timestamp {
        self.since + window
    }
}

/// One kind of change in one way, on one target or on whatever target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Habit {
    /// The kind of action.
    pub kind: Label,
    /// On what; none stands for any.
    pub target: Option<Target>,
    /// Which way it turns its knobs; none if it has no knob.
    pub way: Option<Way>,
}

/// How often a habit was taken back in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// How often.
    pub count: u32,
    /// When it was taken back last.
    pub last: Timestamp,
    /// On which target last.
    pub target: Option<Target>,
}

/// What was taken back in a row, by habit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    #[serde(with = "crate::pairs")]
    streaks: BTreeMap<Habit, Streak>,
}

impl Undone {
    /// Habits remembered: as many as trials may be open. Beyond it the one that was taken back longest ago is forgotten.
    const STREAKS_MAX: usize = 4096;

    /// An action of this habit was taken back. Several at one instant are one reason, and for a kind whatever the target only a
    /// target other than the last one counts: the same target again says nothing of the kind.
    pub fn taken_back(&mut self, now: Timestamp, habit: &Habit) {
        let pair = self.streaks.entry(habit.clone()).or_default();
        (pair.count, pair.last) = (pair.count.saturating_add(1), now);
        let kind = self.streaks.entry(Habit { target: None, ..habit.clone() }).or_default();
        if kind.count == 0 || (kind.last != now && kind.target != habit.target) {
            *kind = Streak { count: kind.count.saturating_add(1), last: now, target: habit.target.clone() };
        }
        if Self::STREAKS_MAX < self.streaks.len()
            && let Some(oldest) =
                self.streaks.iter().min_by_key(|(_, streak)| streak.last).map(|(habit, _)| habit.clone())
        {
            self.streaks.remove(&oldest);
        }
    }

    /// An action of this habit kept its promise.
    pub fn kept(&mut self, habit: &Habit) {
        self.streaks.remove(habit);
        self.streaks.remove(&Habit { target: None, ..habit.clone() });
    }

    /// A person says that this kind may be tried again on this target, or on any.
    pub fn arm(&mut self, kind: &Label, target: Option<&Target>) {
        self.streaks.retain(|habit, _| habit.kind != *kind || (target.is_some() && habit.target.as_ref() != target));
    }

    /// A person says that everything may be tried again.
    pub fn arm_all(&mut self) {
        self.streaks.clear();
    }

    /// The streak by which `habit` is disarmed at `now`: its own, or its kind's.
    pub fn disarming(&self, habit: &Habit, bound: DisarmBound, now: Timestamp) -> Option<&Streak> {
        let any = Habit { target: None, ..habit.clone() };
        [habit, &any].into_iter().filter_map(|habit| self.streaks.get(habit)).find(|streak| bound.holds(streak, now))
    }

    /// Everything that is disarmed at `now`, in order.
    pub fn disarmed(&self, bound: DisarmBound, now: Timestamp) -> impl Iterator<Item = (&Habit, &Streak)> {
        self.streaks.iter().filter(move |(_, streak)| bound.holds(streak, now))
    }
}

/// From when on and how long something is disarmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisarmBound {
    /// So many times in a row.
    pub undone_max: u32,
    /// So long after the last time.
    pub rearm_after: Millis,
}

impl DisarmBound {
    fn holds(self, streak: &Streak, now: Timestamp) -> bool {
        self.undone_max <= streak.count && now.since(streak.last) < self.rearm_after
    }
}

/// Where a knob stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hands {
    /// The level that is known to be somebody's wish: the loop's, or what was found.
    pub level: u64,
    /// Where the loop's own way back leads, once it was taken.
    pub back: Option<u64>,
    /// What somebody else did.
    pub other: Option<OtherHand>,
}

/// Somebody else changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherHand {
    /// When it was noticed.
    pub at: Timestamp,
    /// What was expected.
    pub expected: u64,
    /// What was found.
    pub found: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Millis = Millis::from_secs(300);

    fn at(second: u64) -> Timestamp {
        Timestamp(second * 1000)
    }

    /// Scenario: eight replicas are needed for ten seconds, then two; watched every second, later with a gap of a minute.
    /// Guarantees: the eight are remembered for the window and then forgotten; nothing is known before the window has been
    /// watched whole, nor after a gap.
    #[test]
    fn the_highest_need_of_the_window_is_remembered() {
        let mut needs = Needs::default();
        for second in 0..1000 {
            needs.see(at(second), if (400..410).contains(&second) { 8 } else { 2 }, WINDOW);
            let known = needs.most(at(second), WINDOW);
            match second {
                0..300 => assert_eq!(known, None, "{second}"),
                300..400 => assert_eq!(known, Some(2), "{second}"),
                400..710 => assert_eq!(known, Some(8), "{second}"),
                725..1000 => assert_eq!(known, Some(2), "{second}"),
                _ => {}
            }
        }
        needs.see(at(1060), 2, WINDOW);
        assert_eq!((needs.most(at(1060), WINDOW), needs.watched_at(WINDOW)), (None, at(1360)));
    }

    /// Scenario: a need that falls by one every ten seconds, from a thousand, within an endless window.
    /// Guarantees: memory is bounded, and what is forgotten makes the remembered need larger, never smaller.
    #[test]
    fn needs_are_bounded_towards_more() {
        let mut needs = Needs::default();
        let endless = Millis(u64::MAX);
        (0..1000).for_each(|step| needs.see(at(step * 10), 1000 - step, endless));
        assert!(needs.peaks.len() <= Needs::PEAKS_MAX);
        assert_eq!(needs.peaks.front().map(|(_, peak)| *peak), Some(1000));
    }

    /// Scenario: one service is taken back three times; another kind once on each of three services, then kept.
    /// Guarantees: the first pair is disarmed and its kind elsewhere is not; the second kind is disarmed everywhere until one is
    /// kept; time and people arm again.
    #[test]
    fn three_in_a_row_disarm() {
        let bound = DisarmBound { undone_max: 3, rearm_after: Millis::from_secs(3600) };
        let habit = |kind: &'static str, service: &str| Habit {
            kind: kind.into(),
            target: Some(Target::Service(service.into())),
            way: Some(Way::Down),
        };
        let mut undone = Undone::default();
        (1..=3).for_each(|second| undone.taken_back(at(second), &habit("scale", "cart")));
        let is_disarmed = |undone: &Undone, habit: &Habit, second| undone.disarming(habit, bound, at(second)).is_some();
        assert!(is_disarmed(&undone, &habit("scale", "cart"), 4) && !is_disarmed(&undone, &habit("scale", "pay"), 4));
        assert!(!is_disarmed(&undone, &Habit { way: Some(Way::Up), ..habit("scale", "cart") }, 4));
        assert!(!is_disarmed(&undone, &habit("scale", "cart"), 3603));
        for (second, service) in [(5, "a"), (6, "b"), (7, "c")] {
            undone.taken_back(at(second), &habit("limit", service));
        }
        assert!(is_disarmed(&undone, &habit("limit", "elsewhere"), 8));
        undone.kept(&habit("limit", "a"));
        assert!(!is_disarmed(&undone, &habit("limit", "elsewhere"), 8));
        undone.arm(&Label::new("scale"), Some(&Target::Service("cart".into())));
        assert!(!is_disarmed(&undone, &habit("scale", "cart"), 4));
    }
}
