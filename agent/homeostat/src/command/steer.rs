//! Steering: `hold`, `resume`, `arm`, `approve`, `reject`.
//!
//! Answers whether the agent heard, and in which regime it is now. Returns only after the tick at which it took effect.

use std::io::Write;

use homeostat_core::Regime;

use super::{Answer, CommandError, asking};
use crate::api::Steered;
use crate::cli::{AnswerArgs, ApiArgs, ArmArgs, SteerArgs};
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

/// Try again what was taken back too often.
pub(super) fn arm(args: ArmArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let (kind, target) = (in_query(&args.kind), in_query(&args.target));
    let now = say(&args.api, &format!("/v1/arm?kind={kind}&target={target}"))?;
    writeln!(out, "armed at {}: {} may be tried on {} again", now.tick, args.kind, args.target)?;
    Ok(Answer::Yes)
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

/// `text` as it may stand in a query: everything but unreserved characters as %XX (RFC 3986, section 2.3).
fn in_query(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: names with spaces, slashes, stars and letters that are not ASCII.
    /// Guarantees: nothing of them can be taken for a part of the query.
    #[test]
    fn names_stay_names_in_a_query() {
        assert_eq!(in_query("cart GET /a&b=*"), "cart%20GET%20%2Fa%26b%3D%2A");
        assert_eq!(in_query("süß"), "s%C3%BC%C3%9F");
    }
}
