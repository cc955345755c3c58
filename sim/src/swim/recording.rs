//! Recordings made into traces.
//!
//! Answers which requests a run sees if it goes up and down as a recording from elsewhere did. A recording is as long as
//! it is; a run takes 105 minutes and a site can answer some hundred requests per second, so time is stretched and the
//! busiest minute set. Bursts shorter than a quarter of a minute do not survive, because the recording is too thin or too
//! coarse to have them.

use std::path::Path;

use homeostat_core::{Seed, Stream};

use crate::RecordedError;
use crate::plants::{PERIOD_S, PERIODS, uniform};
use crate::swim::Trace;
use crate::workloads::recorded::{Source, read};

/// A request that stands for several is spread over so many seconds before and after.
const SPREAD_S: f64 = 8.0;

/// The end of a run, in seconds.
const RUN_S: f64 = PERIOD_S * PERIODS as f64;

/// What the rows of a recording are.
#[derive(Clone, Debug, PartialEq)]
pub enum Rows {
    /// Each is a request; the column says when.
    Requests {
        /// The column of the instant.
        at: String,
    },
    /// Each says how many requests there were; in between, numbers change evenly.
    Counts {
        /// The column of the instant.
        at: String,
        /// The column of the number.
        count: String,
        /// The column holds natural logarithms.
        are_logarithms: bool,
    },
}

/// Which part of a recording becomes how large a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What its rows are.
    pub rows: Rows,
    /// Where the part begins, as a share of the recording's length.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Requests per second in the busiest minute.
    pub peak_per_s: f64,
}

impl Recipe {
    /// Reads a recording and makes a trace of it. The seed decides what the recording does not say.
    pub fn trace(&self, path: &Path, seed: Seed) -> Result<Trace, RecordedError> {
        let text = read(path)?;
        self.of(Source { path: &path.display().to_string(), text: &text }, seed)
    }

    fn of(&self, source: Source<'_>, seed: Seed) -> Result<Trace, RecordedError> {
        let mut stream = seed.stream("swim/recording");
        let mut instants = match &self.rows {
            Rows::Requests { at } => {
                let all: Vec<(f64, f64)> = source.arrivals(at)?.into_iter().map(|at| (at as f64, 1.0)).collect();
                let part: Vec<f64> = self.stretched(&all).into_iter().map(|(at, _)| at).collect();
                repeated(
                    &part.into_iter().filter(|at| (0.0..RUN_S).contains(at)).collect::<Vec<_>>(),
                    self,
                    &mut stream,
                )
            }
            Rows::Counts { at, count, are_logarithms } => {
                let rate = |value: f64| if *are_logarithms { value.exp() } else { value };
                let all = source.counts(at, count)?;
                let all: Vec<(f64, f64)> = all.into_iter().map(|(at, value)| (at as f64, rate(value))).collect();
                drawn(&self.stretched(&all), self, &mut stream)
            }
        };
        instants.sort_by(f64::total_cmp);
        if instants.is_empty() {
            return Err(source.short("one request in the part that is asked for", 0));
        }
        Ok(Trace::of(instants))
    }

    /// The rows with their instants so that the wanted part fills a run; the rest lies before and after it.
    fn stretched(&self, rows: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let length = rows.last().map_or(1.0, |(at, _)| at.max(1.0));
        let (begin, part) = (self.from * length, (self.to - self.from).max(1e-6) * length);
        rows.iter().map(|(at, value)| ((at - begin) / part * RUN_S, *value)).collect()
    }
}

/// Each request as often as makes the busiest minute what it is to be.
fn repeated(instants: &[f64], recipe: &Recipe, stream: &mut Stream) -> Vec<f64> {
    let mut minutes = vec![0.0_f64; PERIODS];
    instants.iter().for_each(|at| minutes[((at / PERIOD_S) as usize).min(PERIODS - 1)] += 1.0);
    let copies = recipe.peak_per_s * PERIOD_S / minutes.iter().fold(1.0, |most: f64, count| most.max(*count));
    let mut repeated = Vec::new();
    for at in instants {
        let extra = usize::from(uniform(stream) < copies.fract());
        let spread = (0..copies as usize + extra).map(|_| at + SPREAD_S * (2.0 * uniform(stream) - 1.0));
        repeated.extend(spread.filter(|at| (0.0..RUN_S).contains(at)));
    }
    repeated
}

/// A Poisson process whose rate is constant within each second.
fn drawn(rows: &[(f64, f64)], recipe: &Recipe, stream: &mut Stream) -> Vec<f64> {
    let mut next = 1;
    let second = |second: usize| {
        let at = second as f64 + 0.5;
        while next + 1 < rows.len() && rows[next].0 <= at {
            next += 1;
        }
        let ((before, from), (after, to)) = (rows[next - 1], rows[next]);
        from + (to - from) * ((at - before) / (after - before)).clamp(0.0, 1.0)
    };
    let rates: Vec<f64> = (0..RUN_S as usize).map(second).collect();
    let of_minute = |minute: &[f64]| minute.iter().sum::<f64>() / minute.len() as f64;
    let busiest = rates.chunks(PERIOD_S as usize).map(of_minute).fold(f64::MIN_POSITIVE, f64::max);
    let mut instants = Vec::new();
    for (second, rate) in rates.iter().enumerate() {
        let rate = (rate / busiest * recipe.peak_per_s).max(f64::MIN_POSITIVE);
        let mut at = -(1.0 - uniform(stream)).ln() / rate;
        while at < 1.0 {
            instants.push(second as f64 + at);
            at -= (1.0 - uniform(stream)).ln() / rate;
        }
    }
    instants
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: Rows, text: &str, (from, to): (f64, f64)) -> Result<Trace, RecordedError> {
        Recipe { rows, from, to, peak_per_s: 40.0 }.of(Source { path: "t.csv", text }, Seed(1))
    }

    fn counts(are_logarithms: bool) -> Rows {
        Rows::Counts { at: "day".to_owned(), count: "views".to_owned(), are_logarithms }
    }

    /// Scenario: three days of 10, 30 and 10 views, as numbers and as logarithms, and the second half of them.
    /// Guarantees: the busiest minute has forty requests a second within its own noise, the first a third of that; a part
    /// fills the whole run; the same seed gives the same trace.
    #[test]
    fn counts_become_arrivals() {
        let text = "day,views\n2026-01-01,10\n2026-01-02,30\n2026-01-03,10\n";
        let rates = of(counts(false), text, (0.0, 1.0)).unwrap().rates();
        assert!((rates[52] / 40.0 - 1.0).abs() < 0.1 && (rates[0] / 13.3 - 1.0).abs() < 0.2, "{rates:?}");
        let half = of(counts(false), text, (0.5, 1.0)).unwrap();
        assert!((half.rates()[0] / 40.0 - 1.0).abs() < 0.1 && (half.rates()[104] / 13.3 - 1.0).abs() < 0.2);
        assert_eq!(half, of(counts(false), text, (0.5, 1.0)).unwrap());
        let logarithms = "day,views\n2026-01-01,2.302585\n2026-01-02,3.401197\n2026-01-03,2.302585\n";
        let rates = of(counts(true), logarithms, (0.0, 1.0)).unwrap().rates();
        assert!((rates[104] / 13.3 - 1.0).abs() < 0.2, "{rates:?}");
    }

    /// Scenario: a request each second for a hundred seconds, the last ten of them ten times; a column that is missing, and
    /// a part in which nothing came.
    /// Guarantees: requests are repeated until the busiest minute has forty a second and the others a tenth of it; both
    /// mistakes are refused with what is the matter.
    #[test]
    fn requests_are_repeated() {
        let at = (0..90).map(f64::from).chain((0..100).map(|tenth| 90.0 + f64::from(tenth) / 10.0));
        let text: String = std::iter::once("at\n".to_owned()).chain(at.map(|at| format!("{at}\n"))).collect();
        let requests = |column: &str| Rows::Requests { at: column.to_owned() };
        let rates = of(requests("at"), &text, (0.0, 1.0)).unwrap().rates();
        let busiest = rates.iter().copied().fold(0.0, f64::max);
        assert!((busiest / 40.0 - 1.0).abs() < 0.2, "{rates:?}");
        assert!((rates[..90].iter().sum::<f64>() / 90.0 / 3.8 - 1.0).abs() < 0.2, "{rates:?}");
        assert!(of(requests("when"), &text, (0.0, 1.0)).unwrap_err().to_string().contains("a column called when"));
        let gap = "at\n0\n100\n";
        assert!(of(requests("at"), gap, (0.4, 0.6)).unwrap_err().to_string().contains("one request in the part"));
    }
}
