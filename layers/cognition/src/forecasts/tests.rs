//! What forecasts guarantee as a whole. Each part has tests of its own beside it.

use homeostat_core::{Indicator, PerSignal, Reading, Replicas, ServiceScaling, Signal, Target};

use super::*;

/// A service of four workers a replica whose work takes 200 ms, at so many busy replicas (in thousandths) of `ready`.
fn seen(second: u64, busy: u64, ready: u64) -> Snapshot {
    let values = [
        (Indicator::Utilization, (busy * 10 / ready).min(10_000)),
        (Indicator::ReplicasReady, ready),
        (Indicator::RequestsTotal, busy.min(ready * 1000) * 20),
        (Indicator::LatencyP50, 200_000),
    ];
    let signal = |indicator| Signal::new(Target::Service("cart".into()), indicator);
    let signals = values.map(|(indicator, value)| (signal(indicator), Reading::Fresh { value }));
    Snapshot { at: Timestamp(second * 1000), signals: signals.into_iter().collect(), ..Snapshot::default() }
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.scaling.predictive.enabled = true;
    settings.scaling.services.insert("cart".into(), ServiceScaling { min: Replicas(1), max: Replicas(40) });
    settings
}

/// The forecast after each of these seconds.
fn forecasts(forecaster: &mut Forecaster, seconds: std::ops::Range<u64>, busy: impl Fn(u64) -> u64) -> Vec<Forecast> {
    let of =
        |second| forecaster.forecast(&seen(second, busy(second), 10), &BTreeMap::new(), &settings()).into_iter().next();
    seconds.filter_map(of).collect()
}

/// Scenario: a steady load of four busy replicas for ten minutes.
/// Guarantees: it is not trusted before there is a past to judge it by; then it says four, and staffs it with some to spare.
#[test]
fn a_forecast_is_trusted_once_it_has_held() {
    let all = forecasts(&mut Forecaster::default(), 1..600, |_| 4000);
    let trusted_from = all.iter().position(|forecast| forecast.trusted).expect("trusted in the end");
    assert!((300..420).contains(&trusted_from), "{trusted_from}");
    let last = all.last().expect("there are forecasts");
    assert_eq!((last.demand, last.upper, last.needed_now, last.needed_lately), (4000, 4000, 6, 6));
    assert_eq!(last.ahead, Millis::from_secs(85));
}

/// Scenario: a load that grows by one busy replica in a hundred seconds.
/// Guarantees: what is needed ahead is more than what is needed now, by about what grows until then.
#[test]
fn what_grows_is_staffed_before_it_is_there() {
    let all = forecasts(&mut Forecaster::default(), 1..700, |second| 1000 + second * 10);
    let last = all.last().expect("there are forecasts");
    assert!(last.trusted && last.needed_now < last.needed_ahead, "{last:?}");
    assert!((600..1400).contains(&(last.upper - last.demand)), "{last:?}");
}

/// Scenario: a service is trusted, falls silent for a minute, and speaks again; then forecasts are switched off.
/// Guarantees: silence is no forecast of nothing, and what was learned before counts afterwards; off means none.
#[test]
fn silence_is_no_forecast() {
    let mut forecaster = Forecaster::default();
    assert!(forecasts(&mut forecaster, 1..600, |_| 4000).last().is_some_and(|forecast| forecast.trusted));
    let mut silent = Snapshot { at: Timestamp(605_000), signals: PerSignal::default(), ..Snapshot::default() };
    forecaster.forecast(&silent, &BTreeMap::new(), &settings());
    silent.at = Timestamp(620_000);
    assert_eq!(forecaster.forecast(&silent, &BTreeMap::new(), &settings()), []);
    assert!(forecasts(&mut forecaster, 660..670, |_| 4000).last().is_some_and(|forecast| forecast.trusted));
    let mut off = settings();
    off.scaling.predictive.enabled = false;
    assert_eq!(forecaster.forecast(&seen(671, 4000, 10), &BTreeMap::new(), &off), []);
}
