//! The summary.
//!
//! Answers what the run amounted to: before, during and after the fault, how long until it was noticed and repaired, what was
//! done with which verdict. Everything is computed from what the users saw, from the records and from what arrived at the
//! backend; nothing is canned. Whether the fault was repaired is decided here, by the users' experience and not by the agent's
//! opinion.

use std::time::Duration;

use homeostat_core::{ActionId, Actuation, Micros, ServiceName, Timestamp};

use super::backend::Arrived;
use super::line::wrap;
use super::load::Visit;
use super::panel::latency;
use super::story::{Begun, Moment, ServiceMoment, Story, changed};

/// Users are well when of those who came within this time…
const WELL_OVER: Duration = Duration::from_secs(5);

/// …no larger share was slow or failed than promised: one in a hundred.
const BAD_MAX: f64 = 0.01;

/// They must have been well for this long at the end; less is no repair.
const WELL_FOR: Duration = Duration::from_secs(15);

/// Repairs listed; the guards let through six a minute.
const REPAIRS_MAX: usize = 12;

/// Everything the summary is computed from.
pub(crate) struct Run<'a> {
    /// What was told.
    pub(crate) story: &'a Story,
    /// What users saw.
    pub(crate) visits: &'a [Visit],
    /// The service that got slow.
    pub(crate) victim: ServiceName,
    /// When it did, if it came to that.
    pub(crate) fault: Option<Duration>,
    /// When the users stopped coming.
    pub(crate) end: Duration,
    /// What arrived at the backend.
    pub(crate) arrived: Arrived,
    /// Requests that all services together really served.
    pub(crate) served: u64,
    /// Processor time of the agent's threads.
    pub(crate) cpu: Option<Duration>,
    /// Memory of the whole process, in bytes.
    pub(crate) memory: Option<u64>,
}

/// When the users were well again, if they are and have been for long enough.
pub(crate) fn repaired(run: &Run<'_>) -> Option<Duration> {
    let fault = run.fault?;
    let slow_above = slow_above(run);
    // Each second is judged together with those before it; the trouble ends with the last user of the last bad one.
    let seconds = 0..(run.end.saturating_sub(fault)).as_secs();
    let is_bad = |second: &u64| {
        let until = fault + Duration::from_secs(second + 1);
        let since = until.saturating_sub(WELL_OVER).max(fault);
        BAD_MAX < Part::of(run.visits, since, until, slow_above).bad()
    };
    let Some(second) = seconds.rev().find(is_bad) else { return (fault + WELL_FOR <= run.end).then_some(fault) };
    let until = fault + Duration::from_secs(second + 1);
    let came_badly = run.visits.iter().filter(|visit| visit.came < until && (slow_above < visit.took || !visit.worked));
    let well = came_badly.map(|visit| visit.came + Duration::from_millis(1)).max().unwrap_or(fault);
    (well + WELL_FOR <= run.end).then_some(well)
}

/// The summary's rows.
pub(crate) fn rows(run: &Run<'_>, width: usize) -> Vec<String> {
    let mut rows = vec![String::new(), headline(run), String::new()];
    rows.extend(table(run));
    rows.push(String::new());
    rows.extend(timing(run));
    rows.extend(actions(run));
    rows.extend(estimate(run));
    rows.extend(cost(run));
    let hang = |row: String| {
        let mut wrapped = wrap(&row, width.saturating_sub(4)).into_iter();
        let first = wrapped.next().map(|row| format!("  {row}"));
        first.into_iter().chain(wrapped.map(|row| format!("    {row}"))).collect::<Vec<_>>()
    };
    // The table is aligned and stays as it is; sentences are wrapped.
    rows.into_iter()
        .flat_map(|row| if row.starts_with("  ") || row.is_empty() { vec![row] } else { hang(row) })
        .collect()
}

fn headline(run: &Run<'_>) -> String {
    match (run.fault, repaired(run)) {
        (None, _) => "  The demo ended before the fault; there was nothing to repair.".to_owned(),
        (Some(fault), Some(well)) => {
            format!("  Repaired: {:.1} s after the fault, the users were well again.", (well - fault).as_secs_f64())
        }
        (Some(_), None) => "  Not repaired: at the end the users were not well, or not for long enough.".to_owned(),
    }
}

/// What users of one part of the run saw.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    visits: usize,
    slow: usize,
    failed: usize,
    p99: Micros,
}

impl Part {
    fn of(visits: &[Visit], since: Duration, until: Duration, slow_above: Micros) -> Part {
        let mut took: Vec<Micros> = Vec::new();
        let mut part = Part::default();
        for visit in visits.iter().filter(|visit| since <= visit.came && visit.came < until) {
            part.visits += 1;
            part.slow += usize::from(slow_above < visit.took);
            part.failed += usize::from(!visit.worked);
            took.push(visit.took);
        }
        took.sort_unstable();
        part.p99 = took.get(took.len() * 99 / 100).copied().unwrap_or_default();
        part
    }

    /// The larger of both shares; a slow failure counts once in each.
    fn bad(&self) -> f64 {
        self.slow.max(self.failed) as f64 / self.visits.max(1) as f64
    }
}

fn slow_above(run: &Run<'_>) -> Micros {
    run.story.settings.objectives.default.latency_threshold
}

/// The three parts of the run: calm, trouble, calm again. Empty ones stay empty.
fn parts(run: &Run<'_>) -> [(Duration, Duration); 3] {
    let fault = run.fault.unwrap_or(run.end);
    let well = repaired(run).unwrap_or(run.end);
    [(Duration::ZERO, fault), (fault, well), (well, run.end)]
}

fn table(run: &Run<'_>) -> Vec<String> {
    let parts = parts(run);
    let seen = parts.map(|(since, until)| Part::of(run.visits, since, until, slow_above(run)));
    let share = |part: usize, whole: usize| match whole {
        0 => "–".to_owned(),
        whole => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    };
    let row = |name: &str, cells: [String; 3]| format!("  {name:<34}{:>14}{:>14}{:>14}", cells[0], cells[1], cells[2]);
    let mean = |value: fn(&Moment) -> Option<u64>| parts.map(|part| mean(run, part, value, |mean| mean / 1000.0));
    let victim = |value: fn(&ServiceMoment) -> Option<f64>, scale: f64, unit: &str| {
        parts.map(|part| {
            last(run, part, value).map_or_else(|| "–".to_owned(), |last| format!("{:.0}{unit}", last * scale))
        })
    };
    let name = &run.victim;
    vec![
        row("", ["before".to_owned(), "trouble".to_owned(), "repaired".to_owned()]),
        row("seconds", parts.map(|(since, until)| (until - since).as_secs().to_string())),
        row(&format!("users: slower than {}", slow_above(run)), seen.map(|part| share(part.slow, part.visits))),
        row("users: failed", seen.map(|part| share(part.failed, part.visits))),
        row("users: p99", seen.map(|part| if part.visits == 0 { "–".to_owned() } else { latency(part.p99) })),
        row(&format!("{name}: busy, at the end"), victim(|at| Some(f64::from(at.utilization?.0)), 0.01, " %")),
        row(&format!("{name}: workers, at the end"), victim(|at| Some(at.workers? as f64), 1.0, "")),
        row(&format!("{name}: traces kept, at the end"), victim(|at| Some(f64::from(at.tail.ppm())), 0.0001, " %")),
        row("spans received a second, mean", mean(|moment| moment.received)),
        row("spans kept a second, mean", mean(|moment| moment.kept)),
    ]
}

fn stamp(run: &Run<'_>, at: Duration) -> Timestamp {
    run.story.began + homeostat_core::Millis(at.as_millis() as u64)
}

fn mean(
    run: &Run<'_>,
    (since, until): (Duration, Duration),
    value: fn(&Moment) -> Option<u64>,
    scale: fn(f64) -> f64,
) -> String {
    let values: Vec<u64> = run.story.course.between(stamp(run, since), stamp(run, until)).filter_map(value).collect();
    match values.len() {
        0 => "–".to_owned(),
        count => format!("{:.0}", scale(values.iter().sum::<u64>() as f64 / count as f64)),
    }
}

fn last(run: &Run<'_>, (since, until): (Duration, Duration), value: fn(&ServiceMoment) -> Option<f64>) -> Option<f64> {
    let moments = run.story.course.between(stamp(run, since), stamp(run, until));
    moments.filter_map(|moment| moment.services.get(&run.victim).and_then(value)).last()
}

fn timing(run: &Run<'_>) -> Vec<String> {
    let Some(fault) = run.fault else { return Vec::new() };
    let fault_at = stamp(run, fault);
    let after = |at: Timestamp| {
        let passed = at.since(fault_at).0;
        format!("{}.{} s", passed / 1000, passed % 1000 / 100)
    };
    let noticed = run
        .story
        .course
        .first(fault_at, |moment| moment.incidents.iter().any(|(_, suspect)| suspect.as_ref() == Some(&run.victim)));
    let decided = run.story.repairs_of(&run.victim).map(|begun| begun.request.decided).find(|at| fault_at <= *at);
    let mut rows = Vec::new();
    rows.push(match noticed {
        Some(moment) => format!("Noticed {} after the fault, with {} as the suspect.", after(moment.at), run.victim),
        None => format!("No incident suspected {}.", run.victim),
    });
    rows.extend(decided.map(|decided| format!("First repair decided {} after the fault.", after(decided))));
    rows
}

fn repairs<'a>(run: &'a Run<'_>) -> impl Iterator<Item = (&'a ActionId, &'a Begun)> {
    let scales = |begun: &Begun| matches!(begun.request.action.actuation, Actuation::SetReplicas { .. });
    run.story.actions.iter().filter(move |(_, begun)| scales(begun))
}

fn actions(run: &Run<'_>) -> Vec<String> {
    let mut rows: Vec<String> = repairs(run)
        .take(REPAIRS_MAX)
        .map(|(id, begun)| {
            let action = &begun.request.action;
            let what = changed(&action.actuation, action.way_back.as_ref());
            let measured = begun.measured().map(|measured| format!(" ({measured})")).unwrap_or_default();
            format!("{id} {what}: {}{measured}.", begun.stage)
        })
        .collect();
    let sampling = run.story.actions.values();
    let sampling = sampling.filter(|begun| matches!(begun.request.action.actuation, Actuation::SetSampling { .. }));
    let mut by_stage = std::collections::BTreeMap::<String, usize>::new();
    sampling.for_each(|begun| *by_stage.entry(begun.stage.to_string()).or_default() += 1);
    if !by_stage.is_empty() {
        let stages: Vec<String> = by_stage.iter().map(|(stage, count)| format!("{count} {stage}")).collect();
        rows.push(format!("Sampling was changed {} times: {}.", by_stage.values().sum::<usize>(), stages.join(", ")));
    }
    rows
}

/// What one would conclude from the kept spans alone, against the truth.
fn estimate(run: &Run<'_>) -> Vec<String> {
    let (arrived, estimate) =
        (run.arrived.served.values().map(|served| served.spans).sum::<u64>(), run.arrived.estimate());
    if arrived == 0 || run.served == 0 {
        return vec!["No kept span arrived at the backend.".to_owned()];
    }
    let off = 100.0 * (estimate - run.served as f64) / run.served as f64;
    vec![format!(
        "The backend got {arrived} of {} served requests as spans. By their sampling thresholds alone it would count {:.0}, \
         which is {off:+.1} % off.",
        run.served, estimate
    )]
}

fn cost(run: &Run<'_>) -> Vec<String> {
    let cpu = run.cpu.map(|cpu| {
        let share = 100.0 * cpu.as_secs_f64() / run.end.as_secs_f64().max(1.0);
        format!("The agent used {share:.1} % of one core")
    });
    let memory =
        run.memory.map(|bytes| format!("the whole process, shop included, {} MB of memory", bytes / 1_000_000));
    let known: Vec<String> = cpu.into_iter().chain(memory).collect();
    if known.is_empty() { Vec::new() } else { vec![format!("{}.", known.join("; "))] }
}

#[cfg(test)]
mod tests {
    use homeostat_core::Settings;

    use super::*;

    /// Ten users a second for a minute; those who come from `since_s` to `until_s` wait two seconds.
    fn visits(since_s: u64, until_s: u64) -> Vec<Visit> {
        let visit = |tenth: u64| {
            let is_slow = (since_s * 10..until_s * 10).contains(&tenth);
            let took = Micros::from_millis(if is_slow { 2000 } else { 40 });
            Visit { came: Duration::from_millis(tenth * 100), took, worked: true }
        };
        (0..600).map(visit).collect()
    }

    fn check(visits: &[Visit], fault_s: Option<u64>, repaired_s: Option<u64>) -> Vec<String> {
        let story = Story::new(Timestamp(0), Settings::default());
        let run = Run {
            story: &story,
            visits,
            victim: ServiceName::from("payment"),
            fault: fault_s.map(Duration::from_secs),
            end: Duration::from_secs(60),
            arrived: Arrived::default(),
            served: 0,
            cpu: None,
            memory: None,
        };
        assert_eq!(repaired(&run).map(|at| (at.as_secs_f64()).round() as u64), repaired_s);
        rows(&run, 100)
    }

    /// Scenario: trouble from second 20 to 30; to the end; none; trouble that comes back; and no fault at all.
    /// Guarantees: repaired is what stays well for long enough at the end, seen by those who came; everything else is not.
    #[test]
    fn repaired_means_well_until_the_end() {
        let rows = check(&visits(20, 30), Some(20), Some(30));
        assert!(
            rows.iter().any(|row| row == "  Repaired: 9.9 s after the fault, the users were well again."),
            "{rows:#?}"
        );
        let slow = rows.iter().find(|row| row.contains("slower than 500 ms")).expect("a row about slow requests");
        assert!(slow.ends_with("0.0 %       100.0 %         0.0 %"), "{slow}");
        check(&visits(20, 60), Some(20), None);
        check(&visits(20, 50), Some(20), None);
        check(&visits(0, 0), Some(20), Some(20));
        let twice: Vec<Visit> = visits(20, 25)
            .into_iter()
            .zip(visits(50, 55))
            .map(|(a, b)| Visit { took: a.took.max(b.took), ..a })
            .collect();
        check(&twice, Some(20), None);
        check(&visits(0, 0), None, None);
    }
}
