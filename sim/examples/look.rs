#![allow(missing_docs, clippy::print_stdout)]
use homeostat_core::Seed;
use homeostat_sim::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let seed: u64 = a[2].parse().unwrap();
    let perturbation = if a.get(3).is_some_and(|a| a == "p") { Perturbation::Bounded } else { Perturbation::None };
    let s = shipped(&a[1]).unwrap();
    let r = run(&s, Seed(seed), &Options { perturbation, ..Options::default() });
    std::fs::write(format!("/tmp/{}.html", a[1]), homeostat_sim::report::html(&r)).unwrap();
    for f in &r.faults {
        println!("fault {f:?}");
    }
    for i in &r.incidents {
        println!("incident {i:?}");
    }
    for a in &r.actions {
        println!(
            "{} {} {} {:?} sent={} {} | {} | {:?}",
            a.at_s, a.id, a.kind, a.incident, a.sent, a.what, a.why, a.end
        );
    }
    for m in &r.measured {
        println!("{m} {}", m.met);
    }
    for c in r.complaints.iter().take(10) {
        println!("COMPLAINT {c}");
    }
    println!("digest {:x} complaints {}", r.digest, r.complaints_total);
}
