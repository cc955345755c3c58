//! Waiting callers.
//!
//! Answers what happens when a caller gives up: it fails, or tries again, and what it asked for goes on for nobody.

use crate::plants::patience::Patience;
use crate::plants::queueing::{Happening, Phase, Queueing, VisitId};
use crate::queue::SimTime;

impl Queueing {
    pub(super) fn watch_patience(&mut self, now: SimTime, number: u16, visit: VisitId) {
        let generation = self.visits[visit.0 as usize].generation;
        let line = &mut self.lines[usize::from(number)];
        let at = now.after(line.timeout);
        line.callers.push_back(Patience { at, visit, generation });
        if !line.timer_set {
            line.timer_set = true;
            self.queue.push(at, Happening::PatienceEnds(number));
        }
    }

    pub(super) fn patience_ends(&mut self, now: SimTime, number: u16) {
        while let Some(first) = self.lines[usize::from(number)].callers.front().copied() {
            let answered = self.visits[first.visit.0 as usize].generation != first.generation;
            if !answered && now < first.at {
                self.queue.push(first.at, Happening::PatienceEnds(number));
                return;
            }
            self.lines[usize::from(number)].callers.pop_front();
            if !answered {
                self.abandon(now, first.visit);
            }
        }
        self.lines[usize::from(number)].timer_set = false;
    }

    /// The caller of `visit` gives up. Its worker goes on until the work is done; a place in the queue is skipped later,
    /// unless the service does not notice.
    pub(super) fn abandon(&mut self, now: SimTime, visit: VisitId) {
        self.answer(now, visit, true);
        if let Phase::Held(place) = self.visits[visit.0 as usize].phase {
            return self.give_up_held(now, visit, place);
        }
        let slot = &mut self.visits[visit.0 as usize];
        slot.abandoned = true;
        slot.trace = None;
        let parent = slot.parent.take();
        if self.is_dropped(visit) {
            let service = self.visits[visit.0 as usize].service;
            self.stations[usize::from(service)].in_flight -= 1;
        }
        if let Some(parent) = parent {
            let turn = self.returned(now, parent, true);
            self.carry(now, turn);
        }
    }
}
