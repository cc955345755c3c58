//! Unit tests of rules, as they are written.
//!
//! Answers what a test gives, when it asks and what it expects. Variables are given under the names that conditions read, so
//! there is one table to know. Does not run anything.

use homeostat_core::{Millis, ServiceName, Value as Worth, ValueType, Variable};
use homeostat_policies::rules::language::nearest;
use homeostat_policies::rules::rehearsal::{Given, Scene, TICKS_MAX};

use crate::problems::{Place, Problem, Report};
use crate::rules::read_metadata;
use crate::section::{Field, Section};
use crate::text::{self, Value};
use crate::{read_identity, scalars};

/// The `kind` of a file of tests.
pub const KIND: &str = "RuleTest";

/// How often rules are asked unless a test says otherwise: as often as the agent ticks.
const EVERY: Millis = Millis::from_secs(1);

/// What a file of tests says.
#[derive(Clone, Debug)]
pub struct RuleTests {
    /// Files of rules beside it, with where they are named.
    pub rule_files: Vec<(Place, String)>,
    /// The tests, in order.
    pub tests: Vec<RuleTest>,
}

/// One test.
#[derive(Clone, Debug)]
pub struct RuleTest {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub at: Place,
    /// From tick to tick.
    pub every: Millis,
    /// What is given, in order of time.
    pub scenes: Vec<Scene>,
    /// What is expected, in order of time.
    pub expected: Vec<Expected>,
}

/// What is expected at one time: exactly these proposals, in this order.
#[derive(Clone, Debug)]
pub struct Expected {
    /// When.
    pub at: Millis,
    /// Where it stands.
    pub place: Place,
    /// The proposals.
    pub proposals: Vec<ExpectedProposal>,
}

/// One expected proposal. What is not said is not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedProposal {
    /// Of which rule.
    pub rule: String,
    /// For which service.
    pub service: String,
    /// What is to be done, in words.
    pub action: Option<String>,
    /// Whether only on paper.
    pub dry_run: Option<bool>,
}

/// Reads a file of tests.
pub fn read(text: &str) -> Result<RuleTests, Vec<Problem>> {
    let root = text::parse(text).map_err(|problem| vec![problem])?;
    let mut report = Report::on(text);
    let field = Field { path: String::new(), key_at: root.at, node: &root };
    let mut document = Section::open(&field, &mut report);
    read_identity(&mut document, KIND, &mut report);
    read_metadata(&mut document, &mut report);
    let mut read = RuleTests { rule_files: Vec::new(), tests: Vec::new() };
    if let Some(spec) = document.require("spec", &mut report) {
        let mut spec = Section::open(&spec, &mut report);
        let files = spec.require("ruleFiles", &mut report).map(|field| field.items(&mut report)).unwrap_or_default();
        for file in files {
            read.rule_files.extend(file.read(&mut report, scalars::text).map(|name| (file.node.at, name)));
        }
        let tests = spec.require("tests", &mut report).map(|field| field.items(&mut report)).unwrap_or_default();
        read.tests = tests.iter().filter_map(|test| read_test(test, &mut report)).collect();
        spec.close(&mut report);
    }
    document.close(&mut report);
    report.close()?;
    Ok(read)
}

fn read_test(item: &Field<'_>, report: &mut Report) -> Option<RuleTest> {
    let mut section = Section::open(item, report);
    let name = section.require("name", report).and_then(|field| field.read(report, scalars::text));
    let every = section.get("every", report, scalars::millis).unwrap_or(EVERY);
    let mut scenes = Vec::new();
    for given in section.require("given", report).map(|field| field.items(report)).unwrap_or_default() {
        read_given(&given, &mut scenes, report);
    }
    let expected = section.require("expect", report).map(|field| field.items(report)).unwrap_or_default();
    let expected: Vec<Expected> = expected.iter().filter_map(|item| read_expected(item, every, report)).collect();
    section.close(report);
    in_order(&scenes.iter().map(|scene: &Scene| scene.at).collect::<Vec<_>>(), item, "given", report);
    in_order(&expected.iter().map(|expected| expected.at).collect::<Vec<_>>(), item, "expect", report);
    Some(RuleTest { name: name?, at: item.node.at, every, scenes, expected })
}

fn in_order(times: &[Millis], item: &Field<'_>, key: &str, report: &mut Report) {
    if !times.is_sorted() {
        report.problem(item.node.at, &format!("{}.{key}", item.path), "must stand in order of at");
    }
}

fn read_given(item: &Field<'_>, scenes: &mut Vec<Scene>, report: &mut Report) {
    let mut section = Section::open(item, report);
    let at = section.require("at", report).and_then(|field| field.read(report, time));
    if let Some(services) = section.require("services", report) {
        for (service, field) in Section::open(&services, report).named(report) {
            let given = Section::open(&field, report).named(report);
            let given = given.into_iter().filter_map(|(name, field)| read_variable(name, &field, report)).collect();
            if let Some(at) = at {
                scenes.push(Scene { at, service: ServiceName::from(service), given });
            }
        }
    }
    section.close(report);
}

fn read_variable(name: &str, field: &Field<'_>, report: &mut Report) -> Option<(Variable, Given)> {
    let Some(variable) = Variable::ALL.iter().find(|variable| variable.name() == name) else {
        let known: Vec<&str> = Variable::ALL.iter().map(|variable| variable.name()).collect();
        let what = match nearest(name, &known) {
            Some(meant) => format!("unknown variable; did you mean {meant}?"),
            None => "unknown variable; they are named as in conditions, like service.utilization".to_owned(),
        };
        report.problem(field.key_at, &field.path, what);
        return None;
    };
    let given = match &field.node.value {
        Value::Text(text) if text == "missing" => Given::Missing,
        Value::Mapping(_) => {
            let mut section = Section::open(field, report);
            let stale = section.require("stale", report);
            section.close(report);
            Given::Stale(read_worth(*variable, &stale?, report)?)
        }
        _ => Given::Fresh(read_worth(*variable, field, report)?),
    };
    Some((*variable, given))
}

fn read_worth(variable: Variable, field: &Field<'_>, report: &mut Report) -> Option<Worth> {
    match variable.value_type() {
        ValueType::Flag => field.read(report, scalars::flag).map(Worth::Flag),
        ValueType::Whole => field.read(report, scalars::count_or_zero).map(|number| Worth::Whole(number.into())),
        ValueType::Decimal => field.read(report, millionths).map(Worth::Millionths),
        ValueType::Span => {
            let us = field.read(report, scalars::micros)?.0;
            Some(Worth::SpanUs(i64::try_from(us).unwrap_or(i64::MAX)))
        }
        ValueType::Text => field.read(report, scalars::text).map(Worth::Text),
    }
}

/// A number that is not negative, or a share with a percent sign.
fn millionths(value: &Value) -> Result<i64, String> {
    let number = match value {
        Value::Number(text) => text.parse::<f64>().ok(),
        Value::Text(text) => {
            text.strip_suffix('%').and_then(|text| text.parse::<f64>().ok()).map(|share| share / 100.0)
        }
        _ => None,
    };
    let number = number.filter(|number| (0.0..=1e9).contains(number));
    number
        .map(|number| (number * 1e6).round() as i64)
        .ok_or_else(|| "must be a number like 0.8 or 80%, { stale: 0.8 } or missing".to_owned())
}

/// A time from the first tick on.
fn time(value: &Value) -> Result<Millis, String> {
    match value {
        Value::Text(text) if text == "0s" => Ok(Millis(0)),
        other => scalars::millis(other),
    }
}

fn read_expected(item: &Field<'_>, every: Millis, report: &mut Report) -> Option<Expected> {
    let mut section = Section::open(item, report);
    let at_field = section.require("at", report);
    let at = at_field.as_ref().and_then(|field| field.read(report, time));
    let proposals = section.require("proposals", report).map(|field| field.items(report)).unwrap_or_default();
    let proposals = proposals.iter().filter_map(|item| read_proposal(item, report)).collect();
    section.close(report);
    let at = at?;
    if let Some(field) = at_field
        && (at.0 % every.0.max(1) != 0 || TICKS_MAX <= at.0 / every.0.max(1))
    {
        let what = format!("must be a multiple of every, which is {every}, and at most {TICKS_MAX} times that");
        field.problem(what, report);
    }
    Some(Expected { at, place: item.node.at, proposals })
}

fn read_proposal(item: &Field<'_>, report: &mut Report) -> Option<ExpectedProposal> {
    let mut section = Section::open(item, report);
    let rule = section.require("rule", report).and_then(|field| field.read(report, scalars::text));
    let service = section.require("service", report).and_then(|field| field.read(report, scalars::text));
    let action = section.get("action", report, scalars::text);
    let dry_run = section.get("dryRun", report, scalars::flag);
    section.close(report);
    Some(ExpectedProposal { rule: rule?, service: service?, action, dry_run })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
apiVersion: homeostat.dev/v1alpha1
kind: RuleTest
spec:
  ruleFiles: [a.yaml]
  tests:
    - name: one
      given:
        - { at: 0s, services: { cart: { service.utilization: 95%, service.latency_p99: { stale: 2s }, incident.kind: missing } } }
      expect:
        - { at: 5s, proposals: [{ rule: a, service: cart, action: notify }] }
";

    /// Scenario: a good file of tests.
    /// Guarantees: fresh, stale and missing readings come out in the units of the language.
    #[test]
    fn a_test_gives_variables_by_name() {
        let read = read(GOOD).unwrap();
        let scene = &read.tests[0].scenes[0];
        let expected = [
            (Variable::Utilization, Given::Fresh(Worth::Millionths(950_000))),
            (Variable::LatencyP99, Given::Stale(Worth::SpanUs(2_000_000))),
            (Variable::IncidentKind, Given::Missing),
        ];
        assert_eq!(scene.given, expected);
        assert_eq!((read.tests[0].every, read.tests[0].expected[0].at), (EVERY, Millis(5000)));
    }

    /// Scenario: a misspelt variable, a share without sense, a time between ticks, an unknown key.
    /// Guarantees: each is told, with its line and what would be right.
    #[test]
    fn wrong_tests_are_refused_at_once() {
        let text = GOOD
            .replace("service.utilization: 95%", "service.utilisation: 95%, service.error_ratio: much")
            .replace("at: 5s", "at: 1500ms")
            .replace("action:", "does:");
        let problems = read(&text).unwrap_err();
        let said: Vec<String> = problems.iter().map(|problem| problem.describe(&"t")).collect();
        assert_eq!(said.len(), 4, "{said:#?}");
        assert!(said[0].contains("t:8:41") && said[0].contains("did you mean service.utilization?"), "{}", said[0]);
        assert!(said[1].contains("must be a number like 0.8 or 80%") && said[1].contains("\"much\""), "{}", said[1]);
        assert!(said[2].contains("t:10:17") && said[2].contains("multiple of every, which is 1 s"), "{}", said[2]);
        assert!(said[3].contains("unknown key"), "{}", said[3]);
    }
}
