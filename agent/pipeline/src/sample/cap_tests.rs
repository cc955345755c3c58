//! Tests of the cap: that it holds over any ten seconds, that it is used, and that weights stay honest under it.

use std::collections::VecDeque;

use homeostat_core::Seed;
use proptest::prelude::*;
use rand::Rng;

use super::*;

/// A stream of numbers from 0 to 1.
fn unit(stream: &mut homeostat_core::Stream) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn randomness(stream: &mut homeostat_core::Stream) -> Randomness {
    Randomness::of(&((u128::from(stream.next_u64())) << 64 | u128::from(stream.next_u64())).to_be_bytes())
}

/// What one run of the cap let through.
#[derive(Default)]
struct Run {
    /// When, how many spans, how many bytes.
    released: Vec<(u64, f64, f64)>,
    offered: [f64; 2],
    estimated: f64,
    longest_wait: u64,
    errors: [u64; 2],
}

/// How many spans arrive in a second beginning at `second`.
type Load = fn(u64) -> f64;

/// Some simulated seconds: traces of 1 to 15 spans of 100 000 keys, kept at a probability per key, sweeps with jitter.
fn run(config: CapConfig, (seed, seconds): (u64, u64), load: Load) -> Run {
    let mut stream = Seed(seed).stream("test/cap");
    let mut cap: Cap<(u64, u32, u32)> = Cap::new(config);
    let mut run = Run::default();
    let mut sweep = 0;
    for at_ms in 0..1000 * seconds {
        let mut arriving = load(at_ms / 1000) / 1000.0;
        while unit(&mut stream) < arriving / 8.0 {
            arriving -= 8.0;
            let spans = 1 + (stream.next_u64() % 15) as u32;
            let bytes = spans * (200 + (stream.next_u64() % 400) as u32);
            let key = stream.next_u64() % 100_000;
            let failed = key.is_multiple_of(50);
            let probability = if failed { 1.0 } else { 1.0 / (1.0 + (key % 7) as f64) };
            let (threshold, randomness) = (Threshold::at_most(probability), randomness(&mut stream));
            run.offered = plus(run.offered, [f64::from(spans), f64::from(bytes)]);
            run.errors[0] += u64::from(failed);
            if threshold.keeps(randomness) {
                let rule = if failed { Rule::Error } else { Rule::Probability };
                let payload = (at_ms, spans, bytes);
                cap.offer(Timestamp(at_ms), Candidate { rule, threshold, randomness, spans, bytes, payload });
            }
        }
        if sweep <= at_ms {
            sweep = at_ms + 80 + stream.next_u64() % 40;
            for ((at, spans, bytes), rule, threshold) in cap.due(Timestamp(at_ms)).released {
                run.released.push((at_ms, f64::from(spans), f64::from(bytes)));
                run.estimated += f64::from(spans) * threshold.adjusted_count();
                run.longest_wait = run.longest_wait.max(at_ms - at);
                run.errors[1] += u64::from(rule == Rule::Error);
            }
        }
    }
    run
}

/// The least and the most that left in any ten seconds between the fifth and the last.
fn extremes(released: &[(u64, f64, f64)], pick: impl Fn(&(u64, f64, f64)) -> f64) -> (f64, f64) {
    let (mut least, mut most, mut sum) = (f64::INFINITY, 0.0_f64, 0.0);
    let mut inside: VecDeque<(u64, f64)> = VecDeque::new();
    let mut queue = released.iter().peekable();
    for at_ms in 0..60_000 {
        while let Some(next) = queue.next_if(|next| next.0 <= at_ms) {
            sum += pick(next);
            inside.push_back((next.0, pick(next)));
        }
        while let Some((_, size)) = inside.pop_front_if(|(at, _)| *at + 10_000 <= at_ms) {
            sum -= size;
        }
        if 15_000 <= at_ms {
            (least, most) = (least.min(sum), most.max(sum));
        }
    }
    (least, most)
}

/// Steady, with bursts of ten times as much, and on and off; always above two thousand spans a second on average.
const LOADS: [Load; 3] = [
    |_| 8000.0,
    |second| if second % 7 == 0 { 80_000.0 } else { 8000.0 },
    |second| 8000.0 + 4000.0 * (second % 3) as f64,
];

/// Scenario: a minute of traffic of 100 000 keys, steady and in bursts, at several times the cap in spans.
/// Guarantees: in any ten seconds, what leaves is within five percent of the cap; nobody waits half a second.
#[test]
fn the_span_cap_holds_over_any_ten_seconds() {
    for (number, load) in LOADS.into_iter().enumerate() {
        let config = CapConfig { spans_per_second: Some(1000), bytes_per_second: None };
        let run = run(config, (number as u64, 60), load);
        let (least, most) = extremes(&run.released, |(_, spans, _)| *spans);
        assert!(9500.0 <= least && most <= 10_500.0, "load {number}: {least} to {most}");
        assert!(run.longest_wait < 500, "{}", run.longest_wait);
    }
}

/// Scenario: the same with a cap in bytes, and with both where bytes are scarcer.
/// Guarantees: the scarcer one holds within five percent; the other is not exceeded.
#[test]
fn the_byte_cap_holds_over_any_ten_seconds() {
    for (number, load) in LOADS.into_iter().enumerate() {
        let config = CapConfig { spans_per_second: Some(2000), bytes_per_second: Some(300_000) };
        let run = run(config, (10 + number as u64, 60), load);
        let (least, most) = extremes(&run.released, |(_, _, bytes)| *bytes);
        assert!(2_850_000.0 <= least && most <= 3_150_000.0, "load {number}: {least} to {most}");
        let (_, spans) = extremes(&run.released, |(_, spans, _)| *spans);
        assert!(spans <= 20_000.0 * 1.05, "{spans}");
    }
}

/// Scenario: forty times fifteen seconds of changing traffic at several times both caps.
/// Guarantees: adjusted counts still estimate what was offered; the mean is within three standard errors of the truth.
#[test]
fn weights_stay_unbiased_under_the_cap() {
    let config = CapConfig { spans_per_second: Some(1000), bytes_per_second: Some(500_000) };
    let ratios: Vec<f64> = (0..40)
        .map(|seed| {
            let run = run(config, (100 + seed, 15), LOADS[2]);
            run.estimated / run.offered[0]
        })
        .collect();
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / (ratios.len() - 1) as f64;
    let error = (variance / ratios.len() as f64).sqrt();
    assert!((mean - 1.0).abs() < 3.0 * error && error < 0.01, "{mean} ± {error}");
}

/// Scenario: two of a hundred traces failed; everything together is many times the cap, the failures alone are below it.
/// Guarantees: nearly all failures leave.
#[test]
fn failures_are_dropped_last() {
    let config = CapConfig { spans_per_second: Some(1000), bytes_per_second: None };
    let run = run(config, (7, 30), LOADS[0]);
    assert!(0.99 * run.errors[0] as f64 <= run.errors[1] as f64, "{:?}", run.errors);
}

/// Scenario: less is kept than allowed; a trace is larger than any window; there is no cap.
/// Guarantees: everything leaves unchanged, the giant is dropped without holding up others, nothing is lost at the end.
#[test]
fn without_need_nothing_changes() {
    let candidate = |payload: u32, spans: u32| Candidate {
        rule: Rule::Probability,
        threshold: Threshold::parse("8").unwrap(),
        randomness: Randomness::parse("ffffffffffffff").unwrap(),
        spans,
        bytes: 100,
        payload,
    };
    let mut cap = Cap::new(CapConfig { spans_per_second: Some(1000), bytes_per_second: None });
    cap.offer(Timestamp(0), candidate(1, 10));
    cap.offer(Timestamp(0), candidate(2, 451));
    cap.offer(Timestamp(0), candidate(3, 10));
    assert!(cap.due(Timestamp(199)).released.is_empty());
    let settled = cap.due(Timestamp(200));
    let mut leaving: Vec<_> = settled.released.iter().map(|(payload, _, threshold)| (*payload, *threshold)).collect();
    leaving.sort_unstable();
    assert_eq!(leaving, [1, 3].map(|payload| (payload, Threshold::parse("8").unwrap())));
    assert_eq!(settled.dropped, [2]);
    let mut free = Cap::new(CapConfig::default());
    (0..1000).for_each(|number| free.offer(Timestamp(0), candidate(number, 1_000_000)));
    assert_eq!(free.drain(Timestamp(1)).released.len(), 1000);
    assert!(!CapConfig::default().is_set());
}

/// Scenario: late spans of traces that left come unasked, half a window's worth and then three windows' worth.
/// Guarantees: they are taken off what others may use, and nothing leaves until they are paid for.
#[test]
fn late_spans_are_charged() {
    let mut cap = Cap::new(CapConfig { spans_per_second: Some(1000), bytes_per_second: None });
    let mut leaving = |at_ms: u64, late: u32| {
        cap.charge(late, 0);
        (0..1000_u64).for_each(|die| {
            let randomness = Randomness::parse(&format!("{:014x}", die << 46)).unwrap();
            let (rule, threshold) = (Rule::Probability, Threshold::ALWAYS);
            cap.offer(Timestamp(at_ms), Candidate { rule, threshold, randomness, spans: 1, bytes: 1, payload: die });
        });
        cap.due(Timestamp(at_ms + 200)).released.len()
    };
    // A window of 200 and 150 borrowed; then only what a window earns.
    let first = leaving(0, 0);
    assert!((349..=350).contains(&first), "{first}");
    let second = leaving(200, 100);
    assert!((99..=101).contains(&second), "{second}");
    assert_eq!(leaving(400, 600), 0);
    assert_eq!(leaving(600, 0), 0);
}

proptest! {
    /// Scenario: any sizes, thresholds and dice, offered in any order within one window.
    /// Guarantees: every trace is released or dropped once; what is released fits, passes its own threshold, and never leaves
    /// at a lower one than it came with.
    #[test]
    fn a_window_is_settled_soundly(
        sizes in prop::collection::vec((1_u32..200, 0_u64..1 << 56, 0_u32..20), 1..200),
        seed in any::<u64>(),
    ) {
        let mut cap = Cap::new(CapConfig { spans_per_second: Some(500), bytes_per_second: None });
        let mut came = Vec::new();
        for (payload, (spans, die, exponent)) in sizes.iter().enumerate() {
            let randomness = Randomness::parse(&format!("{die:014x}")).unwrap();
            let threshold = Threshold::at_most(0.7_f64.powi(*exponent as i32));
            if threshold.keeps(randomness) {
                let rule = PRECEDENCE[(seed as usize % 5 + payload) % 5].0;
                let spans = *spans;
                came.push((payload, threshold));
                cap.offer(Timestamp(0), Candidate { rule, threshold, randomness, spans, bytes: 1, payload });
            }
        }
        let settled = cap.due(Timestamp(500));
        let spans: u32 = settled.released.iter().map(|(number, ..)| sizes[*number].0).sum();
        prop_assert!(f64::from(spans) <= 0.65 * 500.0 + 1.0, "{}", spans);
        for (number, _, threshold) in &settled.released {
            let randomness = Randomness::parse(&format!("{:014x}", sizes[*number].1)).unwrap();
            prop_assert!(threshold.keeps(randomness));
            let before = came.iter().find(|(other, _)| other == number).unwrap().1;
            prop_assert!(before <= *threshold);
        }
        let mut all: Vec<usize> = settled.released.iter().map(|(number, ..)| *number).chain(settled.dropped).collect();
        all.sort_unstable();
        prop_assert_eq!(all, came.iter().map(|(number, _)| *number).collect::<Vec<_>>());
    }
}
