//! A recording, played again.
//!
//! Answers with what once arrived: every single request of a recording of requests, or the rate of each interval of a
//! recording of counts. It may be played faster and at a multiple of its rate. Before and after it nobody asks for anything.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::scenario::Problems;
use crate::workloads::arrivals::Arrivals;
use crate::workloads::recorded::{self, RecordedError, Source};
use crate::workloads::{PER_SECOND_MAX, Shape};

/// Seconds of a recording that are kept; no run is longer.
const SECONDS_MAX: usize = 5_000_000;

/// A recording, played again.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    /// A CSV file with the names of its columns in the first line; a relative path begins at the scenario's file.
    pub(crate) file: String,
    /// The column of time stamps of a file with one row per request.
    #[serde(default)]
    pub(crate) arrivals: Option<String>,
    /// The columns of a file with one row per interval.
    #[serde(default)]
    pub(crate) counts: Option<Columns>,
    /// The part of the recording that is left out at its beginning, in its own time.
    #[serde(default)]
    pub(crate) skip_s: u64,
    /// How fast it is played, in ten-thousandths: at twice the speed a minute takes thirty seconds and holds the same
    /// requests.
    #[serde(default = "unchanged")]
    pub(crate) speed_bp: u64,
    /// Multiplies the rate at which it is played, in ten-thousandths.
    #[serde(default)]
    pub(crate) rate_bp: Option<u64>,
    /// Instead: the rate of the busiest second, or of the busiest interval.
    #[serde(default)]
    pub(crate) peak_per_second: Option<u32>,
    /// What was read; nothing until [`Replay::load`].
    #[serde(skip)]
    played: Arc<Played>,
}

/// The columns of a recording of counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    /// When an interval begins.
    pub(crate) at: String,
    /// How many requests came in it.
    pub(crate) count: String,
}

/// A recording in the run's own time.
#[derive(Debug, Default, PartialEq)]
enum Played {
    #[default]
    Nothing,
    Arrivals {
        arrivals: Arrivals,
        scale_bp: u64,
    },
    /// Thousandths of a request per second, second by second.
    Rates(Box<[u64]>),
}

impl Replay {
    /// Reads the file, which is looked for from `folder` on.
    pub(crate) fn load(&mut self, folder: &Path) -> Result<(), RecordedError> {
        let path = folder.join(&self.file);
        let text = recorded::read(&path)?;
        self.take(Source { path: &path.display().to_string(), text: &text })
    }

    fn take(&mut self, source: Source<'_>) -> Result<(), RecordedError> {
        self.played = Arc::new(match (&self.arrivals, &self.counts) {
            (Some(column), None) => self.play_arrivals(&source.arrivals(column)?),
            (None, Some(columns)) => self.play_counts(&source.counts(&columns.at, &columns.count)?),
            // Refused by `check`.
            _ => Played::Nothing,
        });
        Ok(())
    }

    fn play_arrivals(&self, recorded: &[u64]) -> Played {
        let skip_us = self.skip_s.saturating_mul(1_000_000);
        let kept = recorded.iter().filter_map(|instant| instant.checked_sub(skip_us));
        let in_time = kept.map(|instant| (u128::from(instant) * 10_000 / u128::from(self.speed_bp.max(1))) as u64);
        let arrivals = Arrivals::new(in_time.collect());
        let scale_bp = match self.peak_per_second {
            Some(peak) => u64::from(peak) * 10_000 / arrivals.busiest().max(1),
            None => self.rate_bp.unwrap_or(10_000),
        };
        Played::Arrivals { arrivals, scale_bp }
    }

    fn play_counts(&self, recorded: &[(u64, f64)]) -> Played {
        let speed = self.speed_bp.max(1) as f64 / 10_000.0;
        // The usual distance is the smallest; where a row is missing, its predecessor stands for it too.
        let distances = recorded.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let interval_s = distances.min().unwrap_or(1).max(1) as f64 / 1e6;
        let rates: Vec<f64> = recorded.iter().map(|(_, count)| count / interval_s * speed).collect();
        let factor = match self.peak_per_second {
            Some(peak) => f64::from(peak) / rates.iter().copied().fold(f64::MIN_POSITIVE, f64::max),
            None => self.rate_bp.unwrap_or(10_000) as f64 / 10_000.0,
        };
        let begins = |(at_us, _): &(u64, f64)| (*at_us as f64 / 1e6 - self.skip_s as f64) / speed;
        let starts: Vec<f64> = recorded.iter().map(begins).collect();
        let ends = starts.last().map_or(0.0, |last| last + interval_s / speed);
        let mut seconds = vec![0.0; (ends.max(0.0).ceil() as usize).min(SECONDS_MAX)];
        for (index, rate) in rates.iter().enumerate() {
            let (from, to) = (starts[index], starts.get(index + 1).copied().unwrap_or(ends));
            spread(&mut seconds, from, to, rate * factor);
        }
        Played::Rates(seconds.into_iter().map(|rate| (rate * 1000.0).round() as u64).collect())
    }
}

/// Adds `rate` from `from` to `to`, as far as each second is covered.
fn spread(seconds: &mut [f64], from: f64, to: f64, rate: f64) {
    let (from, to) = (from.max(0.0), to.min(seconds.len() as f64));
    let first = from as usize;
    for (second, sum) in seconds.iter_mut().enumerate().skip(first).take_while(|(second, _)| (*second as f64) < to) {
        let covered = (to.min(second as f64 + 1.0) - from.max(second as f64)).max(0.0);
        *sum += rate * covered;
    }
}

impl Shape for Replay {
    fn milli_per_second(&self, at_s: u64) -> u64 {
        match &*self.played {
            Played::Nothing => 0,
            Played::Arrivals { arrivals, scale_bp } => arrivals.within_second(at_s, *scale_bp) * 1000,
            Played::Rates(rates) => rates.get(at_s as usize).copied().unwrap_or(0),
        }
    }

    fn arrivals(&self) -> Option<(&Arrivals, u64)> {
        match &*self.played {
            Played::Arrivals { arrivals, scale_bp } => Some((arrivals, *scale_bp)),
            Played::Nothing | Played::Rates(_) => None,
        }
    }

    /// The end of the recording: what was recorded changes as it likes.
    fn calm_from_s(&self) -> u64 {
        match &*self.played {
            Played::Nothing => 0,
            Played::Arrivals { arrivals, .. } => arrivals.last_s() + 1,
            Played::Rates(rates) => rates.len() as u64,
        }
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        let mut say = |key: &str, what: String| problems.add(format!("{path}.replay.{key}"), what);
        if self.arrivals.is_some() == self.counts.is_some() {
            say("arrivals", "must be given, or counts, and not both".to_owned());
        }
        if self.rate_bp.is_some() && self.peak_per_second.is_some() {
            say("peak_per_second", "is another way to say rate_bp; give one of them".to_owned());
        }
        if self.speed_bp == 0 {
            say("speed_bp", "must be at least 1; 10000 is as recorded".to_owned());
        }
        let busiest = match &*self.played {
            Played::Nothing => {
                return say("file", "was not read; only a scenario in a file has a recording".to_owned());
            }
            Played::Arrivals { arrivals, scale_bp } => arrivals.busiest().saturating_mul(*scale_bp) / 10_000,
            Played::Rates(rates) => rates.iter().max().copied().unwrap_or(0) / 1000,
        };
        if u64::from(PER_SECOND_MAX) < busiest {
            let what = format!("comes to {busiest} requests in a second; at most {PER_SECOND_MAX} can be simulated");
            say("rate_bp", what);
        }
        if self.calm_from_s() == 0 || busiest == 0 {
            say("skip_s", "leaves nothing of the recording, or its rate is zero".to_owned());
        }
    }
}

fn unchanged() -> u64 {
    10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(keys: &str, text: &str) -> Replay {
        let mut replay: Replay = serde_saphyr::from_str(&format!("{{ file: t.csv, {keys} }}")).unwrap();
        replay.take(Source { path: "t.csv", text }).unwrap();
        replay
    }

    fn rates(replay: &Replay) -> Vec<u64> {
        (0..replay.calm_from_s()).map(|second| replay.milli_per_second(second)).collect()
    }

    /// Scenario: 20, 40 and 10 requests in intervals of two seconds; as recorded, at double speed, scaled, and cut.
    /// Guarantees: requests are kept when time is compressed, rates follow their scale, and silence follows the end.
    #[test]
    fn counts_become_rates() {
        const TEXT: &str = "at,n\n0,20\n2,40\n4,10\n";
        let check = |keys: &str, expected: &[u64]| {
            let replay = replay(&format!("counts: {{ at: at, count: n }}, {keys}"), TEXT);
            assert_eq!(rates(&replay), expected, "{keys}");
            assert_eq!(replay.milli_per_second(1000), 0);
        };
        check("speed_bp: 10000", &[10_000, 10_000, 20_000, 20_000, 5000, 5000]);
        check("speed_bp: 20000", &[20_000, 40_000, 10_000]);
        check("rate_bp: 5000, speed_bp: 40000", &[30_000, 5000]);
        check("peak_per_second: 80, speed_bp: 20000", &[40_000, 80_000, 20_000]);
        check("skip_s: 3", &[20_000, 5000, 5000]);
    }

    /// Scenario: a recording of requests at four times its speed and half of its rate.
    /// Guarantees: they come at their instants in the run's time, and every other one stays away.
    #[test]
    fn requests_come_in_the_time_of_the_run() {
        let text = "t,x\n100,1\n101,1\n102,1\n104,1\n";
        let fast = replay("arrivals: t, speed_bp: 40000", text);
        assert_eq!(rates(&fast), [3000, 1000]);
        let (arrivals, scale_bp) = fast.arrivals().unwrap();
        let next = arrivals.next_after(crate::queue::SimTime(1), scale_bp);
        assert_eq!(next, Some(crate::queue::SimTime(250_000)));
        assert_eq!(rates(&replay("arrivals: t, rate_bp: 5000", text)).iter().sum::<u64>(), 2000);
        assert_eq!(rates(&replay("arrivals: t, peak_per_second: 3", text)).iter().sum::<u64>(), 12_000);
    }

    /// Scenario: a row is missing in the middle of a recording of counts.
    /// Guarantees: the one before stands for it; a hole is not silence.
    #[test]
    fn a_hole_is_not_silence() {
        let holed = replay("counts: { at: at, count: n }", "at,n\n0,4\n1,8\n4,2\n");
        assert_eq!(rates(&holed), [4000, 8000, 8000, 8000, 2000]);
    }
}
