//! Attacks on the doors themselves. Each is one bounded round that ends when the door has had enough, or by itself; what the
//! door answers does not matter here.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::good::{Doors, PATIENCE};
use crate::raw::{export_headers, frame, greeting, leave_open, throw};
use crate::{content, raw};

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const BODY_ANNOUNCED: &[u8] =
    b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";

type Round = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An attack: its name, and one round of it.
pub(crate) type Attack = (&'static str, fn(Doors) -> Round);

pub(crate) const ALL: &[Attack] = &[
    ("idle connections", |doors| Box::pin(idle(doors))),
    ("headers that never end", |doors| Box::pin(slow(doors, b"POST /v1/traces HTTP/1.1\r\nhost:"))),
    ("bodies that never come", |doors| Box::pin(slow(doors, BODY_ANNOUNCED))),
    ("bodies byte by byte", |doors| Box::pin(trickle(doors))),
    ("chunks without end", |doors| Box::pin(endless(doors))),
    ("noise on both ports", |doors| Box::pin(noise(doors))),
    ("streams reset at once", |doors| Box::pin(rapid_reset(doors))),
    ("continuations without end", |doors| Box::pin(continuations(doors))),
    ("settings without end", |doors| Box::pin(flood(doors, SETTINGS, &[0, 4, 0, 0, 255, 255], 0))),
    ("pings without end", |doors| Box::pin(flood(doors, PING, &[1; 8], 0))),
    ("window updates without end", |doors| Box::pin(flood(doors, WINDOW_UPDATE, &[0, 0, 0, 1], 0))),
    ("resets of streams that never were", |doors| Box::pin(flood(doors, RESET, &[0, 0, 0, 8], 1))),
    ("answers that are never read", |doors| Box::pin(stalled(doors))),
    ("streams left half open", |doors| Box::pin(half_open(doors))),
    ("bombs", |doors| Box::pin(bombs(doors))),
    ("crowds of spans that are none", |doors| Box::pin(crowds(doors))),
];

/// Many connections that say nothing, until they are closed.
async fn idle(doors: Doors) {
    let mut open = Vec::new();
    for _ in 0..200 {
        for door in [doors.grpc, doors.http] {
            open.extend(leave_open(door, b"").await);
        }
    }
    closed(open).await;
}

/// The same, after a few words.
async fn slow(doors: Doors, words: &[u8]) {
    let mut open = Vec::new();
    for _ in 0..100 {
        for door in [doors.grpc, doors.http] {
            open.extend(leave_open(door, words).await);
        }
    }
    closed(open).await;
}

async fn closed(open: Vec<TcpStream>) {
    for mut stream in open {
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the door ends the connection").ok();
    }
}

/// A body of which a byte comes every few milliseconds.
async fn trickle(doors: Doors) {
    let head =
        b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n";
    let Some(mut stream) = leave_open(doors.http, head).await else { return };
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    // Ends with the door's patience: a closed connection takes no more bytes.
    while stream.write_all(b" ").await.is_ok() {
        pause.tick().await;
    }
}

/// Chunks as fast as the door takes them.
async fn endless(doors: Doors) {
    let head =
        b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let Some(mut stream) = leave_open(doors.http, head).await else { return };
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    while stream.write_all(&chunk).await.is_ok() {}
}

/// Bytes of no protocol, TLS and plain text where they do not belong.
async fn noise(doors: Doors) {
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let random: Vec<u8> = (0..20_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    for bytes in [&hello[..], b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\0", &random, b"SSH-2.0-x\r\n"] {
        throw(doors.grpc, bytes).await;
        throw(doors.http, bytes).await;
    }
}

/// Sends frames after a greeting for as long as the door takes them, at most `times`, reading what it answers.
async fn frames(doors: Doors, times: u32, mut next: impl FnMut(u32) -> Vec<u8>) {
    let Some(stream) = leave_open(doors.grpc, &greeting()).await else { return };
    let (mut reader, mut writer) = stream.into_split();
    let reading = tokio::spawn(async move {
        let mut sink = [0; 4096];
        while reader.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    });
    for number in 0..times {
        if writer.write_all(&next(number)).await.is_err() {
            break;
        }
    }
    drop(writer);
    timeout(PATIENCE, reading).await.expect("the door ends the connection").ok();
}

async fn rapid_reset(doors: Doors) {
    let headers = export_headers();
    frames(doors, 20_000, |number| {
        let stream = number * 2 + 1;
        [frame(HEADERS, END_HEADERS, stream, &headers), frame(RESET, 0, stream, &[0, 0, 0, 8])].concat()
    })
    .await;
}

async fn continuations(doors: Doors) {
    let headers = export_headers();
    frames(doors, 20_000, |number| match number {
        0 => frame(HEADERS, 0, 1, &headers),
        _ => frame(CONTINUATION, 0, 1, &[&[0_u8, 1, b'x', 100][..], &[b'y'; 100]].concat()),
    })
    .await;
}

async fn flood(doors: Doors, kind: u8, payload: &[u8], stream: u32) {
    let many = frame(kind, 0, stream, payload).repeat(100);
    frames(doors, 500, |_| many.clone()).await;
}

/// Calls whose answers the sender gives no window for.
async fn stalled(doors: Doors) {
    let (no_window, headers) = (frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]), export_headers());
    frames(doors, 1000, |number| {
        let call = frame(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &headers);
        if number == 0 { [no_window.clone(), call].concat() } else { call }
    })
    .await;
}

/// Calls whose bodies never come, as many as one connection may have.
async fn half_open(doors: Doors) {
    let headers = export_headers();
    frames(doors, 256, |number| frame(HEADERS, END_HEADERS, number * 2 + 1, &headers)).await;
}

/// Much in little, over HTTP.
async fn bombs(doors: Doors) {
    for (encoding, bomb) in content::bombs() {
        throw(doors.http, &raw::post("/v1/metrics", "application/json", encoding, &bomb)).await;
    }
}

/// Requests of as many resources, scopes or spans as fit, over HTTP.
async fn crowds(doors: Doors) {
    for crowd in content::crowds() {
        throw(doors.http, &raw::post("/v1/traces", "application/x-protobuf", "", &crowd.body)).await;
    }
}
