//! The screen.
//!
//! Answers where the story is shown: in a terminal as a scrolling narrative above a live panel, elsewhere (a pipe, a log, a
//! very small terminal) as plain lines with a table now and then. Both show the same lines. Does not know what they mean.

mod live;
mod plain;

use super::line::Line;
use super::panel::{Panel, Progress};

use live::LiveScreen;
use plain::PlainScreen;

/// Why nothing could be shown. A reader who went away (a closed pipe) ends the demo, politely.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScreenError {
    /// The terminal or the pipe does not take it.
    #[error("cannot write to the screen")]
    Write(#[from] std::io::Error),
}

/// What the person at the screen wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To go on watching.
    Watch,
    /// To leave.
    Leave,
}

/// One of the two screens.
pub(crate) enum Screen {
    /// A terminal.
    Live(Box<LiveScreen>),
    /// Anything else.
    Plain(PlainScreen),
}

impl Screen {
    /// The screen that standard output allows.
    pub(crate) fn open() -> Screen {
        match LiveScreen::open() {
            Some(live) => Screen::Live(Box::new(live)),
            None => Screen::Plain(PlainScreen::default()),
        }
    }

    /// Tells `lines`.
    pub(crate) fn tell(&mut self, lines: &[Line]) -> Result<(), ScreenError> {
        match self {
            Screen::Live(live) => live.tell(lines)?,
            Screen::Plain(plain) => plain.tell(lines)?,
        }
        Ok(())
    }

    /// Shows how things stand.
    pub(crate) fn show(&mut self, panel: &Panel, progress: &Progress) -> Result<(), ScreenError> {
        match self {
            Screen::Live(live) => live.show(panel, progress)?,
            Screen::Plain(plain) => plain.show(panel, progress)?,
        }
        Ok(())
    }

    /// What was typed, if anything can be.
    pub(crate) fn wish(&mut self) -> Wish {
        match self {
            Screen::Live(live) => live.wish(),
            Screen::Plain(_) => Wish::Watch,
        }
    }

    /// Takes the panel away; what was told stays.
    pub(crate) fn close(self) -> Result<(), ScreenError> {
        match self {
            Screen::Live(live) => live.close()?,
            Screen::Plain(_) => {}
        }
        Ok(())
    }
}

/// Prints `rows` as they are; for before and after.
pub(crate) fn print(rows: &[String]) -> Result<(), ScreenError> {
    Ok(plain::print(rows)?)
}

#[cfg(test)]
mod tests;
