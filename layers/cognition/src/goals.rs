//! What the goals come to.
//!
//! Answers which services each journey passes, how much of its error budget each of them gets, and whether its promise holds.
//! Does not propose anything and moves no threshold. What happened is added up here, minute by minute, because the longest
//! window that is counted for services is shorter than the month that people promise for.

mod path;

use homeostat_core::{
    Counts, DayCounts, DerivedObjective, Entry, GoalSettings, GoalsAssessment, Indicator, Journey, JourneyName,
    JourneyState, ObjectiveKind, Snapshot, Spent, Standing, Target, Timestamp, Window, WindowCounts,
};

use crate::detectors::is_burning;

/// A promise with less than this share of its budget left is at risk, in basis points: a quarter, as the workbook's error
/// budget policy begins to ask for caution (Google SRE workbook, appendix B).
const LEFT_MIN_BP: u32 = 2500;

const MINUTE_MS: u64 = 60_000;
const MINUTES_PER_DAY: u64 = 1440;
const DAY_MS: u64 = MINUTE_MS * MINUTES_PER_DAY;

/// What `goals` come to, continuing from the `last` tick.
pub fn derive(snapshot: &Snapshot, last: &GoalsAssessment, goals: &GoalSettings) -> GoalsAssessment {
    let mut assessment = GoalsAssessment::default();
    for (name, journey) in goals.journeys.iter().take(GoalSettings::JOURNEYS_MAX) {
        let spent = last.journeys.get(name).map(|state| state.spent.clone()).unwrap_or_default();
        let state = state(journey, spent, snapshot);
        for objective in objectives(name, journey, &state) {
            ask(&mut assessment, objective);
        }
        assessment.journeys.insert(name.clone(), state);
    }
    assessment
}

fn state(journey: &Journey, spent: Spent, snapshot: &Snapshot) -> JourneyState {
    let (path, is_cut) = path::follow(journey, snapshot);
    let counts = counts(journey, snapshot);
    let spent = add_up(spent, counts.as_ref(), journey, snapshot.at);
    JourneyState {
        importance: journey.importance,
        entries: journey.entries.clone(),
        path,
        is_cut,
        standing: standing(journey, &spent, counts.as_ref()),
        spent,
    }
}

/// What each service on the path answers for. A service of which only one operation begins the journey answers for nothing
/// more as a whole: the operation is counted by itself.
fn objectives<'a>(
    name: &'a JourneyName,
    journey: &'a Journey,
    state: &'a JourneyState,
) -> impl Iterator<Item = (&'a homeostat_core::ServiceName, DerivedObjective)> {
    state.path.iter().map(move |part| {
        let by_operation = |entry: &Entry| entry.service == part.service && entry.operation.is_some();
        let objective = DerivedObjective {
            budget_ppm: (!journey.entries.iter().any(by_operation)).then_some(part.budget_ppm),
            journey: name.clone(),
            window: journey.window,
            importance: journey.importance,
        };
        (&part.service, objective)
    })
}

/// A service that serves several journeys gets the strictest objective and the highest importance.
fn ask(assessment: &mut GoalsAssessment, (service, objective): (&homeostat_core::ServiceName, DerivedObjective)) {
    let Some(known) = assessment.objectives.get_mut(service) else {
        assessment.objectives.insert(service.clone(), objective);
        return;
    };
    let importance = known.importance.max(objective.importance);
    let strictness = |objective: &DerivedObjective| objective.budget_ppm.unwrap_or(u32::MAX);
    if strictness(&objective) < strictness(known) {
        *known = objective;
    }
    known.importance = importance;
}

/// The requests that begin `journey`, over every window; `None` while nothing fresh is known of any.
pub(crate) fn counts(journey: &Journey, snapshot: &Snapshot) -> Option<WindowCounts> {
    let of_entry = |entry: &Entry| {
        let service = entry.service.clone();
        let (target, counts) = match &entry.operation {
            Some(operation) => {
                let key = (service, operation.clone());
                let counts = snapshot.operations.get(&key);
                (Target::Operation(key.0, key.1), counts)
            }
            None => {
                let counts = snapshot.counts.get(&service);
                (Target::Service(service), counts)
            }
        };
        snapshot.reading(&target, Indicator::RequestsTotal).fresh()?;
        counts.copied()
    };
    journey.entries.iter().filter_map(of_entry).reduce(|sum, counts| sum.and(&counts))
}

/// Adds the last minute, once a minute, and forgets the days that have left the window.
fn add_up(mut spent: Spent, counts: Option<&WindowCounts>, journey: &Journey, at: Timestamp) -> Spent {
    let minute = at.as_millis() / MINUTE_MS;
    if minute <= spent.minute {
        return spent;
    }
    let begun = 0 < spent.minute;
    spent.minute = minute;
    let Some(counts) = counts.filter(|_| begun).map(|counts| counts.over(Window::Minute)) else { return spent };
    // The minute that has just ended belongs to its own day.
    let day = (minute - 1) / MINUTES_PER_DAY;
    match spent.days.last_mut().filter(|last| last.day == day) {
        Some(last) => last.counts = last.counts.and(counts),
        None if counts == Counts::default() => {}
        None => spent.days.push(DayCounts { day, counts }),
    }
    let days = journey.window.0.div_ceil(DAY_MS);
    spent.days.retain(|counted| day < counted.day + days);
    spent
}

fn standing(journey: &Journey, spent: &Spent, counts: Option<&WindowCounts>) -> Standing {
    let of = |kind| {
        let budget_ppm = journey.budget_ppm(kind)?;
        let left = spent.left(kind, budget_ppm).map(|left| left.0);
        let burns = counts.is_some_and(|counts| is_burning(counts, kind, budget_ppm, journey.window));
        Some(match left {
            Some(0) => Standing::Broken,
            _ if burns => Standing::AtRisk,
            None => Standing::Unknown,
            Some(left) if left < LEFT_MIN_BP => Standing::AtRisk,
            Some(_) => Standing::Met,
        })
    };
    of(ObjectiveKind::Availability).max(of(ObjectiveKind::Latency)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use homeostat_core::{BasisPoints, CountsRing, Importance, JourneyName, Millis, Reading, ServiceName, Signal};

    use super::*;

    fn journey(service: &str, operation: Option<&str>, reliability: u32, importance: Importance) -> Journey {
        Journey {
            entries: vec![Entry { service: service.into(), operation: operation.map(Into::into) }],
            through: BTreeSet::new(),
            importance,
            reliability: BasisPoints(reliability),
            latency: None,
            window: Millis(7 * DAY_MS),
        }
    }

    fn goals(journeys: Vec<(&str, Journey)>) -> GoalSettings {
        let journeys = journeys.into_iter().map(|(name, journey)| (JourneyName::from(name), journey));
        GoalSettings { journeys: journeys.collect(), ..GoalSettings::default() }
    }

    /// A snapshot in which `web` had ten requests a second for a minute, of which `failed` failed.
    fn snapshot(at: u64, failed: u64) -> Snapshot {
        let mut ring = CountsRing::default();
        for second in 0..60 {
            let errors = if second < failed { 1 } else { 0 };
            ring.push(Timestamp(at - 60_000 + second * 1000), Counts { requests: 10, errors, slow: 0 });
        }
        let web = ServiceName::from("web");
        let signal = Signal::new(Target::Service(web.clone()), Indicator::RequestsTotal);
        Snapshot {
            at: Timestamp(at),
            signals: [(signal, Reading::Fresh { value: 10_000 })].into(),
            counts: [(web, ring.freeze(Timestamp(at)))].into(),
            ..Snapshot::default()
        }
    }

    /// Scenario: a promise of 99 % over a week is watched minute by minute for two weeks; one request in 600 fails, then, on
    /// the eighth day, sixty in 600 do for a day, then all is well.
    /// Guarantees: met, broken while the bad day is in the window, and met again when it has left; memory is bounded.
    #[test]
    fn a_bad_day_leaves_the_window() {
        let goals = goals(vec![("browse", journey("web", None, 9900, Importance::Normal))]);
        let (mut last, mut seen) = (GoalsAssessment::default(), Vec::new());
        for day in 0..20_u64 {
            for minute in (0..MINUTES_PER_DAY).step_by(60) {
                let failed = if day == 8 { 60 } else { 1 };
                let at = (1000 + day) * DAY_MS + minute * MINUTE_MS + 30_000;
                last = derive(&snapshot(at, failed), &last, &goals);
            }
            seen.push(last.journeys["browse"].standing);
        }
        assert_eq!(
            (seen[7], seen[9], seen[14], seen[19]),
            (Standing::Met, Standing::Broken, Standing::Broken, Standing::Met)
        );
        assert!(last.journeys["browse"].spent.days.len() <= 8);
    }

    /// Scenario: nothing was ever seen of a journey.
    /// Guarantees: nothing is claimed of it.
    #[test]
    fn what_was_not_seen_is_not_met() {
        let goals = goals(vec![("buy", journey("shop", Some("POST /buy"), 9990, Importance::Critical))]);
        let derived = derive(&snapshot(DAY_MS * 100, 0), &GoalsAssessment::default(), &goals);
        assert_eq!(derived.journeys["buy"].standing, Standing::Unknown);
        let shop = &derived.objectives["shop"];
        assert_eq!((shop.budget_ppm, shop.importance), (None, Importance::Critical));
    }

    /// Scenario: two journeys pass one service, a strict one of low importance and a lax one that is critical.
    /// Guarantees: the service gets the strict objective and the high importance, whatever the order.
    #[test]
    fn the_strictest_objective_and_the_highest_importance_hold() {
        for names in [("a", "b"), ("b", "a")] {
            let goals = goals(vec![
                (names.0, journey("web", None, 9999, Importance::Low)),
                (names.1, journey("web", None, 9000, Importance::Critical)),
            ]);
            let derived = derive(&Snapshot::default(), &GoalsAssessment::default(), &goals);
            let web = &derived.objectives["web"];
            assert_eq!((web.budget_ppm, web.importance), (Some(100), Importance::Critical));
            assert_eq!(web.journey, JourneyName::from(names.0));
        }
    }
}
