//! Off means off.
//!
//! Answers whether the agent may act at all: not while an operator holds it, not before it knows how the world stands after
//! a restart, not while it shuts down. Asked last, so the plan still shows every other reason.

use homeostat_core::{Regime, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const KILL_SWITCH: KillSwitch = KillSwitch;

pub(crate) struct KillSwitch;

impl Guard for KillSwitch {
    fn name(&self) -> &'static str {
        "kill_switch"
    }

    fn check(&self, _candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        match view.regime {
            Regime::Engaged | Regime::Blind => None,
            regime @ (Regime::Starting | Regime::Holding | Regime::Draining) => {
                Some(WithholdReason::NotEngaged { regime }.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, scale};

    /// Scenario: the same action in every regime.
    /// Guarantees: it passes this guard only while the agent is engaged, or blind (which is another guard's to refuse).
    #[test]
    fn off_means_off() {
        let passes = |regime| World::default().in_regime(regime).asks(&KILL_SWITCH, &scale("cart", 2, 3)).is_none();
        assert!(passes(Regime::Engaged) && passes(Regime::Blind));
        assert!(!passes(Regime::Starting) && !passes(Regime::Holding) && !passes(Regime::Draining));
    }
}
