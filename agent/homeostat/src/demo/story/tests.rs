//! Tests of the story, on canned records: a healthy tick, a broken one with its decisions, and what became of them.

use homeostat_core::actions::{Measure, adjust_sampling, scale_out};
use homeostat_core::{
    Assessment, BasisPoints, Counts, CountsRing, Evidence, Finding, FindingState, Generation, Hypothesis, IncidentKind,
    Indicator, Label, ObjectiveKind, Outcome, Plan, Proposal, Replicas, Severity, Signal, Snapshot, Target, TickNumber,
    TrialChange, Unit, Verdict, Withheld, WithholdReason,
};
use homeostat_core::{Reading, SamplingProbability};

use super::*;

fn service(name: &str) -> ServiceName {
    ServiceName::from(name)
}

/// Two services, `web` calling `pay`; of a hundred requests to `pay` within the last seconds, `slow` were slow.
fn record(second: u64, slow: u64) -> TickRecord {
    let at = Timestamp(second * 1000);
    let counts = |slow| {
        let mut ring = CountsRing::default();
        ring.push(at, Counts { requests: 100, errors: 0, slow });
        ring.freeze(at)
    };
    let of = |name: &str, indicator, value| {
        (Signal::new(Target::Service(service(name)), indicator), Reading::Fresh { value })
    };
    let agent = |indicator, value| (Signal::new(Target::Agent, indicator), Reading::Fresh { value });
    let snapshot = Snapshot {
        at,
        signals: [
            of("web", Indicator::RequestsTotal, 40_000),
            of("pay", Indicator::RequestsTotal, 20_000),
            of("pay", Indicator::LatencyP99, 1_250_000),
            of("pay", Indicator::Utilization, 9950),
            of("pay", Indicator::ReplicasReady, 2),
            agent(Indicator::SpansReceivedTotal, 300_000),
            agent(Indicator::SpansKeptTotal, 120_000),
        ]
        .into(),
        counts: [(service("web"), counts(0)), (service("pay"), counts(slow))].into(),
        edges: std::sync::Arc::new([Edge { caller: service("web"), callee: service("pay") }].into()),
        ..Snapshot::default()
    };
    TickRecord {
        tick: TickNumber(second),
        at,
        regime: Regime::Engaged,
        snapshot: snapshot.into(),
        assessment: Default::default(),
        plan: Default::default(),
        effects: Vec::new(),
        trials: Vec::new(),
        outcomes: Vec::new(),
        operator: Vec::new(),
        knowledge: Generation(0),
    }
}

fn incident(at: Timestamp) -> Incident {
    let evidence = Evidence { what: Label::new("burn rate over 1 h"), value: 4000, limit: 1440, unit: Unit::CentiBurn };
    Incident {
        id: IncidentId(1),
        kind: IncidentKind::LatencyBurn,
        severity: Severity::Page,
        opened: at,
        last_seen: at,
        services: vec![service("pay")],
        findings: vec![Finding {
            detector: Label::new("latency_burn"),
            service: service("pay"),
            kind: IncidentKind::LatencyBurn,
            severity: Severity::Page,
            since: at,
            state: FindingState::Firing,
            evidence: vec![evidence],
        }],
        hypotheses: vec![Hypothesis {
            cause: service("pay"),
            mechanism: Label::new("capacity used up"),
            confidence: BasisPoints(9000),
            because: vec!["pay uses 99 % of its capacity".to_owned()],
        }],
    }
}

fn request(id: u64, at: Timestamp, action: homeostat_core::actions::Action, why: &str) -> ActionRequest {
    ActionRequest {
        id: ActionId(id),
        decided: at,
        policy: Label::new("test"),
        incident: None,
        action,
        baseline: Some(4200),
        forecast: None,
        why: why.to_owned(),
        propensity: BasisPoints::ONE,
        alternatives: Vec::new(),
        passed: Vec::new(),
    }
}

fn scaling() -> homeostat_core::actions::Action {
    let slow = Measure::BadRatio { service: service("pay"), kind: ObjectiveKind::Latency };
    scale_out(&service("pay"), Replicas(2), Replicas(4), slow)
}

fn sampling(name: &str) -> homeostat_core::actions::Action {
    let always = SamplingProbability::ALWAYS;
    let from = ServiceSampling { head: always, tail: always };
    let to = ServiceSampling { tail: SamplingProbability::from_ppm_saturating(410_000), ..from };
    adjust_sampling(&service(name), from, to, 150_000)
}

/// The tick at which `pay` is broken: an incident, three requests, and a proposal that is withheld.
fn broken(second: u64) -> TickRecord {
    let mut record = record(second, 42);
    let at = record.at;
    let withheld = Withheld {
        proposal: Proposal {
            policy: Label::new("test"),
            incident: None,
            action: scale_out(
                &service("pay"),
                Replicas(2),
                Replicas(9),
                scaling().expectation.measure().unwrap().clone(),
            ),
            why: String::new(),
        },
        guard: Label::new("envelope"),
        reason: WithholdReason::OutsideEnvelope { asked: 9, floor: 1, ceiling: 8 },
        until: None,
    };
    record.assessment = Assessment { at, incidents: vec![incident(at)], ..Assessment::default() }.into();
    record.plan = Plan {
        at,
        requests: vec![
            request(7, at, scaling(), "utilization 99 % against a target of 60 %"),
            request(8, at, sampling("pay"), "300 spans/s against a budget of 150"),
            request(9, at, sampling("web"), "300 spans/s against a budget of 150"),
        ],
        withheld: vec![withheld],
        ..Plan::default()
    }
    .into();
    record
}

fn moved(record: &mut TickRecord, id: u64, action: &homeostat_core::actions::Action, to: TrialStage) {
    record.trials.push(TrialChange {
        id: ActionId(id),
        kind: action.kind.clone(),
        target: action.target.clone(),
        from: Some(TrialStage::Requested),
        to,
    });
}

/// A fault, what is done about it and what is learned, second by second.
pub(in crate::demo) fn canned() -> Vec<TickRecord> {
    let mut applied = record(12, 42);
    applied.assessment = Assessment { incidents: vec![incident(Timestamp(11_000))], ..Assessment::default() }.into();
    moved(&mut applied, 7, &scaling(), TrialStage::Settling);
    moved(&mut applied, 8, &sampling("pay"), TrialStage::Settling);
    moved(&mut applied, 9, &sampling("web"), TrialStage::Settling);
    let mut judged = record(32, 0);
    moved(&mut judged, 7, &scaling(), TrialStage::Judged(Verdict::Kept));
    judged.assessment = Assessment { closed: vec![IncidentId(1)], ..Assessment::default() }.into();
    judged.outcomes.push(Outcome {
        id: ActionId(7),
        kind: scaling().kind,
        target: scaling().target,
        incident: Some(IncidentKind::LatencyBurn),
        verdict: Verdict::Kept,
        before: Some(4200),
        after: Some(0),
        expected: None,
        complaint: None,
    });
    vec![record(10, 0), broken(11), applied, judged]
}

/// The story of `records`, from second ten on.
pub(in crate::demo) fn story_of(records: Vec<TickRecord>) -> (Story, Vec<Line>) {
    let mut story = Story::new(Timestamp(10_000), Settings::default());
    let lines = records.into_iter().flat_map(|record| story.take(record.into())).collect();
    (story, lines)
}

/// Scenario: a service breaks its promise, is scaled, and keeps it again.
/// Guarantees: the story tells what was seen, assessed, decided, withheld, done and learned, each once, in this order.
#[test]
fn a_repair_is_told_from_beginning_to_end() {
    let (_, lines) = story_of(canned());
    let told: Vec<String> = lines.iter().map(|line| format!("{} {}", line.room.name(), line.text)).collect();
    let expected = [
        "assessed engaged: the picture is complete enough to act on",
        "perceived requests at pay and web",
        "perceived who calls whom: web → pay",
        "perceived a promise is broken at pay (42 % over 500 ms, 1 % may be)",
        "assessed i-1 opens: latency burn at pay",
        "decided a-7 run pay with 4 workers instead of 2",
        "decided a-8 to a-9 keep fewer ordinary traces: pay and web 100 % → 41 %",
        "withheld run pay with 9 workers: 9 is outside the envelope of 1 to 8",
        "did a-7 done: run pay with 4 workers; to be judged at 22.0 s",
        "did a-8 to a-9 in force: the sampler and the SDKs follow",
        "perceived promises are kept again at pay",
        "assessed i-1 is over: nothing has supported it lately",
        "learned a-7 kept: slow share of pay 42.0 % → 0.0 %",
    ];
    assert_eq!(told, expected);
    let reasons: Vec<&str> = lines.iter().filter_map(|line| line.because.as_deref()).collect();
    assert_eq!(
        reasons[0],
        "pay burn rate over 1 h 40.0x (limit 14.4x); suspected cause: pay, capacity used up (90 % sure)"
    );
    assert_eq!(reasons[1], "utilization 99 % against a target of 60 %");
}

/// Scenario: the same proposal is withheld for the same reason, every second for a minute and a half.
/// Guarantees: it is told at once and, since it still holds, once more after a minute.
#[test]
fn what_is_withheld_is_not_repeated_every_second() {
    let (_, lines) = story_of((11..101).map(broken).collect());
    assert_eq!(lines.iter().filter(|line| line.room == Room::Withheld).count(), 2);
}

/// Scenario: sampling is decided, applied, and later taken back.
/// Guarantees: what counts as in force follows the world's answer, not the decision.
#[test]
fn sampling_in_force_follows_the_answer() {
    let (decided, _) = story_of(vec![broken(11)]);
    assert_eq!(decided.sampling_of(&service("pay")).tail, SamplingProbability::ALWAYS);
    let (applied, _) = story_of(canned());
    assert_eq!(applied.sampling_of(&service("pay")).tail.ppm(), 410_000);
    let mut undone = record(40, 0);
    moved(&mut undone, 8, &sampling("pay"), TrialStage::Judged(Verdict::Undone));
    let (undone, _) = story_of(canned().into_iter().chain([undone]).collect());
    assert_eq!(undone.sampling_of(&service("pay")).tail, SamplingProbability::ALWAYS);
}
