//! `sim attack`: what each guard is for.
//!
//! Answers, guard by guard, what happens without it and who notices, and whether anything gets through when all are in.

use std::io::Write;

use homeostat_core::Seed;
use homeostat_sim::attack::{Attack, Caught, attacks};
use serde_json::{Value, json};

use crate::command::{Answer, CommandError, write_json};

/// What was found of one guard.
struct Found {
    attack: Attack,
    caught: Option<Caught>,
    /// Seconds simulated with all guards in.
    simulated_s: u64,
    /// The first harm with all guards in.
    harm: Option<String>,
}

impl Found {
    fn is_good(&self) -> bool {
        self.caught.is_some() && self.harm.is_none()
    }
}

/// Which attacks, and how often.
pub(super) struct Wanted {
    /// Only the one aimed at this guard.
    pub(super) guard: Option<String>,
    /// How many seeds.
    pub(super) seeds: u64,
    /// The first one.
    pub(super) first: Seed,
}

/// Attacks.
pub(super) fn run(wanted: &Wanted, json: bool, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let all = attacks().map_err(CommandError::Scenario)?;
    let is_wanted = |attack: &Attack| wanted.guard.as_ref().is_none_or(|guard| guard == attack.guard);
    let known: Vec<&str> = all.iter().map(|attack| attack.guard).collect();
    let known = known.join(", ");
    let found: Vec<Found> = all.into_iter().filter(is_wanted).map(|attack| try_out(attack, wanted)).collect();
    if found.is_empty() {
        return Err(CommandError::Unknown(format!("there is no such guard; there are {known}")));
    }
    if json {
        write_json(out, &found.iter().map(as_json).collect::<Vec<Value>>())?;
    } else {
        write(out, &found)?;
    }
    Ok(if found.iter().all(Found::is_good) { Answer::Yes } else { Answer::No })
}

fn try_out(attack: Attack, wanted: &Wanted) -> Found {
    let caught = attack.without_the_guard(wanted.first, wanted.seeds);
    let seeds = (0..wanted.seeds).map(|number| Seed(wanted.first.0 + number));
    let harm = seeds.map(|seed| attack.with_all_guards(seed)).find_map(|report| {
        let what = report.complaints.first()?.to_string();
        Some(format!("seed {}: {what}", report.seed.0))
    });
    Found { simulated_s: attack.scenario.duration_s * wanted.seeds, attack, caught, harm }
}

fn write(out: &mut dyn Write, found: &[Found]) -> Result<(), CommandError> {
    for one in found {
        let Found { attack, caught, harm, .. } = one;
        writeln!(out, "{}: {}", attack.guard, attack.scenario.about)?;
        match caught {
            Some(Caught { seeds, complaint, .. }) => {
                writeln!(out, "  without it, noticed with seed {seeds}: {complaint}")?
            }
            None => writeln!(out, "  BROKEN: without it nobody notices anything")?,
        }
        if let Some(harm) = harm {
            writeln!(out, "  BROKEN: with all guards, {harm}")?;
        }
    }
    let simulated_s: u64 = found.iter().map(|one| one.simulated_s).sum();
    let broken = found.iter().filter(|one| !one.is_good()).count();
    writeln!(out, "{} guards attacked, {simulated_s} ticks with all of them in; {broken} broken", found.len())?;
    Ok(())
}

fn as_json(found: &Found) -> Value {
    let Found { attack, caught, simulated_s, harm } = found;
    json!({
        "guard": attack.guard,
        "attack": attack.scenario.about,
        "checker": attack.checker,
        "seeds_until_noticed": caught.as_ref().map(|caught| caught.seeds),
        "complaint": caught.as_ref().map(|caught| caught.complaint.to_string()),
        "ticks_with_all_guards": simulated_s,
        "harm_with_all_guards": harm,
    })
}
