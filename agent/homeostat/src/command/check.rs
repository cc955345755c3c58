//! `check`: validates a manifest, a file of rules or of their tests.
//!
//! Answers what is wrong with it, all at once, and what is right but may surprise. Opens nothing but what it is asked to
//! check and what that names, and starts nothing.

use std::io::Write;
use std::path::Path;

use homeostat_documents::{Note, Problem, kind_of, rule_tests, rules};

use super::{Answer, CommandError, write_json};
use crate::cli::CheckArgs;
use crate::files;
use crate::manifest::Manifest;

/// What was found, and what to do next if it is good.
type Found = Result<(Vec<Note>, String), Vec<Problem>>;

/// Checks a document; the answer is no if anything is wrong with it.
pub(super) fn check(args: CheckArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let name = args.file.display();
    let found = found(&args.file);
    let answer = if found.is_ok() { Answer::Yes } else { Answer::No };
    match found {
        Ok((notes, _)) if args.json => {
            write_json(out, &serde_json::json!({ "good": true, "problems": [], "notes": notes }))?;
        }
        Ok((notes, next)) => {
            notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
            writeln!(out, "{name} is good: {next}")?;
        }
        Err(problems) if args.json => {
            write_json(out, &serde_json::json!({ "good": false, "problems": problems, "notes": [] }))?;
        }
        Err(problems) => {
            problems.iter().try_for_each(|problem| writeln!(out, "{}", problem.describe(&name)))?;
            let count = problems.len();
            writeln!(out, "{count} {}", if count == 1 { "problem" } else { "problems" })?;
        }
    }
    Ok(answer)
}

fn found(path: &Path) -> Found {
    let text = files::read_text(path).map_err(|problem| vec![problem])?;
    match kind_of(&text).as_deref() {
        Some(rules::KIND) => {
            let (rules, notes) = rules::read(&text)?;
            let count = match rules.len() {
                1 => "1 rule".to_owned(),
                count => format!("{count} rules"),
            };
            Ok((notes, format!("{count}; test it with `homeostat policy test DIR`")))
        }
        Some(rule_tests::KIND) => {
            rule_tests::read(&text)?;
            Ok((Vec::new(), format!("run it with `homeostat policy test {}`", path.display())))
        }
        _ => {
            let manifest = Manifest::load(path).map_err(|problems| problems.list)?;
            Ok((manifest.notes, format!("run it with `homeostat run --manifest {}`", path.display())))
        }
    }
}
