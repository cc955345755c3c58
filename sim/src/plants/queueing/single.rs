//! Single instances that are not well.
//!
//! Answers what becomes of requests that an instance takes and does not finish, and of the instance when it is started anew.
//! Does not know why it is stuck.

use rand::Rng;

use crate::plants::ServiceIndex;
use crate::plants::patience::Patience;
use crate::plants::queueing::{Happening, Phase, Queueing, Turn, Visit, VisitId};
use crate::queue::SimTime;

impl Queueing {
    /// Up to `count` instances of `service` take requests from now on and finish none.
    pub(crate) fn wedge(&mut self, now: SimTime, service: usize, count: u32) {
        let station = &mut self.stations[service];
        station.book(now);
        station.instances.wedge(station.replicas.ready, count);
    }

    /// The wedged instances of `service` go on by themselves.
    pub(crate) fn unwedge(&mut self, now: SimTime, service: usize) {
        let station = &mut self.stations[service];
        station.book(now);
        station.instances.unwedge();
        self.fill(now, service as ServiceIndex);
    }

    /// Starts the instance at `place` anew: what it holds fails at once, and it serves again after its start. Says whether
    /// there is such an instance.
    pub(crate) fn restart(&mut self, now: SimTime, service: usize, place: u32) -> bool {
        let station = &mut self.stations[service];
        station.book(now);
        if !station.instances.take_down(station.replicas.ready, place) {
            return false;
        }
        let at = now.after(self.start_delay(service));
        self.queue.push(at, Happening::InstanceStarts(service as ServiceIndex, place));
        let visits = &self.visits;
        let is_held = |waits: &&Patience| {
            let visit = &visits[waits.visit.0 as usize];
            let is_its = usize::from(visit.service) == service && visit.phase == Phase::Held(place);
            is_its && visit.generation == waits.generation
        };
        let held: Vec<VisitId> =
            self.lines.iter().flat_map(|line| &line.callers).filter(is_held).map(|waits| waits.visit).collect();
        held.into_iter().for_each(|visit| self.abandon(now, visit));
        true
    }

    pub(super) fn instance_starts(&mut self, now: SimTime, service: ServiceIndex, place: u32) {
        let station = &mut self.stations[usize::from(service)];
        station.book(now);
        station.instances.come_back(place);
        let instances = station.replicas.ready - station.instances.out();
        if let Some(extras) = &mut station.extras {
            extras.joined(now, instances);
        }
        self.fill(now, service);
    }

    /// The wedged instance that the next request goes to, if it goes to one: requests are spread evenly over all that look
    /// as if they served.
    pub(super) fn swallower(&mut self, service: ServiceIndex) -> Option<u32> {
        let station = &self.stations[usize::from(service)];
        let (wedged, open) = station.instances.swallow(station.replicas.ready);
        if wedged == 0 {
            return None;
        }
        let drawn = (u64::from(self.dice.routing.next_u32()) * u64::from(open)) >> 32;
        station.instances.wedged(drawn as u32)
    }

    pub(super) fn hold(&mut self, now: SimTime, line: u16, visit: VisitId, place: u32) -> Turn {
        let service = self.visits[visit.0 as usize].service;
        let (spec, station) = self.of(service);
        if spec.queue_max <= station.instances.held(place) {
            return self.refuse(visit);
        }
        station.instances.hold(place);
        station.in_flight += 1;
        self.visits[visit.0 as usize].phase = Phase::Held(place);
        self.watch_patience(now, line, visit);
        Turn::Waits
    }

    /// The caller of a held visit gives up; it has been told. Nothing else is to be freed.
    pub(super) fn give_up_held(&mut self, now: SimTime, visit: VisitId, place: u32) {
        let Visit { service, parent, .. } = self.visits[visit.0 as usize];
        let station = &mut self.stations[usize::from(service)];
        station.instances.let_go(place);
        station.in_flight -= 1;
        self.vacate(visit);
        if let Some(parent) = parent {
            let turn = self.returned(now, parent, true);
            self.carry(now, turn);
        }
    }
}
