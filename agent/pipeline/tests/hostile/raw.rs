//! Bytes as no well-behaved client sends them.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::good::PATIENCE;

/// An HTTP/1.1 request.
pub(crate) fn post(path: &str, content_type: &str, encoding: &str, body: &[u8]) -> Vec<u8> {
    let encoding = if encoding.is_empty() { String::new() } else { format!("content-encoding: {encoding}\r\n") };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: {content_type}\r\n{encoding}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends bytes and reads until the door has closed the connection. Errors are the door's good right.
pub(crate) async fn throw(door: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let Ok(mut stream) = TcpStream::connect(door).await else { return answer };
    let (mut reader, mut writer) = stream.split();
    let talking = async {
        tokio::join!(
            async {
                writer.write_all(bytes).await.ok();
            },
            async {
                reader.read_to_end(&mut answer).await.ok();
            }
        )
    };
    timeout(PATIENCE, talking).await.expect("the door ends the connection");
    answer
}

/// A connection on which something was said and nothing more will be.
pub(crate) async fn leave_open(door: SocketAddr, bytes: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(door).await.ok()?;
    stream.write_all(bytes).await.ok()?;
    Some(stream)
}

/// What an HTTP/2 connection begins with, and empty settings.
pub(crate) fn greeting() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat()
}

/// One HTTP/2 frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The headers of an export call, as HPACK literals.
pub(crate) fn export_headers() -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    let mut literal = |name: &[u8], value: &[u8]| {
        block.push(0x00);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend_from_slice(text);
        }
    };
    literal(b":path", b"/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    literal(b":authority", b"a");
    literal(b"content-type", b"application/grpc");
    literal(b"te", b"trailers");
    block
}
