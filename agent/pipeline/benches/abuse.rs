//! What a good sender feels while the doors are attacked: `cargo bench -p homeostat-pipeline --bench abuse`.
//!
//! Answers how long a good export over a new connection takes, over gRPC and over HTTP in turn, beside four senders of each
//! kind of abuse, and how much memory the process occupies at most, attackers included. Limits are the defaults. The
//! process fails when an export takes longer than 100 ms at the 99th percentile, or memory exceeds its limit.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing better to do than to stop")]

#[path = "../tests/hostile/attacks.rs"]
mod attacks;
#[path = "../tests/hostile/content.rs"]
#[allow(dead_code, reason = "some bodies are only for the tests")]
mod content;
#[path = "../tests/hostile/good.rs"]
#[allow(dead_code, reason = "limits are the defaults here")]
mod good;
#[path = "../tests/hostile/raw.rs"]
mod raw;

use std::time::{Duration, Instant};

use homeostat_pipeline::Limits;

/// Attackers beside each other.
const ATTACKERS: usize = 4;
/// How long each attack lasts.
const LASTS: Duration = Duration::from_secs(3);
/// What a good export may take.
const ALLOWED: Duration = Duration::from_millis(100);
/// The pause of the good sender.
const PAUSE: Duration = Duration::from_millis(10);

/// What one attack did to the good sender.
struct Felt {
    times: Vec<Duration>,
    resident_max: u64,
    limit: u64,
}

#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "this measures, and says what it measured")]
fn main() {
    let attackers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let agents = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{:<34} {:>7} {:>9} {:>9} {:>9} {:>9}", "attack", "exports", "p50 ms", "p99 ms", "max ms", "RSS MiB");
    let mut bad = 0;
    for (name, attack) in attacks::ALL {
        let felt = agents.block_on(async {
            let (pipeline, doors) = good::agent(Limits::default()).await;
            let running: Vec<_> = (0..ATTACKERS)
                .map(|_| {
                    attackers.spawn(async move {
                        loop {
                            attack(doors).await
                        }
                    })
                })
                .collect();
            let mut felt = Felt { times: Vec::new(), resident_max: 0, limit: pipeline.stats().memory.limit_bytes };
            let end = Instant::now() + LASTS;
            while Instant::now() < end {
                let begun = Instant::now();
                good::export(doors).await;
                felt.times.push(begun.elapsed() / 2);
                felt.resident_max = felt.resident_max.max(pipeline.stats().memory.resident_bytes);
                tokio::time::sleep(PAUSE).await;
            }
            running.iter().for_each(|attacker| attacker.abort());
            felt
        });
        bad += usize::from(!report(name, felt));
    }
    std::process::exit(i32::from(bad > 0));
}

#[expect(clippy::print_stdout, reason = "this is what it measured")]
fn report(name: &str, mut felt: Felt) -> bool {
    felt.times.sort_unstable();
    let at = |share: usize| felt.times[(felt.times.len() - 1) * share / 100];
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (p50, p99, max, mib) = (ms(at(50)), ms(at(99)), ms(at(100)), felt.resident_max >> 20);
    println!("{name:<34} {:>7} {p50:>9.2} {p99:>9.2} {max:>9.2} {mib:>9}", felt.times.len());
    at(99) <= ALLOWED && felt.resident_max <= felt.limit
}
