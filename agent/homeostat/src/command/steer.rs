//! Steering: `hold`, `resume`, `approve`, `reject`.
//!
//! Answers whether the agent heard, and in which regime it is now. Returns only after the tick at which it took effect.

use std::io::Write;

use homeostat_core::Regime;

use super::{Answer, CommandError, asking};
use crate::api::Steered;
use crate::cli::{AnswerArgs, ApiArgs, SteerArgs};
use crate::client::AgentClient;

/// The kill switch.
pub(super) fn hold(args: SteerArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let now = say(&args.api, "/v1/hold")?;
    writeln!(out, "{} since {}: the agent watches and does nothing; `homeostat resume` ends it", now.regime, now.tick)?;
    Ok(if now.regime == Regime::Holding { Answer::Yes } else { Answer::No })
}

/// Act again.
pub(super) fn resume(args: SteerArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let now = say(&args.api, "/v1/resume")?;
    match now.regime {
        Regime::Blind => {
            writeln!(out, "blind at {}: the hold is over, but too few readings are fresh to act", now.tick)?
        }
        regime => writeln!(out, "{regime} since {}", now.tick)?,
    }
    Ok(if now.regime == Regime::Holding { Answer::No } else { Answer::Yes })
}

/// Yes to an action.
pub(super) fn approve(args: AnswerArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let now = say(&args.api, &format!("/v1/approve/{}", args.id))?;
    writeln!(out, "approved at {}: `homeostat explain {}` tells what comes of it", now.tick, args.id)?;
    Ok(Answer::Yes)
}

/// No to an action.
pub(super) fn reject(args: AnswerArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let now = say(&args.api, &format!("/v1/reject/{}", args.id))?;
    writeln!(out, "rejected at {}: nothing will be done", now.tick)?;
    Ok(Answer::Yes)
}

fn say(api: &ApiArgs, path: &str) -> Result<Steered, CommandError> {
    asking(async { AgentClient::new(&api.api).post(path).await })
}
