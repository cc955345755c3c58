//! Sensors.
//!
//! Answers which observations reach the loop, and when: the same indicators that the live pipeline takes, spoiled by
//! whatever faults are active. A reading that does not arrive is not sent; it is never sent as zero.

mod wrong;

use homeostat_core::{
    Indicator, InstanceId, Millis, Observation, Seed, ServiceName, Signal, Stream, Target, Timestamp, Witness,
};

use crate::conditions::{Conditions, Sensor};
use crate::plants::{Readings, ServiceReadings, chance_bp};
use crate::queue::SimTime;

/// What is read of every service, in the order in which it is sent.
const OF_SERVICES: [Indicator; 15] = [
    Indicator::RequestsTotal,
    Indicator::ErrorsTotal,
    Indicator::SlowTotal,
    Indicator::SpansReceivedTotal,
    Indicator::SpansKeptTotal,
    Indicator::SpansKeptByRuleTotal,
    Indicator::LatencyP50,
    Indicator::LatencyP99,
    Indicator::Utilization,
    Indicator::ReplicasReady,
    Indicator::HeadProbability,
    Indicator::RequestsInFlight,
    Indicator::ConcurrencyLimit,
    Indicator::ShedTotal,
    Indicator::Dimmer,
];

/// What is read of every instance that can be seen.
const OF_INSTANCES: [Indicator; 2] = [Indicator::RequestsInFlight, Indicator::CompletedTotal];

/// What the agent reads of itself.
const OF_THE_AGENT: [Indicator; 3] =
    [Indicator::SpansReceivedTotal, Indicator::SpansKeptTotal, Indicator::SpansKeptByRuleTotal];

/// Batches that arrive later, each with its delay.
pub(crate) type Late = Vec<(Millis, Vec<Observation>)>;

/// All eyes on the world.
pub(crate) struct Sensors {
    names: Vec<ServiceName>,
    /// Built once; cloning a signal copies no text.
    signals: Vec<[Signal; OF_SERVICES.len()]>,
    agent_signals: [Signal; OF_THE_AGENT.len()],
    /// What a frozen or remembered sensor goes on saying, and since when.
    frozen: Vec<Option<(SimTime, ServiceReadings)>>,
    /// How a service stood when its readings began to be wrong.
    wrong_since: Vec<Option<ServiceReadings>>,
    frozen_agent: Option<[u64; OF_THE_AGENT.len()]>,
    stream: Stream,
}

impl Sensors {
    pub(crate) fn new(names: &[ServiceName], seed: Seed) -> Sensors {
        let of =
            |name: &ServiceName| OF_SERVICES.map(|indicator| Signal::new(Target::Service(name.clone()), indicator));
        Sensors {
            names: names.to_vec(),
            signals: names.iter().map(of).collect(),
            agent_signals: OF_THE_AGENT.map(|indicator| Signal::new(Target::Agent, indicator)),
            frozen: vec![None; names.len()],
            wrong_since: vec![None; names.len()],
            frozen_agent: None,
            stream: seed.stream("world/sensors"),
        }
    }

    /// What arrives now, and what arrives later.
    pub(crate) fn read(
        &mut self,
        now: SimTime,
        readings: &Readings,
        conditions: &Conditions,
    ) -> (Vec<Observation>, Late) {
        let mut fresh = Vec::with_capacity((self.names.len() + 1) * OF_SERVICES.len() + readings.calls.len());
        let mut late = Late::new();
        for index in 0..self.names.len() {
            let sensor = conditions.services[index].sensor;
            let values = self.service_values(now, index, &readings.services[index], sensor);
            if self.arrives(sensor) {
                let (batch, at) = (destination(sensor, &mut fresh, &mut late), stamp(now, sensor));
                self.send_service(index, values, at, batch);
                if let Some(factor_bp) = sensor.contradicted_bp {
                    let mut other = Vec::new();
                    self.send_service(index, wrong::contradicted(&values, factor_bp), at, &mut other);
                    batch.extend(other.into_iter().map(|said| said.by(Witness::ScaleEndpoint)));
                }
                self.send_calls(index, readings, at, batch);
                // A frozen sensor shows the service as a whole, and no instance or operation.
                if !sensor.frozen {
                    self.send_instances(index, readings, at, batch);
                    self.send_operations(index, readings, at, batch);
                }
            }
        }
        let values = self.agent_values(readings, conditions.agent_sensor);
        if self.arrives(conditions.agent_sensor) {
            let sensor = conditions.agent_sensor;
            let (batch, at) = (destination(sensor, &mut fresh, &mut late), stamp(now, sensor));
            for (signal, value) in self.agent_signals.iter().zip(values) {
                batch.push(Observation::new(signal.target.clone(), signal.indicator, value, at));
            }
        }
        (fresh, late)
    }

    fn arrives(&mut self, sensor: Sensor) -> bool {
        !chance_bp(&mut self.stream, sensor.lost_bp)
    }

    fn service_values(
        &mut self,
        now: SimTime,
        index: usize,
        truth: &ServiceReadings,
        sensor: Sensor,
    ) -> ServiceReadings {
        let is_wrong = sensor.wrong_bp.iter().any(Option::is_some);
        let since = self.wrong_since[index].take().unwrap_or(*truth);
        let values = if is_wrong { wrong::shown(truth, &since, sensor) } else { *truth };
        self.wrong_since[index] = is_wrong.then_some(since);
        let refreshes = |at: SimTime| !sensor.frozen && at.as_secs() + sensor.refresh_s <= now.as_secs();
        let remembered = self.frozen[index].take().filter(|(at, _)| !refreshes(*at)).unwrap_or((now, values));
        self.frozen[index] = (sensor.frozen || 0 < sensor.refresh_s).then_some(remembered);
        remembered.1
    }

    fn agent_values(&mut self, readings: &Readings, sensor: Sensor) -> [u64; OF_THE_AGENT.len()] {
        let sum = |of: fn(&ServiceReadings) -> u64| readings.services.iter().map(of).sum();
        let now = [
            sum(|service| service.totals.spans_received),
            sum(|service| service.totals.spans_kept),
            sum(|service| service.totals.spans_kept_by_rule),
        ];
        if !sensor.frozen {
            self.frozen_agent = None;
            return now;
        }
        *self.frozen_agent.get_or_insert(now)
    }

    fn send_service(&self, index: usize, of: ServiceReadings, at: Timestamp, batch: &mut Vec<Observation>) {
        let values = [
            Some(of.totals.requests),
            Some(of.totals.errors),
            Some(of.totals.slow),
            Some(of.totals.spans_received),
            Some(of.totals.spans_kept),
            Some(of.totals.spans_kept_by_rule),
            of.p50_us,
            of.p99_us,
            of.utilization_bp,
            Some(u64::from(of.replicas)),
            Some(u64::from(of.head_ppm)),
            of.admission.map(|admission| admission.in_flight.into()),
            of.admission.map(|admission| admission.limit.into()),
            of.admission.map(|_| of.totals.shed),
            of.dimmer_bp.map(u64::from),
        ];
        for (signal, value) in self.signals[index].iter().zip(values) {
            if let Some(value) = value {
                batch.push(Observation::new(signal.target.clone(), signal.indicator, value, at));
            }
        }
    }

    fn send_operations(&self, index: usize, readings: &Readings, at: Timestamp, batch: &mut Vec<Observation>) {
        for reads in readings.operations.iter().filter(|reads| usize::from(reads.service) == index) {
            let target = Target::Operation(self.names[index].clone(), reads.name.clone());
            let totals = &reads.totals;
            let values = [
                (Indicator::RequestsTotal, Some(totals.requests)),
                (Indicator::ErrorsTotal, Some(totals.errors)),
                (Indicator::SlowTotal, Some(totals.slow)),
                (Indicator::SpansReceivedTotal, Some(totals.spans_received)),
                (Indicator::SpansKeptTotal, Some(totals.spans_kept)),
                (Indicator::SpansKeptByRuleTotal, Some(totals.spans_kept_by_rule)),
                (Indicator::HeadProbability, reads.head_ppm.map(u64::from)),
            ];
            for (indicator, value) in values {
                batch.extend(value.map(|value| Observation::new(target.clone(), indicator, value, at)));
            }
        }
    }

    fn send_instances(&self, index: usize, readings: &Readings, at: Timestamp, batch: &mut Vec<Observation>) {
        let name = &self.names[index];
        for (_, instance) in readings.instances.iter().filter(|(service, _)| usize::from(*service) == index) {
            let target = Target::Instance(name.clone(), instance_name(name, instance.place));
            for (indicator, value) in OF_INSTANCES.into_iter().zip([instance.in_flight, instance.finished]) {
                batch.push(Observation::new(target.clone(), indicator, value, at));
            }
        }
    }

    fn send_calls(&self, index: usize, readings: &Readings, at: Timestamp, batch: &mut Vec<Observation>) {
        for calls in readings.calls.iter().filter(|calls| usize::from(calls.caller) == index && 0 < calls.total) {
            batch.push(Observation::Called {
                caller: self.names[index].clone(),
                callee: self.names[usize::from(calls.callee)].clone(),
                total: calls.total,
                at,
            });
        }
    }
}

/// The time that readings of this sensor carry.
fn stamp(now: SimTime, sensor: Sensor) -> Timestamp {
    Timestamp(now.wall().0.saturating_add_signed(sensor.ahead_ms))
}

/// What the instance of `service` at `place` is called.
pub(super) fn instance_name(service: &ServiceName, place: u32) -> InstanceId {
    InstanceId::from(format!("{service}-{place}").as_str())
}

/// Where readings of this sensor go: into the batch that arrives now, or into one that arrives later.
fn destination<'a>(sensor: Sensor, fresh: &'a mut Vec<Observation>, late: &'a mut Late) -> &'a mut Vec<Observation> {
    if sensor.late == Millis(0) {
        return fresh;
    }
    late.push((sensor.late, Vec::new()));
    let last = late.len() - 1;
    &mut late[last].1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(requests: u64) -> Readings {
        let mut service = ServiceReadings::default();
        service.totals.requests = requests;
        Readings { services: vec![service], ..Readings::default() }
    }

    fn requests(batch: &[Observation]) -> Option<u64> {
        batch.iter().find_map(|observation| match observation {
            Observation::Measured { signal, value, .. } if signal.indicator == Indicator::RequestsTotal => Some(*value),
            _ => None,
        })
    }

    /// Scenario: a sensor freezes, the world goes on, the sensor recovers.
    /// Guarantees: the frozen value is repeated with new time stamps; afterwards the truth is seen again.
    #[test]
    fn a_frozen_sensor_repeats_itself_and_recovers() {
        let mut sensors = Sensors::new(&[ServiceName::from("a")], Seed(1));
        let mut conditions = Conditions::good(1);
        let mut see =
            |total, conditions: &Conditions| requests(&sensors.read(SimTime(0), &readings(total), conditions).0);
        assert_eq!(see(10, &conditions), Some(10));
        conditions.services[0].sensor.frozen = true;
        assert_eq!(see(20, &conditions), Some(20));
        assert_eq!(see(30, &conditions), Some(20));
        conditions.services[0].sensor.frozen = false;
        assert_eq!(see(40, &conditions), Some(40));
    }

    /// Scenario: something remembers readings for five seconds; a clock is ahead; two sets of readings contradict.
    /// Guarantees: values follow every five seconds under new stamps; stamps lie in the future; both sets arrive.
    #[test]
    fn remembered_skewed_and_contradicted_readings_arrive_as_such() {
        let mut sensors = Sensors::new(&[ServiceName::from("a")], Seed(1));
        let mut conditions = Conditions::good(1);
        conditions.services[0].sensor.refresh_s = 5;
        let seen: Vec<Option<u64>> = (0..11)
            .map(|at_s| requests(&sensors.read(SimTime::from_secs(at_s), &readings(at_s), &conditions).0))
            .collect();
        assert_eq!(seen, [0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 10].map(Some));
        let now = SimTime::from_secs(20);
        conditions.services[0].sensor = Sensor { ahead_ms: 3000, ..Sensor::default() };
        let (skewed, _) = sensors.read(now, &readings(5), &conditions);
        assert!(matches!(&skewed[0], Observation::Measured { at, .. } if at.0 == now.wall().0 + 3000));
        conditions.services[0].sensor = Sensor { contradicted_bp: Some(0), ..Sensor::default() };
        let (both, _) = sensors.read(now, &readings(5), &conditions);
        assert_eq!(both.len() - OF_THE_AGENT.len(), 2 * (skewed.len() - OF_THE_AGENT.len()));
    }

    /// Scenario: all readings of a service are lost; then all are late.
    /// Guarantees: lost means absent, not zero; late means handed over with their delay and their true time.
    #[test]
    fn lost_is_absent_and_late_keeps_its_time() {
        let mut sensors = Sensors::new(&[ServiceName::from("a")], Seed(1));
        let mut conditions = Conditions::good(1);
        conditions.services[0].sensor.lost_bp = 10_000;
        assert_eq!(requests(&sensors.read(SimTime(0), &readings(5), &conditions).0), None);
        conditions.services[0].sensor = Sensor { late: Millis(4000), ..Sensor::default() };
        let now = SimTime::from_secs(9);
        let (fresh, late) = sensors.read(now, &readings(5), &conditions);
        assert_eq!(requests(&fresh), None);
        assert_eq!(late[0].0, Millis(4000));
        assert!(matches!(&late[0].1[0], Observation::Measured { at, .. } if *at == now.wall()));
    }
}
