//! From text to scenario.
//!
//! Answers whether what is written can be simulated, and reports everything that cannot at once, each with the path of its
//! key. Opens nothing.

mod extras;
mod goals;

use std::collections::BTreeSet;

use homeostat_core::{
    BasisPoints, Micros, Millis, ObjectiveSettings, OperationName, OperatorCommand, Permissions, Range, Replicas,
    SamplingProbability, ServiceName, ServiceObjectives, ServicePermissions, ServiceSampling, ServiceScaling, Settings,
};

use crate::checkers;
use crate::faults::ScheduledFault;
use crate::plants::{HostSpec, PlantSpec, ServiceSpec, ServiceTime};
use crate::queue::SimTime;
use crate::scenario::raw::{
    RawFault, RawLiveness, RawObjectives, RawOperator, RawRange, RawSaying, RawScenario, RawService, RawServiceTime,
    RawSettings, RawWorkload,
};
use crate::scenario::{Liveness, OperatorAt, Problems, Scenario, expect};
use crate::workloads::Workload;

/// Services per plant: positions fit sixteen bits with room, and a page of plots stays readable.
const SERVICES_MAX: usize = 64;
/// Calls of one service.
const CALLS_MAX: usize = 32;
/// Seconds times services of a run: two months of one service, or ten days of five; about 200 MB of series.
const SAMPLES_MAX: u64 = 5_000_000;
/// Longer times are not waited for.
const SPAN_US_MAX: u64 = 600_000_000;

/// Checks `raw` and turns it into a scenario, or says everything that is wrong with it.
pub(crate) fn validate(name: &str, raw: RawScenario) -> Result<Scenario, Problems> {
    let mut problems = Problems::default();
    let names: Vec<ServiceName> = raw.services.iter().map(|service| ServiceName::from(service.name.as_str())).collect();
    check_size(&raw, &names, &mut problems);
    let hosts: Vec<HostSpec> =
        raw.hosts.iter().map(|host| HostSpec { name: host.name.clone(), cores: host.cores }).collect();
    let mut v = Validation { names: &names, hosts: &hosts, duration_s: raw.duration_s, problems: &mut problems };
    v.hosts();
    let settings = v.settings(&raw.settings);
    let permissions = &settings.permissions;
    let services = raw.services.iter().enumerate();
    let services: Vec<ServiceSpec> = services.map(|(index, service)| v.service(index, service, permissions)).collect();
    let mut workloads: Vec<Workload> =
        raw.workloads.iter().enumerate().map(|(index, workload)| v.workload(index, workload)).collect();
    v.operations(&mut workloads, &settings);
    let faults = raw.faults.into_iter().enumerate().map(|(index, fault)| v.fault(index, fault, &services)).collect();
    let operator = raw.operator.iter().enumerate().map(|(index, said)| v.operator(index, said)).collect();
    let expectations =
        raw.expect.into_iter().enumerate().flat_map(|(index, raw)| expect::validate(index, raw, &mut v)).collect();
    v.span("world.actuator_delay_ms", raw.world.actuator_delay_ms.saturating_mul(1000));
    v.span("world.actuator_round_ms", raw.world.actuator_round_ms.saturating_mul(1000));
    v.span("world.head_delay_ms", raw.world.head_delay_ms.saturating_mul(1000));
    v.checkers(&raw.without);
    let scenario = Scenario {
        name: name.to_owned(),
        about: raw.about,
        duration_s: raw.duration_s,
        plant: PlantSpec {
            services,
            hosts: hosts.clone(),
            sampling: settings.sampling.initial,
            head_delay: Micros::from_millis(raw.world.head_delay_ms),
        },
        settings,
        workloads,
        faults,
        operator,
        actuator_delay: Micros::from_millis(raw.world.actuator_delay_ms),
        actuator_round: Micros::from_millis(raw.world.actuator_round_ms),
        expectations,
        without: raw.without,
        liveness: liveness(&raw.liveness),
        names,
    };
    // A call to nobody stands for a call to the first service; it must not be taken for a cycle.
    if problems.is_empty() {
        check_cycles(&scenario.plant, &mut problems);
    }
    check_envelopes(&scenario, &mut problems);
    if problems.is_empty() { Ok(scenario) } else { Err(problems) }
}

fn check_size(raw: &RawScenario, names: &[ServiceName], problems: &mut Problems) {
    if names.is_empty() || SERVICES_MAX < names.len() {
        problems.add("services".to_owned(), format!("there must be 1 to {SERVICES_MAX}, not {}", names.len()));
    }
    let samples = raw.duration_s.saturating_mul(names.len() as u64);
    if raw.duration_s == 0 || SAMPLES_MAX < samples {
        let most = SAMPLES_MAX / names.len().max(1) as u64;
        problems.add("duration_s".to_owned(), format!("must be 1 to {most} with {} services", names.len()));
    }
    if raw.workloads.is_empty() {
        problems.add("workloads".to_owned(), "there must be at least one".to_owned());
    }
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            problems.add(format!("services[{index}].name"), format!("{name} is used twice"));
        }
    }
}

/// A call graph with a cycle would never answer.
fn check_cycles(plant: &PlantSpec, problems: &mut Problems) {
    // A service is finished once all it calls are; whoever is never finished is on a cycle or calls one. At most one round
    // per service makes progress.
    let mut finished = vec![false; plant.services.len()];
    for _ in 0..plant.services.len() {
        for (index, service) in plant.services.iter().enumerate() {
            finished[index] |= service.calls.iter().all(|call| finished.get(call.callee).copied().unwrap_or(true));
        }
    }
    for (index, service) in plant.services.iter().enumerate().filter(|(index, _)| !finished[*index]) {
        problems.add(format!("services[{index}].calls"), format!("{} ends up calling itself", service.name));
    }
}

fn check_envelopes(scenario: &Scenario, problems: &mut Problems) {
    for (index, service) in scenario.plant.services.iter().enumerate() {
        let Some(allowed) = scenario.settings.scaling.services.get(&service.name) else { continue };
        if !(allowed.min.0..=allowed.max.0).contains(&service.replicas) {
            let what = format!("is {}, outside its envelope of {} to {}", service.replicas, allowed.min, allowed.max);
            problems.add(format!("services[{index}].replicas"), what);
        }
    }
}

fn liveness(raw: &RawLiveness) -> Liveness {
    Liveness { grace_s: raw.grace_s, actions_max: raw.actions_max, reversals_max: raw.reversals_max }
}

/// What every part of the validation needs.
pub(crate) struct Validation<'a> {
    pub(crate) names: &'a [ServiceName],
    pub(crate) hosts: &'a [HostSpec],
    pub(crate) duration_s: u64,
    pub(crate) problems: &'a mut Problems,
}

impl Validation<'_> {
    pub(crate) fn say(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.problems.add(path.into(), what.into());
    }

    /// The position of a service; the first one, with a problem, if there is none of that name.
    pub(crate) fn index(&mut self, path: &str, name: &str) -> usize {
        self.names.iter().position(|known| known.as_str() == name).unwrap_or_else(|| {
            self.say(path, format!("there is no service called {name}"));
            0
        })
    }

    fn span(&mut self, path: &str, us: u64) -> Micros {
        if SPAN_US_MAX < us {
            self.say(path, format!("is longer than {}", Micros(SPAN_US_MAX)));
        }
        Micros(us)
    }

    fn between(&mut self, path: String, value: u64, least: u64, most: u64) {
        if !(least..=most).contains(&value) {
            self.say(path, format!("is {value}, must be between {least} and {most}"));
        }
    }

    fn service(&mut self, index: usize, raw: &RawService, permissions: &Permissions) -> ServiceSpec {
        let path = format!("services[{index}]");
        self.between(format!("{path}.replicas"), raw.replicas.into(), 0, 10_000);
        self.between(format!("{path}.workers_per_replica"), raw.workers_per_replica.into(), 1, 10_000);
        self.between(format!("{path}.queue_max"), raw.queue_max.into(), 0, 1_000_000);
        self.between(format!("{path}.error_ppm"), raw.error_ppm.into(), 0, 1_000_000);
        self.between(format!("{path}.spans_per_request"), raw.spans_per_request.into(), 0, 1000);
        self.between(format!("{path}.calls (count)"), raw.calls.len() as u64, 0, CALLS_MAX as u64);
        let calls = raw.calls.iter().enumerate();
        let calls = calls.map(|(call, to)| self.call(&format!("{path}.calls[{call}]"), to)).collect();
        self.between(format!("{path}.optional_bp"), raw.optional_bp.into(), 0, 10_000);
        let name = ServiceName::from(raw.name.as_str());
        let permitted = permissions.of(&name);
        ServiceSpec {
            name,
            optional_bp: raw.optional_bp,
            dims: permitted.dimmer.is_some(),
            limit: permitted.limit.map(|limit| u32::try_from(limit.max).unwrap_or(u32::MAX)),
            restarts: permitted.restart.is_some(),
            replicas: raw.replicas,
            workers_per_replica: raw.workers_per_replica,
            queue_max: raw.queue_max,
            service_time: self.service_time(&path, &raw.service_time),
            error_ppm: raw.error_ppm,
            timeout: self.span(&format!("{path}.timeout_ms"), raw.timeout_ms.saturating_mul(1000)),
            cancellation: raw.cancellation,
            start_delay: self.span(&format!("{path}.start_delay_ms"), raw.start_delay_ms.saturating_mul(1000)),
            warm_up: raw.warm_up.map(|warm_up| self.warm_up(&format!("{path}.warm_up"), warm_up)),
            cache: raw.cache.map(|cache| self.cache(&format!("{path}.cache"), cache)),
            host: raw.host.as_ref().map(|host| self.host(&format!("{path}.host"), host)),
            spans_per_request: raw.spans_per_request,
            while_calling: raw.while_calling,
            calls,
        }
    }

    fn service_time(&mut self, path: &str, raw: &RawServiceTime) -> ServiceTime {
        match *raw {
            RawServiceTime::Lognormal { median_us, p99_us } => {
                self.between(format!("{path}.service_time.lognormal.median_us"), median_us, 1, SPAN_US_MAX);
                self.between(format!("{path}.service_time.lognormal.p99_us"), p99_us, median_us, SPAN_US_MAX);
                ServiceTime::Lognormal { median: Micros(median_us), p99: Micros(p99_us) }
            }
            RawServiceTime::Exponential { mean_us } => {
                self.between(format!("{path}.service_time.exponential.mean_us"), mean_us, 1, SPAN_US_MAX);
                ServiceTime::Exponential { mean: Micros(mean_us) }
            }
        }
    }

    fn workload(&mut self, index: usize, raw: &RawWorkload) -> Workload {
        let path = format!("workloads[{index}]");
        raw.shape.shape().check(&format!("{path}.shape"), self.problems);
        Workload {
            service: self.index(&format!("{path}.service"), &raw.service) as u16,
            shape: raw.shape.clone(),
            operation: raw.operation.as_deref().map(OperationName::from),
            slow_above: None,
            retries: raw.retries.map(|retries| self.retries(&format!("{path}.retries"), retries)),
            scale_bp: 10_000,
            ends: SimTime::from_secs(self.duration_s),
        }
    }

    /// Operations are told apart by their names; each is slow by its own threshold, if a goal has one.
    fn operations(&mut self, workloads: &mut [Workload], settings: &Settings) {
        let watched = settings.goals.operations();
        let mut seen = BTreeSet::new();
        for (index, workload) in workloads.iter_mut().enumerate() {
            let Some(operation) = &workload.operation else { continue };
            if !seen.insert((workload.service, operation.clone())) {
                self.say(format!("workloads[{index}].operation"), format!("{operation} is used twice"));
            }
            let of_service = watched.get(&self.names[usize::from(workload.service)]);
            workload.slow_above = of_service.and_then(|operations| *operations.get(operation)?);
        }
    }

    fn fault(&mut self, index: usize, raw: RawFault, services: &[ServiceSpec]) -> ScheduledFault {
        let path = format!("faults[{index}]");
        let to_s = raw.to_s.unwrap_or(self.duration_s);
        if to_s <= raw.from_s || self.duration_s < to_s {
            self.say(format!("{path}.to_s"), "must be later than from_s and not after the end of the run");
        }
        // Nothing is known of the world before the first tick.
        if raw.from_s == 0 {
            self.say(format!("{path}.from_s"), "must be at least 1");
        }
        let fault = raw.fault.fault();
        fault.check(&format!("{path}.fault"), self.problems);
        if let Some(service) = fault.service() {
            let service = self.index(&format!("{path}.fault.service"), service);
            if let Some(lacks) = services.get(service).and_then(|service| fault.lacks(service)) {
                self.say(format!("{path}.fault.service"), lacks);
            }
        }
        ScheduledFault { from_s: raw.from_s, to_s, fault: raw.fault }
    }

    fn operator(&mut self, index: usize, raw: &RawOperator) -> OperatorAt {
        if raw.at_s == 0 || self.duration_s < raw.at_s {
            self.say(format!("operator[{index}].at_s"), "must be within the run");
        }
        let command = match raw.says {
            RawSaying::Hold => OperatorCommand::Hold,
            RawSaying::Resume => OperatorCommand::Resume,
        };
        OperatorAt { at_s: raw.at_s, command }
    }

    fn checkers(&mut self, without: &[String]) {
        for (index, name) in without.iter().enumerate() {
            if !checkers::names().any(|known| known == name) {
                let known: Vec<&str> = checkers::names().collect();
                self.say(
                    format!("without[{index}]"),
                    format!("no checker is called {name}; there are {}", known.join(", ")),
                );
            }
        }
    }

    fn settings(&mut self, raw: &RawSettings) -> Settings {
        let mut settings = Settings::default();
        self.objectives(raw, &mut settings.objectives);
        self.scaling(raw, &mut settings);
        self.permissions(raw, &mut settings.permissions);
        self.sampling(raw, &mut settings);
        self.goals(&raw.goals, &mut settings);
        settings.autonomy.sampling = raw.autonomy.sampling;
        settings.autonomy.scaling = raw.autonomy.scaling;
        settings.autonomy.notification = raw.autonomy.notification;
        settings.autonomy.remediation = raw.autonomy.remediation;
        settings.autonomy.shedding = raw.autonomy.shedding;
        settings.autonomy.profiling = raw.autonomy.profiling;
        let (raw, guards) = (&raw.guards, &mut settings.guards);
        let radius = &mut guards.blast_radius;
        radius.targets_max = raw.blast_targets_max.unwrap_or(radius.targets_max);
        radius.window = raw.blast_window_s.map_or(radius.window, Millis::from_secs);
        guards.scaling.actions_max = raw.scaling_per_minute_max.unwrap_or(guards.scaling.actions_max);
        guards.allow_zero = raw.allow_zero;
        settings
    }

    fn objectives(&mut self, raw: &RawSettings, objectives: &mut ObjectiveSettings) {
        if let Some(default) = raw.objectives.get("default") {
            objectives.default = self.promise("default", default, objectives.default);
        }
        for (name, promise) in raw.objectives.iter().filter(|(name, _)| *name != "default") {
            self.index(&format!("settings.objectives.{name}"), name);
            let promise = self.promise(name, promise, objectives.default);
            objectives.services.insert(ServiceName::from(name.as_str()), promise);
        }
    }

    fn promise(&mut self, name: &str, raw: &RawObjectives, base: ServiceObjectives) -> ServiceObjectives {
        let path = format!("settings.objectives.{name}");
        let mut share = |key: &str, value: Option<u32>, base: BasisPoints| {
            self.between(format!("{path}.{key}"), value.unwrap_or(base.0).into(), 1, 9999);
            value.map_or(base, BasisPoints)
        };
        ServiceObjectives {
            availability: share("availability_bp", raw.availability_bp, base.availability),
            latency: share("latency_bp", raw.latency_bp, base.latency),
            latency_threshold: raw.latency_threshold_ms.map_or(base.latency_threshold, Micros::from_millis),
        }
    }

    fn scaling(&mut self, raw: &RawSettings, settings: &mut Settings) {
        let scaling = &mut settings.scaling;
        if let Some(target) = raw.scaling.utilization_target_bp {
            self.between("settings.scaling.utilization_target_bp".to_owned(), target.into(), 100, 10_000);
            scaling.utilization_target = BasisPoints(target);
        }
        scaling.tolerance = raw.scaling.tolerance_bp.map_or(scaling.tolerance, BasisPoints);
        scaling.predictive.enabled = raw.scaling.predictive.unwrap_or(scaling.predictive.enabled);
        scaling.reduce_after = raw.scaling.reduce_after_s.map_or(scaling.reduce_after, Millis::from_secs);
        for (name, envelope) in &raw.scaling.services {
            let path = format!("settings.scaling.services.{name}");
            self.index(&path, name);
            if envelope.max < envelope.min {
                self.say(format!("{path}.max"), "must not be below min");
            }
            let envelope = ServiceScaling { min: Replicas(envelope.min), max: Replicas(envelope.max) };
            scaling.services.insert(ServiceName::from(name.as_str()), envelope);
        }
    }

    fn permissions(&mut self, raw: &RawSettings, permissions: &mut Permissions) {
        for (name, raw) in &raw.permissions {
            let path = format!("settings.permissions.{name}");
            self.index(&path, name);
            let mut range = |key: &str, raw: &Option<RawRange>, most: u64| {
                let raw = raw.as_ref()?;
                self.between(format!("{path}.{key}.max"), raw.max.into(), raw.min.into(), most);
                Some(Range { min: raw.min.into(), max: raw.max.into() })
            };
            let permitted = ServicePermissions {
                limit: range("limit", &raw.limit, 1_000_000),
                dimmer: range("dimmer_bp", &raw.dimmer_bp, 10_000),
                restart: raw.restart,
                profile: raw.profile,
            };
            permissions.services.insert(ServiceName::from(name.as_str()), permitted);
        }
    }

    fn sampling(&mut self, raw: &RawSettings, settings: &mut Settings) {
        let (raw, sampling) = (&raw.sampling, &mut settings.sampling);
        let mut ppm = |key: &str, value: Option<u32>, base: SamplingProbability| {
            let Some(value) = value else { return base };
            self.between(format!("settings.sampling.{key}"), value.into(), 1, 1_000_000);
            SamplingProbability::from_ppm_saturating(value.into())
        };
        sampling.initial = ServiceSampling {
            head: ppm("initial_head_ppm", raw.initial_head_ppm, sampling.initial.head),
            tail: ppm("initial_tail_ppm", raw.initial_tail_ppm, sampling.initial.tail),
        };
        sampling.floor = ppm("floor_ppm", raw.floor_ppm, sampling.floor);
        sampling.adaptive = raw.adaptive.unwrap_or(sampling.adaptive);
        sampling.kept_spans_per_second_max =
            raw.kept_spans_per_second_max.unwrap_or(sampling.kept_spans_per_second_max);
        sampling.kept_share_max = raw.kept_share_max_bp.map_or(sampling.kept_share_max, BasisPoints);
        sampling.received_spans_per_second_max =
            raw.received_spans_per_second_max.unwrap_or(sampling.received_spans_per_second_max);
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Scenario, ScenarioError};

    const GOOD: &str = "
about: two services
duration_s: 60
services:
  - name: front
    replicas: 1
    workers_per_replica: 4
    service_time: { exponential: { mean_us: 5000 } }
    calls: [{ service: back, probability_ppm: 500000 }]
  - name: back
    replicas: 1
    workers_per_replica: 4
    service_time: { lognormal: { median_us: 3000, p99_us: 9000 } }
workloads:
  - { service: front, shape: { constant: { per_second: 10 } } }
";

    fn problems(text: &str) -> Vec<String> {
        match Scenario::parse("test", text) {
            Err(ScenarioError::Invalid { problems, .. }) => {
                problems.iter().map(|(path, what)| format!("{path}: {what}")).collect()
            }
            other => panic!("expected problems, got {other:?}"),
        }
    }

    /// Scenario: the smallest sensible text.
    /// Guarantees: it is a scenario, with the defaults filled in.
    #[test]
    fn a_small_text_is_a_scenario() {
        let scenario = Scenario::parse("test", GOOD).unwrap();
        assert_eq!(scenario.names().len(), 2);
        assert_eq!(scenario.plant.services[0].calls[0].callee, 1);
        assert_eq!(scenario.calm_from_s(), 0);
    }

    /// Scenario: a key is misspelt.
    /// Guarantees: it is refused by name rather than ignored.
    #[test]
    fn unknown_keys_are_refused() {
        let text = GOOD.replace("replicas: 1\n", "replica: 1\n");
        let error = Scenario::parse("test", &text).unwrap_err().to_string();
        assert!(error.contains("replica"), "{error}");
    }

    /// Scenario: five unrelated mistakes in one text.
    /// Guarantees: all are reported at once, each with the path of its key.
    #[test]
    fn all_problems_are_reported_at_once() {
        let text = format!(
            "{}{}",
            GOOD.replace(
                "workers_per_replica: 4\n    service_time: { exp",
                "workers_per_replica: 0\n    service_time: { exp"
            )
            .replace("service: back", "service: bakc"),
            "faults:
  - { from_s: 30, to_s: 20, fault: { slow_service: { service: nobody, factor_bp: 20000 } } }
without: [gatekeeper]
"
        );
        let found = problems(&text);
        let check = |path: &str| assert!(found.iter().any(|problem| problem.starts_with(path)), "{path}: {found:#?}");
        check("services[0].workers_per_replica");
        check("services[0].calls[0].service");
        check("faults[0].to_s");
        check("faults[0].fault.service");
        check("without[0]");
        assert_eq!(found.len(), 5);
    }

    /// Scenario: the second service calls the first one back.
    /// Guarantees: the cycle is refused; the plant would never answer.
    #[test]
    fn a_cycle_of_calls_is_refused() {
        let text = GOOD.replace("p99_us: 9000 } }", "p99_us: 9000 } }\n    calls: [{ service: front }]");
        assert!(problems(&text)[0].contains("ends up calling itself"));
    }
}
