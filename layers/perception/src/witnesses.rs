//! Two witnesses of one signal.
//!
//! Answers whether two sources contradict each other. Both are read as running means, so that two honest sources which look
//! at different moments do not seem to lie. Only two are heard: with two that disagree, it does not help to know a third.
//! Nobody is taken for the better witness; what two say differently is not known.

use homeostat_core::{BasisPoints, PerceptionSettings, Timestamp, Witness};

use crate::track::Heard;

/// What both said last. Boxed where it is kept, because most signals have one source.
#[derive(Debug)]
pub(crate) struct Witnesses {
    said: [Said; 2],
}

#[derive(Clone, Copy, Debug)]
struct Said {
    witness: Witness,
    at: Timestamp,
    mean: u64,
}

impl Said {
    const fn first(heard: Heard) -> Said {
        Said { witness: heard.witness, at: heard.at, mean: heard.value }
    }

    /// A quarter of what is new: four readings in five have weight, which is what an averaged gauge is read over.
    fn hear(&mut self, heard: Heard) {
        let mean = (u128::from(self.mean) * 3 + u128::from(heard.value)).div_ceil(4);
        (self.at, self.mean) = (heard.at, mean as u64);
    }
}

impl Witnesses {
    /// Of the one that was heard before, and of another.
    pub(crate) const fn of(before: Heard, now: Heard) -> Witnesses {
        Witnesses { said: [Said::first(before), Said::first(now)] }
    }

    /// One of them says something.
    pub(crate) fn hear(&mut self, heard: Heard) {
        if let Some(said) = self.said.iter_mut().find(|said| said.witness == heard.witness) {
            said.hear(heard);
        }
    }

    /// Whether both are fresh and say clearly different things.
    pub(crate) fn contradict(&self, now: Timestamp, settings: &PerceptionSettings) -> bool {
        let [one, other] = self.said;
        let both_fresh = self.said.iter().all(|said| now.since(said.at) <= settings.stale_after);
        let share = BasisPoints::from_ratio(one.mean.abs_diff(other.mean), one.mean.max(other.mean));
        both_fresh && settings.contradiction_above < share
    }
}
