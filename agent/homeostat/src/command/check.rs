//! `check`: validates a manifest.
//!
//! Answers what is wrong with it, all at once, and what is right but may surprise. Opens nothing and starts nothing.

use std::io::Write;

use super::{Answer, CommandError, write_json};
use crate::cli::CheckArgs;
use crate::manifest::Manifest;

/// Checks a manifest; the answer is no if anything is wrong with it.
pub(super) fn check(args: CheckArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    match Manifest::load(&args.file) {
        Ok(manifest) if args.json => {
            write_json(out, &serde_json::json!({ "good": true, "problems": [], "notes": manifest.notes }))?;
            Ok(Answer::Yes)
        }
        Ok(manifest) => {
            manifest.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
            writeln!(out, "{} is good: run it with `homeostat run --manifest {0}`", args.file.display())?;
            Ok(Answer::Yes)
        }
        Err(problems) if args.json => {
            write_json(out, &serde_json::json!({ "good": false, "problems": problems.list, "notes": [] }))?;
            Ok(Answer::No)
        }
        Err(problems) => {
            writeln!(out, "{problems}")?;
            let count = problems.list.len();
            writeln!(out, "{count} {}", if count == 1 { "problem" } else { "problems" })?;
            Ok(Answer::No)
        }
    }
}
