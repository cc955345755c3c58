//! Metrics that say how busy a service is.
//!
//! Answers which incoming gauges are read as utilisation. Does not judge. One table, so that another mapping is one line.

use homeostat_core::BasisPoints;

use super::Service;
use crate::views::ResourceMetricsView;

/// Gauges whose value is a ratio, 0 to 1, of the service's capacity in use.
const UTILIZATION_GAUGES: [&str; 4] = [
    "process.cpu.utilization",
    "jvm.cpu.recent_utilization",
    "k8s.pod.cpu_limit_utilization",
    "worker.pool.utilization",
];

/// Largest ratio believed; a queueing service may exceed one, a broken unit exceeds this.
const RATIO_MAX: f64 = 100.0;

/// Reads the utilisation of the service that these metrics belong to: the highest, where several are reported.
pub(crate) fn read(metrics: ResourceMetricsView<'_>, service: &Service) {
    let gauges = metrics.metrics().filter(|metric| UTILIZATION_GAUGES.contains(&metric.name));
    let ratios = gauges.flat_map(|metric| metric.numbers()).filter(|ratio| (0.0..=RATIO_MAX).contains(ratio));
    if let Some(highest) = ratios.reduce(f64::max) {
        service.utilization(BasisPoints((highest * 10_000.0).round() as u32));
    }
}
