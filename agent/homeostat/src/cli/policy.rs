//! The command line of `policy`.
//!
//! Answers what can be typed about operator rules, and teaches how a rule and its test are written.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What is shown below the help of `policy` and of `policy test`: a rule and its test, complete.
const EXAMPLE: &str = r#"A rule (rules/busy_checkout.yaml): for whom, when, for how long, what then:

  apiVersion: homeostat.dev/v1alpha1
  kind: RuleSet
  spec:
    rules:
      - name: busy-checkout
        description: Users wait before utilisation shows it.
        selector: { services: [checkout] } # * is any text; none selects none
        when: service.utilization > 0.8 && service.slow_ratio > 0.02
        for: 30s                           # without a break; or at once
        then: { scaleOut: { by: 1 } }      # or { sample: 100% }, { notify:
                                           # { text: "…", urgency: page } }
        dryRun: true                       # the default: shown, not done
        priority: 0                        # higher ones come first

Its test (rules/busy_checkout_test.yaml): what is known, what is proposed:

  apiVersion: homeostat.dev/v1alpha1
  kind: RuleTest
  spec:
    ruleFiles: [busy_checkout.yaml]
    tests:
      - name: one more replica after half a minute, none in the dark
        given:
          - at: 0s
            services:
              checkout:
                service.utilization: 95%
                service.slow_ratio: 5%
                service.replicas: 2
          - at: 60s
            services:
              checkout: { service.slow_ratio: missing }
        expect:
          - { at: 29s, proposals: [] }
          - at: 30s
            proposals:
              - rule: busy-checkout
                service: checkout
                action: run checkout with 3 replicas
                dryRun: true
          - { at: 60s, proposals: [] }

Then:

  homeostat check rules/busy_checkout.yaml  every problem, with a caret
  homeostat policy test rules               every *_test.yaml; 1 if one fails
  homeostat policy list --rules rules       what would run

To let the agent follow them, say spec.automation.rules: { dir: rules } in
the manifest and send SIGHUP. docs/rules.md lists variables and functions."#;

/// Operator rules.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLE)]
pub(crate) enum PolicyCommand {
    /// Run the unit tests of rules: every *_test.yaml in a folder. Exit code 1 if one fails.
    #[command(after_help = EXAMPLE)]
    Test(PolicyTestArgs),
    /// List the coded policies and the operator rules.
    #[command(after_help = "\
Examples:
  homeostat policy list                           the coded policies
  homeostat policy list --rules rules             and the rules of a folder or of a file
  homeostat policy list --manifest agent.yaml     and those a manifest names")]
    List(PolicyListArgs),
}

/// Arguments of `policy test`.
#[derive(Debug, Args)]
pub(crate) struct PolicyTestArgs {
    /// A folder with *_test.yaml files, or one such file.
    #[arg(value_name = "DIR")]
    pub(crate) path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `policy list`.
#[derive(Debug, Args)]
pub(crate) struct PolicyListArgs {
    /// Rules: a folder, or a file.
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
    /// A manifest that names rules.
    #[arg(long, value_name = "FILE", conflicts_with = "rules")]
    pub(crate) manifest: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
