//! Senders who mean harm.
//!
//! Answers whether the agent outlives every kind of abuse and still takes in a good export beside it. Does not measure how
//! fast: that is the benchmark `abuse`, which runs the same attacks. Bounds here are generous, so that a busy machine does
//! not fail them.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod content;
#[cfg(test)]
mod good;
#[cfg(test)]
mod raw;

#[cfg(test)]
mod outlived;
#[cfg(test)]
mod refused;
