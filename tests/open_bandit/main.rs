//! The estimators against real logged decisions.
//!
//! Answers whether off-policy evaluation finds on the Open Bandit Dataset what is known of it: the same shop was run with a
//! uniform and with a Thompson policy, each with true propensities, so each log is the truth about the other's policy. It is
//! known that the men's log supports an estimate and that the women's does not: two decisions outweigh ten thousand. The data
//! is not part of the project; its folder is given as `HOMEOSTAT_OPEN_BANDIT`, and without it nothing is checked, loudly.

mod read;

use std::path::Path;
use std::process::ExitCode;

use homeostat_learning::evaluation::{Doubt, Evaluation, Judgement, LoggedDecision, evaluate};

/// Where the folder with `random` and `bts` is given.
const FOLDER: &str = "HOMEOSTAT_OPEN_BANDIT";

fn main() -> ExitCode {
    let Some(folder) = std::env::var_os(FOLDER) else {
        say(&format!(
            "open_bandit: SKIPPED, nothing was checked: set {FOLDER} to the folder that holds random/ and bts/"
        ));
        return ExitCode::SUCCESS;
    };
    let folder = Path::new(&folder);
    for campaign in ["men", "women"] {
        let logs = read::log(folder, "random", campaign).and_then(|random| {
            let thompson = read::log(folder, "bts", campaign)?;
            Ok((random, thompson))
        });
        let (random, thompson) = match logs {
            Ok(logs) => logs,
            Err(problem) => {
                say(&format!("open_bandit: {problem}"));
                return ExitCode::FAILURE;
            }
        };
        check_uniform(campaign, &random, &thompson);
        check_thompson(campaign, &random, &thompson);
    }
    say("open_bandit: all figures hold");
    ExitCode::SUCCESS
}

/// The uniform policy from the Thompson log; the random log has the truth.
fn check_uniform(campaign: &str, random: &[LoggedDecision], thompson: &[LoggedDecision]) {
    let uniform = |_: usize, logged: &LoggedDecision| vec![1.0 / logged.offered.len() as f64; logged.offered.len()];
    let found = evaluate(thompson, &uniform).expect("the data is sound");
    show(&format!("{campaign}: uniform from the Thompson log"), &found, mean(random));
    match campaign {
        "men" => {
            near("truth", mean(random), 0.0046);
            near("naive", found.done.mean, 0.0069);
            near("ips", found.ips.value.mean, 0.0030);
            near("snips", found.snips.value.mean, 0.0032);
            assert_eq!(found.effective.round(), 656.0, "effective sample");
            assert!(found.judgement != Judgement::Better, "the uniform policy is not better");
        }
        _ => {
            near("truth", mean(random), 0.0046);
            near("ips", found.ips.value.mean, 0.0074);
            assert_eq!(found.effective.round(), 2.0, "effective sample");
            assert_eq!(found.weight_max.round(), 21_739.0, "largest weight");
            let refused = matches!(found.judgement, Judgement::CannotTell(Doubt::NoFloor { .. }));
            assert!(refused, "two decisions are no evidence: {}", found.judgement);
        }
    }
}

/// The Thompson policy from the random log, as far as its log shows it: how often it chose each item at each position.
fn check_thompson(campaign: &str, random: &[LoggedDecision], thompson: &[LoggedDecision]) {
    let policy = read::frequencies(thompson);
    let by_position = |_: usize, logged: &LoggedDecision| policy[read::position(&logged.context)].clone();
    let found = evaluate(random, &by_position).expect("the data is sound");
    show(&format!("{campaign}: Thompson from the random log"), &found, mean(thompson));
    for (name, estimate) in [("ips", found.ips), ("snips", found.snips), ("doubly robust", found.doubly_robust)] {
        assert!(estimate.value.contains(mean(thompson)), "{name}: {} misses {}", estimate.value, mean(thompson));
    }
}

#[expect(clippy::print_stdout, reason = "this step has no test harness to speak for it")]
fn say(line: &str) {
    println!("{line}");
}

fn mean(log: &[LoggedDecision]) -> f64 {
    log.iter().map(|decision| decision.reward).sum::<f64>() / log.len() as f64
}

fn near(what: &str, found: f64, known: f64) {
    assert!((found - known).abs() < 0.000_051, "{what}: found {found:.5}, known is {known}");
}

fn show(title: &str, found: &Evaluation, truth: f64) {
    say(&format!("{title}: truth {truth:.4}, effective {:.0} of {}", found.effective, found.decisions));
    let estimates =
        [("ips", found.ips), ("snips", found.snips), ("doubly robust", found.doubly_robust), ("switch", found.switch)];
    for (name, estimate) in estimates {
        let error = (estimate.value.mean - truth).abs() / truth;
        say(&format!("  {name:<13} {}, relative error {error:.2}", estimate.value));
    }
    say(&format!("  judgement     {}", found.judgement));
}
