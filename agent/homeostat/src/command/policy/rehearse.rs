//! `policy test`: what rules propose against what is expected.
//!
//! Answers which tests pass, and for each that does not, what was expected and what came instead.

use std::io::Write;
use std::path::{Path, PathBuf};

use homeostat_core::{Millis, RuleSettings, Settings};
use homeostat_documents::rule_tests::{self, Expected, ExpectedProposal, RuleTest};
use homeostat_documents::{Place, Problem};
use homeostat_policies::rules::rehearsal::{self, Answer as Played, Rehearsal};
use serde::Serialize;

use crate::cli::policy::PolicyTestArgs;
use crate::command::{Answer, CommandError, write_json};
use crate::files::{self, Files};

/// How all tests ended.
#[derive(Serialize)]
struct Summary {
    passed: usize,
    failed: usize,
    tests: Vec<Tested>,
}

/// How one test ended.
#[derive(Serialize)]
struct Tested {
    file: String,
    line: u64,
    name: String,
    passed: bool,
    differences: Vec<Difference>,
}

/// What was expected at one time, and what came.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Difference {
    at_ms: u64,
    line: u64,
    expected: Vec<String>,
    found: Vec<String>,
}

/// Runs the tests; the answer is no if one fails, or if there is none.
pub(super) fn test(args: &PolicyTestArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let files = test_files(&args.path).map_err(|problem| CommandError::Rules(vec![problem]))?;
    let (mut tests, mut problems) = (Vec::new(), Vec::new());
    for file in &files {
        match test_file(file) {
            Ok(tested) => tests.extend(tested),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(CommandError::Rules(problems));
    }
    let passed = tests.iter().filter(|test| test.passed).count();
    let summary = Summary { passed, failed: tests.len() - passed, tests };
    if args.json {
        write_json(out, &summary)?;
    } else {
        write_summary(&summary, &args.path, out)?;
    }
    let good = summary.failed == 0 && 0 < summary.passed;
    Ok(if good { Answer::Yes } else { Answer::No })
}

fn test_files(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    if path.is_dir() { files::files_of(path, Files::Tests) } else { Ok(vec![path.to_owned()]) }
}

fn test_file(file: &Path) -> Result<Vec<Tested>, Vec<Problem>> {
    let named = |problem: Problem| Problem { file: Some(file.display().to_string()), ..problem };
    let text = files::read_text(file).map_err(|problem| vec![named(problem)])?;
    let read = rule_tests::read(&text);
    let read = read.map_err(|problems| problems.into_iter().map(named).collect::<Vec<_>>())?;
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    for (place, name) in &read.rule_files {
        let path = file.parent().unwrap_or(Path::new("")).join(name);
        if !path.is_file() {
            let what = format!("there is no file {} beside this one", path.display());
            problems.push(named(Problem { path: "spec.ruleFiles".to_owned(), ..Problem::whole(what, Some(*place)) }));
            continue;
        }
        match files::read_rules(&path) {
            Ok((more, _)) => {
                problems.extend(files::twice(&rules, &more, &path));
                rules.extend(more);
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let settings = Settings { rules: RuleSettings::new(rules), ..Settings::default() };
    Ok(read.tests.into_iter().map(|test| run(test, &settings, file)).collect())
}

fn run(test: RuleTest, settings: &Settings, file: &Path) -> Tested {
    let RuleTest { name, at: Place { line, .. }, every, scenes, expected } = test;
    let asked = expected.iter().map(|expected| expected.at).collect();
    let answers = rehearsal::rehearse(&Rehearsal { settings: settings.clone(), every, scenes, asked });
    let differences: Vec<Difference> =
        expected.iter().zip(&answers).filter_map(|(expected, found)| difference(expected, found, settings)).collect();
    let passed = differences.is_empty() && answers.len() == expected.len();
    Tested { file: file.display().to_string(), line, name, passed, differences }
}

/// A proposal as tests speak of it.
struct Found {
    rule: String,
    service: String,
    action: String,
    dry_run: bool,
}

fn difference(expected: &Expected, played: &Played, settings: &Settings) -> Option<Difference> {
    let found: Vec<Found> = played
        .proposals
        .iter()
        .filter_map(|proposal| {
            let (_, rule) = settings.rules.find(&proposal.policy)?;
            let service = proposal.action.target.service()?.to_string();
            let action = proposal.action.actuation.to_string();
            Some(Found { rule: rule.name.clone(), service, action, dry_run: rule.dry_run })
        })
        .collect();
    let problems: Vec<String> = played
        .standing
        .0
        .iter()
        .filter_map(|standing| {
            let problem = standing.problem.as_ref()?;
            Some(format!("{} cannot be evaluated of {}: {}", standing.policy, problem.service, problem.what))
        })
        .collect();
    let fits = expected.proposals.len() == found.len()
        && expected.proposals.iter().zip(&found).all(|(expected, found)| is_as(expected, found));
    if fits && problems.is_empty() {
        return None;
    }
    let found =
        found.into_iter().map(|found| in_words(&found.rule, &found.service, Some(&found.action), Some(found.dry_run)));
    Some(Difference {
        at_ms: expected.at.0,
        line: expected.place.line,
        expected: expected
            .proposals
            .iter()
            .map(|wanted| in_words(&wanted.rule, &wanted.service, wanted.action.as_deref(), wanted.dry_run))
            .collect(),
        found: found.chain(problems).collect(),
    })
}

fn is_as(expected: &ExpectedProposal, found: &Found) -> bool {
    expected.rule == found.rule
        && expected.service == found.service
        && expected.action.as_ref().is_none_or(|action| *action == found.action)
        && expected.dry_run.is_none_or(|dry_run| dry_run == found.dry_run)
}

fn in_words(rule: &str, service: &str, action: Option<&str>, dry_run: Option<bool>) -> String {
    let mode = match dry_run {
        Some(true) => " (dry run)",
        Some(false) => " (acts)",
        None => "",
    };
    format!("{rule} for {service}: {}{mode}", action.unwrap_or("anything"))
}

fn write_summary(summary: &Summary, path: &Path, out: &mut dyn Write) -> Result<(), CommandError> {
    let mut file = "";
    for test in &summary.tests {
        if file != test.file {
            writeln!(out, "{}", test.file)?;
            file = &test.file;
        }
        writeln!(out, "  {}  {}", if test.passed { "ok  " } else { "FAIL" }, test.name)?;
        for difference in &test.differences {
            write_difference(difference, &test.file, out)?;
        }
    }
    if summary.tests.is_empty() {
        writeln!(out, "{} has no tests; they are files that end in _test.yaml", path.display())?;
    }
    Ok(writeln!(out, "{} passed, {} failed", summary.passed, summary.failed)?)
}

/// What is in both stands plain; what is only expected has a minus, what only came a plus.
fn write_difference(difference: &Difference, file: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let Difference { at_ms, line, expected, found } = difference;
    writeln!(out, "        {file}:{line}: at {}, expected (-) and found (+):", Millis(*at_ms))?;
    for wanted in expected {
        let mark = if found.contains(wanted) { ' ' } else { '-' };
        writeln!(out, "        {mark} {wanted}")?;
    }
    for came in found.iter().filter(|came| !expected.contains(came)) {
        writeln!(out, "        + {came}")?;
    }
    if expected.is_empty() || found.is_empty() {
        let (mark, side) = if expected.is_empty() { ('-', "no proposal") } else { ('+', "no proposal") };
        writeln!(out, "        {mark} {side}")?;
    }
    Ok(())
}
