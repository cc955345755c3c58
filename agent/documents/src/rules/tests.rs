//! Tests of rule files: good ones, wrong ones, and texts that are no files at all.

use homeostat_policies::rules::is_sound;
use proptest::prelude::*;

use super::*;

/// Every file that ships.
const SHIPPED: [&str; 3] = [
    include_str!("../../../../policies/rules/busy_service.yaml"),
    include_str!("../../../../policies/rules/business_hours.yaml"),
    include_str!("../../../../policies/rules/watch_suspects.yaml"),
];

fn said(text: &str) -> Vec<String> {
    read(text).expect_err("the file is wrong").iter().map(|problem| problem.describe(&"r.yaml")).collect()
}

/// Scenario: every file in `policies/rules` that is no test.
/// Guarantees: each is listed here and is good, and no shipped rule does anything by itself: it is in dry run, or selects
/// nothing.
#[test]
fn shipped_rules_change_nothing_by_themselves() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/rules");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| !name.ends_with("_test.yaml")).count(), SHIPPED.len());
    for text in SHIPPED {
        let (rules, _) = read(text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert!(!rules.is_empty());
        for rule in rules {
            assert!(rule.dry_run || rule.selector.services.is_empty(), "{}", rule.name);
            assert!(is_sound(&rule.when) && !rule.description.is_empty(), "{}", rule.name);
        }
    }
}

/// Scenario: two files that differ in a threshold, and one that is read twice.
/// Guarantees: a version tells rules apart that say different things, and only those.
#[test]
fn a_version_stands_for_what_a_rule_says() {
    let version = |text: &str| read(text).unwrap().0[0].version.clone();
    let changed = SHIPPED[0].replace("0.8 &&", "0.9 &&");
    assert_eq!(version(SHIPPED[0]), version(SHIPPED[0]));
    assert_ne!(version(SHIPPED[0]), version(&changed));
    assert_eq!(version(SHIPPED[0]).len(), 8);
}

/// Scenario: a file with a mistake in almost every line, two of them within one condition over two lines.
/// Guarantees: all are told at once, in reading order, each with path, line and column; within a condition the line is shown
/// with a caret below the place.
#[test]
fn every_problem_of_a_file_is_told_at_once() {
    let text = "\
apiVersion: homeostat.dev/v1alpha1
kind: RuleSet
spec:
  rules:
    - name: Busy Checkout
      selector: { service: [checkout] }
      when: >-
        service.utilisation > 0.8 &&
        service.latency_p99 > 300
      for: 30
      then: { scaleOut: { by: 1, to: 4 } }
      dryrun: false
    - name: b
      selector: { services: [a] }
      when: 5
      then: { sample: 120%, notify: { text: x, urgency: loud } }
    - name: b
      selector: { services: [a] }
      when: 'service.name == ''x'' && tru'
";
    let expected = [
        "r.yaml:5:13: spec.rules[0].name: must be 1 to 63 lower-case letters, digits and dashes, like busy-checkout, found \"Busy Checkout\"",
        "r.yaml:6:19: spec.rules[0].selector.service: unknown key; did you mean services?",
        "r.yaml:8:9: spec.rules[0].when: unknown variable service.utilisation; did you mean service.utilization?\n            service.utilisation > 0.8 &&\n            ^",
        "r.yaml:9:31: spec.rules[0].when: service.latency_p99, a duration, cannot be compared with an int; a span of time is written duration(\"300ms\")\n            service.latency_p99 > 300\n                                  ^",
        "r.yaml:10:12: spec.rules[0].for: must be a duration between 1ms and 30d, like 500ms, 5s, 15m or 6h, found 30",
        "r.yaml:11:25: spec.rules[0].then.scaleOut: must say by (so many more) or to (at least so many), and not both",
        "r.yaml:12:7: spec.rules[0].dryrun: unknown key; did you mean dryRun?",
        "r.yaml:15:13: spec.rules[1].when: must be a condition, like service.utilization > 0.8, found 5",
        "r.yaml:16:13: spec.rules[1].then: must be one of scaleOut, sample and notify, found more",
        "r.yaml:16:23: spec.rules[1].then.sample: must be above 0% and up to 100%, found \"120%\"",
        "r.yaml:16:57: spec.rules[1].then.notify.urgency: must be page or ticket, found \"loud\"",
        "r.yaml:17:7: spec.rules[2].then: missing",
        "r.yaml:19:39: spec.rules[2].when: unknown variable tru; variables begin with service, burn_rate, incident or time\n          when: 'service.name == ''x'' && tru'\n                                          ^",
    ];
    assert_eq!(said(text), expected);
}

/// Scenario: two rules of one name; a file without rules; one of another kind.
/// Guarantees: each is refused in words that say what would be right.
#[test]
fn names_are_unique_and_kinds_are_checked() {
    let rule = "{ name: a, selector: { services: [x] }, when: 'true', then: { sample: 10% } }";
    let head = "apiVersion: homeostat.dev/v1alpha1\nkind: RuleSet\n";
    let text = format!("{head}spec:\n  rules:\n    - {rule}\n    - {rule}\n");
    assert_eq!(said(&text), ["r.yaml:6:7: spec.rules[1].name: a second rule called a; the first is in line 5"]);
    assert_eq!(said(head), ["r.yaml:1:1: spec: missing"]);
    assert!(said("kind: Deployment\n").join("\n").contains("kind: must be RuleSet, found \"Deployment\""));
}

/// Scenario: the page that operators read.
/// Guarantees: every variable stands in its table with its type and what it says, and every function is named.
#[test]
fn every_variable_and_function_is_documented() {
    let page = include_str!("../../../../docs/rules.md");
    for variable in homeostat_core::Variable::ALL {
        let row = format!("| `{variable}` | {} | {} |", variable.value_type(), variable.about());
        assert!(page.contains(&row), "docs/rules.md must say: {row}");
    }
    for (function, _) in language::FUNCTIONS {
        assert!(page.contains(function), "docs/rules.md must name {function}");
    }
}

proptest! {
    /// Scenario: shipped rule files with bytes cut out, doubled and replaced, at any place.
    /// Guarantees: reading never panics; what is still taken is sound, and every problem stands in the file.
    #[test]
    fn mutated_rule_files_are_read_or_refused(
        file in 0..SHIPPED.len(),
        cuts in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..12, "\\PC{0,8}"), 1..5),
    ) {
        let mut text: Vec<char> = SHIPPED[file].chars().collect();
        for (at, length, instead) in cuts {
            let from = at.index(text.len() + 1);
            let to = (from + length).min(text.len());
            text.splice(from..to, instead.chars());
        }
        let text: String = text.into_iter().collect();
        match read(&text) {
            Ok((rules, _)) => prop_assert!(rules.iter().all(|rule| is_sound(&rule.when))),
            Err(problems) => {
                let lines = text.lines().count() as u64 + 1;
                prop_assert!(!problems.is_empty());
                prop_assert!(problems.iter().all(|problem| problem.at.is_none_or(|at| at.line <= lines)));
            }
        }
    }
}
