//! Managers of the site.
//!
//! Answers who can decide at the end of each minute: one file each. A manager sees what the exemplar's probes show at that
//! instant and answers with orders; it cannot reach into the plant. Only the one that is given the future has more.

mod agent;
mod constant;
mod perfect_forecast;
mod reactive;
mod reactive2;

pub use agent::Agent;
pub use constant::{Constant, Setting, best_static};
pub use perfect_forecast::PerfectForecast;
pub use reactive::Reactive;
pub use reactive2::Reactive2;

use crate::plants::{Orders, Period, SwimConfig};
use crate::swim::{Trace, Utility};

/// Decides once a minute.
pub trait Manager {
    /// Sees a minute at whose end nothing may be changed yet.
    fn observe(&mut self, _: &Period) {}

    /// What is to change, given the minute that has just ended.
    fn decide(&mut self, seen: &Period) -> Orders;
}

/// What a manager may be made from.
#[derive(Clone, Copy, Debug)]
pub struct Brief<'a> {
    /// The site.
    pub config: SwimConfig,
    /// What will arrive. Only for who is allowed to know the future.
    pub trace: &'a Trace,
    /// What it is to earn.
    pub goal: Utility,
}

/// The managers by name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ManagerKind {
    /// Leaves everything as it was at the start: three servers, the dimmer at 0.9.
    Nothing,
    /// Holds one setting.
    Static(Setting),
    /// The exemplar's first rule.
    Reactive,
    /// The exemplar's second rule.
    Reactive2,
    /// A rule that knows what will arrive.
    PerfectForecast,
    /// The agent's planner.
    Agent,
}

/// One manager, ready for a run. Cloned for each run, so that what is costly to foresee is foreseen once.
#[derive(Clone, Debug)]
pub enum AnyManager {
    /// See [`ManagerKind::Nothing`].
    Nothing,
    /// See [`ManagerKind::Static`].
    Constant(Constant),
    /// See [`ManagerKind::Reactive`].
    Reactive(Reactive),
    /// See [`ManagerKind::Reactive2`].
    Reactive2(Reactive2),
    /// See [`ManagerKind::PerfectForecast`].
    PerfectForecast(PerfectForecast),
    /// See [`ManagerKind::Agent`].
    Agent(Agent),
}

impl AnyManager {
    /// Makes the manager called `kind`.
    pub fn new(kind: ManagerKind, brief: &Brief<'_>) -> AnyManager {
        match kind {
            ManagerKind::Nothing => AnyManager::Nothing,
            ManagerKind::Static(setting) => AnyManager::Constant(Constant::new(setting)),
            ManagerKind::Reactive => AnyManager::Reactive(Reactive::new(brief.config)),
            ManagerKind::Reactive2 => AnyManager::Reactive2(Reactive2::new(brief.config)),
            ManagerKind::PerfectForecast => AnyManager::PerfectForecast(PerfectForecast::new(brief)),
            ManagerKind::Agent => AnyManager::Agent(Agent::new(brief)),
        }
    }
}

impl Manager for AnyManager {
    fn observe(&mut self, seen: &Period) {
        if let AnyManager::Agent(manager) = self {
            manager.observe(seen);
        }
    }

    fn decide(&mut self, seen: &Period) -> Orders {
        match self {
            AnyManager::Nothing => Orders::default(),
            AnyManager::Constant(manager) => manager.decide(seen),
            AnyManager::Reactive(manager) => manager.decide(seen),
            AnyManager::Reactive2(manager) => manager.decide(seen),
            AnyManager::PerfectForecast(manager) => manager.decide(seen),
            AnyManager::Agent(manager) => manager.decide(seen),
        }
    }
}
