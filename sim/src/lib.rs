//! The simulation harness.
//!
//! Answers how the loop behaves over time in a world that can be made as bad as one likes: the same `agent/control` on a
//! virtual clock around a simulated plant, decided by one seed. Only the world is simulated; a copy of the loop made for
//! testing would prove nothing about the original.

mod conditions;
mod queue;

mod faults;
mod plants;
mod workloads;
mod world;

mod checkers;
mod digest;
mod repeat;
mod series;

pub mod attack;
pub mod compare;
pub mod proving;
pub mod record;
pub mod report;
pub mod scenario;
pub mod swarm;
pub mod swim;

pub use checkers::{Complaint, names as checker_names};
pub use digest::DigestScope;
pub use plants::{
    CacheSpec, Call, Cancellation, HostSpec, PlantSpec, PoolSpec, RetrySpec, ServiceSpec, ServiceTime, WarmUpSpec,
    WhileCalling,
};
pub use queue::{EPOCH, SimTime};
pub use repeat::{Divergence, repeat};
pub use scenario::{Options, Perturbation, RunReport, SHIPPED, Scenario, ScenarioError, run, shipped};
pub use series::{Sample, Second, Series};
pub use swarm::{Failure, Progress, SwarmPlan, SwarmReport, swarm};
pub use workloads::RecordedError;
pub use world::{ActionStory, ClockReading, IncidentStory, Keep, Timing};
