//! Bytes that are nearly right.

use proptest::prelude::*;

use crate::{corpus, targets};

/// One change to some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0..4096_usize;
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (at.clone(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (at.clone(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at.clone(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (at.clone(), 1..80_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        at.prop_map(Change::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let within = |at: usize| at % bytes.len();
    match *change {
        Change::Set(at, byte) => {
            let at = within(at);
            bytes[at] = byte;
        }
        Change::Flip(at, bit) => {
            let at = within(at);
            bytes[at] ^= 1 << bit;
        }
        Change::Insert(at, ref more) => {
            let at = within(at);
            bytes.splice(at..at, more.iter().copied());
        }
        Change::Remove(at, length) => {
            let at = within(at);
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Change::Repeat(at, length) => {
            let at = within(at);
            let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
        Change::Cut(at) => {
            let at = within(at);
            bytes.truncate(at);
        }
    }
}

/// Scenario: every seed goes to its target as it is.
/// Guarantees: every target holds on good bytes, and every target has some.
#[test]
fn targets_hold_on_good_bytes() {
    let seeds = corpus::seeds();
    for (name, target) in targets::ALL {
        let own: Vec<_> = seeds.iter().filter(|(wanted, _)| wanted == name).collect();
        assert!(!own.is_empty(), "{name} has no seed");
        own.iter().for_each(|(_, seed)| target(seed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    /// Scenario: seeds with a few changes each go to their target, and noise goes to all.
    /// Guarantees: every target holds on bytes that are nearly right, and on bytes that are nothing.
    #[test]
    fn targets_hold_on_mutated_bytes(
        changes in prop::collection::vec(change(), 1..6),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let seeds = corpus::seeds();
        for (name, target) in targets::ALL {
            for (_, seed) in seeds.iter().filter(|(wanted, _)| wanted == name) {
                let mut bytes = seed.clone();
                changes.iter().for_each(|change| apply(&mut bytes, change));
                target(&bytes);
            }
            target(&noise);
        }
    }
}
