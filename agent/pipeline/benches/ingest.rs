//! What ingesting a span costs.
//!
//! Answers spans per second and CPU time per span on one thread, from received bytes to the decision, without sockets.
//! Prints and asserts nothing: a figure without its machine is no promise.
fn main() {}
