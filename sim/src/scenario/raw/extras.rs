//! What few services have, as it is written.
//!
//! Mirrors the text of retries, connections, caches, warming up and hosts. Without one of these keys a service has none of
//! it; the defaults here are those of a part that is there.

use serde::Deserialize;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRetries {
    /// Tries in all, the first included.
    #[serde(default = "tries_max")]
    pub(crate) tries_max: u8,
    /// The longest wait before the second try; it doubles with every further one.
    #[serde(default = "backoff_ms")]
    pub(crate) backoff_ms: u64,
    /// Retries for ten thousand first tries; as many as fail, if left out.
    #[serde(default)]
    pub(crate) budget_bp: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPool {
    /// Of each instance of the caller.
    pub(crate) connections: u32,
    #[serde(default = "waiting_max")]
    pub(crate) waiting_max: u32,
    #[serde(default = "wait_max_ms")]
    pub(crate) wait_max_ms: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCache {
    /// Once it is warm.
    pub(crate) hit_ppm: u32,
    /// What a hit takes of the usual work.
    #[serde(default = "hit_time_bp")]
    pub(crate) hit_time_bp: u32,
    /// Requests to one instance after which 63 % of its hits are back.
    #[serde(default = "warm_after_requests")]
    pub(crate) warm_after_requests: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWarmUp {
    pub(crate) lasts_ms: u64,
    /// The first request takes this many ten-thousandths of its usual time.
    #[serde(default = "factor_bp")]
    pub(crate) factor_bp: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHost {
    pub(crate) name: String,
    pub(crate) cores: u32,
}

/// What most clients do: the first try and two more.
fn tries_max() -> u8 {
    3
}

fn backoff_ms() -> u64 {
    100
}

fn waiting_max() -> u32 {
    100
}

fn wait_max_ms() -> u64 {
    1000
}

fn hit_time_bp() -> u32 {
    1000
}

fn warm_after_requests() -> u32 {
    1000
}

/// Five times the usual: a virtual machine before its compiler has caught up.
fn factor_bp() -> u64 {
    50_000
}
