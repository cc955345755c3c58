//! `goals`: what people want, and what follows from it.
//!
//! Answers from a manifest alone, with assumptions where traffic would have to be seen, or from the running agent.

use std::io::Write;

use homeostat_policies::goals::Traffic;

use super::{Answer, CommandError, asking, write_json};
use crate::cli::goals::GoalsArgs;
use crate::client::AgentClient;
use crate::goals::{ASSUMED, GoalsReport};
use crate::manifest::Manifest;

/// What the goals come to.
pub(super) fn goals(args: GoalsArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let report: GoalsReport = match &args.manifest {
        Some(file) => {
            let manifest = Manifest::load(file).map_err(CommandError::Manifest)?;
            let milli = |given: Option<u32>, otherwise| given.map_or(otherwise, |given| u64::from(given) * 1000);
            let assumed = Traffic {
                journeys_milli_per_second: milli(args.journeys_per_second, ASSUMED.journeys_milli_per_second),
                spans_milli: milli(args.spans_per_journey, ASSUMED.spans_milli),
            };
            GoalsReport::of_settings(&manifest.settings, assumed)
        }
        None => asking(AgentClient::new(&args.api.api).get("/v1/goals"))?,
    };
    if args.json {
        write_json(out, &report)?;
    } else {
        report.write(out)?;
    }
    Ok(Answer::Yes)
}
