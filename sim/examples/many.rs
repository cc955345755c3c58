#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]
use homeostat_sim::*;
fn main() {
    let n: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let scenarios: Vec<Scenario> = SHIPPED.iter().map(|(n, _)| shipped(n).unwrap()).collect();
    let r = swarm(&SwarmPlan::usual(&scenarios, n), &|_| {});
    println!(
        "runs {} failed {} simulated {} visits {} actions {} incidents {}",
        r.runs, r.failed, r.simulated_s, r.visits, r.actions, r.incidents
    );
    let mut by = std::collections::BTreeMap::<String, u32>::new();
    for f in &r.failures {
        println!("{} :: {}", f.command, f.problem);
        *by.entry(format!("{} {:?}", f.scenario, f.complaint.as_ref().map(|c| c.checker))).or_default() += 1;
    }
    println!("{by:#?}");
}
