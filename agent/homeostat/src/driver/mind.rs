//! The loop, fenced.
//!
//! Answers what the loop says to an event, or that it has stopped. Does not repair it. A failed assertion means that its state
//! cannot be vouched for, so it is never asked again; but it is caught here rather than let through, because the data
//! plane carries other people's telemetry and has done nothing wrong.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use homeostat_control::ControlLoop;
use homeostat_core::{Command, Event, Timestamp};

/// A loop that is sound, or has stopped.
pub(crate) struct Mind {
    control: ControlLoop,
    stopped: Option<String>,
}

impl Mind {
    /// A sound one.
    pub(crate) fn new(control: ControlLoop) -> Mind {
        Mind { control, stopped: None }
    }

    /// Hands an event to the loop. After it has stopped it says nothing any more.
    pub(crate) fn handle(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        if self.stopped.is_some() {
            return Vec::new();
        }
        match fenced(|| self.control.handle(now, event)) {
            Ok(commands) => commands,
            Err(why) => {
                tracing::error!("an assertion of the loop failed: {why}; it acts no more until the agent is restarted");
                self.stopped = Some(why);
                Vec::new()
            }
        }
    }

    /// The loop, to look at. After it has stopped this is its last state, which may be half changed.
    pub(crate) fn control(&self) -> &ControlLoop {
        &self.control
    }

    /// The failed assertion, if it has stopped.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }
}

/// Runs `think` and turns a panic into its message.
fn fenced<T>(think: impl FnOnce() -> T) -> Result<T, String> {
    // Unwind safety is asserted because nothing that `think` may have left half changed is used to act afterwards.
    catch_unwind(AssertUnwindSafe(think)).map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: thinking ends in a failed assertion, once with a fixed text and once with a formatted one.
    /// Guarantees: the caller lives on and learns the text.
    #[test]
    fn a_failed_assertion_becomes_its_text() {
        assert_eq!(fenced(|| -> u8 { panic!("budget exceeded") }), Err("budget exceeded".to_owned()));
        let one = 1;
        assert_eq!(fenced(|| assert_eq!(one, 2, "sum of {one}")).map_err(|text| text.contains("sum of 1")), Err(true));
        assert_eq!(fenced(|| 7), Ok(7));
    }
}
