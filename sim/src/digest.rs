//! The digest of a run.
//!
//! Answers whether two runs were the same, in one number. Normally it is taken over what changed the world (effects and
//! request totals), which is nearly free; on request it is taken over every record's serialised bytes, which is complete.

use std::io;

use homeostat_core::TickRecord;

use crate::plants::Readings;

/// How much goes into the digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestScope {
    /// What was decided and what became of it.
    #[default]
    Effects,
    /// Every record, byte for byte.
    Records,
}

/// A running hash.
#[derive(Clone, Debug)]
pub(crate) struct Digest {
    scope: DigestScope,
    state: u64,
}

impl Digest {
    pub(crate) fn new(scope: DigestScope) -> Digest {
        Digest { scope, state: 0xcbf2_9ce4_8422_2325 }
    }

    pub(crate) fn plant(&mut self, readings: &Readings) {
        for service in &readings.services {
            self.number(service.totals.requests);
            self.number(service.totals.errors << 32 ^ service.totals.slow);
            self.number(service.totals.spans_kept);
        }
    }

    pub(crate) fn record(&mut self, record: &TickRecord) {
        self.number(record.tick.0 << 8 ^ record.regime as u64);
        let eventful = !(record.effects.is_empty() && record.outcomes.is_empty());
        if self.scope == DigestScope::Records || eventful {
            // Nothing in a record fails to serialise: its maps with structured keys are written as pairs.
            serde_json::to_writer(&mut *self, record).expect("a record serialises and a hash takes every byte");
        }
    }

    pub(crate) fn value(&self) -> u64 {
        self.state
    }

    /// One round of FxHash (rustc): rotate, mix in, multiply. Fast, and good enough to tell runs apart.
    fn number(&mut self, number: u64) {
        self.state = (self.state.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl io::Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.number(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 60);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
