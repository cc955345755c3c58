//! What goals come to, told to people and scripts.
//!
//! Answers, journey by journey, what is promised, which objectives follow for whom, when somebody is paged, what the precision
//! costs, what is granted, and how precise estimates are with it. Derives nothing itself: objectives are cognition's, costs the
//! policies'. The same report is made of a manifest alone and of a running agent.

use std::collections::BTreeMap;
use std::io::{self, Write};

use homeostat_control::RULES;
use homeostat_core::{
    BasisPoints, DerivedObjective, GoalPrecision, GoalsAssessment, InForce, Journey, JourneyName, JourneyState, Micros,
    Millis, ObjectiveKind, PathPart, ServiceName, Settings, Severity, Snapshot, Standing, Unit,
};
use homeostat_policies::goals::{Consequence, Known, Traffic, consequences, latency_shares};
use serde::{Deserialize, Serialize};

use crate::view::LoopView;

/// What is taken for true of a journey of which nothing was seen.
pub(crate) const ASSUMED: Traffic = Traffic { journeys_milli_per_second: 10_000, spans_milli: 10_000 };

/// What all goals come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GoalsReport {
    /// Spans per second that may be kept.
    pub(crate) budget_spans_per_second: u64,
    /// How precisely each journey must be known.
    pub(crate) precision: GoalPrecision,
    /// Journey by journey.
    pub(crate) journeys: Vec<JourneyReport>,
    /// What each service on any path answers for.
    pub(crate) objectives: BTreeMap<ServiceName, DerivedObjective>,
}

/// What one journey comes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JourneyReport {
    /// Its name.
    pub(crate) name: JourneyName,
    /// What people want.
    pub(crate) promise: Journey,
    /// How it stands.
    pub(crate) standing: GoalStanding,
    /// The services it passes, and what each gets of the error budget.
    pub(crate) path: Vec<PathPart>,
    /// Whether it passes more services than are followed.
    pub(crate) is_cut: bool,
    /// Each service's share of the promised latency; for orientation.
    pub(crate) latency_shares: Vec<(ServiceName, Micros)>,
    /// When somebody is told.
    pub(crate) burn_rules: Vec<BurnRule>,
    /// What is sampled where it begins.
    pub(crate) places: Vec<Consequence>,
}

/// How a goal stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GoalStanding {
    /// In a word.
    pub(crate) standing: Standing,
    /// What is left of the error budget of failures, if any journey was seen.
    pub(crate) availability_left_bp: Option<BasisPoints>,
    /// What is left of that of slowness.
    pub(crate) latency_left_bp: Option<BasisPoints>,
    /// Days of its window on which any journey was seen.
    pub(crate) days_seen: usize,
}

/// A rule by which somebody is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BurnRule {
    /// How loudly.
    pub(crate) severity: Severity,
    /// How many times faster than allowed the budget burns, in hundredths.
    pub(crate) factor_centi: u64,
    /// Over this time …
    pub(crate) long_ms: Millis,
    /// … and still over this.
    pub(crate) short_ms: Millis,
    /// The share of requests that then fails, in parts per million.
    pub(crate) failing_ppm: u64,
}

impl GoalStanding {
    /// How a journey with this promise stands.
    pub(crate) fn of(promise: &Journey, state: &JourneyState) -> GoalStanding {
        let left = |kind| state.spent.left(kind, promise.budget_ppm(kind)?);
        GoalStanding {
            standing: state.standing,
            availability_left_bp: left(ObjectiveKind::Availability),
            latency_left_bp: left(ObjectiveKind::Latency),
            days_seen: state.spent.days.len(),
        }
    }

    /// What is left, in words.
    pub(crate) fn left(&self) -> String {
        let left = |what, left: Option<BasisPoints>| left.map(|left| format!("{} of {what}", left.rounded()));
        let parts = [left("failures", self.availability_left_bp), left("slowness", self.latency_left_bp)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "nothing seen yet".to_owned() } else { parts.join(", ") }
    }
}

impl GoalsReport {
    /// What a running agent's goals come to.
    pub(crate) fn of_view(view: &LoopView) -> GoalsReport {
        let (no_snapshot, no_goals) = (Snapshot::default(), GoalsAssessment::default());
        let record = view.record.as_ref();
        GoalsReport::of(&Known {
            settings: &view.settings,
            goals: record.map_or(&no_goals, |record| &record.assessment.goals),
            snapshot: record.map_or(&no_snapshot, |record| &record.snapshot),
            in_force: &view.in_force,
            assumed: ASSUMED,
        })
    }

    /// What goals come to that nothing was seen of.
    pub(crate) fn of_settings(settings: &Settings, assumed: Traffic) -> GoalsReport {
        let snapshot = Snapshot::default();
        let goals = homeostat_control::goals::derive(&snapshot, &GoalsAssessment::default(), &settings.goals);
        GoalsReport::of(&Known { settings, goals: &goals, snapshot: &snapshot, in_force: &InForce::default(), assumed })
    }

    fn of(known: &Known<'_>) -> GoalsReport {
        let goals = &known.settings.goals;
        let places = consequences(known);
        let journey = |(name, promise): (&JourneyName, &Journey)| {
            // Between a reload and the next tick a journey may have no state yet.
            let state = known.goals.journeys.get(name)?;
            Some(JourneyReport {
                name: name.clone(),
                promise: promise.clone(),
                standing: GoalStanding::of(promise, state),
                path: state.path.clone(),
                is_cut: state.is_cut,
                latency_shares: latency_shares(promise, state, known.snapshot),
                burn_rules: burn_rules(promise),
                places: places.iter().filter(|place| place.journey == *name).cloned().collect(),
            })
        };
        GoalsReport {
            budget_spans_per_second: known.settings.sampling.kept_spans_per_second_max,
            precision: goals.precision,
            journeys: goals.journeys.iter().filter_map(journey).collect(),
            objectives: known.goals.objectives.clone(),
        }
    }

    /// Writes it for people.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.journeys.is_empty() {
            return writeln!(
                out,
                "no goals: name journeys under spec.goals.journeys; `homeostat goals --help` has one"
            );
        }
        let precision = &self.precision;
        writeln!(
            out,
            "budget     {} spans/s may be kept\nprecision  of an error rate ± {} of the error budget, of a 99th percentile's rank ± {}, \
             with {} confidence over {}",
            self.budget_spans_per_second,
            precision.error_rate.rounded(),
            percent(u64::from(precision.p99_rank.0) * 100),
            precision.confidence.share().rounded(),
            length(precision.window),
        )?;
        self.journeys.iter().try_for_each(|journey| journey.write(self, out))
    }
}

fn burn_rules(promise: &Journey) -> Vec<BurnRule> {
    let budget_ppm = u64::from(promise.budget_ppm(ObjectiveKind::Availability).unwrap_or(0));
    let rule = |rule: &homeostat_control::Rule| {
        let factor_centi = rule.factor_centi(promise.window);
        BurnRule {
            severity: rule.severity,
            factor_centi,
            long_ms: rule.long.length(),
            short_ms: rule.short.length(),
            failing_ppm: (budget_ppm * factor_centi / 100).min(1_000_000),
        }
    };
    RULES.iter().map(rule).collect()
}

impl JourneyReport {
    fn write(&self, report: &GoalsReport, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\n{}  {}  [{}]", self.name, self.promise.importance, self.standing.standing)?;
        self.write_promise(out)?;
        self.write_objectives(report, out)?;
        self.write_burn_rules(out)?;
        self.places.iter().try_for_each(|place| write_place(place, out))
    }

    fn write_promise(&self, out: &mut dyn Write) -> io::Result<()> {
        let promise = &self.promise;
        let begins: Vec<String> = promise.entries.iter().map(ToString::to_string).collect();
        write!(out, "  promise    {} of journeys succeed", percent(u64::from(promise.reliability.0) * 100))?;
        if let Some(latency) = promise.latency {
            write!(out, ", {} within {}", percent(u64::from(latency.ratio.0) * 100), latency.threshold)?;
        }
        writeln!(out, ", over {}; begins with {}", length(promise.window), begins.join(" or "))?;
        let seen = match self.standing.days_seen {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        };
        writeln!(out, "  left       of its error budget: {} ({seen} seen)", self.standing.left())
    }

    fn write_objectives(&self, report: &GoalsReport, out: &mut dyn Write) -> io::Result<()> {
        let budget = u64::from(self.promise.budget_ppm(ObjectiveKind::Availability).unwrap_or(0));
        let visits: u64 = self.path.iter().map(|part| part.visits_centi).sum();
        writeln!(
            out,
            "  objectives a journey makes {} visits, all of which must succeed: each may use {} of the {} that may fail,\n\
             {:13}and who calls others answers for them too",
            hundredths(visits),
            percent(budget * 100 / visits.max(1)),
            percent(budget),
            "",
        )?;
        let width = self.path.iter().map(|part| part.service.as_str().chars().count()).max().unwrap_or_default();
        for part in &self.path {
            let name = part.service.as_str();
            write!(out, "    {name:width$}  {} visits, ", hundredths(part.visits_centi))?;
            write!(out, "{} of its requests succeed", percent(1_000_000 - u64::from(part.budget_ppm)))?;
            match report.objectives.get(&part.service) {
                Some(objective) if objective.budget_ppm.is_none() => {
                    writeln!(out, ", of the operation that begins it")?
                }
                Some(objective) if objective.journey != self.name => {
                    let stricter = 1_000_000 - u64::from(objective.budget_ppm.unwrap_or(part.budget_ppm));
                    writeln!(out, "; {} asks for {}", objective.journey, percent(stricter))?;
                }
                _ => writeln!(out)?,
            }
        }
        if self.is_cut {
            writeln!(out, "    … and more services than are followed: name those that matter under `through`")?;
        }
        self.write_latency(out)
    }

    fn write_latency(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(latency) = self.promise.latency.filter(|_| !self.latency_shares.is_empty()) else { return Ok(()) };
        let shares: Vec<String> =
            self.latency_shares.iter().map(|(service, share)| format!("{service} {share}")).collect();
        writeln!(
            out,
            "  latency    of the {} at the entry, by observed 99th percentiles: {}\n\
             {:13}for orientation: percentiles do not add up, so only the entry is held to it",
            latency.threshold,
            shares.join(", "),
            "",
        )
    }

    fn write_burn_rules(&self, out: &mut dyn Write) -> io::Result<()> {
        for rule in &self.burn_rules {
            let what = match rule.severity {
                Severity::Page => "  pages    ",
                Severity::Ticket => "  tickets  ",
            };
            let spends = rule.factor_centi * rule.long_ms.0 / self.promise.window.0.max(1);
            writeln!(
                out,
                "{what}  when the budget burns {} as fast as it lasts over {} and {}: {} fail, {spends} % of it gone",
                Unit::CentiBurn.render(rule.factor_centi),
                length(rule.long_ms),
                length(rule.short_ms),
                percent(rule.failing_ppm),
            )?;
        }
        Ok(())
    }
}

fn write_place(place: &Consequence, out: &mut dyn Write) -> io::Result<()> {
    let rate = Unit::MilliPerSecond;
    writeln!(
        out,
        "  sampling   {}: {} of {} spans ({}) need {} spans, {}; granted {} spans, tail {}, head {}",
        place.entry,
        rate.render(place.traffic.journeys_milli_per_second),
        thousandths(place.traffic.spans_milli),
        if place.is_seen { "seen" } else { "assumed" },
        rate.render(place.needed_spans_milli),
        place.needed,
        rate.render(place.granted_spans_milli),
        place.granted.tail,
        place.granted.head,
    )?;
    let (wanted, achieved) = (place.wanted, place.achieved);
    writeln!(
        out,
        "  known to   error rate ± {}; rank of the 99th percentile ± {}",
        against(achieved.error_rate_ppm, wanted.error_rate_ppm),
        against(achieved.p99_rank_ppm, wanted.p99_rank_ppm),
    )
}

/// What is achieved, and what was wanted where that is less.
fn against(achieved_ppm: u64, wanted_ppm: u64) -> String {
    if achieved_ppm <= wanted_ppm {
        return format!("{}, as wanted", percent(achieved_ppm));
    }
    format!("{} instead of ± {}", percent(achieved_ppm), percent(wanted_ppm))
}

/// A length of time as people write it in a manifest: in the largest unit that it is a whole number of.
fn length(length: Millis) -> String {
    let seconds = length.0 / 1000;
    let units = [(86_400, "d"), (3600, "h"), (60, "min")];
    let whole = units.into_iter().find(|(unit, _)| unit <= &seconds && seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
}

/// Parts per million as a percentage without idle zeros.
fn percent(ppm: u64) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn hundredths(value: u64) -> String {
    let text = format!("{}.{:02}", value / 100, value % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn thousandths(value: u64) -> String {
    hundredths(value / 10)
}

#[cfg(test)]
mod tests {
    use homeostat_core::Importance;

    use super::*;
    use crate::manifest::{Manifest, ManifestSource};

    const SHOP: &str = "apiVersion: homeostat.dev/v1alpha1
kind: ObservabilityManifest
metadata: {name: shop}
spec:
  goals:
    journeys:
      checkout:
        entry: {service: frontend, operation: POST /checkout}
        through: [checkout, payment]
        importance: critical
        reliability: 99.9%
        latency: {threshold: 800ms, ratio: 99%}
      browse: {entry: {service: frontend, operation: GET /}, importance: low, reliability: 99%}
    telemetry: {budget: {spansPerSecond: 25}}
";

    fn report(text: &str) -> GoalsReport {
        let manifest = Manifest::parse(text, ManifestSource::Embedded).expect("the manifest is good");
        GoalsReport::of_settings(&manifest.settings, ASSUMED)
    }

    fn text(report: &GoalsReport) -> String {
        let mut text = Vec::new();
        report.write(&mut text).expect("writing to memory");
        String::from_utf8(text).expect("text")
    }

    /// Scenario: a critical and a low journey, nothing seen, and a budget that suffices for one.
    /// Guarantees: statement, objectives, burn rates and consequences stand there in numbers, assumptions are called so, and
    /// the low journey says how much less precisely it is known.
    #[test]
    fn goals_are_told_from_statement_to_consequence() {
        let text = text(&report(SHOP));
        for part in [
            "budget     25 spans/s may be kept",
            "checkout  critical  [not seen yet]",
            "99.9 % of journeys succeed, 99 % within 800 ms, over 30 d",
            "a journey makes 3 visits, all of which must succeed: each may use 0.0333 % of the 0.1 % that may fail",
            "frontend  1 visits, 99.9 % of its requests succeed, of the operation that begins it",
            "payment   1 visits, 99.9667 % of its requests succeed",
            "pages      when the budget burns 14.4x as fast as it lasts over 1 h and 5 min: 1.44 % fail, 2 % of it gone",
            "tickets    when the budget burns 1.0x as fast as it lasts over 3 d and 6 h: 0.1 % fail, 10 % of it gone",
            "10.0/s of 10 spans (assumed) need 20.2/s spans",
            "rank of the 99th percentile ± 0.5 %, as wanted",
            "instead of ± 0.5 %",
        ] {
            assert!(text.contains(part), "{part:?} is missing from\n{text}");
        }
    }

    /// Scenario: the same as JSON, read back; and a manifest without goals.
    /// Guarantees: scripts get what people see, and nobody is left without a next step.
    #[test]
    fn goals_are_told_to_scripts() {
        let json = serde_json::to_value(report(SHOP)).expect("JSON");
        let back: GoalsReport = serde_json::from_value(json).expect("the same report");
        assert_eq!((back.journeys.len(), back.journeys[1].promise.importance), (2, Importance::Critical));
        let nothing =
            "apiVersion: homeostat.dev/v1alpha1\nkind: ObservabilityManifest\nmetadata: {name: t}\nspec: {}\n";
        assert!(text(&report(nothing)).contains("spec.goals.journeys"));
    }
}
