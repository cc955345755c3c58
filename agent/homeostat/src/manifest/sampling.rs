//! `spec.tracing.sampling`.
//!
//! Answers how much of the traces is wanted. Does not choose a probability while the loop runs; that is the loop's. `rate`
//! means one thing per strategy: under `adaptive` the share of received spans that may be kept in the long run, under
//! `probabilistic` the probability itself.

use homeostat_pipeline::SamplerConfig;
use homeostat_pipeline::sample::{CapConfig, JudgeConfig, Mode, Rule};

use homeostat_core::{BasisPoints, SamplingProbability, SamplingSettings, ServiceSampling};

use super::problems::Report;
use super::scalars;
use super::section::{Field, Section};
use super::text::Value;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strategy {
    Adaptive,
    Probabilistic,
    Always,
}

fn strategy(value: &Value) -> Result<Strategy, String> {
    match scalars::text(value).unwrap_or_default().as_str() {
        "adaptive" => Ok(Strategy::Adaptive),
        "probabilistic" => Ok(Strategy::Probabilistic),
        "always" => Ok(Strategy::Always),
        _ => Err("must be adaptive, probabilistic or always".to_owned()),
    }
}

/// What the section says.
#[derive(Default)]
pub(super) struct Sampling {
    pub(super) settings: SamplingSettings,
    pub(super) sampler: SamplerConfig,
    /// The most spans that may be kept, if that is written.
    pub(super) kept_max: Option<u64>,
}

/// Reads the section.
pub(super) fn read(mut section: Section<'_>, report: &mut Report) -> Sampling {
    let mut settings = SamplingSettings::default();
    let strategy_field = section.take("strategy");
    let strategy = strategy_field.map_or(Some(Strategy::Adaptive), |field| field.read(report, strategy));
    let rate_field = section.take("rate");
    let rate = rate_field.as_ref().and_then(|field| Some((field, field.read(report, scalars::probability)?)));
    let floor_field = section.take("minRate");
    if let Some(floor) = floor_field.as_ref().and_then(|field| field.read(report, scalars::probability)) {
        settings.floor = floor;
    }
    let kept_max = section.get("maxKeptSpansPerSecond", report, scalars::count).map(u64::from);
    settings.kept_spans_per_second_max = kept_max.unwrap_or(settings.kept_spans_per_second_max);
    if let Some(most) = section.get("maxReceivedSpansPerSecond", report, scalars::count) {
        settings.received_spans_per_second_max = u64::from(most);
    }
    if let Some(precision) = section.section("precision", report) {
        read_precision(precision, &mut settings, report);
    }
    let sampler = read_sampler(&mut section, strategy, report);
    match strategy {
        Some(Strategy::Adaptive) => adaptive(&mut settings, rate, floor_field, report),
        Some(Strategy::Probabilistic) => probabilistic(&mut settings, rate, rate_field.is_some(), &section, report),
        Some(Strategy::Always) => always(&mut settings, rate, report),
        None => {}
    }
    section.close(report);
    Sampling { settings, sampler, kept_max }
}

/// A rate that is the probability is taken at its word: nothing is kept more likely than it for being rare or important.
fn read_sampler(section: &mut Section<'_>, strategy: Option<Strategy>, report: &mut Report) -> SamplerConfig {
    let plain = strategy == Some(Strategy::Probabilistic);
    let mut judge = if plain { JudgeConfig::plain() } else { JudgeConfig::default() };
    for field in section.take("dryRun").map(|list| list.items(report)).unwrap_or_default() {
        match field.read(report, rule) {
            Some(rule) if judge.mode(rule) == Mode::Off => {
                field.problem("has no effect under strategy probabilistic; leave it out, or choose adaptive", report);
            }
            Some(rule) => judge = judge.with(rule, Mode::DryRun),
            None => {}
        }
    }
    let mut cap = CapConfig::default();
    if let Some(mut section) = section.section("cap", report) {
        cap.spans_per_second = section.get("spansPerSecond", report, scalars::count).map(u64::from);
        cap.bytes_per_second = section.get("bytesPerSecond", report, scalars::count).map(u64::from);
        section.close(report);
    }
    SamplerConfig { judge, cap }
}

fn rule(value: &Value) -> Result<Rule, String> {
    let text = scalars::text(value).unwrap_or_default();
    let rules = [Rule::Error, Rule::Slow, Rule::Importance, Rule::Rare, Rule::Probability];
    rules
        .into_iter()
        .find(|rule| rule.as_str() == text)
        .ok_or_else(|| "must be error, slow, importance, rare or probability".to_owned())
}

type Rate<'f, 'a> = Option<(&'f Field<'a>, SamplingProbability)>;

fn adaptive(settings: &mut SamplingSettings, rate: Rate<'_, '_>, floor: Option<Field<'_>>, report: &mut Report) {
    let Some((field, rate)) = rate else {
        return;
    };
    let share = BasisPoints(rate.ppm() / 100);
    if share.0 == 0 {
        let what = format!("must be at least 0.01% under adaptive, found {}", field.node.value.describe());
        return field.problem(what, report);
    }
    if rate < settings.floor {
        match floor {
            Some(floor) => floor.problem(format!("must not exceed rate, which is {rate}"), report),
            None => settings.floor = rate,
        }
    }
    settings.kept_share_max = share;
    settings.initial.tail = rate;
}

fn probabilistic(
    settings: &mut SamplingSettings,
    rate: Rate<'_, '_>,
    rate_given: bool,
    section: &Section<'_>,
    report: &mut Report,
) {
    settings.adaptive = false;
    match rate {
        Some((_, rate)) => settings.initial = ServiceSampling { head: SamplingProbability::ALWAYS, tail: rate },
        None if rate_given => {}
        None => report.problem(section.at(), &section.path_of("rate"), "missing: the strategy is probabilistic"),
    }
}

fn always(settings: &mut SamplingSettings, rate: Rate<'_, '_>, report: &mut Report) {
    settings.adaptive = false;
    if let Some((field, rate)) = rate
        && rate != SamplingProbability::ALWAYS
    {
        field.problem("contradicts strategy always; leave it out, or choose probabilistic", report);
    }
}

fn read_precision(mut section: Section<'_>, settings: &mut SamplingSettings, report: &mut Report) {
    if let Some(error) = section.get("relativeError", report, scalars::positive_share) {
        settings.relative_error_max = error;
    }
    if let Some(error) = section.get("p99RankError", report, scalars::positive_share) {
        settings.p99_rank_error_max = error;
    }
    if let Some(window) = section.get("window", report, scalars::millis) {
        settings.precision_window = window;
    }
    section.close(report);
}
