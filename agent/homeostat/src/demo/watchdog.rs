//! The watchdog.
//!
//! Answers what happens if the demo hangs: it ends all the same, with exit code 1. Everything in the demo has its own bound;
//! this one is for the bound that was forgotten. It ends the process because nothing weaker is sure to work.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Watches until dropped.
pub(crate) struct Watchdog {
    _watched: SyncSender<()>,
}

impl Watchdog {
    /// Ends the process unless dropped within `patience`.
    pub(crate) fn start(patience: Duration) -> Watchdog {
        let (watched, ended) = sync_channel::<()>(1);
        let watch = move || {
            if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                end();
            }
        };
        // Without a thread for the watchdog the demo still has its own bounds.
        drop(std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch));
        Watchdog { _watched: watched }
    }
}

#[expect(clippy::disallowed_methods, reason = "whatever hangs would hang the orderly end too")]
fn end() -> ! {
    // Best effort: a terminal left in raw mode would be worse than a lost message.
    drop(ratatui::crossterm::terminal::disable_raw_mode());
    drop(writeln!(std::io::stderr(), "homeostat: the demo did not end in time and was ended"));
    std::process::exit(1)
}
