//! The fault.
//!
//! Answers what goes wrong and when: after a while the backend of one service takes several times as long, and stays so.
//! Two workers cannot keep up with that; more workers can. The fault does not go away by itself, so that the repair is the
//! agent's and not time's. Nobody tells the agent.

use std::time::Duration;

use super::shop::{Shop, VICTIM};

/// When it happens: by then the agent has seen what is normal.
pub(crate) const AFTER: Duration = Duration::from_secs(15);

/// How long the backend's work takes afterwards, in percent of before. Two workers then do 24 of the 32 charges a second
/// that come; four do 48, five have room to spare.
pub(crate) const SLOWNESS_PERCENT: u32 = 300;

/// Injects it.
pub(crate) fn inject(shop: &Shop) {
    shop.slow_down(VICTIM, SLOWNESS_PERCENT);
}

/// What happened, for people.
pub(crate) fn told(shop: &Shop) -> String {
    format!(
        "{VICTIM}'s backend now takes {} times as long; its {} workers cannot keep up (nobody tells the agent)",
        f64::from(SLOWNESS_PERCENT) / 100.0,
        shop.workers(VICTIM)
    )
}
