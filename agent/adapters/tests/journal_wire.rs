//! The wire form: pinned, deterministic, and strict about what it does not know.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test binary has no public items, and a failed unwrap is a failed test"
)]

#[allow(dead_code, reason = "each test binary uses a part of the samples")]
mod common;

use std::error::Error as _;

use common::{acting, bulk, checkpoint, events, quiet};
use homeostat_adapters::journal::wire;
use homeostat_core::{Event, Timestamp};
use proptest::prelude::*;

/// A quiet record as version 1 writes it. Until the first release this text follows the core types; from then on a change
/// breaks every journal in the field: raise the version and keep reading the old one instead.
const QUIET_V1: &str = r#"{"tick":17,"at":17000,"regime":"engaged","snapshot":{"at":17000,"signals":[[{"target":{"service":"shop"},"indicator":"utilization"},{"fresh":{"value":9300}}]],"counts":[],"edges":[],"blindness":0,"overflow":0},"assessment":{"at":17000,"findings":[],"incidents":[],"closed":[],"next_incident":0},"plan":{"at":17000,"requests":[],"approved":[],"withheld":[]},"effects":[],"trials":[],"outcomes":[],"operator":[],"knowledge":1}"#;

/// Scenario: a small record is encoded by this build.
/// Guarantees: the bytes begin with version 1 and inflate to the pinned text, so nobody changes the form unknowingly.
#[test]
fn version_one_is_pinned() {
    let bytes = wire::encode_record(&quiet(17));
    assert_eq!(bytes[0], 1);
    assert_eq!(wire::text(&bytes).unwrap(), QUIET_V1);
}

/// Scenario: records, events and checkpoints with every part filled, u128 sums included.
/// Guarantees: what is read is what was written, and equal values give equal bytes.
#[test]
fn entries_survive_the_round_trip() {
    let record = acting(18, 3);
    assert_eq!(wire::decode_record(&wire::encode_record(&record)).unwrap(), record);
    assert_eq!(wire::encode_record(&record), wire::encode_record(&acting(18, 3)));

    let mut full = checkpoint(18);
    full.bulk = bulk(5);
    full.trials = vec![common::open_trial(3)];
    assert_eq!(wire::decode_checkpoint(&wire::encode_checkpoint(&full)).unwrap(), full);
    assert_eq!(wire::encode_checkpoint(&full), wire::encode_checkpoint(&full.clone()));

    for (at, event) in events(18).into_iter().chain([(Timestamp(1), Event::Recovered(Box::new(full)))]) {
        assert_eq!(wire::decode_event(&wire::encode_event(at, &event)).unwrap(), (at, event));
    }
}

/// Scenario: nothing, an entry of a later version, one with a flipped bit, one that holds something else.
/// Guarantees: each is refused with its own reason; the later version says what to do.
#[test]
fn strange_bytes_are_refused_with_a_reason() {
    let check = |bytes: &[u8], expected: &str| {
        let error = wire::decode_record(bytes).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(&[], "empty");
    check(&[9, 1, 2, 3], "wire version 9, this homeostat reads up to 1; use a newer one");
    let mut flipped = wire::encode_record(&quiet(17));
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    check(&flipped, "cannot");
    let event = wire::encode_event(Timestamp(0), &Event::Tick);
    check(&event, "not what it should be");
    assert!(wire::decode_record(&event).unwrap_err().source().is_some());
}

proptest! {
    /// Scenario: any bytes at all, with the right version byte and without.
    /// Guarantees: decoding gives an error, never a panic.
    #[test]
    fn any_bytes_are_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), versioned: bool) {
        if versioned && let Some(first) = bytes.first_mut() {
            *first = wire::VERSION;
        }
        prop_assert!(wire::decode_record(&bytes).is_err());
        prop_assert!(wire::decode_checkpoint(&bytes).is_err());
    }

    /// Scenario: one bit of a good record is flipped.
    /// Guarantees: it is never read as another record.
    #[test]
    fn a_flipped_bit_never_passes(at in 1_usize..150, bit in 0_u8..8) {
        let good = wire::encode_record(&quiet(17));
        let mut bytes = good.clone();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(record) = wire::decode_record(&bytes) {
            prop_assert_eq!(record, quiet(17));
        }
    }
}
