//! Servers and dimmer together, planned ahead.
//!
//! Answers, once a minute, whether a site that can dim its replies should boot a server, take one away, or change its
//! dimmer. Looks as far ahead as a boot takes and a little further, with the doubt of its own forecasts: a server is worth
//! its cost if it spares late minutes or dimmed replies that are likely enough, and a new one is worth its beginning, in which
//! its cold cache spoils replies. A planner with a memory of its own rather than a policy of the catalogue, because a
//! policy sees what is known and no past; nothing in the agent calls it yet.

mod delay;
mod forecast;
mod site;

pub use site::{Site, Worth};

use delay::{Bursts, Fit};
use forecast::{Forecast, Outcome, rate_of};
use site::{Fleet, Heat, Works};

/// Minutes that are looked at beyond the boot: what a server is good for must show within them.
const BEYOND_BOOT: usize = 6;

/// The most minutes that are looked ahead; a boot that takes longer is planned as if it took this.
const AHEAD_MAX: usize = 70;

/// What the last minute looked at counts for: how a plan ends is how it goes on, with caches that are warm by then.
const TAIL_MINUTES: f64 = 12.0;

/// A minute that is late less often than this is on time.
const SURELY_ON_TIME: f64 = 1e-4;

/// Taking a server away must be worth more than this, so that equal plans do not alternate. Booting need not: where servers
/// cost nothing, the least that one may be good for is enough, and its cache is warm when it is needed.
const WORTHWHILE: f64 = 0.5;

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
    /// How likely the next minute is late even so.
    pub chance_late: f64,
}

/// The planner of one site.
#[derive(Clone, Debug)]
pub struct Brownout {
    site: Site,
    forecast: Forecast,
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
        let forecast = Forecast::new(ahead(&site));
        Brownout { site, forecast, heat, bursts: Bursts::new(), dimmer: None, boot_left: 0, lean: 0 }
    }

    /// Remembers a minute in which nothing is to be decided.
    pub fn observe(&mut self, seen: &Seen) {
        self.forecast.observe(seen.arrivals_per_s);
        if let (Some(dimmer), Some(response)) = (self.dimmer, seen.response_s) {
            let works = self.works_of(seen, dimmer);
            self.bursts.learn(works.rho(seen.arrivals_per_s), works.factor(seen.arrivals_per_s, response));
        }
        self.heat.serve(seen.arrivals_per_s, seen.active);
        self.boot_left = if seen.booting { self.boot_left.saturating_sub(1).max(1) } else { 0 };
    }

    /// How the servers of the minute that has just passed worked.
    fn works_of(&self, seen: &Seen, dimmer: f64) -> Works {
        let fleet = Fleet { active: seen.active, minutes: 0.0, minutes_new: 0.0 };
        self.site.works(&self.heat.at(seen.active, seen.arrivals_per_s, &fleet), dimmer)
    }

    /// Remembers a minute and plans the next.
    pub fn decide(&mut self, seen: &Seen) -> Advice {
        self.observe(seen);
        let outlook = Outlook::new(self, seen);
        let best = outlook.best_change(self.boot_left);
        let lean = if best == Some(Change::TakeAway) { self.lean + 1 } else { 0 };
        let change = best.filter(|change| *change != Change::TakeAway || STABLE_MINUTES <= lean);
        let serving = match change {
            Some(Change::TakeAway) => seen.active - 1,
            Some(Change::Boot) if self.site.boot_minutes == 0 => seen.active + 1,
            _ => seen.active,
        };
        let (dimmer, chance_late) = outlook.dimmer(serving);
        if change == Some(Change::Boot) {
            self.boot_left = self.site.boot_minutes;
        }
        self.dimmer = Some(dimmer);
        self.lean = lean;
        Advice { change, dimmer, chance_late }
    }
}

/// Minutes that are looked ahead.
fn ahead(site: &Site) -> usize {
    (site.boot_minutes + BEYOND_BOOT).min(AHEAD_MAX)
}

/// What the coming minutes are worth, by number of servers.
struct Outlook<'a> {
    site: &'a Site,
    heat: &'a Heat,
    ahead: usize,
    active: usize,
    fit: Fit,
    /// Forecasts: the rate of each minute ahead and the outcomes of its relative error.
    forecasts: Vec<(f64, Vec<Outcome>)>,
    /// Requests per second that are left from the last minute.
    left_over: f64,
    /// The fewest and the most servers that are thought about.
    fewest: usize,
    most: usize,
    /// What each minute ahead is worth, before servers are paid for: by minute, number of servers and age of the newest.
    worth: Vec<Vec<[Expected; AGES]>>,
}

/// Ages of the newest server that are told apart, in minutes; at the last its cache is warm enough to be forgotten.
const AGES: usize = 5;

/// The age at which the newest server is like the others.
const GROWN: usize = AGES - 1;

/// Servers that are taken away at most in one plan.
const FEWER_MAX: usize = 4;

/// An expected worth, apart from what the servers' number adds, and how likely that addition is.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    worth: f64,
    chance_full: f64,
}

/// Where the dimmer is best.
struct Choice {
    dimmer: f64,
    worth: f64,
    chance_full: f64,
    chance_late: f64,
}

impl<'a> Outlook<'a> {
    fn new(planner: &'a Brownout, seen: &Seen) -> Outlook<'a> {
        let Brownout { site, forecast, heat, bursts, .. } = planner;
        let ahead = ahead(site);
        let more = 1 + ahead / site.boot_minutes.max(1);
        let mut outlook = Outlook {
            site,
            heat,
            ahead,
            active: seen.active,
            fit: bursts.fit(),
            forecasts: (1..=ahead).map(|minute| forecast.at(minute)).collect(),
            // By Little's law so many requests are still there, and want to be served in the next minute as well.
            left_over: seen.response_s.map_or(0.0, |response| seen.arrivals_per_s * response / 60.0),
            fewest: seen.active.saturating_sub(FEWER_MAX).max(1),
            most: (seen.active + more).min(site.max_servers),
            worth: Vec::new(),
        };
        for minute in 0..=ahead {
            let row = (outlook.fewest..=outlook.most).map(|servers| outlook.ages(minute, servers)).collect();
            outlook.worth.push(row);
        }
        outlook
    }

    /// What minute `minute` with so many servers is worth at each age of the newest.
    fn ages(&self, minute: usize, servers: usize) -> [Expected; AGES] {
        let is_new = self.active < servers && (self.active..servers).any(|place| !self.heat.is_warm(place));
        let grown = self.expected(minute, servers, GROWN);
        std::array::from_fn(|age| if is_new && age < GROWN { self.expected(minute, servers, age) } else { grown })
    }

    /// How so many servers work in a minute, by position of the dimmer.
    fn works(&self, minute: usize, servers: usize, age: usize) -> Vec<Works> {
        let minutes = if minute < self.ahead { minute as f64 } else { minute as f64 + 0.5 * TAIL_MINUTES };
        let rate = self.forecasts[minute.min(self.ahead - 1)].0;
        let minutes_new = if age == GROWN { minutes.max(GROWN as f64) } else { age as f64 };
        let coldness = self.heat.at(servers, rate, &Fleet { active: self.active, minutes, minutes_new });
        self.site.dimmers().map(|dimmer| self.site.works(&coldness, dimmer)).collect()
    }

    /// What a minute with so many servers is worth. The dimmer of that minute will be chosen with what is known one minute
    /// before; so the forecast's doubt is split into what will be known by then and what will not.
    fn expected(&self, minute: usize, servers: usize, age: usize) -> Expected {
        let works = self.works(minute, servers, age);
        let (mean, outcomes) = &self.forecasts[minute.min(self.ahead - 1)];
        if minute == 0 {
            let Choice { worth, chance_full, .. } = self.best_dimmer(servers, &works, *mean, self.left_over);
            return Expected { worth, chance_full };
        }
        let variance =
            |outcomes: &[Outcome]| outcomes.iter().map(|(error, weight)| error * error * weight).sum::<f64>();
        let known = (1.0 - variance(&self.forecasts[0].1) / variance(outcomes).max(1e-12)).max(0.0).sqrt();
        let mut expected = Expected::default();
        for (error, weight) in outcomes {
            let mean = rate_of(*mean, error * known);
            let Choice { worth, chance_full, .. } = self.best_dimmer(servers, &works, mean, 0.0);
            expected.worth += weight * worth;
            expected.chance_full += weight * chance_full;
        }
        expected
    }

    /// The best position of the dimmer, what it is worth, and how likely every reply is full and on time. The worth
    /// includes what these servers leave to spare.
    fn best_dimmer(&self, servers: usize, works: &[Works], mean: f64, left_over: f64) -> Choice {
        let worth = self.site.worth;
        let spare = worth.spare_server * (self.site.max_servers - servers) as f64;
        let mut best = Choice { dimmer: 0.0, worth: f64::NEG_INFINITY, chance_full: 0.0, chance_late: 1.0 };
        for (dimmer, works) in self.site.dimmers().zip(works) {
            let bonus = if 1.0 <= dimmer { spare } else { 0.0 };
            let (mut value, mut chance_late) = (0.0, 0.0);
            for (error, weight) in &self.forecasts[0].1 {
                let rate = rate_of(mean, *error);
                let late = works.chance_late(rate + left_over, self.site.late_above_s, &self.fit);
                let on_time = rate * (1.0 + worth.full_reply * dimmer) + bonus;
                value += weight * ((1.0 - late) * on_time - late * worth.late(rate));
                chance_late += weight * late;
            }
            if best.worth < value {
                let chance_full = if 1.0 <= dimmer { 1.0 - chance_late } else { 0.0 };
                best = Choice { dimmer, worth: value, chance_full, chance_late };
            }
            // Whoever is on time loses by dimming more.
            if chance_late < SURELY_ON_TIME {
                break;
            }
        }
        best
    }

    /// Where the dimmer should be in the next minute, and how likely it is late even so.
    fn dimmer(&self, servers: usize) -> (f64, f64) {
        let best = self.best_dimmer(servers, &self.works(0, servers, 0), self.forecasts[0].0, self.left_over);
        (best.dimmer, best.chance_late)
    }

    /// What a minute in `state` is worth.
    fn minute(&self, minute: usize, state: State) -> f64 {
        let Expected { worth, chance_full } = self.worth[minute][state.active - self.fewest][state.age];
        let booting = f64::from(u8::from(0 < state.boot_left));
        worth - chance_full * self.site.worth.spare_server * booting
    }

    /// The first step of the best plan.
    fn best_change(&self, boot_left: usize) -> Option<Change> {
        if 0 < boot_left {
            return None;
        }
        let values = self.values();
        let now = State { active: self.active, boot_left: 0, age: GROWN };
        let of = |state: State| self.minute(0, state) + values[1][self.place(self.older(state))];
        let mut best = (of(now), None);
        for (change, state) in self.changes(now) {
            let value = match change {
                Change::Boot => of(state),
                Change::TakeAway => of(state) - WORTHWHILE,
            };
            if best.0 < value {
                best = (value, Some(change));
            }
        }
        best.1
    }

    /// What each state is worth from each minute on, computed from the end.
    fn values(&self) -> Vec<Vec<f64>> {
        let states: Vec<State> = self.states().collect();
        let tail = states
            .iter()
            .map(|state| TAIL_MINUTES * self.minute(self.ahead, State { age: GROWN, boot_left: 0, ..*state }));
        let mut values = vec![Vec::new(); self.ahead + 1];
        values[self.ahead] = tail.collect();
        for minute in (1..self.ahead).rev() {
            let of = |state: State| self.minute(minute, state) + values[minute + 1][self.place(self.older(state))];
            let best = |state: &State| self.changes(*state).map(|(_, next)| of(next)).fold(of(*state), f64::max);
            values[minute] = states.iter().map(best).collect();
        }
        values
    }

    /// What `state` could be made, at the beginning of a minute.
    fn changes(&self, state: State) -> impl Iterator<Item = (Change, State)> {
        let is_free = state.boot_left == 0;
        let booted = match self.site.boot_minutes {
            0 => State { active: state.active + 1, boot_left: 0, age: 0 },
            minutes => State { boot_left: minutes, ..state },
        };
        let fewer = State { active: state.active - 1, boot_left: 0, age: GROWN };
        let boot = (is_free && state.active < self.most).then_some((Change::Boot, booted));
        let take_away = (is_free && self.fewest < state.active).then_some((Change::TakeAway, fewer));
        boot.into_iter().chain(take_away)
    }

    /// The state a minute later.
    fn older(&self, state: State) -> State {
        match state.boot_left {
            1 if state.active < self.most => State { active: state.active + 1, boot_left: 0, age: 0 },
            left => State { boot_left: left.saturating_sub(1), age: (state.age + 1).min(GROWN), ..state },
        }
    }

    fn states(&self) -> impl Iterator<Item = State> {
        let boots = self.site.boot_minutes + 1;
        (self.fewest..=self.most).flat_map(move |active| {
            (0..boots).flat_map(move |boot_left| (0..AGES).map(move |age| State { active, boot_left, age }))
        })
    }

    fn place(&self, state: State) -> usize {
        ((state.active - self.fewest) * (self.site.boot_minutes + 1) + state.boot_left) * AGES + state.age
    }
}

/// What a plan has made of the servers.
#[derive(Clone, Copy, Debug)]
struct State {
    active: usize,
    /// Minutes until the booting server is up; zero if none is.
    boot_left: usize,
    /// Minutes since the newest came up.
    age: usize,
}

#[cfg(test)]
mod tests;
