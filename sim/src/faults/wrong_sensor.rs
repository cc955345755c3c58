//! One kind of reading is off by a factor.
//!
//! A unit mistaken, a counter counted twice. It arrives in time and looks like any other, so a loop believes it; what is
//! checked is that it does no harm that it cannot take back.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::{Conditions, Reading};
use crate::faults::{Fault, check_factor, whose};
use crate::scenario::Problems;

/// One kind of reading is off by a factor.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrongSensor {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// Which readings.
    pub(crate) reading: Reading,
    /// What is shown, in ten-thousandths of the truth.
    pub(crate) factor_bp: u32,
}

impl Fault for WrongSensor {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, self.service.as_deref(), |service| {
            service.sensor.wrong_bp[self.reading as usize] = Some(self.factor_bp);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("{} wrong {}", self.reading.name(), whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_factor(path, "factor_bp", self.factor_bp, problems);
    }
}
