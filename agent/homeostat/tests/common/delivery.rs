//! A sender that never gives up and a destination that counts.
//!
//! Answers which spans were acknowledged, and how often each arrived. Does not start the agent. Both are plain threads on
//! plain sockets, so that what is measured beside them is the agent.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// Spans of one trace.
pub(crate) const SPANS_PER_TRACE: u64 = 8;
/// Traces of which one request carries spans.
const TRACES_PER_REQUEST: u64 = 16;
/// One trace in so many fails.
const FAILED_EVERY: u64 = 20;
/// Spans that are told apart; a run of an hour at 20 000 spans a second has fewer.
const SPANS_MAX: usize = 80_000_000;

/// Which traces the agent keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keeping {
    All,
    /// Failed ones, and those whose randomness reaches this share from below.
    OneIn(u64),
}

/// How often each span arrived.
#[derive(Debug)]
pub(crate) struct Tally {
    arrived: Vec<AtomicU8>,
    /// Spans that came again.
    pub(crate) duplicates: AtomicU64,
    pub(crate) spans: AtomicU64,
    pub(crate) requests: AtomicU64,
}

/// A destination that can be taken down.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    pub(crate) tally: Arc<Tally>,
    pub(crate) is_down: Arc<AtomicBool>,
}

#[expect(clippy::disallowed_methods, reason = "real processes are measured, in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
#[expect(clippy::disallowed_methods, reason = "real processes are measured, in real time")]
pub(crate) fn pass(span: Duration) {
    std::thread::sleep(span);
}

impl Sink {
    pub(crate) fn start() -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut arrived = Vec::new();
        arrived.resize_with(SPANS_MAX, || AtomicU8::new(0));
        let tally = Arc::new(Tally {
            arrived,
            duplicates: AtomicU64::new(0),
            spans: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        });
        let is_down = Arc::new(AtomicBool::new(false));
        let (counting, down) = (tally.clone(), is_down.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counting, down) = (counting.clone(), down.clone());
                std::thread::spawn(move || drop(serve(&stream, &counting, &down)));
            }
        });
        Sink { address, tally, is_down }
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Relaxed);
    }
}

/// One connection; it ends when the destination is taken down.
fn serve(stream: &TcpStream, tally: &Tally, is_down: &AtomicBool) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    stream.set_nodelay(true)?;
    while !is_down.load(Relaxed) {
        let Some(body) = read_message(&mut reader)? else { return Ok(()) };
        if is_down.load(Relaxed) {
            return Ok(());
        }
        tally.take(&body);
        let mut writer = stream;
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// The body of the next message; `None` at the end of the connection.
fn read_message(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let lower = line.trim_end().to_ascii_lowercase();
        if lower.is_empty() {
            break;
        }
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(body))
}

impl Tally {
    fn take(&self, body: &[u8]) {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        let mut count = 0;
        for span in scopes.flat_map(|scope| &scope.spans) {
            let number = u64::from_be_bytes(span.span_id[..].try_into().unwrap()) - 1;
            count += 1;
            if self.arrived[number as usize].fetch_add(1, Relaxed) > 0 {
                self.duplicates.fetch_add(1, Relaxed);
            }
        }
        self.spans.fetch_add(count, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    /// How often a span arrived.
    pub(crate) fn times(&self, number: u64) -> u8 {
        self.arrived[number as usize].load(Relaxed)
    }
}

/// One request, by its first trace.
#[derive(Clone, Debug)]
struct Batch {
    first_trace: u64,
    body: Vec<u8>,
}

/// Senders at work.
pub(crate) struct Load {
    target: Arc<Mutex<Option<SocketAddr>>>,
    stopping: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<u64>>>,
    pub(crate) refused: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts `senders` that together send about `rate` spans a second, or as many as they can.
    pub(crate) fn start(senders: u64, rate: Option<u64>) -> Load {
        let mut load = Load {
            target: Arc::default(),
            stopping: Arc::default(),
            acknowledged: Arc::default(),
            refused: Arc::default(),
            threads: Vec::new(),
        };
        let next = Arc::new(AtomicU64::new(0));
        for _ in 0..senders {
            let sender = Sender {
                target: load.target.clone(),
                stopping: load.stopping.clone(),
                acknowledged: load.acknowledged.clone(),
                refused: load.refused.clone(),
                next: next.clone(),
                connection: None,
            };
            let pause = rate.map(|rate| {
                Duration::from_secs_f64((TRACES_PER_REQUEST * SPANS_PER_TRACE * senders) as f64 / rate as f64)
            });
            load.threads.push(std::thread::spawn(move || sender.run(pause)));
        }
        load
    }

    /// Where to send from now on; `None`: wait.
    pub(crate) fn aim(&self, target: Option<SocketAddr>) {
        *self.target.lock().unwrap() = target;
    }

    /// Spans acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.lock().unwrap().len() as u64 * TRACES_PER_REQUEST * SPANS_PER_TRACE
    }

    /// Ends the senders once what they hold is acknowledged; returns the spans that must arrive.
    pub(crate) fn stop(self, keeping: Keeping) -> Vec<u64> {
        self.stopping.store(true, Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let acknowledged = self.acknowledged.lock().unwrap();
        let traces = acknowledged.iter().flat_map(|first| *first..*first + TRACES_PER_REQUEST);
        let kept = traces.filter(|trace| is_kept(*trace, keeping));
        kept.flat_map(|trace| (0..SPANS_PER_TRACE).map(move |span| trace * SPANS_PER_TRACE + span)).collect()
    }
}

/// The finaliser of SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
pub(crate) fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn is_failed(trace: u64) -> bool {
    trace.is_multiple_of(FAILED_EVERY)
}

fn is_kept(trace: u64, keeping: Keeping) -> bool {
    const RANGE: u64 = 1 << 56;
    match keeping {
        Keeping::All => true,
        // The agent cuts thresholds downwards, so it keeps these and a few more.
        Keeping::OneIn(share) => is_failed(trace) || mixed(trace) % RANGE >= RANGE - RANGE / share,
    }
}

struct Sender {
    target: Arc<Mutex<Option<SocketAddr>>>,
    stopping: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<u64>>>,
    refused: Arc<AtomicU64>,
    next: Arc<AtomicU64>,
    connection: Option<(SocketAddr, BufReader<TcpStream>)>,
}

impl Sender {
    fn run(mut self, pause: Option<Duration>) {
        let mut due = now();
        while !self.stopping.load(Relaxed) {
            if let Some(pause) = pause {
                pass(due.saturating_duration_since(now()));
                // What could not be sent while the agent was away is not made up for.
                due = (due + pause).max(now() - pause);
            }
            let batch = batch(self.next.fetch_add(TRACES_PER_REQUEST, Relaxed));
            while !self.send(&batch) {
                self.connection = None;
                pass(Duration::from_millis(20));
            }
            self.acknowledged.lock().unwrap().push(batch.first_trace);
        }
    }

    /// Whether the request was acknowledged.
    fn send(&mut self, batch: &Batch) -> bool {
        let Some(target) = *self.target.lock().unwrap() else { return false };
        if self.connection.as_ref().is_none_or(|(address, _)| *address != target) {
            let Ok(stream) = TcpStream::connect(target) else { return false };
            let is_set =
                stream.set_nodelay(true).is_ok() && stream.set_read_timeout(Some(Duration::from_secs(30))).is_ok();
            self.connection = is_set.then(|| (target, BufReader::new(stream)));
        }
        let Some((_, connection)) = &mut self.connection else { return false };
        let length = batch.body.len();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: agent\r\ncontent-type: application/x-protobuf\r\ncontent-length: {length}\r\n\r\n"
        );
        let stream = connection.get_mut();
        if stream.write_all(head.as_bytes()).is_err() || stream.write_all(&batch.body).is_err() {
            return false;
        }
        let mut status = String::new();
        let is_read =
            connection.read_line(&mut status).is_ok() && read_message(connection).is_ok_and(|body| body.is_some());
        let is_acknowledged = is_read && status.starts_with("HTTP/1.1 200");
        if is_read && !is_acknowledged {
            self.refused.fetch_add(1, Relaxed);
            pass(Duration::from_millis(200));
        }
        is_acknowledged
    }
}

fn batch(first_trace: u64) -> Batch {
    let attribute = |key: &str, text: &str| {
        let value = AnyValue { value: Some(any_value::Value::StringValue(text.into())) };
        KeyValue { key: key.into(), value: Some(value), ..Default::default() }
    };
    let resource_spans = (0..SPANS_PER_TRACE).map(|position| {
        let traces = first_trace..first_trace + TRACES_PER_REQUEST;
        let attributes = vec![attribute("service.name", &format!("service-{position}"))];
        ResourceSpans {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_spans: vec![ScopeSpans {
                spans: traces.map(|trace| span(trace, position)).collect(),
                ..Default::default()
            }],
            ..Default::default()
        }
    });
    Batch { first_trace, body: ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec() }
}

#[expect(clippy::disallowed_methods, reason = "spans carry wall-clock times")]
fn span(trace: u64, position: u64) -> Span {
    let number = trace * SPANS_PER_TRACE + position + 1;
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let text = |text: &str| Some(AnyValue { value: Some(any_value::Value::StringValue(text.into())) });
    let keys = ["http.request.method", "http.route", "server.address", "user_agent.original", "url.path"];
    let pair = |key: &&str| KeyValue { key: (*key).into(), value: text("GET /api/v1/items"), ..Default::default() };
    Span {
        trace_id: [(trace + 1).to_be_bytes(), mixed(trace).to_be_bytes()].concat(),
        span_id: number.to_be_bytes().to_vec(),
        parent_span_id: if position == 0 { vec![] } else { (number - 1).to_be_bytes().to_vec() },
        name: format!("GET /items/{}", trace % 4),
        kind: if position.is_multiple_of(2) { 2 } else { 3 },
        start_time_unix_nano: end - 5_000_000,
        end_time_unix_nano: end,
        attributes: keys.iter().map(pair).collect(),
        status: (is_failed(trace) && position == 3).then(|| Status { code: 2, message: String::new() }),
        ..Default::default()
    }
}
