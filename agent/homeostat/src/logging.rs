//! The log.
//!
//! Answers where the agent's own words go: to stderr, for people, filtered by `RUST_LOG`. Does not choose what is said.
//! stdout is left to answers, so that `--json` can be piped.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Said unless `RUST_LOG` asks for something else. Libraries speak only when something is wrong.
const DEFAULT_FILTER: &str = "warn,homeostat=info,homeostat_adapters=info,homeostat_pipeline=info";

/// Sets the log up. A second call, as in tests, changes nothing.
pub(crate) fn start() {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|text| !text.is_empty());
    let filter = EnvFilter::new(asked.as_deref().unwrap_or(DEFAULT_FILTER));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    // An error means that somebody has set a log up already, which is what is wanted.
    drop(log.with_target(false).try_init());
}
