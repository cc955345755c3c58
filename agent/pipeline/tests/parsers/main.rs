//! Every parser, on a small corpus and on mutations of it.
//!
//! Answers whether the fuzz targets hold on bytes that are nearly right; the fuzzer itself goes further. The corpus is
//! built rather than stored, so that it follows the messages as they change.

#[cfg(test)]
#[path = "../../../../tests/fuzz/corpus.rs"]
mod corpus;
#[cfg(test)]
#[path = "../../../../tests/fuzz/targets.rs"]
mod targets;

#[cfg(test)]
mod mutations;
