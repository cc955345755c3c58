//! The agent's process ends and starts again.
//!
//! While it is away, readings and reports are lost; it comes back with its last checkpoint, as from its journal.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;

/// The agent's process ends and starts again.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CrashRestart {}

impl Fault for CrashRestart {
    fn apply(&self, _names: &[ServiceName], conditions: &mut Conditions) {
        conditions.agent_down = true;
    }

    fn describe(&self) -> String {
        "agent down".to_owned()
    }
}
