//! `policy`: operator rules and their tests.
//!
//! Answers which policies there are, and whether rules propose what their tests expect. Asks no running agent: a rule is
//! tried where it is written.

mod rehearse;

use std::io::Write;
use std::path::Path;

use homeostat_core::{Rule, RuleAction, RuleSettings, ScaleOut, Urgency};
use homeostat_documents::Problem;
use serde::Serialize;

use super::{Answer, CommandError, write_json};
use crate::cli::policy::{PolicyCommand, PolicyListArgs};
use crate::files;
use crate::manifest::Manifest;

/// Does what was asked about policies.
pub(super) fn policy(command: PolicyCommand, out: &mut dyn Write) -> Result<Answer, CommandError> {
    match command {
        PolicyCommand::Test(args) => rehearse::test(&args, out),
        PolicyCommand::List(args) => list(&args, out),
    }
}

/// Everything that proposes.
#[derive(Serialize)]
struct Listed {
    coded: Vec<&'static str>,
    rules: Vec<ListedRule>,
}

#[derive(Serialize)]
struct ListedRule {
    name: String,
    version: String,
    priority: i32,
    dry_run: bool,
    services: Vec<String>,
    when: String,
    for_ms: u64,
    then: String,
    description: String,
}

fn list(args: &PolicyListArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let rules = match (&args.manifest, &args.rules) {
        (Some(manifest), _) => Manifest::load(manifest).map_err(CommandError::Manifest)?.settings.rules,
        (None, Some(path)) => RuleSettings::new(rules_at(path).map_err(CommandError::Rules)?),
        (None, None) => RuleSettings::default(),
    };
    let coded = homeostat_policies::CATALOGUE.iter().map(|policy| policy.name()).collect();
    let listed = Listed { coded, rules: rules.iter().map(ListedRule::of).collect() };
    if args.json {
        write_json(out, &listed)?;
        return Ok(Answer::Yes);
    }
    writeln!(out, "policies, in the order in which they propose\n  {}", listed.coded.join("\n  "))?;
    writeln!(out, "\noperator rules, the highest priority first")?;
    if listed.rules.is_empty() {
        writeln!(out, "  none; `homeostat policy --help` shows how one is written")?;
    }
    for rule in &listed.rules {
        rule.write(out)?;
    }
    Ok(Answer::Yes)
}

impl ListedRule {
    fn of(rule: &Rule) -> ListedRule {
        ListedRule {
            name: rule.name.clone(),
            version: rule.version.clone(),
            priority: rule.priority,
            dry_run: rule.dry_run,
            services: rule.selector.services.clone(),
            when: rule.when.text.trim().to_owned(),
            for_ms: rule.holds_for.0,
            then: in_words(&rule.then),
            description: rule.description.clone(),
        }
    }

    fn write(&self, out: &mut dyn Write) -> Result<(), CommandError> {
        let mode = if self.dry_run { "dry run" } else { "acts" };
        writeln!(out, "  {} ({mode}, priority {}, version {})", self.name, self.priority, self.version)?;
        let services = if self.services.is_empty() { "nothing".to_owned() } else { self.services.join(", ") };
        writeln!(out, "    of {services}, when {}", self.when.split_whitespace().collect::<Vec<_>>().join(" "))?;
        Ok(writeln!(out, "    for {}: {}", homeostat_core::Millis(self.for_ms), self.then)?)
    }
}

fn in_words(action: &RuleAction) -> String {
    match action {
        RuleAction::ScaleOut(ScaleOut::By(more)) => format!("{more} more replicas"),
        RuleAction::ScaleOut(ScaleOut::To(least)) => format!("at least {least} replicas"),
        RuleAction::Sample(tail) => format!("keep ordinary traces at {tail}"),
        RuleAction::Notify { urgency: Urgency::Page, text } => format!("page people: {text}"),
        RuleAction::Notify { urgency: Urgency::Ticket, text } => format!("tell people: {text}"),
    }
}

/// The rules of a folder or of a file.
fn rules_at(path: &Path) -> Result<Vec<Rule>, Vec<Problem>> {
    let read = if path.is_dir() { files::read_rules_in(path) } else { files::read_rules(path) };
    read.map(|(rules, _)| rules)
}
