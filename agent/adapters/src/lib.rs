//! The outside, translated at the door.
//!
//! Answers how the world becomes events and how commands become effects: sources are read, actuators are moved, SDK
//! samplers are answered, records are kept, the clock is looked at. It does not know the loop and decides nothing. It is
//! one crate rather than one per device because every door has the same duty: bounds, timeouts, and errors that say what
//! to do.

pub mod actuators;
pub mod clock;
pub mod journal;
pub mod remote_sampling;
pub mod sources;

mod endpoint;
mod http_client;

pub use actuators::{ActuatorConfig, ActuatorError, Actuators};
pub use clock::SystemClock;
pub use endpoint::{
    DimmerEndpoint, EndpointError, LimitEndpoint, ProfileEndpoint, RestartEndpoint, ScaleEndpoint, Webhook,
};
pub use journal::{Entry, EventLog, EventLogError, Journal, JournalError, JournalReader, Life, Recovered, Retention};
pub use remote_sampling::{HeadSampling, Heads, RemoteSampling, StartError};
pub use sources::{SourceConfig, Sources};
