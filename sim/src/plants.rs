//! Plants.
//!
//! Answers which simulated systems there are for the loop to regulate. Services as queues
//! with workers are the smallest world in which scaling, sampling and a failing dependency all have true consequences; the
//! exemplar SWIM is the one whose results can be laid beside published ones.

mod cache;
mod dice;
mod extras;
mod host;
mod instances;
mod operations;
mod patience;
mod pool;
mod queueing;
mod readings;
mod retries;
mod service_time;
mod spec;
mod station;
mod swim;
mod traces;
mod warm_up;

pub use cache::CacheSpec;
pub(crate) use dice::{chance_bp, chance_ppm};
pub use host::HostSpec;
pub(crate) use instances::InstanceReadings;
pub(crate) use operations::{OperationReadings, OperationTotals};
pub use pool::PoolSpec;
pub(crate) use queueing::Queueing;
pub(crate) use readings::{Readings, ServiceReadings};
pub use retries::RetrySpec;
pub use service_time::ServiceTime;
pub use spec::{Call, Cancellation, PlantSpec, ServiceSpec, WhileCalling};
pub(crate) use swim::{COLD_FULL_S, MEAN_BASIC_S, MEAN_FULL_S, PERIOD_S, PERIODS, Swim, WARM_AFTER, uniform};
pub use swim::{Orders, Period, Scale, SwimConfig};
pub use warm_up::WarmUpSpec;

/// The position of a service in its plant. Small, so that a request costs no text.
pub(crate) type ServiceIndex = u16;

#[cfg(test)]
mod tests;
