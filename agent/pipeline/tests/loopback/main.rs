//! The pipeline on real sockets: a generated client and plain HTTP on one side, a generated server on the other.
//!
//! Answers whether what was built file by file also works as one program. Does not measure. Every wait is for an event
//! with a deadline far beyond what a busy machine needs.

#[cfg(test)]
mod sink;
#[cfg(test)]
mod spans;

#[cfg(test)]
mod delivery;
#[cfg(test)]
mod export;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod http;
#[cfg(test)]
mod observe;
#[cfg(test)]
mod span_metrics;
#[cfg(test)]
mod tls;
