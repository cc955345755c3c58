//! The script.
//!
//! Answers what happens when: calm, then the fault, then whatever the agent makes of it, until the story is over or time is
//! up. The agent has no part in the script; only the fault has a time.

use std::sync::Arc;
use std::time::Duration;

use homeostat_core::{Millis, ServiceName, TickRecord};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::DemoError;
use super::line::{Line, Room, Tone};
use super::panel::{Progress, panel};
use super::screen::{Screen, Wish};
use super::shop::VICTIM;
use super::stage::Stage;
use super::story::{Begun, Story};
use super::{fault, load};

/// The demo ends after this, however far the story is.
pub(crate) const AT_MOST: Duration = Duration::from_secs(125);

/// The story goes on for this long after the last incident closed; what sampling still does then is everyday life.
const EPILOGUE: Duration = Duration::from_secs(6);

/// How often keys, signals and the clock are looked at between ticks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How the live part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The story was told.
    Over,
    /// Somebody did not want to see more.
    Left,
}

/// The script, being played.
pub(crate) struct Script {
    story: Story,
    records: Receiver<Arc<TickRecord>>,
    fault: Option<Duration>,
}

impl Script {
    /// The beginning.
    pub(crate) fn begin(stage: &Stage) -> Script {
        let story = Story::new(stage.began_at, stage.settings().clone());
        Script { story, records: stage.agent.records(), fault: None }
    }

    /// Plays it to its end.
    pub(crate) fn play(&mut self, stage: &Stage, screen: &mut Screen) -> Result<Ended, DemoError> {
        let welcome = format!("the shop is open; {} users a second come in", load::RATE);
        screen.tell(&[Line::new(Millis(0), Room::World, welcome)])?;
        // Ends at the latest with `AT_MOST`; each round takes `LOOK_EVERY` at most.
        loop {
            let mut lines = self.listen(stage);
            let elapsed = stage.began.elapsed();
            lines.extend(self.strike(stage, elapsed));
            screen.tell(&lines)?;
            screen.show(&panel(&self.story), &self.progress(elapsed))?;
            if stage.is_interrupted() || screen.wish() == Wish::Leave {
                return Ok(Ended::Left);
            }
            if AT_MOST <= elapsed || self.is_over() {
                return Ok(Ended::Over);
            }
        }
    }

    /// The story and when the fault was injected.
    pub(crate) fn finish(self) -> (Story, Option<Duration>) {
        (self.story, self.fault)
    }

    /// Waits for the next record, shortly.
    fn listen(&mut self, stage: &Stage) -> Vec<Line> {
        let next = stage.runtime.block_on(async { tokio::time::timeout(LOOK_EVERY, self.records.recv()).await });
        match next {
            Ok(Ok(record)) => self.story.take(record),
            Ok(Err(RecvError::Lagged(ticks))) => {
                let at = Millis(stage.began.elapsed().as_millis() as u64);
                vec![Line::new(at, Room::World, format!("the screen was too slow: {ticks} ticks are not shown"))]
            }
            // The agent ends with the stage; until then there is always a sender.
            Ok(Err(RecvError::Closed)) | Err(_) => Vec::new(),
        }
    }

    /// Injects the fault when its time has come.
    fn strike(&mut self, stage: &Stage, elapsed: Duration) -> Option<Line> {
        if self.fault.is_some() || elapsed < fault::AFTER {
            return None;
        }
        let line = Line::new(Millis(elapsed.as_millis() as u64), Room::World, fault::told(&stage.shop)).tone(Tone::Bad);
        fault::inject(&stage.shop);
        self.fault = Some(stage.began.elapsed());
        Some(line)
    }

    /// Over means: after the fault an incident has come and gone, and no repair is still under way.
    fn is_over(&self) -> bool {
        let (Some(_), Some(last), Some(closed)) = (self.fault, &self.story.last, self.story.closed) else {
            return false;
        };
        let is_repairing = self.story.repairs_of(&ServiceName::from(VICTIM)).any(Begun::is_open);
        last.assessment.incidents.is_empty() && !is_repairing && EPILOGUE.as_millis() <= last.at.since(closed).0.into()
    }

    fn progress(&self, elapsed: Duration) -> Progress {
        let millis = |span: Duration| Millis(span.as_millis() as u64);
        Progress { phase: self.phase(), elapsed: millis(elapsed), total: millis(AT_MOST) }
    }

    fn phase(&self) -> &'static str {
        if self.fault.is_none() {
            return "calm: the agent learns what is normal";
        }
        let victim = ServiceName::from(VICTIM);
        match (self.story.repairs_of(&victim).next().is_some(), self.story.is_broken(&victim)) {
            (false, _) => "the fault works, and nobody has told the agent",
            (true, true) => "the agent repairs",
            (true, false) => "repaired: the agent watches whether it holds",
        }
    }
}
