//! OTLP out over gRPC.
//!
//! Answers how a destination took a request: OTLP's list of retryable codes decides whether to come back. Messages are
//! handed to the library as bytes; a generated client would decode what is only passed on.

use std::time::Duration;

use ::http::uri::{PathAndQuery, Scheme};
use ::http::{HeaderMap, Uri};
use bytes::{Buf, BufMut, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use super::connect::Connector;
use super::exporter::{Destination, rejected_items};
use super::queue::Item;
use super::retry::Attempt;
use crate::config::Compression;
use crate::watched::chain;
use crate::wire::{Value, fields};

/// HTTP/2 windows: several batches in flight without waiting for an update.
const WINDOW_BYTES: u32 = 4 << 20;
/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct GrpcTransport {
    client: Grpc<Channel>,
    headers: HeaderMap,
}

impl GrpcTransport {
    pub(super) fn new(destination: Destination) -> GrpcTransport {
        // The library would refuse https:// without a TLS of its own; the connector encrypts, and requests say so.
        let mut plain = destination.endpoint.clone().into_parts();
        plain.scheme = Some(Scheme::HTTP);
        let address = Uri::from_parts(plain).expect("another scheme leaves an address valid");
        let channel = Endpoint::from(address)
            .origin(destination.endpoint)
            .connect_timeout(CONNECT_TIMEOUT)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .connect_with_connector_lazy(Connector::new(destination.tls));
        let mut client = Grpc::new(channel).accept_compressed(CompressionEncoding::Gzip);
        client = match destination.compression {
            Compression::None => client,
            Compression::Gzip => client.send_compressed(CompressionEncoding::Gzip),
            Compression::Zstd => client.send_compressed(CompressionEncoding::Zstd),
        };
        GrpcTransport { client, headers: destination.headers }
    }

    pub(super) async fn send(&self, item: &Item) -> Attempt {
        let mut client = self.client.clone();
        if let Err(error) = client.ready().await {
            return Attempt::Failed { why: chain(&error), after: None };
        }
        let mut request = Request::new(item.bytes.clone());
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        match client.unary(request, PathAndQuery::from_static(item.kind.method()), RawCodec).await {
            Ok(response) => Attempt::Accepted { rejected: rejected_items(response.get_ref()) },
            Err(status) => judge(&status),
        }
    }
}

/// OTLP specification, "Failures": which codes may be retried.
fn judge(status: &Status) -> Attempt {
    let after = retry_info(status.details());
    let why = format!("{}: {}", status.code(), status.message());
    let retryable = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::ResourceExhausted => after.is_some(),
        _ => is_broken_connection(status),
    };
    if retryable { Attempt::Failed { why, after } } else { Attempt::Refused(why) }
}

/// A connection that breaks in the middle of a request is no answer of the destination, whatever code the library has for
/// it; an answer has no source.
fn is_broken_connection(status: &Status) -> bool {
    std::error::Error::source(status).is_some() || status.message().starts_with("h2 protocol error")
}

/// The delay of a `google.rpc.RetryInfo` among the details of a `google.rpc.Status`.
fn retry_info(details: &[u8]) -> Option<Duration> {
    let any = |any: &[u8]| {
        let named = bytes_field(any, 1).is_some_and(|url| url.ends_with(b"/google.rpc.RetryInfo"));
        let info = bytes_field(any, 2).filter(|_| named)?;
        let delay = bytes_field(info, 1)?;
        Some(Duration::from_secs(number(delay, 1)) + Duration::from_nanos(number(delay, 2).min(999_999_999)))
    };
    fields(details).find_map(|field| match field.value {
        Value::Bytes(bytes) if field.number == 3 => any(bytes),
        _ => None,
    })
}

fn bytes_field(message: &[u8], number: u32) -> Option<&[u8]> {
    fields(message).find_map(|field| match field.value {
        Value::Bytes(bytes) if field.number == number => Some(bytes),
        _ => None,
    })
}

/// A number that is not negative; zero if absent.
fn number(message: &[u8], number: u32) -> u64 {
    let found = fields(message).find_map(|field| match field.value {
        Value::Varint(value) if field.number == number => i64::try_from(value).ok(),
        _ => None,
    });
    found.map_or(0, |value| value.unsigned_abs().min(u64::from(u32::MAX)))
}

/// Messages as bytes, neither encoded nor decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = RawCodec;
    type Decoder = RawCodec;

    fn encoder(&mut self) -> RawCodec {
        RawCodec
    }

    fn decoder(&mut self) -> RawCodec {
        RawCodec
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::overload_details;

    /// Scenario: every code a destination may answer with, `RESOURCE_EXHAUSTED` with and without a pause.
    /// Guarantees: exactly OTLP's list is retried, and the pause asked for is heard.
    #[test]
    fn only_retryable_codes_are_retried() {
        let retried = |code| matches!(judge(&Status::new(code, "")), Attempt::Failed { .. });
        let codes: Vec<_> = (0..17).map(Code::from_i32).filter(|code| retried(*code)).map(|code| code as i32).collect();
        assert_eq!(codes, [1, 4, 10, 11, 14, 15]);
        let details = overload_details(8, "full", Duration::from_millis(1500));
        let status = Status::with_details(Code::ResourceExhausted, "full", details.into());
        let expected = Attempt::Failed {
            why: format!("{}: full", Code::ResourceExhausted),
            after: Some(Duration::from_millis(1500)),
        };
        assert_eq!(judge(&status), expected);
    }

    /// Scenario: a destination resets the stream, and one answers with the same code.
    /// Guarantees: the first is tried again, the second is an answer.
    #[test]
    fn a_broken_connection_is_no_answer() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        for broken in [Status::from_error(Box::new(reset)), Status::internal("h2 protocol error: reset")] {
            assert!(matches!(judge(&broken), Attempt::Failed { .. }), "{broken}");
        }
        assert!(matches!(judge(&Status::internal("no")), Attempt::Refused(_)));
    }
}
