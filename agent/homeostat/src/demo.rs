//! `homeostat demo`.
//!
//! Answers what the agent is, in two minutes and on one screen: a small real shop, real users, a real fault, and the same
//! agent that `homeostat run` starts, which perceives, decides, repairs and learns. Knows the agent through its doors and its
//! records only. Ends by itself, whatever happens, with a summary that is computed and not written beforehand.

mod backend;
mod cost;
mod fault;
mod line;
mod load;
mod overlay;
mod panel;
mod screen;
mod script;
mod shop;
mod stage;
mod story;
mod summary;
mod watchdog;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use screen::ScreenError;

use crate::wiring::StartError;
use screen::Screen;
use script::{Ended, Script};
use shop::ShopError;
use stage::Stage;

/// How wide the text before and after the live part is.
const TEXT_WIDTH: usize = 100;

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The shop could not be opened.
    #[error("the demo's shop cannot be opened")]
    Shop(#[from] ShopError),
    /// The agent could not be started.
    #[error("the demo's agent cannot be started")]
    Agent(#[from] StartError),
    /// No threads.
    #[error("cannot start threads")]
    Threads(#[source] std::io::Error),
    /// The stand-in backend has no port.
    #[error("cannot listen on loopback for the stand-in backend")]
    Backend(#[source] std::io::Error),
    /// No directory for the journal.
    #[error("cannot create the state directory {}", path.display())]
    StateDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing can be shown.
    #[error(transparent)]
    Screen(#[from] ScreenError),
}

/// Whether the agent did what the demo is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    /// The users are well again.
    Done,
    /// They are not, or somebody left before it could be told.
    NotDone,
}

/// Runs the demo; takes about two minutes.
pub(crate) fn run() -> Result<Repair, DemoError> {
    let _watchdog = watchdog::Watchdog::start(script::AT_MOST + stage::CLEARING + Duration::from_secs(10));
    let stage = Stage::set()?;
    screen::print(&stage.introduction(TEXT_WIDTH))?;
    let mut screen = Screen::open();
    let mut script = Script::begin(&stage);
    let ended = script.play(&stage, &mut screen);
    let (story, fault) = script.finish();
    // The terminal is put in order before anything else is said, also after an error.
    screen.close()?;
    let ended = ended?;
    if ended == Ended::Left {
        screen::print(&["  Leaving; closing the shop and the agent.".to_owned()])?;
    }
    let (rows, repair) = stage.clear(&story, fault, TEXT_WIDTH);
    screen::print(&rows)?;
    Ok(repair)
}
