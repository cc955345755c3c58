//! Tests of whole manifests: good ones, wrong ones, and files that are no manifests at all.

mod goals;

use super::*;

use homeostat_pipeline::sample::{JudgeConfig, Mode, Rule};

use homeostat_core::{
    Autonomy, BasisPoints, BlastRadius, GuardSettings, Importance, LearningSettings, Micros, Millis, Range, RateBudget,
    RestartPermission, SamplingProbability, Seed, ServicePermissions,
};

/// A manifest as users write it, with sections this version understands but does not act on.
const EVERYTHING: &str = include_str!("everything.yaml");

fn parse(text: &str) -> Result<Manifest, Problems> {
    Manifest::parse(text, ManifestSource::File(PathBuf::from("m.yaml")))
}

/// A manifest with this `spec`, which starts in line 4.
fn with_spec(spec: &str) -> Result<Manifest, Problems> {
    parse(&format!("apiVersion: homeostat.dev/v1alpha1\nkind: ObservabilityManifest\nmetadata: {{name: t}}\n{spec}"))
}

fn problems_of(spec: &str) -> Vec<String> {
    let problems = with_spec(spec).expect_err("the manifest is wrong");
    problems.to_string().lines().map(str::to_owned).collect()
}

fn notes(manifest: &Manifest) -> Vec<String> {
    manifest.notes.iter().map(Note::to_string).collect()
}

/// Scenario: no manifest is given.
/// Guarantees: the embedded one is good, its written values are the loop's own defaults, and it says that nothing is sent.
#[test]
fn the_embedded_manifest_is_the_defaults() {
    let manifest = Manifest::embedded();
    assert_eq!(manifest.settings, Settings::default());
    assert_eq!(manifest.sampler, SamplerConfig::default());
    assert_eq!(manifest.doors, Doors::default());
    assert_eq!(manifest.delivery, Delivery::default());
    assert_eq!(notes(&manifest), ["spec.tracing.exporters: none: kept spans are counted and dropped"]);
    assert!(!manifest.hold_at_start && manifest.webhook.is_none() && manifest.scale_endpoints.is_empty());
}

/// Scenario: the lines of the embedded manifest that are comments because they have no default are taken in.
/// Guarantees: what an operator copies from there is good.
#[test]
fn the_examples_in_the_embedded_manifest_are_good() {
    let text: String = DEFAULT_TEXT
        .replace(" exporters: []\n    #", " exporters:\n    #")
        .replace("services: {}", "services:")
        .replace("cap: {}", "cap:")
        .replace("journeys: {}", "journeys:")
        .replace("budget: {} ", "budget: ")
        .replace("rules: {}", "rules:")
        .replace("Bearer …", "Bearer x")
        .lines()
        .map(|line| {
            match ["webhook", "tls", "bearerTokens"].iter().find(|key| line.starts_with(&format!("    # {key}:"))) {
                Some(_) => format!("{}\n", line.replacen("# ", "", 1)),
                None => format!("{}\n", line.replace("    #  ", "      ")),
            }
        })
        .collect();
    let manifest = parse(&text).unwrap();
    assert_eq!(manifest.exporters[0].name, "collector");
    assert_eq!(manifest.sampler.cap.spans_per_second, Some(2000));
    assert_eq!(manifest.scale_endpoints["checkout"], "http://127.0.0.1:8080/scale");
    assert_eq!(manifest.webhook.as_deref(), Some("http://127.0.0.1:9093/hook"));
    assert!(manifest.security.tls.is_some() && manifest.security.tokens.is_some());
    assert_eq!(manifest.rules_dir.as_deref(), Some(Path::new("rules")));
    assert_eq!(manifest.settings.objectives.of(&ServiceName::from("checkout")).availability, BasisPoints(9990));
    assert_eq!(manifest.settings.goals.journeys["checkout"].importance, Importance::Critical);
    assert_eq!(manifest.settings.sampling.kept_spans_per_second_max, 500);
}

/// Scenario: a manifest that declares tracing, metrics, logs, profiling and automation.
/// Guarantees: it is taken as it stands, what can be acted on is, and everything else is noted by its path.
#[test]
fn a_manifest_of_everything_is_taken_and_annotated() {
    let manifest = parse(EVERYTHING).unwrap();
    assert_eq!(manifest.name, "my-app-observability");
    assert!(manifest.settings.sampling.adaptive);
    assert_eq!((manifest.delivery.durability, manifest.delivery.disk_bytes_max), (Durability::Disk, 2 << 30));
    assert_eq!(manifest.settings.sampling.kept_share_max, BasisPoints(1000));
    assert_eq!(manifest.settings.autonomy.scaling, Autonomy::Act);
    assert_eq!(manifest.settings.autonomy.remediation, Autonomy::Act);
    assert_eq!(
        manifest.exporters,
        [ExporterSpec {
            name: "otel-collector:4317".to_owned(),
            protocol: Protocol::Grpc,
            endpoint: "http://otel-collector:4317".to_owned(),
            tls: ExporterTls::default(),
            headers: BTreeMap::new(),
            compression: Compression::None,
            signals: vec![TelemetryKind::Traces],
        }]
    );
    let not_yet: Vec<&str> = manifest
        .notes
        .iter()
        .filter_map(|note| match note {
            Note::NotYet { path, .. } => Some(path.as_str()),
            Note::Remark { .. } => None,
        })
        .collect();
    assert_eq!(
        not_yet,
        [
            "spec.metrics.exporters[0] (prometheus)",
            "spec.metrics.scrapeInterval",
            "spec.logs.exporters[0] (loki)",
            "spec.logs.level",
            "spec.profiling.exporters[0] (pyroscope)",
            "spec.profiling.types",
            "spec.automation.autoInstrumentation",
        ]
    );
}

/// Every setting the loop has, with a value other than its default.
const EVERY_SETTING: &str = "spec:
  tracing:
    sampling: {strategy: adaptive, rate: 0.25, minRate: 0.001, maxKeptSpansPerSecond: 7,
      maxReceivedSpansPerSecond: 8, precision: {relativeError: 2%, p99RankError: 0.5%, window: 5m},
      cap: {spansPerSecond: 9, bytesPerSecond: 10}, dryRun: [importance, rare]}
  metrics: {spanMetricsInterval: 15s}
  objectives:
    default: {availability: 99.5%, latency: {threshold: 250ms, ratio: 0.95}}
    services: {pay: {latency: {threshold: 1s}}}
  automation:
    {sampling: Approve, scaling: Approve, notification: Observe, approvalExpires: 1m, hold: true,
     exploration: 2%, explorationSeed: 7,
     rules: {dir: rules.d, inline: [{name: r, selector: {services: [pay]}, when: 'true', then: {sample: 5%}}]},
     services: {pay: {scale: {url: 'h:80/scale', min: 2, max: 9}}}}
  scaling: {utilizationTarget: 70%, tolerance: 5%, reduceAfter: 1m,
    predictive: {enabled: true, coverage: 95%, startDelay: 90s, reduceAfter: 45s}}
  guards:
    {perTarget: {actions: 1, within: 1s}, scaling: {actions: 2, within: 2s}, global: {actions: 0, within: 3s},
     replicaFactorMax: 1.5, samplingFactorMax: 4,
     blastRadius: {targets: 5, services: 20%, replicas: 30%, within: 4s}, allowZero: true, dwellFactor: 3,
     stormAbove: 70%, disarmAfter: 2, rearmAfter: 5s, yieldFor: 6s}
  perception: {staleAfter: 1s, forgetAfter: 2s, blindAbove: 10%, contradictionAbove: 40%}
";

/// Scenario: every setting the loop has is given a value other than its default.
/// Guarantees: each arrives in the settings, in its own place.
#[test]
fn every_setting_can_be_written() {
    let manifest = with_spec(EVERY_SETTING).unwrap();
    let SamplerConfig { judge, cap } = manifest.sampler;
    assert_eq!((cap.spans_per_second, cap.bytes_per_second), (Some(9), Some(10)));
    let tried = JudgeConfig::default().with(Rule::Importance, Mode::DryRun).with(Rule::Rare, Mode::DryRun);
    assert_eq!(judge, tried);
    let Settings {
        perception,
        objectives,
        sampling,
        scaling,
        permissions: _,
        autonomy,
        guards,
        learning,
        goals,
        rules,
    } = manifest.settings;
    assert!(goals.is_empty(), "goals have a test of their own");
    assert_eq!(rules.iter().map(|rule| (rule.name.as_str(), rule.dry_run)).collect::<Vec<_>>(), [("r", true)]);
    assert_eq!(manifest.rules_dir, Some(PathBuf::from("rules.d")));
    assert_eq!((sampling.kept_share_max, sampling.floor.ppm()), (BasisPoints(2500), 1000));
    assert_eq!(sampling.initial.tail, SamplingProbability::from_ppm_saturating(250_000));
    assert_eq!((sampling.kept_spans_per_second_max, sampling.received_spans_per_second_max), (7, 8));
    assert_eq!((sampling.relative_error_max, sampling.p99_rank_error_max), (BasisPoints(200), BasisPoints(50)));
    assert_eq!(sampling.precision_window, Millis::from_secs(300));
    let pay = ServiceName::from("pay");
    assert_eq!(objectives.default.latency_threshold, Micros::from_millis(250));
    assert_eq!((objectives.of(&pay).latency_threshold.0, objectives.of(&pay).latency), (1_000_000, BasisPoints(9500)));
    assert_eq!((autonomy.sampling, autonomy.scaling), (Autonomy::Approve, Autonomy::Approve));
    assert_eq!((autonomy.notification, autonomy.approval_expires), (Autonomy::Observe, Millis::from_secs(60)));
    assert_eq!((scaling.services[&pay].min.0, scaling.services[&pay].max.0), (2, 9));
    assert_eq!((scaling.utilization_target, scaling.tolerance), (BasisPoints(7000), BasisPoints(500)));
    assert_eq!(scaling.reduce_after, Millis::from_secs(60));
    let predictive = scaling.predictive;
    assert_eq!((predictive.enabled, predictive.coverage), (true, BasisPoints(9500)));
    assert_eq!((predictive.start_delay, predictive.reduce_after), (Millis::from_secs(90), Millis::from_secs(45)));
    check_guards(&guards);
    assert_eq!((perception.contradiction_above, perception.blind_above), (BasisPoints(4000), BasisPoints(1000)));
    assert_eq!((perception.stale_after, perception.forget_after), (Millis::from_secs(1), Millis::from_secs(2)));
    assert_eq!(manifest.scale_endpoints[&pay], "http://h:80/scale");
    assert_eq!(learning, LearningSettings { exploration: BasisPoints(200), seed: Seed(7) });
    let (held, interval) = (manifest.hold_at_start, manifest.span_metrics_interval);
    assert_eq!((held, interval), (true, Some(Millis::from_secs(15))));
}

/// The guards as `every_setting_can_be_written` has them.
fn check_guards(guards: &GuardSettings) {
    assert_eq!((guards.per_target.actions_max, guards.scaling.actions_max, guards.global.actions_max), (1, 2, 0));
    assert_eq!(guards.global.window, Millis::from_secs(3));
    assert_eq!((guards.replica_factor_max, guards.sampling_factor_max), (BasisPoints(15_000), BasisPoints(40_000)));
    let radius = BlastRadius {
        targets_max: 5,
        services_max: BasisPoints(2000),
        replicas_max: BasisPoints(3000),
        window: Millis::from_secs(4),
    };
    assert_eq!((guards.blast_radius, guards.allow_zero, guards.dwell_factor), (radius, true, BasisPoints(30_000)));
    assert_eq!((guards.storm_above, guards.disarm.undone_max), (BasisPoints(7000), 2));
    assert_eq!((guards.disarm.rearm_after, guards.yield_for), (Millis::from_secs(5), Millis::from_secs(6)));
}

/// Scenario: everything that concerns restarts, limits, dimmers and profiles is given a value other than its default.
/// Guarantees: each arrives in the settings, in its own place, and every address with its service.
#[test]
fn every_kind_of_help_can_be_written() {
    let manifest = with_spec(
        "spec:
  automation:
    {remediation: Approve, shedding: Act, profiling: Approve,
     services: {pay: {limit: {url: 'h:80/limit', min: 8, max: 64}, dimmer: {url: 'h:80/dimmer', min: 10%, max: 1},
       profile: {url: 'h:80/profile'}, restart: {url: 'h:80/restart', withoutAsking: true}}}}
  guards:
    {remediation: {actions: 3, within: 4s}, shedding: {actions: 5, within: 6s}, profiling: {actions: 7, within: 8s},
     limitFactorMax: 1.1, dimmerStepMax: 20%}
",
    )
    .unwrap();
    let Settings { permissions, autonomy, guards, .. } = manifest.settings;
    let pay = ServiceName::from("pay");
    assert_eq!((autonomy.remediation, autonomy.shedding), (Autonomy::Approve, Autonomy::Act));
    assert_eq!(autonomy.profiling, Autonomy::Approve);
    let permitted = ServicePermissions {
        limit: Some(Range { min: 8, max: 64 }),
        dimmer: Some(Range { min: 1000, max: 10_000 }),
        restart: Some(RestartPermission::Unasked),
        profile: true,
    };
    assert_eq!(permissions.of(&pay), permitted);
    let budget = |actions_max, seconds| RateBudget { actions_max, window: Millis::from_secs(seconds) };
    assert_eq!((guards.remediation, guards.shedding, guards.profiling), (budget(3, 4), budget(5, 6), budget(7, 8)));
    assert_eq!((guards.limit_factor_max, guards.dimmer_step_max), (BasisPoints(11_000), BasisPoints(2000)));
    let help = &manifest.help_endpoints;
    assert_eq!((help.limits[&pay].as_str(), help.dimmers[&pay].as_str()), ("http://h:80/limit", "http://h:80/dimmer"));
    assert_eq!(help.restarts[&pay], "http://h:80/restart");
    assert_eq!(help.profiles[&pay], "http://h:80/profile");
}

/// Scenario: how often span metrics leave is left out, turned off, too often, too seldom, and no duration.
/// Guarantees: once a minute unless told; what cannot be is refused with what can.
#[test]
fn span_metrics_have_an_interval_or_none() {
    assert_eq!(with_spec("spec: {}\n").unwrap().span_metrics_interval, Some(Millis::from_secs(60)));
    assert_eq!(with_spec("spec: {metrics: {spanMetricsInterval: off}}\n").unwrap().span_metrics_interval, None);
    for (bad, found) in [("500ms", "\"500ms\""), ("2h", "\"2h\""), ("60", "60")] {
        let expected = format!(
            "m.yaml:4:39: spec.metrics.spanMetricsInterval: must be a duration between 1s and 1h, like 15s or 60s, or off, \
             found {found}"
        );
        assert_eq!(problems_of(&format!("spec: {{metrics: {{spanMetricsInterval: {bad}}}}}")), [expected]);
    }
}

/// Scenario: a log that is too small, a size without a unit, an unknown durability.
/// Guarantees: each is refused with what to write instead.
#[test]
fn delivery_is_checked() {
    let refused = |delivery: &str| with_spec(&format!("spec:\n  delivery: {{{delivery}}}\n")).unwrap_err().to_string();
    assert!(refused("diskMax: 1MiB").contains("must be at least 64MiB, like 4GiB, found"));
    assert!(refused("queueMax: 64").contains("must be a size between 1MiB and 1TiB, like 64MiB, 512MB or 2GiB, found"));
    assert!(refused("durability: tape").contains("must be memory or disk, found"));
    let sizes =
        |text: &str| with_spec(&format!("spec:\n  delivery: {{queueMax: {text}}}\n")).unwrap().delivery.queue_bytes_max;
    assert_eq!((sizes("1.5MiB"), sizes("500MB"), sizes("2 GiB")), (3 << 19, 500_000_000, 2 << 30));
}

/// Scenario: a file with eight mistakes of different kinds, nested and at the root.
/// Guarantees: all are reported at once, in reading order, each with line, column, path and what would be right.
#[test]
fn all_problems_are_reported_at_once() {
    let text = "apiVersion: v2
metadata: {}
spec:
  tracing:
    smapling:
      strategy: adaptive
    exporters:
      - type: otlp
        endpoint: ftp://collector:4317
  objectives:
    default:
      availability: 100%
  automation:
    autoScaling: sometimes
  receivers:
    otlpGrpc: 4317
colour: blue
";
    let problems = parse(text).unwrap_err().to_string();
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(
        lines,
        [
            "m.yaml:1:1: kind: missing",
            "m.yaml:1:13: apiVersion: must be observability.cncf.io/v1 or homeostat.dev/v1alpha1, found \"v2\"",
            "m.yaml:2:11: metadata.name: missing",
            "m.yaml:5:5: spec.tracing.smapling: unknown key; did you mean sampling?",
            "m.yaml:9:19: spec.tracing.exporters[0].endpoint: must be host:port, http://host:port or https://host:port, \
             found \"ftp://collector:4317\"",
            "m.yaml:12:21: spec.objectives.default.availability: must be between 50% and 99.99%, in steps of 0.01%, so \
             that an error budget is left, found \"100%\"",
            "m.yaml:14:18: spec.automation.autoScaling: must be true or false, found \"sometimes\"",
            "m.yaml:16:15: spec.receivers.otlpGrpc: must be an IP address and a port like 127.0.0.1:4317, \
             localhost:4317, or off, found 4317",
            "m.yaml:17:1: colour: unknown key; known here: apiVersion, kind, metadata, spec",
        ]
    );
}

/// Scenario: one mistake of each kind that concerns sampling.
/// Guarantees: each is refused with the place of the value that is wrong.
#[test]
fn sampling_mistakes_are_named() {
    let check = |sampling: &str, expected: &str| {
        assert_eq!(problems_of(&format!("spec: {{tracing: {{sampling: {sampling}}}}}")), [expected]);
    };
    check(
        "{rate: 1.5}",
        "m.yaml:4:35: spec.tracing.sampling.rate: must be between 0 and 1, or between 0% and 100%, found 1.5",
    );
    check("{rate: 0}", "m.yaml:4:35: spec.tracing.sampling.rate: must be at least 0.01% under adaptive, found 0");
    check(
        "{rate: 0.1, minRate: 0.2}",
        "m.yaml:4:49: spec.tracing.sampling.minRate: must not exceed rate, which is 10 %",
    );
    check(
        "{strategy: probabilistic}",
        "m.yaml:4:28: spec.tracing.sampling.rate: missing: the strategy is probabilistic",
    );
    check(
        "{strategy: always, rate: 0.5}",
        "m.yaml:4:53: spec.tracing.sampling.rate: contradicts strategy always; leave it out, or choose probabilistic",
    );
    check(
        "{strategy: random}",
        "m.yaml:4:39: spec.tracing.sampling.strategy: must be adaptive, probabilistic or always, found \"random\"",
    );
    check(
        "{dryRun: [errors]}",
        "m.yaml:4:38: spec.tracing.sampling.dryRun[0]: must be error, slow, importance, rare or probability, found \"errors\"",
    );
    check(
        "{strategy: probabilistic, rate: 1%, dryRun: [rare]}",
        "m.yaml:4:73: spec.tracing.sampling.dryRun[0]: has no effect under strategy probabilistic; leave it out, or choose adaptive",
    );
    check(
        "{cap: {spansPerSecond: 0}}",
        "m.yaml:4:51: spec.tracing.sampling.cap.spansPerSecond: must be a whole number between 1 and 4 billion, found 0",
    );
}

/// Scenario: fixed strategies.
/// Guarantees: the loop does not move probabilities, and the written one is in force from the start.
#[test]
fn fixed_strategies_stay_fixed() {
    let sampling =
        |text: &str| with_spec(&format!("spec: {{tracing: {{sampling: {text}}}}}")).unwrap().settings.sampling;
    let fixed = sampling("{strategy: probabilistic, rate: 5%}");
    assert_eq!((fixed.adaptive, fixed.initial.tail.ppm(), fixed.initial.head.ppm()), (false, 50_000, 1_000_000));
    let always = sampling("{strategy: always}");
    assert_eq!((always.adaptive, always.initial.tail), (false, SamplingProbability::ALWAYS));
    let plain = with_spec("spec: {tracing: {sampling: {strategy: probabilistic, rate: 5%}}}").unwrap();
    assert_eq!(plain.sampler.judge, JudgeConfig::plain());
}

/// Scenario: automation that contradicts itself, and envelopes that are empty or incomplete.
/// Guarantees: each is refused.
#[test]
fn automation_mistakes_are_named() {
    let found = problems_of(
        "spec:
  automation:
    scaling: Observe
    autoScaling: true
    webhook: nowhere
    services:
      a: {scale: {url: 'h:1', min: 3, max: 2}}
      b: {scale: {min: 0, max: 2}}
      c: {limit: {url: 'h:1', min: 3, max: 2}, restart: {withoutAsking: true}, profile: {uri: 'h:1'}}
",
    );
    assert_eq!(
        found,
        [
            "m.yaml:7:18: spec.automation.autoScaling: contradicts scaling; leave one of the two out",
            "m.yaml:8:14: spec.automation.webhook: must be host:port or http://host:port, found \"nowhere\"",
            "m.yaml:10:44: spec.automation.services.a.scale.max: must be at least min, which is 3, found 2",
            "m.yaml:11:18: spec.automation.services.b.scale.url: missing",
            "m.yaml:11:24: spec.automation.services.b.scale.min: must be a whole number between 1 and 4 billion, \
             found 0",
            "m.yaml:12:44: spec.automation.services.c.limit.max: must not be less than min",
            "m.yaml:12:57: spec.automation.services.c.restart.url: missing",
            "m.yaml:12:89: spec.automation.services.c.profile.url: missing",
            "m.yaml:12:90: spec.automation.services.c.profile.uri: unknown key; did you mean url?",
        ]
    );
}

/// Scenario: restarts may be made unasked while no service may be restarted.
/// Guarantees: an autonomy that can do nothing is remarked upon, by the key that gave it.
#[test]
fn an_autonomy_without_anything_to_do_is_remarked_upon() {
    let remarks = |automation: &str| {
        let manifest = with_spec(&format!("spec: {{automation: {automation}}}")).unwrap();
        notes(&manifest).join("\n")
    };
    assert!(remarks("{autoRemediation: true}").contains("autoRemediation: nothing can be done"));
    assert!(remarks("{shedding: Approve}").contains("shedding: nothing can be done"));
    assert!(!remarks("{profiling: Act, services: {a: {profile: {url: 'h:1'}}}}").contains("nothing can be done"));
}

/// Scenario: two doors on one address, one of them by default; a door open to other machines; a door switched off.
/// Guarantees: the clash names both keys, the open door is remarked upon, and `off` closes.
#[test]
fn doors_are_checked_against_each_other() {
    let clash = problems_of("spec: {receivers: {otlpHttp: '127.0.0.1:4317'}, api: {address: 'localhost:9464'}}");
    assert_eq!(
        clash,
        [
            "m.yaml:4:7: spec.telemetry.metricsAddress: 127.0.0.1:9464 is already the address of spec.api.address",
            "m.yaml:4:30: spec.receivers.otlpHttp: 127.0.0.1:4317 is already the address of spec.receivers.otlpGrpc",
        ]
    );
    let open = with_spec("spec: {receivers: {otlpGrpc: '0.0.0.0:0', otlpHttp: off}, api: {address: '127.0.0.1:0'}}");
    let open = open.unwrap();
    assert!(notes(&open)[0].starts_with("spec.receivers.otlpGrpc: reachable from other machines"));
    assert_eq!(open.doors.otlp_http, None);
}

/// Scenario: doors with certificate, client authority and tokens; an exporter with certificates; then each with a mistake.
/// Guarantees: paths and bounds arrive, an OTLP door that asks is not remarked upon, and mistakes name their key.
#[test]
fn certificates_and_tokens_are_read() {
    let good = with_spec(
        "spec:
  receivers: {otlpGrpc: '0.0.0.0:0', tls: {certFile: c.pem, keyFile: k.pem, clientCaFile: ca.pem}, bearerTokens: {env: T}}
  tracing: {exporters: [{type: otlp, endpoint: 'https://c:1', caFile: ca.pem, certFile: c.pem, keyFile: k.pem}]}
",
    )
    .unwrap();
    let tls = good.security.tls.clone().unwrap();
    assert_eq!((tls.cert_file, tls.key_file), ("c.pem".into(), "k.pem".into()));
    assert_eq!(tls.client_ca_file, Some("ca.pem".into()));
    assert_eq!(good.security.tokens, Some(Tokens::Variable("T".to_owned())));
    assert!(notes(&good).is_empty());
    let exporter = &good.exporters[0];
    assert_eq!((exporter.name.as_str(), exporter.endpoint.as_str()), ("c:1", "https://c:1"));
    assert_eq!(exporter.tls.ca_file, Some("ca.pem".into()));
    let bounded =
        with_spec("spec: {receivers: {limits: {request: 8MiB, connections: 50}}, memory: {limit: 100MiB}}").unwrap();
    let intake = bounded.intake;
    assert_eq!((intake.request_bytes_max, intake.connections_max), (Some(8 << 20), Some(50)));
    assert_eq!(intake.memory_bytes_max, Some(100 << 20));

    let wrong = problems_of(
        "spec:
  receivers: {tls: {certFile: c.pem}, bearerTokens: {file: t, env: T}}
  tracing: {exporters: [{type: otlp, endpoint: 'c:1', caFile: ca.pem}, {type: otlp, endpoint: 'https://c:2', keyFile: k}]}
",
    );
    assert_eq!(
        wrong,
        [
            "m.yaml:5:20: spec.receivers.tls.keyFile: missing",
            "m.yaml:5:53: spec.receivers.bearerTokens: must have either file or env; tokens never stand in the manifest",
            "m.yaml:6:63: spec.tracing.exporters[0].caFile: needs an endpoint that begins with https://",
            "m.yaml:6:119: spec.tracing.exporters[1].keyFile: certFile and keyFile need each other",
        ]
    );
}

/// Scenario: one collector for all three telemetry kinds; the same exporter twice; two exporters of one name.
/// Guarantees: the first becomes one exporter, the others are refused.
#[test]
fn exporters_are_merged_and_told_apart() {
    let one = "[{type: otlp, endpoint: 'c:4318', compression: gzip, headers: {Authorization: Bearer s3cret}}]";
    let manifest = with_spec(&format!(
        "spec: {{tracing: {{exporters: {one}}}, metrics: {{exporters: {one}}}, logs: {{exporters: {one}}}}}"
    ))
    .unwrap();
    let [exporter] = &manifest.exporters[..] else { panic!("one exporter") };
    assert_eq!(exporter.signals, [TelemetryKind::Traces, TelemetryKind::Metrics, TelemetryKind::Logs]);
    assert_eq!((exporter.protocol, exporter.compression), (Protocol::Http, Compression::Gzip));
    assert_eq!(exporter.headers["authorization"].reveal(), "Bearer s3cret");
    assert!(!format!("{manifest:?}").contains("s3cret"));

    let twice = problems_of(
        "spec: {tracing: {exporters: [
  {type: otlp, endpoint: 'c:1'},
  {type: otlp, endpoint: 'http://c:1'},
  {type: otlp, endpoint: 'c:1', protocol: http},
  {type: zipkin, endpoint: 'c:2'},
  {type: otlp, endpoint: 'c:3/v1/traces'},
  {type: otlp, endpoint: 'c:4', headers: {k: \"s3cret\\n\"}}]}}",
    );
    assert_eq!(
        twice,
        [
            "m.yaml:6:3: spec.tracing.exporters[1]: the same exporter as one above; everything would be sent twice",
            "m.yaml:7:3: spec.tracing.exporters[2]: another exporter is already called c:1; give it a name",
            "m.yaml:8:10: spec.tracing.exporters[3].type: must be otlp, found \"zipkin\"",
            "m.yaml:9:26: spec.tracing.exporters[4].endpoint: must be the base address: /v1/traces and its like \
             are appended",
            "m.yaml:10:46: spec.tracing.exporters[5].headers.k: must be a text of printable ASCII characters",
        ]
    );
}

/// Scenario: tracing is switched off while an exporter is named.
/// Guarantees: nothing is sent, and the manifest says so.
#[test]
fn what_is_disabled_is_not_sent() {
    let manifest =
        with_spec("spec: {tracing: {enabled: false, exporters: [{type: otlp, endpoint: 'c:4317'}]}}").unwrap();
    assert!(manifest.exporters.is_empty());
    assert_eq!(notes(&manifest)[0], "spec.tracing.enabled: false: still received and counted, nothing is sent on");
}

/// Scenario: texts that are not one YAML mapping: broken, empty, a list, two documents, a key twice, nested without end,
/// an alias bomb.
/// Guarantees: each is refused with a place and a reason, and none takes long or overflows the stack.
#[test]
fn what_is_no_manifest_is_refused() {
    let check = |text: &str, expected: &str| {
        let found = parse(text).unwrap_err().to_string();
        assert!(found.contains(expected), "{text:.80}\nfound {found}\nexpected {expected}");
    };
    check("", "the document is empty");
    check("# only a comment\n", "the document is empty");
    check("- a\n- b\n", "m.yaml:1:1: must be a mapping of keys, found a list");
    check("spec: [", "m.yaml:1:");
    check("kind: a\nkind: b\n", "m.yaml:2:1: kind: given twice; the first is in line 1");
    check("a: b\n---\nc: d\n", "not readable as YAML");
    check("spec:\n\ttracing: {}\n", "m.yaml:2:");
    check(&"[".repeat(100_000), "not readable as YAML");
    check(&format!("{}x", "a: {".repeat(100_000)), "not readable as YAML");
    let deep: String = (0..100).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
    check(&deep, "not readable as YAML");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
    }
    check(&bomb, "not readable as YAML");
}

/// Scenario: files that cannot be read as text: absent, a directory, not UTF-8, far too large.
/// Guarantees: each is refused by name with its reason, and the byte that is not UTF-8 is located.
#[test]
fn unreadable_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let check = |path: &Path, expected: &str| {
        let found = Manifest::load(path).unwrap_err().to_string();
        assert!(found.starts_with(&path.display().to_string()), "{found}");
        assert!(found.contains(expected), "{found}");
    };
    check(&dir.path().join("absent.yaml"), ": cannot be read: No such file");
    check(dir.path(), ": cannot be read: ");
    let latin = dir.path().join("latin.yaml");
    std::fs::write(&latin, b"kind: x\nname: f\xfcr\n").unwrap();
    check(&latin, ":2:8: not UTF-8 from here on");
    let huge = dir.path().join("huge.yaml");
    std::fs::write(&huge, vec![b'#'; files::BYTES_MAX as usize + 1]).unwrap();
    check(&huge, ": larger than 1024 KiB");
    let good = dir.path().join("good.yaml");
    std::fs::write(&good, DEFAULT_TEXT).unwrap();
    assert_eq!(Manifest::load(&good).unwrap().source, ManifestSource::File(good));
}

/// Scenario: twenty thousand unknown keys, within the size that is read.
/// Guarantees: the report stays readable.
#[test]
fn a_flood_of_problems_is_cut() {
    let text: String = (0..20_000).map(|key| format!("k{key}: 1\n")).collect();
    assert!(parse(&text).unwrap_err().list.len() <= 200);
}

/// Scenario: a key with nothing behind it, as editors leave behind.
/// Guarantees: an empty section is the same as none.
#[test]
fn an_empty_section_is_as_good_as_none() {
    let manifest = with_spec("spec:\n  tracing:\n  objectives:\n    services:\n").unwrap();
    assert_eq!(manifest.settings, Settings::default());
}
