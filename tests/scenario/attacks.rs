//! Every guard under attack.
//!
//! Answers whether each guard is needed and each is watched: with all guards no attack does harm; with one taken out, the
//! checker that watches it complains within a few seeds. A guard without an attack, or an attack that nobody notices, fails.

use std::collections::BTreeSet;

use homeostat_control::guard_names;
use homeostat_core::Seed;
use homeostat_sim::attack::{Attack, attacks};

/// Seeds until a missing guard must have been noticed. A seed may leave the attack's fault out, as one in eight does.
const SEEDS_MAX: u64 = 8;

fn all() -> Vec<Attack> {
    attacks().unwrap_or_else(|error| panic!("{error}"))
}

/// Scenario: the catalogues of guards and of attacks.
/// Guarantees: every guard has an attack that is aimed at it, and no attack is aimed at nothing.
#[test]
fn every_guard_is_attacked() {
    let attacked: BTreeSet<&str> = all().iter().map(|attack| attack.guard).collect();
    assert_eq!(attacked, guard_names().collect());
}

/// Scenario: each attack with the guard that it is aimed at taken out, moved about by a few seeds.
/// Guarantees: the checker of that guard complains; so the guard was the only thing that stopped harm, and the checker looks.
#[test]
fn a_missing_guard_is_noticed() {
    let is_missed = |attack: &Attack| attack.without_the_guard(Seed(1), SEEDS_MAX).is_some();
    let ornaments: Vec<&str> = all().iter().filter(|attack| !is_missed(attack)).map(|attack| attack.guard).collect();
    assert!(ornaments.is_empty(), "nobody notices in {SEEDS_MAX} seeds that these are missing: {ornaments:?}");
}

/// Scenario: each attack with every guard in, moved about by the same seeds.
/// Guarantees: nobody complains; the attack got through to the guard, so it was not harmless by itself.
#[test]
fn with_all_guards_no_attack_does_harm() {
    for attack in all() {
        for seed in 1..=3 {
            let report = attack.with_all_guards(Seed(seed));
            let complaints: Vec<String> = report.complaints.iter().map(ToString::to_string).collect();
            assert!(complaints.is_empty(), "{} seed {seed}:\n{}", attack.guard, complaints.join("\n"));
        }
    }
}
