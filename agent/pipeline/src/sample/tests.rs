//! Tests of the sampler as a whole: which traces are kept, and what is written on them.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use homeostat_core::{
    Generation, Indicator, Micros, Millis, OperationPlan, SamplingProbability, Seed, ServiceSampling, Target,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use rand::Rng;

use super::*;
use crate::aggregate::operation_key;
use crate::views::TracesView;

fn plan(tails: &[(&str, u32)]) -> SamplingPlan {
    let sampling =
        |ppm| ServiceSampling { head: SamplingProbability::ALWAYS, tail: SamplingProbability::from_ppm(ppm).unwrap() };
    SamplingPlan {
        generation: Generation(1),
        default: sampling(0),
        services: tails.iter().map(|(service, ppm)| ((*service).into(), sampling(*ppm))).collect(),
        operations: BTreeMap::new(),
        default_slow_above: Micros(1000),
        slow_above: BTreeMap::new(),
    }
}

#[derive(Default)]
struct Kept(Vec<(String, Span)>);

impl KeptSpans for Kept {
    fn take(&mut self, origin: &Arc<Origin>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut span = Vec::new();
        write(&mut span);
        self.0.push((origin.service.name.to_string(), Span::decode(&*span).unwrap()));
    }
}

impl Kept {
    fn rules(&self) -> Vec<&str> {
        let rule = |span: &Span| span.attributes.iter().rposition(|attribute| attribute.key == RULE_ATTRIBUTE);
        self.0
            .iter()
            .map(|(_, span)| {
                let value = span.attributes[rule(span).unwrap()].value.as_ref().unwrap().value.as_ref().unwrap();
                match value {
                    opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text) => text.as_str(),
                    other => panic!("{other:?}"),
                }
            })
            .collect()
    }
}

fn root(trace: u128) -> Span {
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: vec![1; 8],
        name: "r".into(),
        kind: 2,
        ..Default::default()
    }
}

fn child(trace: u128) -> Span {
    Span { span_id: vec![2; 8], parent_span_id: vec![1; 8], kind: 1, ..root(trace) }
}

fn failed(span: Span) -> Span {
    Span { status: Some(Status { code: 2, message: String::new() }), ..span }
}

/// A sampler with its plan and everything it kept.
struct Bench {
    sampler: Sampler,
    plan: SamplingPlan,
    kept: Kept,
}

impl Bench {
    fn new(tails: &[(&str, u32)]) -> Bench {
        Bench::sized(tails, BufferConfig::default())
    }

    fn sized(tails: &[(&str, u32)], config: BufferConfig) -> Bench {
        Bench {
            sampler: Sampler::new(config, SamplerConfig { judge: JudgeConfig::plain(), ..SamplerConfig::default() }),
            plan: plan(tails),
            kept: Kept::default(),
        }
    }

    fn offer(&mut self, at: u64, service: &str, span: &Span) {
        self.offer_all(at, service, std::slice::from_ref(span));
    }

    fn offer_all(&mut self, at: u64, service: &str, spans: &[Span]) {
        let scope = ScopeSpans { spans: spans.to_vec(), schema_url: "s".repeat(20), ..Default::default() };
        let resource = ResourceSpans { scope_spans: vec![scope], schema_url: "r".repeat(50), ..Default::default() };
        let bytes = ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec();
        let view = TracesView::parse(&bytes).unwrap();
        let service = Arc::new(Service::new(service, 10));
        let scope = &view.scopes()[0];
        let source = Source::new(service.clone(), scope, self.plan.of(service.name.as_str()).tail, None);
        let counted = view.spans(scope).iter().map(|view| Counted {
            view,
            ids: view.ids().unwrap(),
            trace_hash: foldhash::fast::FixedState::default().hash_one(view.trace_id),
            operation: operation_key(service.key, view),
            source: 0,
            slow: view.duration_nanos() > 1_000_000,
        });
        let arrivals = Arrivals { sources: vec![source], spans: counted.collect() };
        self.sampler.offer(Timestamp(at), &self.plan, &arrivals, &mut self.kept);
    }

    fn sweep(&mut self, at: u64) {
        let mut sweep = Sweep::default();
        while self.sampler.sweep(&mut sweep, Timestamp(at), &self.plan, &mut self.kept) {}
    }

    fn decided(&self, due: Due) -> u64 {
        self.sampler.counters().decided.read()[due.as_str()]
    }
}

/// Scenario: a failed span and a slow request, in traces whose probability is zero.
/// Guarantees: both traces are kept whole at once, marked with the rule and a threshold of one in one.
#[test]
fn errors_and_slow_requests_are_always_kept() {
    let mut bench = Bench::new(&[]);
    bench.offer(0, "a", &child(1));
    bench.offer(0, "a", &failed(child(1)));
    bench.offer(0, "b", &Span { end_time_unix_nano: 2_000_000, ..root(2) });
    assert_eq!(bench.kept.rules(), ["error", "error", "slow"]);
    assert!(bench.kept.0.iter().all(|(_, span)| span.trace_state == "ot=th:0"));
    assert_eq!(bench.decided(Due::Certain), 2);
    assert_eq!(bench.sampler.waiting(), Waiting::default());
}

/// Scenario: an ordinary trace whose root arrives, and one whose root never does.
/// Guarantees: the first is decided after the lag, the second after the longest wait; not earlier.
#[test]
fn ordinary_traces_wait_for_their_root_and_no_longer_than_allowed() {
    let config = BufferConfig { lag: Millis(100), wait_max: Millis(1000), ..BufferConfig::default() };
    let mut bench = Bench::sized(&[("a", 1_000_000)], config);
    bench.offer(0, "a", &child(1));
    bench.offer(50, "a", &root(1));
    bench.offer(0, "a", &child(2));
    let mut kept_at = |at| {
        bench.sweep(at);
        bench.kept.0.len()
    };
    assert_eq!([149, 150, 999, 1000].map(&mut kept_at), [0, 2, 2, 3]);
    assert_eq!((bench.decided(Due::Root), bench.decided(Due::Waited)), (1, 1));
    assert_eq!(bench.kept.rules(), ["probability"; 3]);
}

/// Scenario: spans come after their trace was kept for an error, kept by chance, or dropped.
/// Guarantees: each follows the decision, an error among them too; the drop is counted as late.
#[test]
fn late_spans_follow_the_decision() {
    let mut bench = Bench::new(&[("a", 500_000)]);
    let (high, low) = (u128::from(u64::MAX), 1);
    bench.offer(0, "a", &root(high));
    bench.offer(0, "a", &root(low));
    bench.offer(0, "z", &failed(root(7)));
    bench.sweep(2000);
    bench.offer(3000, "a", &child(high));
    bench.offer(3000, "a", &failed(child(low)));
    bench.offer(3000, "z", &child(7));
    assert_eq!(bench.kept.rules(), ["error", "probability", "probability", "error"]);
    let states: Vec<_> = bench.kept.0.iter().map(|(_, span)| span.trace_state.as_str()).collect();
    assert_eq!(states, ["ot=th:0", "ot=th:8", "ot=th:8", "ot=th:0"]);
    let unsampled = bench.sampler.counters().unsampled.read();
    assert_eq!((unsampled["probability"], unsampled["late"]), (1, 1));
}

/// Scenario: a trace touches an ordinary service and a suspect whose probability was raised.
/// Guarantees: the suspect's probability decides, whichever service came first.
#[test]
fn the_highest_probability_decides() {
    let mut bench = Bench::new(&[("calm", 0), ("suspect", 1_000_000)]);
    bench.offer(0, "calm", &root(1));
    bench.offer(0, "suspect", &child(1));
    bench.offer(0, "suspect", &child(2));
    bench.offer(0, "calm", &root(2));
    bench.offer(0, "calm", &root(3));
    bench.sweep(60_000);
    assert_eq!(bench.kept.0.len(), 4);
    assert!(bench.kept.0.iter().all(|(_, span)| span.trace_state == "ot=th:0"));
}

/// Scenario: spans come with thresholds and explicit randomness of their own.
/// Guarantees: a threshold is never lowered, explicit randomness wins over the trace id's, and a threshold that the
/// randomness contradicts is ignored.
#[test]
fn incoming_thresholds_are_respected() {
    let out = |tail, state: &str, span: fn(Span) -> Span| {
        let mut bench = Bench::new(&[("a", tail)]);
        bench.offer(0, "a", &span(Span { trace_state: state.into(), ..root(u128::MAX) }));
        bench.sweep(60_000);
        bench.kept.0.first().map(|(_, span)| span.trace_state.clone())
    };
    let same = |span| span;
    assert_eq!(out(500_000, "v=1,ot=th:c", same).as_deref(), Some("ot=th:c,v=1"));
    assert_eq!(out(250_000, "ot=th:8", same).as_deref(), Some("ot=th:c"));
    assert_eq!(out(0, "ot=th:8", failed).as_deref(), Some("ot=th:8"));
    assert_eq!(out(500_000, "ot=rv:00000000000000", same), None);
    assert_eq!(out(1_000_000, "ot=th:8;rv:00000000000001", same).as_deref(), Some("ot=th:0;rv:00000000000001"));
}

/// Scenario: far more traces than fit into memory, none complete.
/// Guarantees: the bound holds throughout, the oldest are decided, and every span is accounted for.
#[test]
fn memory_is_bounded_and_nothing_is_lost_track_of() {
    let config = BufferConfig { bytes_max: 64 << 10, ..BufferConfig::default() };
    let mut bench = Bench::sized(&[("a", 500_000)], config);
    let mut stream = Seed(3).stream("test/traces");
    for _ in 0..5000 {
        let trace = u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64());
        bench.offer(0, "a", &child(trace));
        assert!(bench.sampler.waiting().bytes <= 64 << 10);
    }
    let waiting = bench.sampler.waiting();
    let counters = bench.sampler.counters();
    assert_eq!(counters.decided.read()["memory"] + waiting.traces, 5000);
    let (kept, dropped) = (counters.kept.read()["probability"], counters.unsampled.read()["probability"]);
    assert_eq!(kept + dropped + waiting.spans, 5000);
    bench.sampler.drain(Timestamp(1), &bench.plan, &mut bench.kept);
    assert_eq!(bench.sampler.waiting(), Waiting::default());
    assert_eq!(bench.decided(Due::Shutdown), waiting.traces);
}

/// Scenario: 100 000 traces of one to five spans over three services of different probabilities; some fail, some are
/// slow, some were sampled at their head.
/// Guarantees: the adjusted counts of what is kept estimate spans, traces and each service's spans within three percent.
#[test]
fn adjusted_counts_estimate_what_was_received() {
    let mut bench = Bench::new(&[("a", 100_000), ("b", 50_000), ("c", 200_000)]);
    let mut stream = Seed(42).stream("test/statistics");
    let mut sent: BTreeMap<String, f64> = BTreeMap::new();
    for number in 0..100_000_u64 {
        let trace = u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64());
        let head_sampled = number % 10 == 0;
        // Half of these were not sampled by their SDK: the other half stands for two each.
        if head_sampled && !Threshold::parse("8").unwrap().keeps(Randomness::of(&trace.to_be_bytes())) {
            continue;
        }
        let weight = if head_sampled { 2.0 } else { 1.0 };
        for index in 0..=stream.next_u64() % 5 {
            let service = ["a", "b", "c"][(stream.next_u64() % 3) as usize];
            let mut span = if index == 0 { root(trace) } else { child(trace) };
            if head_sampled {
                span.trace_state = "ot=th:8".into();
            }
            if stream.next_u64().is_multiple_of(200) {
                span = failed(span);
            }
            bench.offer(number, service, &span);
            *sent.entry(service.to_owned()).or_default() += weight;
        }
        if number % 1000 == 0 {
            bench.sweep(number);
        }
    }
    bench.sampler.drain(Timestamp(200_000), &bench.plan, &mut bench.kept);
    let mut estimated: BTreeMap<String, f64> = BTreeMap::new();
    for (service, span) in &bench.kept.0 {
        let threshold = read_tracestate(&span.trace_state).threshold.expect("every kept span has one");
        *estimated.entry(service.clone()).or_default() += threshold.adjusted_count();
    }
    for (service, sent) in &sent {
        let ratio = estimated[service] / sent;
        assert!((0.97..=1.03).contains(&ratio), "{service}: sent {sent}, estimated {}", estimated[service]);
    }
    let share = bench.kept.0.len() as f64 / sent.values().sum::<f64>();
    assert!(share < 0.25, "sampling happened: {share}");
}

/// Scenario: an operation's traces always come whole; then one of its traces comes in two requests.
/// Guarantees: once that is known, a whole trace is decided with its request and never copied; its late part follows.
#[test]
fn traces_that_come_whole_are_decided_at_once() {
    let mut bench = Bench::new(&[("a", 500_000)]);
    for number in 1..=100_u128 {
        bench.offer_all(number as u64, "a", &[root(number), child(number)]);
    }
    assert_eq!((bench.sampler.waiting().traces, bench.decided(Due::Complete)), (100, 0));
    bench.sweep(2099);
    bench.sweep(2200);
    let before = bench.kept.0.len();
    let (high, low) = (u128::from(u64::MAX), 1000);
    bench.offer_all(2300, "a", &[root(high), child(high), root(low), child(low), child(high)]);
    assert_eq!((bench.sampler.waiting().traces, bench.decided(Due::Complete)), (0, 2));
    assert_eq!(bench.kept.0.len() - before, 3);
    bench.offer(2400, "a", &child(high));
    bench.offer(2400, "a", &child(low));
    assert_eq!(bench.kept.0.len() - before, 4);
    assert_eq!(bench.sampler.counters().unsampled.read()["late"], 1);
}

/// Scenario: 60 000 traces of two spans begin with one of three operations of one service: two have probabilities of their
/// own, one higher and one lower than the service's; judged plainly, and with rare and important traces first.
/// Guarantees: each is kept at least as often as was decided, plainly exactly so; adjusted counts estimate each within five
/// percent; and what was received of each is told.
#[test]
fn operations_are_kept_as_was_decided_and_counts_stay_estimable() {
    const OPERATIONS: [(&str, f64); 3] = [("buy", 0.3), ("browse", 0.05), ("r", 0.1)];
    for judge in [JudgeConfig::plain(), JudgeConfig::default()] {
        let mut bench = Bench::new(&[("a", 100_000)]);
        bench.sampler = Sampler::new(BufferConfig::default(), SamplerConfig { judge, ..SamplerConfig::default() });
        let of = |ppm| {
            let tail = SamplingProbability::from_ppm(ppm).unwrap();
            let sampling = Some(ServiceSampling { head: SamplingProbability::ALWAYS, tail });
            OperationPlan { sampling, slow_above: None }
        };
        let operations = [("buy".into(), of(300_000)), ("browse".into(), of(50_000))].into();
        bench.plan.operations = [("a".into(), operations)].into();
        bench.sampler.follow(&bench.plan);
        let mut stream = Seed(7).stream("test/operations");
        for number in 0..60_000_u64 {
            let trace = u128::from(stream.next_u64()) << 64 | u128::from(stream.next_u64());
            let name = OPERATIONS[(number % 3) as usize].0;
            bench.offer_all(number, "a", &[Span { name: name.into(), ..root(trace) }, child(trace)]);
            if number % 500 == 0 {
                bench.sweep(number);
            }
        }
        bench.sampler.drain(Timestamp(200_000), &bench.plan, &mut bench.kept);
        for (name, decided) in OPERATIONS {
            let of_this =
                || bench.kept.0.iter().filter(|(_, span)| span.name == name && span.parent_span_id.is_empty());
            let weight =
                |(_, span): &(String, Span)| read_tracestate(&span.trace_state).threshold.unwrap().adjusted_count();
            let (kept, estimated) =
                (of_this().count() as f64 / 20_000.0, of_this().map(weight).sum::<f64>() / 20_000.0);
            assert!((0.95..=1.05).contains(&estimated), "{name}: {estimated} of what was sent");
            let is_plain = judge.spread == Spread::Plain;
            if name != "r" || is_plain {
                assert!(decided * 0.9 <= kept && (!is_plain || kept <= decided * 1.1), "{name}: {kept} of {decided}");
            }
        }
        let mut told = Vec::new();
        bench.sampler.observe(Timestamp(0), &mut told);
        let target = Target::Operation("a".into(), "buy".into());
        assert!(told.contains(&Observation::new(target, Indicator::SpansReceivedTotal, 40_000, Timestamp(0))));
        assert_eq!(told.len(), 6, "three totals of each operation that was named");
    }
}
