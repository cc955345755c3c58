//! The messages of `jaeger.api_v2` that a remote sampler speaks.
//!
//! Answers their field numbers and types, written by hand from the public protocol: six small messages do not justify a
//! code generator in the build. It does not know what is answered.

/// The question.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SamplingStrategyParameters {
    /// The `service.name` of the asking SDK.
    #[prost(string, tag = "1")]
    pub service_name: String,
}

/// What kind of answer it is. The protocol also has `RATE_LIMITING`, which this agent never gives: some SDKs refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum SamplingStrategyType {
    /// Every trace is started with a fixed probability.
    Probabilistic = 0,
}

/// The answer.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SamplingStrategyResponse {
    /// The kind.
    #[prost(enumeration = "SamplingStrategyType", tag = "1")]
    pub strategy_type: i32,
    /// For SDKs that know no operations.
    #[prost(message, optional, tag = "2")]
    pub probabilistic_sampling: Option<ProbabilisticSampling>,
    /// For SDKs that do.
    #[prost(message, optional, tag = "4")]
    pub operation_sampling: Option<OperationSampling>,
}

/// A fixed probability.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ProbabilisticSampling {
    /// In `0.0..=1.0`.
    #[prost(double, tag = "1")]
    pub sampling_rate: f64,
}

/// A probability per operation, and one for all others.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperationSampling {
    /// For operations that are not listed.
    #[prost(double, tag = "1")]
    pub default_sampling_probability: f64,
    /// Traces each operation may start besides; zero, because it would not be counted by any probability.
    #[prost(double, tag = "2")]
    pub default_lower_bound_traces_per_second: f64,
    /// Listed operations.
    #[prost(message, repeated, tag = "3")]
    pub per_operation_strategies: Vec<OneOperationSampling>,
    /// Traces each operation may start at most; zero means no such bound.
    #[prost(double, tag = "4")]
    pub default_upper_bound_traces_per_second: f64,
}

/// The probability of one operation.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OneOperationSampling {
    /// The span name.
    #[prost(string, tag = "1")]
    pub operation: String,
    /// Its probability.
    #[prost(message, optional, tag = "2")]
    pub probabilistic_sampling: Option<ProbabilisticSampling>,
}
