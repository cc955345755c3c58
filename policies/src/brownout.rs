//! Servers and dimmer together, planned ahead.
//!
//! Answers, once a minute, whether a site that can dim its replies should boot a server, take one away, or change its
//! dimmer. Looks as far ahead as a boot takes and a little further, with the doubt of its own forecasts: a server is worth
//! its cost if it spares late minutes or dimmed replies that are likely enough. A planner with a memory of its own rather
//! than a policy of the catalogue, because there is no actuation for a dimmer yet; nothing in the agent calls it.

mod forecast;
mod site;

pub use site::{Site, Worth};

use std::collections::VecDeque;

use forecast::{Forecast, HISTORY_MAX};
use site::{Bursts, Heat};

/// Minutes that are looked at beyond the boot: what a server is good for must show within them.
const BEYOND_BOOT: usize = 6;

/// The most minutes that are looked ahead; a boot that takes longer is planned as if it took this.
const AHEAD_MAX: usize = 70;

/// Outcomes by which a doubtful forecast is weighed: standard deviations and their weights, the five nodes of
/// Gauss-Hermite quadrature (Abramowitz and Stegun 25.4.46).
const OUTCOMES: [(f64, f64); 5] = [
    (-2.856_97, 0.011_257_4),
    (-1.355_63, 0.222_076),
    (0.0, 0.533_333),
    (1.355_63, 0.222_076),
    (2.856_97, 0.011_257_4),
];

/// A change must be worth more than this to be made, so that equal plans do not alternate.
const WORTHWHILE: f64 = 1.0;

/// A server is taken away when that has looked best so many minutes in a row: one quiet minute is not a quiet time, and the
/// way back takes a boot.
const STABLE_MINUTES: usize = 2;

/// What is seen at the end of a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Requests per second in it.
    pub arrivals_per_s: f64,
    /// Their mean response time in seconds, if any ended.
    pub response_s: Option<f64>,
    /// Servers that take requests.
    pub active: usize,
    /// Whether one more is booting.
    pub booting: bool,
}

/// A change of the number of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Boot one.
    Boot,
    /// Take one away.
    TakeAway,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advice {
    /// The change of the number of servers, if any.
    pub change: Option<Change>,
    /// Where the dimmer should be, from 0 to 1.
    pub dimmer: f64,
}

/// The planner of one site.
#[derive(Clone, Debug)]
pub struct Brownout {
    site: Site,
    rates: VecDeque<f64>,
    heat: Heat,
    bursts: Bursts,
    /// Where the dimmer was put last; none before the first decision.
    dimmer: Option<f64>,
    /// Minutes until the booting server is up.
    boot_left: usize,
    /// Minutes in a row in which fewer servers looked best.
    lean: usize,
}

impl Brownout {
    /// For a site that has just started.
    pub fn new(site: Site) -> Brownout {
        let heat = Heat::new(&site);
        Brownout { site, rates: VecDeque::new(), heat, bursts: Bursts::new(), dimmer: None, boot_left: 0, lean: 0 }
    }

    /// Remembers a minute in which nothing is to be decided.
    pub fn observe(&mut self, seen: &Seen) {
        self.rates.push_back(seen.arrivals_per_s);
        if HISTORY_MAX < self.rates.len() {
            self.rates.pop_front();
        }
        if let (Some(dimmer), Some(response)) = (self.dimmer, seen.response_s) {
            let coldness = self.heat.next(seen.active, seen.arrivals_per_s);
            let behind = self.site.rate_behind(&coldness, dimmer, seen.arrivals_per_s, response);
            behind.into_iter().for_each(|behind| self.bursts.learn(behind / seen.arrivals_per_s - 1.0));
        }
        self.heat.serve(seen.arrivals_per_s, seen.active);
        self.boot_left = if seen.booting { self.boot_left.saturating_sub(1).max(1) } else { 0 };
    }

    /// Remembers a minute and plans the next.
    pub fn decide(&mut self, seen: &Seen) -> Advice {
        self.observe(seen);
        let outlook = Outlook::new(self, seen);
        let best = outlook.best_change(seen.active, self.boot_left);
        let lean = if best == Some(Change::TakeAway) { self.lean + 1 } else { 0 };
        let change = best.filter(|change| *change != Change::TakeAway || STABLE_MINUTES <= lean);
        let serving = match change {
            Some(Change::TakeAway) => seen.active - 1,
            Some(Change::Boot) if self.site.boot_minutes == 0 => seen.active + 1,
            _ => seen.active,
        };
        let dimmer = outlook.dimmer(serving);
        if change == Some(Change::Boot) {
            self.boot_left = self.site.boot_minutes;
        }
        self.dimmer = Some(dimmer);
        self.lean = lean;
        Advice { change, dimmer }
    }
}

/// What the coming minutes are worth, by number of servers.
struct Outlook<'a> {
    site: &'a Site,
    ahead: usize,
    /// By how much minutes are worse than their rates, and its deviation.
    bursts: (f64, f64),
    /// Forecast of the next minute and its doubt.
    next: (f64, f64),
    /// The most requests per second on time in the next minute, by servers and position of the dimmer.
    capacity_next: Vec<Vec<f64>>,
    /// What each minute ahead is worth, before servers are paid for: by minute and number of servers.
    worth: Vec<Vec<Expected>>,
}

/// An expected worth, apart from what the servers' number adds, and how likely that addition is.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    worth: f64,
    chance_full: f64,
}

impl<'a> Outlook<'a> {
    fn new(planner: &'a Brownout, seen: &Seen) -> Outlook<'a> {
        let Brownout { site, rates, heat, bursts, .. } = planner;
        let ahead = (site.boot_minutes + BEYOND_BOOT).min(AHEAD_MAX);
        let forecast = Forecast::new(rates);
        let next = forecast.at(1);
        // By Little's law so many requests are still there, and want to be served in the next minute as well.
        let left_over = seen.response_s.map_or(0.0, |response| seen.arrivals_per_s * response / 60.0);
        let capacities = |later: bool, left_over: f64| -> Vec<Vec<f64>> {
            let of = |servers: usize| {
                let heat = if later { heat.later(servers, next.0) } else { heat.next(servers, next.0) };
                let most = |dimmer: f64| (site.capacity(&heat, dimmer) - left_over).max(0.0);
                site.dimmers().map(most).collect()
            };
            (1..=site.max_servers).map(of).collect()
        };
        let capacity_next = capacities(false, left_over);
        let capacity_later = capacities(true, 0.0);
        let mut outlook = Outlook { site, ahead, bursts: bursts.excess(), next, capacity_next, worth: Vec::new() };
        for minute in 1..=ahead {
            let capacity = if minute == 1 { &outlook.capacity_next } else { &capacity_later };
            let (mean, doubt) = forecast.at(minute);
            let of = |servers: usize| outlook.expected(servers, &capacity[servers - 1], mean, doubt);
            let row = (1..=site.max_servers).map(of).collect();
            outlook.worth.push(row);
        }
        outlook
    }

    /// What a minute with so many servers is worth. The dimmer of that minute will be chosen with what is known one minute
    /// before; so the forecast's doubt is split into what will be known by then and what will not.
    fn expected(&self, servers: usize, capacity: &[f64], mean: f64, doubt: f64) -> Expected {
        let late_doubt = self.next.1.min(doubt);
        let known_by_then = (doubt * doubt - late_doubt * late_doubt).max(0.0).sqrt();
        let mut expected = Expected::default();
        for (deviations, weight) in OUTCOMES {
            let mean = (mean + deviations * known_by_then).max(0.0);
            let (_, worth, chance_full) = self.best_dimmer(servers, capacity, mean, late_doubt);
            expected.worth += weight * worth;
            expected.chance_full += weight * chance_full;
        }
        expected
    }

    /// The best position of the dimmer, what it is worth, and how likely every reply is full and on time. The worth
    /// includes what these servers leave to spare.
    fn best_dimmer(&self, servers: usize, capacity: &[f64], mean: f64, doubt: f64) -> (f64, f64, f64) {
        let worth = self.site.worth;
        let spare = worth.spare_server * (self.site.max_servers - servers) as f64;
        let mut best = (0.0, f64::NEG_INFINITY, 0.0);
        let (excess, deviation) = self.bursts;
        let (felt, felt_doubt) = (mean * (1.0 + excess), doubt.hypot(mean * deviation));
        for (dimmer, capacity) in self.site.dimmers().zip(capacity) {
            let late = forecast::chance_above(*capacity, felt, felt_doubt);
            let chance_full = if 1.0 <= dimmer { 1.0 - late } else { 0.0 };
            let on_time = mean * (1.0 + worth.full_reply * dimmer);
            let value = (1.0 - late) * on_time + chance_full * spare - late * worth.late(mean);
            if best.1 < value {
                best = (dimmer, value, chance_full);
            }
        }
        best
    }

    /// Where the dimmer should be in the next minute.
    fn dimmer(&self, servers: usize) -> f64 {
        self.best_dimmer(servers, &self.capacity_next[servers - 1], self.next.0, self.next.1).0
    }

    /// What a minute is worth in which `active` servers serve and `booting` more only cost.
    fn minute(&self, minute: usize, active: usize, booting: usize) -> f64 {
        let Expected { worth, chance_full } = self.worth[minute][active - 1];
        worth - chance_full * self.site.worth.spare_server * booting as f64
    }

    /// The first step of the best plan.
    fn best_change(&self, active: usize, boot_left: usize) -> Option<Change> {
        let values = self.values();
        let from = |minute: usize, active: usize, boot_left: usize| values[minute][self.state(active, boot_left)];
        let keep = self.minute(0, active, usize::from(0 < boot_left))
            + if 0 < boot_left { self.booted(1, active, boot_left, &from) } else { from(1, active, 0) };
        if 0 < boot_left {
            return None;
        }
        let mut best = (keep + WORTHWHILE, None);
        if active < self.site.max_servers {
            let value = self.boot(0, active, &from);
            if best.0 < value {
                best = (value, Some(Change::Boot));
            }
        }
        if 1 < active {
            let value = self.minute(0, active - 1, 0) + from(1, active - 1, 0);
            if best.0 < value {
                best = (value, Some(Change::TakeAway));
            }
        }
        best.1
    }

    /// What each state is worth from each minute to the end of the outlook, computed from the end.
    fn values(&self) -> Vec<Vec<f64>> {
        let states = self.state(self.site.max_servers, self.site.boot_minutes) + 1;
        let mut values = vec![vec![0.0; states]; self.ahead + 1];
        for minute in (1..self.ahead).rev() {
            for active in 1..=self.site.max_servers {
                for boot_left in 0..=self.site.boot_minutes {
                    let from = |minute: usize, active: usize, left: usize| values[minute][self.state(active, left)];
                    let value = self.value(minute, active, boot_left, &from);
                    values[minute][self.state(active, boot_left)] = value;
                }
            }
        }
        values
    }

    fn value(&self, minute: usize, active: usize, boot_left: usize, from: &dyn Fn(usize, usize, usize) -> f64) -> f64 {
        if 0 < boot_left {
            return self.minute(minute, active, 1) + self.booted(minute + 1, active, boot_left, from);
        }
        let mut best = self.minute(minute, active, 0) + from(minute + 1, active, 0);
        if active < self.site.max_servers {
            best = best.max(self.boot(minute, active, from));
        }
        if 1 < active {
            best = best.max(self.minute(minute, active - 1, 0) + from(minute + 1, active - 1, 0));
        }
        best
    }

    /// Beginning a boot now.
    fn boot(&self, minute: usize, active: usize, from: &dyn Fn(usize, usize, usize) -> f64) -> f64 {
        match self.site.boot_minutes {
            0 => self.minute(minute, active + 1, 0) + from(minute + 1, active + 1, 0),
            left => self.minute(minute, active, 1) + self.booted(minute + 1, active, left, from),
        }
    }

    /// One more minute of a boot has passed.
    fn booted(&self, minute: usize, active: usize, boot_left: usize, from: &dyn Fn(usize, usize, usize) -> f64) -> f64 {
        let up = boot_left <= 1 && active < self.site.max_servers;
        if up { from(minute, active + 1, 0) } else { from(minute, active, boot_left.saturating_sub(1)) }
    }

    fn state(&self, active: usize, boot_left: usize) -> usize {
        (active - 1) * (self.site.boot_minutes + 1) + boot_left
    }
}

#[cfg(test)]
mod tests;
