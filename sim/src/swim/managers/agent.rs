//! The agent's planner.
//!
//! Answers what Homeostat's planner for sites with a dimmer earns here. It sees what every manager sees and is told the
//! plant's published mean service times, as the published planners are. It is the planner of `policies` alone: the loop,
//! its guards and its trials are not in between, because a policy of the catalogue has no memory of minutes.

use homeostat_policies::brownout::{Advice, Brownout, Change, Seen, Site, Worth};

use crate::plants::{COLD_FULL_S, MEAN_BASIC_S, MEAN_FULL_S, Orders, PERIOD_S, Period, Scale, WARM_AFTER};
use crate::swim::managers::Brief;
use crate::swim::score::{FULL_REWARD, LATE_ABOVE_S, SERVER_REWARD, SERVICE_S};
use crate::swim::{Manager, Utility};

/// The planner behind the plant's probes.
#[derive(Clone, Debug)]
pub struct Agent {
    planner: Brownout,
}

impl Agent {
    /// For this site and goal; looks at nothing of the trace.
    pub fn new(brief: &Brief<'_>) -> Agent {
        let Brief { config, goal, .. } = brief;
        let worth = Worth {
            full_reply: FULL_REWARD - 1.0,
            spare_server: match goal {
                Utility::Seams2017 => SERVER_REWARD,
                Utility::Icac2016 => 0.0,
            },
            late_slope: FULL_REWARD,
            late_capacity: config.max_servers as f64 / SERVICE_S,
        };
        let site = Site {
            max_servers: config.max_servers,
            dimmer_levels: config.dimmer_levels,
            boot_minutes: (config.boot_s / PERIOD_S).ceil() as usize,
            full_s: MEAN_FULL_S,
            basic_s: MEAN_BASIC_S,
            cold_full_s: COLD_FULL_S,
            // A twentieth is left after WARM_AFTER requests, an e-th after ln 20 times fewer.
            warm_after: WARM_AFTER / 20.0_f64.ln(),
            late_above_s: LATE_ABOVE_S,
            worth,
        };
        Agent { planner: Brownout::new(site) }
    }
}

impl Manager for Agent {
    fn observe(&mut self, seen: &Period) {
        self.planner.observe(&reading(seen));
    }

    fn decide(&mut self, seen: &Period) -> Orders {
        let Advice { change, dimmer, .. } = self.planner.decide(&reading(seen));

        let scale = change.map(|change| match change {
            Change::Boot => Scale::Add,
            Change::TakeAway => Scale::Remove,
        });
        Orders { scale, dimmer: Some(dimmer) }
    }
}

fn reading(seen: &Period) -> Seen {
    Seen {
        arrivals_per_s: seen.arrivals_per_s,
        response_s: seen.response_s,
        active: seen.active,
        booting: seen.booting,
    }
}
