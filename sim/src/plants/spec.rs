//! What a plant is made of.
//!
//! Answers how many services there are, how fast they are and who calls whom. Does not know what happens to a request;
//! that is `queueing`'s. It is separate from the scenario's text because a perturbed copy is made of this, not of text.

use homeostat_core::{Micros, ServiceName, ServiceSampling};

use crate::plants::{CacheSpec, HostSpec, PoolSpec, RetrySpec, ServiceTime, WarmUpSpec};

/// A system of services.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantSpec {
    /// The services; calls refer to positions in this list.
    pub services: Vec<ServiceSpec>,
    /// The hosts that services may share; services refer to positions in this list.
    pub hosts: Vec<HostSpec>,
    /// How traces are sampled before the loop decides anything.
    pub sampling: ServiceSampling,
    /// How long an SDK takes to fetch a new head probability.
    pub head_delay: Micros,
}

/// One service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSpec {
    /// Its name.
    pub name: ServiceName,
    /// Instances at the start.
    pub replicas: u32,
    /// Requests one instance works on at once.
    pub workers_per_replica: u32,
    /// Requests that may wait; one more is refused and counts as failed.
    pub queue_max: u32,
    /// How long the work takes, without the calls to others.
    pub service_time: ServiceTime,
    /// Failures of its own, in parts per million.
    pub error_ppm: u32,
    /// Callers give up after this and count the request as failed, unless their call says otherwise.
    pub timeout: Micros,
    /// Whether it notices that.
    pub cancellation: Cancellation,
    /// From being asked for until serving.
    pub start_delay: Micros,
    /// How instances that have just started get up to speed; none if at once.
    pub warm_up: Option<WarmUpSpec>,
    /// What it remembers of answers; none if nothing.
    pub cache: Option<CacheSpec>,
    /// The position of the host whose cores it shares; none if it has cores enough of its own.
    pub host: Option<usize>,
    /// Spans it adds to a trace per request.
    pub spans_per_request: u32,
    /// The share of its work that may be left out, in basis points.
    pub optional_bp: u32,
    /// Whether its dimmer can be turned.
    pub dims: bool,
    /// Requests in flight that it admits before anybody lowers the limit; none if it knows no limit.
    pub limit: Option<u32>,
    /// Whether its instances can be seen and restarted one by one.
    pub restarts: bool,
    /// What its worker does while it calls others.
    pub while_calling: WhileCalling,
    /// Whom it calls, one after the other, after its own work.
    pub calls: Vec<Call>,
}

/// What a worker does while its request waits for a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileCalling {
    /// It serves others, as asynchronous servers do.
    Release,
    /// It waits too, as a thread per request does; a slow dependency then uses up the caller's capacity.
    Hold,
}

/// What a service does with requests whose callers have given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancellation {
    /// It drops what still waits, and calls nobody for what it works on.
    #[default]
    Noticed,
    /// It works on it as on any other, for nobody.
    Ignored,
}

/// One service may call another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The position of the called service.
    pub callee: usize,
    /// How likely a request does so, in parts per million.
    pub probability_ppm: u32,
    /// How long the caller waits; none means as long as all callers of that service.
    pub timeout: Option<Micros>,
    /// Whether a failed call is made again; none if not.
    pub retries: Option<RetrySpec>,
    /// The connections for it; none if there are always enough.
    pub pool: Option<PoolSpec>,
}
