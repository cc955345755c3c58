//! Tests of `spec.goals`.
//!
//! Answers whether goals arrive as they are written, and whether everything that is wrong with them is told at once.

use homeostat_core::Confidence;

use super::*;

/// Scenario: goals with every key: an entry by operation, one by service, a budget in money, a precision of their own.
/// Guarantees: each arrives in its place; 400 EUR a month at 0.5 EUR per million spans are 304 spans/s (400 / 0.5 · 10⁶ spans
/// in 2 629 800 s); and a service whose every request begins a journey promises as much.
#[test]
fn goals_can_be_written() {
    let manifest = with_spec(
        "spec:
  goals:
    journeys:
      buy:
        entry: [{service: web, operation: POST /buy}, {service: app}]
        through: [pay]
        importance: high
        reliability: 99.95%
        latency: {threshold: 300ms, ratio: 99.5%}
        window: 28d
    telemetry:
      budget: {money: {perMonth: 400 EUR, perMillionSpans: 0.5 EUR}}
      precision: {errorRate: 5%, p99: 0.25%, confidence: 99%, window: 5m}
",
    )
    .unwrap();
    let settings = &manifest.settings;
    let buy = &settings.goals.journeys["buy"];
    assert_eq!(buy.entries.iter().map(ToString::to_string).collect::<Vec<_>>(), ["web POST /buy", "app"]);
    assert_eq!((buy.importance, buy.reliability), (Importance::High, BasisPoints(9995)));
    assert_eq!((buy.through.len(), buy.window), (1, Millis::from_secs(28 * 86_400)));
    assert_eq!(settings.sampling.kept_spans_per_second_max, 304);
    let precision = settings.goals.precision;
    assert_eq!((precision.error_rate, precision.p99_rank), (BasisPoints(500), BasisPoints(25)));
    assert_eq!((precision.confidence, precision.window), (Confidence::NinetyNine, Millis::from_secs(300)));
    let app = settings.objectives.of(&ServiceName::from("app"));
    assert_eq!((app.availability, app.latency_threshold), (BasisPoints(9995), Micros::from_millis(300)));
    assert_eq!(settings.objectives.of(&ServiceName::from("web")), settings.objectives.default);
}

/// Scenario: goals with a misspelt key, an unknown importance, a promise of everything, no entry, half a latency, a window of
/// an hour, two currencies and a budget given twice.
/// Guarantees: each is named with line, column and path, all at once.
#[test]
fn problems_of_goals_are_told_at_once() {
    let found = problems_of(
        "spec:
  goals:
    journeys:
      a: {entry: {service: web}, reliability: 100%, importance: huge}
      b: {reliability: 99.9%, latency: {threshold: 1s}, window: 1h, importence: low}
    telemetry:
      budget: {spansPerSecond: 5, money: {perMonth: 400 EUR, perMillionSpans: 0.5 USD}}
      precision: {confidence: 94%}
",
    );
    let expected = [
        "m.yaml:7:47: spec.goals.journeys.a.reliability: must be between 50% and 99.99%",
        "m.yaml:7:65: spec.goals.journeys.a.importance: must be critical, high, normal or low",
        "m.yaml:8:10: spec.goals.journeys.b.entry: missing",
        "m.yaml:8:40: spec.goals.journeys.b.latency.ratio: missing",
        "m.yaml:8:65: spec.goals.journeys.b.window: must be a duration between 7d and 30d",
        "m.yaml:8:69: spec.goals.journeys.b.importence: unknown key; did you mean importance?",
        "m.yaml:10:79: spec.goals.telemetry.budget.money.perMillionSpans: must be in EUR",
        "m.yaml:11:31: spec.goals.telemetry.precision.confidence: must be 80%, 90%, 95% or 99%",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

/// Scenario: a budget of goals beside a stricter and a laxer limit of the sampling section, and without any.
/// Guarantees: the smaller holds, with a remark; without a limit the budget may be larger than the default.
#[test]
fn the_smaller_budget_holds() {
    let kept_max = |sampling: &str| {
        let text = format!(
            "spec:\n  tracing: {{sampling: {{{sampling}}}}}\n  goals: {{telemetry: {{budget: {{spansPerSecond: 5000}}}}}}\n"
        );
        let manifest = with_spec(&text).unwrap();
        let remarked = notes(&manifest).iter().any(|note| note.contains("the smaller of"));
        (manifest.settings.sampling.kept_spans_per_second_max, remarked)
    };
    assert_eq!(kept_max(""), (5000, false));
    assert_eq!(kept_max("maxKeptSpansPerSecond: 100"), (100, true));
    assert_eq!(kept_max("maxKeptSpansPerSecond: 9000"), (5000, true));
}
