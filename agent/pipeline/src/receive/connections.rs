//! The connections of one door.
//!
//! Answers which connection has to make room for a new one, and which have been idle for too long. Does not read from any.
//! A full door closes what does least instead of leaving newcomers in the kernel's queue: a thousand connections that
//! send nothing must not keep out the one that would.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use homeostat_core::{Millis, Timestamp};
use tokio::sync::Notify;

/// How long a connection that is in the middle of a request is left alone when room is needed.
const GRACE: Millis = Millis::from_secs(1);

/// How a connection is to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may say that it does, so that the other side opens a new one.
    Politely = 1,
    /// Somebody waits for its place, and what it does least may be listening.
    Now = 2,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// When it was accepted or its last request ended.
    quiet_since: AtomicU64,
    /// Requests that are being answered.
    busy: AtomicU32,
    told: Notify,
    /// Zero, or how it was told to close.
    closing: AtomicU32,
}

impl Connection {
    /// A request has begun.
    pub(super) fn begin(&self) {
        self.busy.fetch_add(1, Relaxed);
    }

    /// A request has ended.
    pub(super) fn end(&self, now: Timestamp) {
        self.quiet_since.store(now.0, Relaxed);
        self.busy.fetch_sub(1, Relaxed);
    }

    /// Waits until it is told to close, and how.
    pub(super) async fn told(&self) -> Leave {
        self.told.notified().await;
        if self.closing.load(Relaxed) == Leave::Now as u32 { Leave::Now } else { Leave::Politely }
    }

    fn close(&self, how: Leave) {
        self.closing.fetch_max(how as u32, Relaxed);
        self.told.notify_one();
    }

    fn age(&self, now: Timestamp) -> Millis {
        now.since(Timestamp(self.quiet_since.load(Relaxed)))
    }

    fn is_idle(&self) -> bool {
        self.busy.load(Relaxed) == 0
    }
}

/// All of them, by the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<BTreeMap<u64, Arc<Connection>>>,
    arrived: AtomicU64,
}

/// A place among the connections; given back when dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.number);
    }
}

impl Connections {
    /// Takes in a new one.
    pub(super) fn enter(self: &Arc<Self>, now: Timestamp) -> Place {
        let connection = Arc::new(Connection {
            quiet_since: AtomicU64::new(now.0),
            busy: AtomicU32::new(0),
            told: Notify::new(),
            closing: AtomicU32::new(0),
        });
        let number = self.arrived.fetch_add(1, Relaxed);
        self.lock().insert(number, connection.clone());
        Place { connections: self.clone(), number, connection }
    }

    /// How many there are, those told to close included.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Tells one to close, so that there are at most `most` again: the longest idle, or else the one that has been
    /// longest without finishing anything.
    pub(super) fn make_room(&self, now: Timestamp, most: usize) {
        let open = self.lock();
        let staying = || open.values().filter(|connection| connection.closing.load(Relaxed) == 0);
        if staying().count() <= most {
            return;
        }
        let idle = staying().filter(|connection| connection.is_idle()).max_by_key(|connection| connection.age(now));
        let stuck = || staying().filter(|c| c.age(now) >= GRACE).max_by_key(|connection| connection.age(now));
        if let Some(connection) = idle.or_else(stuck) {
            connection.close(Leave::Now);
        }
    }

    /// Tells those to close that have been idle for longer than `idle_max`.
    pub(super) fn close_idle(&self, now: Timestamp, idle_max: Millis) {
        for connection in self.lock().values() {
            if connection.is_idle() && connection.age(now) > idle_max {
                connection.close(Leave::Politely);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(place: &Place) -> bool {
        place.connection.closing.load(Relaxed) > 0
    }

    /// Scenario: a full door has connections that are idle, one that works and one that has been at its request for long.
    /// Guarantees: the longest idle goes first, then the other idle ones, then the stuck one; who just began stays.
    #[test]
    fn the_longest_idle_makes_room() {
        let connections = Arc::new(Connections::default());
        let places: Vec<Place> = (0..4).map(|at| connections.enter(Timestamp(at))).collect();
        places[0].connection.begin();
        places[1].connection.begin();
        places[1].connection.end(Timestamp(5000));
        places[3].connection.begin();
        places[3].connection.end(Timestamp(9000));
        places[3].connection.begin();
        let make_room = |most| {
            connections.make_room(Timestamp(9500), most);
            places.iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(make_room(4), [false, false, false, false]);
        assert_eq!(make_room(3), [false, false, true, false]);
        assert_eq!(make_room(3), [false, false, true, false], "the one that was told is on its way");
        assert_eq!(make_room(2), [false, true, true, false]);
        assert_eq!(make_room(1), [true, true, true, false]);
        assert_eq!(make_room(0), [true, true, true, false], "in the middle of a request");
        drop(places);
        assert_eq!(connections.count(), 0);
    }

    /// Scenario: time passes over an idle connection and a busy one.
    /// Guarantees: only the idle one is told to close, and only after its time.
    #[test]
    fn idleness_has_an_end() {
        let connections = Arc::new(Connections::default());
        let [idle, busy] = [0, 1].map(|_| connections.enter(Timestamp(0)));
        busy.connection.begin();
        connections.close_idle(Timestamp(1000), Millis(1000));
        assert!(!told(&idle));
        connections.close_idle(Timestamp(1001), Millis(1000));
        assert!(told(&idle) && !told(&busy));
    }
}
