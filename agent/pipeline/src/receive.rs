//! The doors.
//!
//! Answers every request in the protocol it came by: OTLP over gRPC, OTLP over HTTP as protobuf or JSON. Does not know what
//! becomes of the content. Both doors stand on one listener and one way of reading bodies, so that every limit holds at
//! both.
//!
//! The gRPC door frames its single unary calls itself. The library's own size check answers `OUT_OF_RANGE`, which OTLP
//! calls retryable, so that a sender would repeat an oversize request until it gives up.

mod answer;
mod body;
mod connections;
mod encoding;
mod frame;
mod grpc;
mod http;
mod json;
mod listen;
mod work;

#[cfg(test)]
pub(crate) use answer::overload_details;
pub(crate) use encoding::{Budget, Encoding, inflate};
pub(crate) use frame::unframe;
pub(crate) use grpc::GrpcDoor;
pub(crate) use http::HttpDoor;
pub(crate) use json::to_protobuf;
pub(crate) use listen::{Door, Listener};
pub(crate) use work::LARGE_BYTES;
