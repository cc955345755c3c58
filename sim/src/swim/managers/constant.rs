//! One setting, held.
//!
//! Answers what a site earns that is never managed, with the number of servers and the dimmer chosen once. The best of
//! these, found by search with the trace in hand, is what any manager must beat: to be better than a poor manager proves
//! little.

use homeostat_core::Seed;

use crate::plants::{Orders, Period, Scale, SwimConfig};
use crate::swim::{Manager, Trace, Utility, run};

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// How many servers.
    pub servers: usize,
    /// The dimmer, from 0 to 1.
    pub dimmer: f64,
}

/// Goes to its setting and stays there.
#[derive(Clone, Debug)]
pub struct Constant {
    setting: Setting,
}

impl Constant {
    /// Holds `setting`.
    pub fn new(setting: Setting) -> Constant {
        Constant { setting }
    }
}

impl Manager for Constant {
    fn decide(&mut self, seen: &Period) -> Orders {
        let Setting { servers, dimmer } = self.setting;
        let scale = match servers {
            more if seen.servers < more => Some(Scale::Add),
            fewer if fewer < seen.servers => Some(Scale::Remove),
            _ => None,
        };
        Orders { scale, dimmer: Some(dimmer) }
    }
}

/// The setting that earns the most by `goal`, on average over `seeds`, among every number of servers and every position of
/// the dimmer.
///
/// A setting is not run if it could not win even if no minute were late: that is an upper bound and needs no plant.
pub fn best_static(config: SwimConfig, trace: &Trace, seeds: &[Seed], goal: Utility) -> Setting {
    let levels = (0..config.dimmer_levels).rev();
    let dimmers: Vec<f64> = levels.map(|level| (f64::from(level) * config.dimmer_step()).min(1.0)).collect();
    let settings = (1..=config.max_servers).flat_map(|servers| {
        let of_servers = move |dimmer: &f64| Setting { servers, dimmer: *dimmer };
        dimmers.iter().map(of_servers).collect::<Vec<_>>()
    });
    let mut bounded: Vec<(f64, Setting)> =
        settings.map(|setting| (most_by(config, trace, setting, goal), setting)).collect();
    bounded.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best = (f64::NEG_INFINITY, Setting { servers: 1, dimmer: 1.0 });
    for (most, setting) in bounded {
        if most <= best.0 {
            break;
        }
        let earned = |seed: &Seed| run(config, trace, *seed, &mut Constant::new(setting)).score.by(goal);
        let mean = seeds.iter().map(earned).sum::<f64>() / seeds.len().max(1) as f64;
        if best.0 < mean {
            best = (mean, setting);
        }
    }
    best.1
}

/// What `setting` would earn if no minute were late, or a little more.
fn most_by(config: SwimConfig, trace: &Trace, setting: Setting, goal: Utility) -> f64 {
    let on_time = |(number, rate): (usize, f64)| Period {
        ended_s: (number + 1) as f64 * crate::plants::PERIOD_S,
        arrivals_per_s: rate,
        response_s: None,
        dimmer_mean: setting.dimmer,
        dimmer: setting.dimmer,
        // On its way from three servers to more it has fewer for a while, which may be cheaper.
        servers_mean: setting.servers.min(3) as f64,
        servers: setting.servers,
        active: setting.servers,
        booting: false,
        utilization: 0.0,
        timed_out: 0,
    };
    let periods: Vec<Period> = trace.rates().into_iter().enumerate().map(on_time).collect();
    crate::swim::Score::of(&periods, config.max_servers).by(goal)
}
