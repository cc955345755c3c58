//! Delivery.
//!
//! Answers what may be lost on the way to the exporters, and how much may wait for them. Does not open the log.

use serde::Serialize;

use super::Report;
use super::scalars;
use super::section::Section;
use super::text::Value;

/// The smallest log: a few segments, of which one is written, one is sent and one is about to go.
const DISK_BYTES_MIN: u64 = 64 << 20;

/// What survives a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durability {
    /// Nothing that waits.
    Memory,
    /// Everything that was acknowledged and is kept.
    Disk,
}

/// How telemetry waits for its exporters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Delivery {
    /// What survives a kill.
    pub(crate) durability: Durability,
    /// Bytes the log on disk may take; used with `disk`.
    pub(crate) disk_bytes_max: u64,
    /// Bytes that may wait in memory for one exporter; used with `memory`.
    pub(crate) queue_bytes_max: u64,
}

impl Default for Delivery {
    /// Ten minutes of 20 000 kept spans a second fit on disk.
    fn default() -> Delivery {
        Delivery { durability: Durability::Memory, disk_bytes_max: 4 << 30, queue_bytes_max: 64 << 20 }
    }
}

/// Reads `spec.delivery`.
pub(super) fn read(mut section: Section<'_>, report: &mut Report) -> Delivery {
    let mut delivery = Delivery::default();
    if let Some(durability) = section.get("durability", report, durability) {
        delivery.durability = durability;
    }
    if let Some(bytes) = section.get("diskMax", report, disk_bytes) {
        delivery.disk_bytes_max = bytes;
    }
    if let Some(bytes) = section.get("queueMax", report, scalars::bytes) {
        delivery.queue_bytes_max = bytes as u64;
    }
    section.close(report);
    delivery
}

fn durability(value: &Value) -> Result<Durability, String> {
    match scalars::text(value).unwrap_or_default().as_str() {
        "memory" => Ok(Durability::Memory),
        "disk" => Ok(Durability::Disk),
        _ => Err("must be memory or disk".to_owned()),
    }
}

fn disk_bytes(value: &Value) -> Result<u64, String> {
    let too_small = || format!("must be at least {}MiB, like 4GiB", DISK_BYTES_MIN >> 20);
    scalars::bytes(value).ok().map(|bytes| bytes as u64).filter(|bytes| *bytes >= DISK_BYTES_MIN).ok_or_else(too_small)
}
