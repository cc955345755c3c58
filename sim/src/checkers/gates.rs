//! Nothing changes while the agent is held or blind.
//!
//! Checks effects against the regime of their tick, and against what a person really said: a loop that missed the kill
//! switch would still believe itself engaged. Questions to the world are allowed at any time.

use homeostat_core::{ActionRequest, Effect, Regime};

use crate::checkers::{Checker, Complaint, Scene};

/// Has no memory.
pub(crate) struct Gates;

impl Checker for Gates {
    fn effect(
        &mut self,
        effect: &Effect,
        _request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let allowed = match effect {
            Effect::Apply { .. } => scene.regime == Regime::Engaged,
            Effect::Undo { .. } => matches!(scene.regime, Regime::Engaged | Regime::Draining),
            Effect::ReadBack { .. } => return,
        };
        if scene.held {
            complaints.push(scene.complain("no change while a person holds the agent", format!("{effect:?}")));
        } else if !allowed {
            complaints.push(scene.complain(format!("no change while {}", scene.regime), format!("{effect:?}")));
        }
    }
}
