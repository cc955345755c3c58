//! The figures of a round.
//!
//! Answers what is told of a round, and which limits it misses.

use std::time::Duration;

use homeostat_core::TickRecord;

use crate::round::Cost;

/// The demand: so many services…
const LIMIT_AT: f64 = 10_000.0;
/// …in so many milliseconds, in 99 of 100 ticks.
const LIMIT_MS: f64 = 50.0;

/// A step to the next size may cost so much more than n log n: what fits into the processor's caches at one size no longer
/// does at the next.
const GROWTH_MAX: f64 = 1.5;

/// From this size on growth is judged. What a hundred services need fits into a core's own cache, so the step from there to a
/// thousand measures the cache; it is told, and not judged.
const GROWTH_FROM: f64 = 1000.0;

pub(crate) const HEAD: &str = "services   ticks   median      p99      max  longest    absorb  per service   n log n  resident      peak  findings incidents requests withheld\n                      ms       ms       ms  wall ms        ms           ns     ratio   KiB/svc       MiB   largest of any tick";

/// The most there was at any tick.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Busy {
    most: [usize; 4],
}

impl Busy {
    pub(crate) fn note(&mut self, record: &TickRecord) {
        let (assessment, plan) = (&record.assessment, &record.plan);
        let now = [assessment.findings.len(), assessment.incidents.len(), plan.requests.len(), plan.withheld.len()];
        for (most, now) in self.most.iter_mut().zip(now) {
            *most = now.max(*most);
        }
    }
}

/// What was found; times in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    values: [f64; 18],
}

/// The places in [`Figures::values`].
#[derive(Clone, Copy)]
enum Place {
    Services,
    Ticks,
    Median,
    P99,
    Max,
    LongestWall,
    Absorb,
    ResidentBytes,
    PeakBytes,
    Followed,
    Shed,
    JournalMedian,
    JournalMax,
    JournalWall,
    Findings,
    Incidents,
    Requests,
    Withheld,
}

impl Figures {
    pub(crate) fn of(
        services: usize,
        costs: Vec<Cost>,
        busy: Busy,
        memory: (u64, u64),
        (followed, shed): (usize, u64),
    ) -> Figures {
        let sorted = |of: &dyn Fn(&Cost) -> Duration| {
            let mut values: Vec<f64> = costs.iter().map(|cost| of(cost).as_secs_f64() * 1e3).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let processor = sorted(&|cost| cost.absorbing + cost.thinking);
        let (wall, absorb) = (sorted(&|cost| cost.wall), sorted(&|cost| cost.absorbing));
        let (journal, journal_wall) = (sorted(&|cost| cost.journal), sorted(&|cost| cost.journal_wall));
        let at = |values: &[f64], share: f64| values[((values.len() as f64 * share).ceil() as usize).max(1) - 1];
        let [findings, incidents, requests, withheld] = busy.most.map(|most| most as f64);
        let values = [
            services as f64,
            costs.len() as f64,
            at(&processor, 0.5),
            at(&processor, 0.99),
            at(&processor, 1.0),
            at(&wall, 1.0),
            at(&absorb, 0.5),
            memory.0 as f64,
            memory.1 as f64,
            followed as f64,
            shed as f64,
            at(&journal, 0.5),
            at(&journal, 1.0),
            at(&journal_wall, 0.5),
            findings,
            incidents,
            requests,
            withheld,
        ];
        Figures { values }
    }

    pub(crate) fn to_line(&self) -> String {
        self.values.map(|value| value.to_string()).join(" ")
    }

    pub(crate) fn parse(line: &str) -> Option<Figures> {
        let values: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Figures { values: values.try_into().ok()? })
    }

    fn at(&self, place: Place) -> f64 {
        self.values[place as usize]
    }

    /// How much more the median grew since `before` than n log n does.
    fn growth(&self, before: &Figures) -> f64 {
        let work = |figures: &Figures| figures.at(Place::Services) * figures.at(Place::Services).ln();
        (self.at(Place::Median) / before.at(Place::Median)) / (work(self) / work(before))
    }

    pub(crate) fn missed(&self, before: Option<&Figures>) -> Vec<String> {
        let (services, p99) = (self.at(Place::Services), self.at(Place::P99));
        let too_slow = services == LIMIT_AT && LIMIT_MS < p99;
        let judged = before.filter(|before| GROWTH_FROM <= before.at(Place::Services));
        let growth = judged.map(|before| self.growth(before)).filter(|growth| GROWTH_MAX < *growth);
        let slow = too_slow.then(|| format!("MISSED: {services} services take {p99:.1} ms, more than {LIMIT_MS} ms"));
        let grown = growth.map(|growth| format!("MISSED: {services} services cost {growth:.2} times n log n"));
        slow.into_iter().chain(grown).collect()
    }

    pub(crate) fn row(&self, before: Option<&Figures>) -> String {
        let at = |place| self.at(place);
        let services = at(Place::Services);
        let growth = before.map_or("–".to_owned(), |before| format!("{:.2}", self.growth(before)));
        format!(
            "{services:>8} {:>7} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>9.2} {:>12.0} {growth:>9} {:>9.1} {:>9.1} {:>9} {:>9} {:>8} {:>8}",
            at(Place::Ticks),
            at(Place::Median),
            at(Place::P99),
            at(Place::Max),
            at(Place::LongestWall),
            at(Place::Absorb),
            at(Place::Median) * 1e6 / services,
            at(Place::ResidentBytes) / 1024.0 / services,
            at(Place::PeakBytes) / 1_048_576.0,
            at(Place::Findings),
            at(Place::Incidents),
            at(Place::Requests),
            at(Place::Withheld),
        )
    }

    pub(crate) fn shed_row(&self) -> String {
        let at = |place| self.at(place);
        format!(
            "with the default bounds, {} services: {} followed, {} observations refused and counted; median {:.1} ms, p99 {:.1} ms, {:.0} MiB resident",
            at(Place::Services),
            at(Place::Followed),
            at(Place::Shed),
            at(Place::Median),
            at(Place::P99),
            at(Place::ResidentBytes) / 1_048_576.0,
        )
    }

    pub(crate) fn journal_row(&self) -> String {
        let at = |place| self.at(place);
        format!(
            "the journal, {} services: median {:.1} ms of the processor, {:.1} ms with the disk; {:.1} ms with the bulk",
            at(Place::Services),
            at(Place::JournalMedian),
            at(Place::JournalWall),
            at(Place::JournalMax),
        )
    }
}
