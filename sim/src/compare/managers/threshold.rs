//! Rules with two thresholds.
//!
//! Answers what most people write first: one replica more when the last minute was above 80 %, one fewer when it was below
//! 30 %, and a rest after each change. The rests are a minute after growing and five after shrinking; five minutes is what
//! AWS's simple scaling policies rest unless told otherwise (Amazon EC2 Auto Scaling user guide, "scaling cooldowns").

use std::collections::VecDeque;

use crate::compare::managers::Manager;
use crate::plants::Readings;
use crate::queue::SimTime;

const ABOVE_BP: u64 = 8000;
const BELOW_BP: u64 = 3000;
const MINUTE: usize = 60;
const REST_AFTER_GROWTH_S: u64 = 60;
const REST_AFTER_REDUCTION_S: u64 = 300;

/// One more, or one fewer.
pub(crate) struct Threshold {
    service: usize,
    minute: VecDeque<u64>,
    rests_until_s: u64,
}

impl Threshold {
    pub(crate) fn new(service: usize) -> Threshold {
        Threshold { service, minute: VecDeque::with_capacity(MINUTE), rests_until_s: 0 }
    }
}

impl Manager for Threshold {
    fn second(&mut self, now: SimTime, seen: &Readings) -> Option<u32> {
        let seen = &seen.services[self.service];
        if self.minute.len() == MINUTE {
            self.minute.pop_front();
        }
        self.minute.push_back(seen.utilization_bp.unwrap_or(0));
        let at_s = now.as_secs();
        if self.minute.len() < MINUTE || at_s < self.rests_until_s {
            return None;
        }
        let used = self.minute.iter().sum::<u64>() / MINUTE as u64;
        if ABOVE_BP < used {
            self.rests_until_s = at_s + REST_AFTER_GROWTH_S;
            return Some(seen.replicas_wanted + 1);
        }
        if used < BELOW_BP && 1 < seen.replicas_wanted {
            self.rests_until_s = at_s + REST_AFTER_REDUCTION_S;
            return Some(seen.replicas_wanted - 1);
        }
        None
    }
}
