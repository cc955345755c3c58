//! One exporter.
//!
//! Answers what became of every item handed to it: accepted by the destination, or dropped for a stated reason. Does not
//! know what it sends. A few sends run beside each other, so that one slow answer does not hold up the queue.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use bytes::Bytes;
use homeostat_core::Seed;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::breaker::Breaker;
use super::grpc::GrpcTransport;
use super::http::HttpTransport;
use super::queue::{Item, Next, Queue, Queued, Turn};
use super::retry::{Attempt, Patience, Retry};
use crate::config::{BufferConfig, ClientTls, Compression, ExportProtocol, ExportSignals, ExporterConfig, Telemetry};
use crate::stats::{Counter, ExporterStats, Lost, Tally};
use crate::store::{ExporterId, KeptRecord, Leftover};
use crate::tls::{self, ExporterTls, TlsError};
use crate::watched::chain;
use crate::wire::{Value, fields};

/// Sends that run beside each other: enough to hide one round trip, few enough to stay gentle.
const SENDERS: u64 = 4;
/// After so many failures while others get through, a request that is on disk waits behind them: it may be one that the
/// destination cannot take, and as many as there are senders would stop everything.
const FAILURES_BEFORE_OTHERS: u32 = 5;

/// Why an exporter cannot be set up.
#[derive(Debug, Error)]
#[error("exporter `{name}`: {problem}")]
pub struct ExporterError {
    /// Its configured name.
    pub name: String,
    /// What is wrong with it.
    pub problem: ExporterProblem,
}

/// What can be wrong with an exporter's configuration.
#[derive(Debug, Error)]
pub enum ExporterProblem {
    /// Certificates or keys cannot be used.
    #[error("{}", chain(.0))]
    Tls(TlsError),
    /// Certificates are given for a connection that is not encrypted.
    #[error("endpoint `{0}`: certificates and keys need https://")]
    PlainWithTls(String),
    /// The endpoint is no address.
    #[error("endpoint `{0}`: expected http://host:port, https://host:port or host:port")]
    Endpoint(String),
    /// A header cannot be sent.
    #[error("header `{0}`: not a valid HTTP header name and value")]
    Header(String),
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Delivered or given up.
    Settled,
    /// Others first.
    PutBack,
}

#[derive(Debug, Default)]
struct Counters {
    items_exported: Counter,
    requests_exported: Counter,
    failures: Counter,
    retries: Counter,
    dropped: Tally<Lost>,
}

#[derive(Debug)]
enum Transport {
    Grpc(GrpcTransport),
    Http(HttpTransport),
}

/// What both transports are built from.
pub(super) struct Destination {
    /// Scheme and authority, with a path prefix that does not end in `/`.
    pub(super) endpoint: Uri,
    pub(super) prefix: String,
    pub(super) headers: HeaderMap,
    pub(super) tls: Option<Arc<ExporterTls>>,
    pub(super) compression: Compression,
}

/// One destination with its queue.
#[derive(Debug)]
pub(super) struct Exporter {
    name: String,
    signals: ExportSignals,
    queue: Queue,
    transport: Transport,
    breaker: Breaker,
    tls: Option<Arc<ExporterTls>>,
    retry: Retry,
    patience: Patience,
    timeout: Duration,
    /// How many bytes of kept spans may come at once.
    buffered_bytes_max: u64,
    counters: Counters,
}

impl Exporter {
    pub(super) fn new(
        config: &ExporterConfig,
        buffer: BufferConfig,
        patience: Patience,
    ) -> Result<Exporter, ExporterError> {
        let destination =
            destination(config).map_err(|problem| ExporterError { name: config.name.clone(), problem })?;
        let tls = destination.tls.clone();
        let transport = match config.protocol {
            ExportProtocol::Grpc => Transport::Grpc(GrpcTransport::new(destination)),
            ExportProtocol::HttpProtobuf => Transport::Http(HttpTransport::new(destination)),
        };
        Ok(Exporter {
            name: config.name.clone(),
            signals: config.signals,
            queue: Queue::new(ExporterId::of(&config.name), buffer.queue_bytes_max),
            transport,
            breaker: Breaker::new(),
            tls,
            retry: Retry::new(buffer, patience),
            patience,
            timeout: Duration::from_millis(buffer.export_timeout.0),
            buffered_bytes_max: (buffer.bytes_max + buffer.batch_bytes) as u64,
            counters: Counters::default(),
        })
    }

    pub(super) fn wants(&self, kind: Telemetry) -> bool {
        self.signals.includes(kind)
    }

    /// Whether it receives everything that `other` does.
    pub(super) fn covers(&self, other: &Exporter) -> bool {
        Telemetry::ALL.into_iter().all(|kind| self.wants(kind) || !other.wants(kind))
    }

    pub(super) fn has_room(&self) -> bool {
        self.queue.has_room()
    }

    /// Whether it waits for its destination to come back.
    pub(super) fn is_cut_off(&self) -> bool {
        self.breaker.is_failing()
    }

    /// Queues a request, or gives it back when there is no room.
    pub(super) fn offer(&self, item: Item) -> Result<(), Item> {
        // Kept spans only change places: their bytes were in the trace buffer, which is bounded too. Who refuses new ones as
        // long as a destination is merely slow must find room for those that were accepted before.
        let more = if item.kind == Telemetry::Traces && !self.is_cut_off() { self.buffered_bytes_max } else { 0 };
        self.queue.push(item, more)
    }

    /// Counts what there was no room for.
    pub(super) fn lose(&self, items: u64) {
        self.counters.dropped.add(Lost::QueueFull, items);
    }

    /// Queues a request that is on disk.
    pub(super) fn send_record(&self, record: KeptRecord, bytes: Bytes) {
        self.queue.push_record(record, bytes);
    }

    /// Queues what a former life did not deliver.
    pub(super) fn resume(&self, leftover: &Leftover) {
        let wants = |kind| self.wants(kind);
        leftover.unsent(ExporterId::of(&self.name), wants, |record| self.queue.push_left(record));
    }

    /// Reads certificates again if they have changed.
    pub(super) fn refresh(&self) {
        if let Some(tls) = &self.tls {
            tls.refresh();
        }
    }

    /// Starts the senders.
    pub(super) fn spawn(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        for sender in 0..SENDERS {
            let exporter = self.clone();
            let helps = sender > 0 && self.patience == Patience::Endless;
            let turn = if helps { Turn::WhenCrowded } else { Turn::Always };
            tasks.spawn(async move {
                let mut stream = Seed(sender).stream("pipeline/retry");
                loop {
                    match exporter.queue.next(turn).await {
                        Next::Queued(queued) => exporter.take(queued, &mut stream).await,
                        Next::Damaged(items) => exporter.counters.dropped.add(Lost::Damaged, items),
                    }
                }
            });
        }
    }

    async fn take(&self, queued: Queued, stream: &mut homeostat_core::Stream) {
        let Some(item) = queued.load().await else {
            self.counters.dropped.add(Lost::Damaged, queued.items);
            return self.queue.settle(&queued);
        };
        match self.deliver(&item, queued.is_on_disk(), stream).await {
            Ended::Settled => self.queue.settle(&queued),
            Ended::PutBack => self.queue.put_back(queued),
        }
    }

    /// Bytes waiting or being sent.
    pub(super) fn queue_bytes(&self) -> u64 {
        self.queue.bytes()
    }

    /// Requests waiting or being sent.
    pub(super) fn queue_requests(&self) -> u64 {
        self.queue.requests()
    }

    /// Gives up about `bytes` of the oldest that waits.
    pub(super) fn shed(&self, bytes: u64) {
        let items = self.queue.shed(bytes);
        if items > 0 {
            self.counters.dropped.add(Lost::QueueFull, items);
            tracing::warn!(
                exporter = self.name,
                items,
                "the delivery log is full and this exporter lags behind others"
            );
        }
    }

    pub(super) async fn drained(&self) {
        self.queue.drained().await;
    }

    pub(super) fn abandon(&self) {
        self.counters.dropped.add(Lost::Shutdown, self.queue.clear());
    }

    pub(super) fn stats(&self) -> ExporterStats {
        ExporterStats {
            name: self.name.clone(),
            items_exported: self.counters.items_exported.read(),
            requests_exported: self.counters.requests_exported.read(),
            failures: self.counters.failures.read(),
            retries: self.counters.retries.read(),
            items_dropped: self.counters.dropped.read(),
            items_queued: self.queue.items(),
            queue_bytes: self.queue.bytes(),
            circuit: self.breaker.state(),
            circuit_opened: self.breaker.opened(),
        }
    }

    /// Tries until it is accepted, refused or given up; bounded by the configured patience.
    async fn deliver(&self, item: &Item, is_on_disk: bool, stream: &mut homeostat_core::Stream) -> Ended {
        let (first, others) = (Instant::now(), self.counters.requests_exported.read());
        for failures in 0_u32.. {
            self.breaker.enter().await;
            let (why, after) = match self.attempt(item).await {
                Attempt::Failed { why, after } => (why, after),
                Attempt::Accepted { rejected } => {
                    self.breaker.succeed();
                    self.accepted(item, rejected);
                    return Ended::Settled;
                }
                Attempt::Refused(why) => {
                    self.breaker.succeed();
                    self.drop(item, Lost::Refused, &why);
                    return Ended::Settled;
                }
            };
            self.counters.failures.add(1);
            let pause = self.retry.pause(failures, first.elapsed(), after, stream);
            if self.breaker.fail(pause.unwrap_or_default()) {
                tracing::warn!(
                    exporter = self.name,
                    why,
                    "the destination does not answer; one request at a time will try it"
                );
            }
            let Some(pause) = pause else {
                self.drop(item, Lost::GaveUp, &why);
                return Ended::Settled;
            };
            if is_on_disk && failures >= FAILURES_BEFORE_OTHERS && self.counters.requests_exported.read() > others {
                return Ended::PutBack;
            }
            tracing::debug!(
                exporter = self.name,
                why,
                pause_ms = pause.as_millis() as u64,
                "export failed, will retry"
            );
            tokio::time::sleep(pause).await;
            self.counters.retries.add(1);
        }
        Ended::PutBack
    }

    async fn attempt(&self, item: &Item) -> Attempt {
        let sending = async {
            match &self.transport {
                Transport::Grpc(grpc) => grpc.send(item).await,
                Transport::Http(http) => http.send(item).await,
            }
        };
        let late = || Attempt::Failed { why: "no answer in time".to_owned(), after: None };
        tokio::time::timeout(self.timeout, sending).await.unwrap_or_else(|_| late())
    }

    fn accepted(&self, item: &Item, rejected: u64) {
        let rejected = rejected.min(item.items);
        self.counters.requests_exported.add(1);
        self.counters.items_exported.add(item.items - rejected);
        self.counters.dropped.add(Lost::Rejected, rejected);
    }

    fn drop(&self, item: &Item, reason: Lost, why: &str) {
        if reason == Lost::Refused {
            self.counters.failures.add(1);
        }
        self.counters.dropped.add(reason, item.items);
        tracing::warn!(exporter = self.name, reason = reason.as_str(), items = item.items, why, "export dropped");
    }
}

/// The number of rejected items in an export response of any kind; zero if it cannot be read.
pub(super) fn rejected_items(response: &[u8]) -> u64 {
    let partial = fields(response).find_map(|field| match field.value {
        Value::Bytes(bytes) if field.number == 1 => Some(bytes),
        _ => None,
    });
    let count = partial.into_iter().flat_map(fields).find_map(|field| match field.value {
        Value::Varint(count) if field.number == 1 => Some(count),
        _ => None,
    });
    count.filter(|count| i64::try_from(*count).is_ok()).unwrap_or(0)
}

fn destination(config: &ExporterConfig) -> Result<Destination, ExporterProblem> {
    let text = config.endpoint.trim();
    let bad = || ExporterProblem::Endpoint(config.endpoint.clone());
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let endpoint: Uri = full.parse().map_err(|_| bad())?;
    let authority = endpoint.authority().filter(|authority| authority.port_u16().is_some()).ok_or_else(bad)?;
    if authority.host().is_empty() || endpoint.query().is_some() {
        return Err(bad());
    }
    let tls = match endpoint.scheme_str() {
        Some("https") => {
            Some(Arc::new(tls::exporter(&config.tls, alpn(config.protocol)).map_err(ExporterProblem::Tls)?))
        }
        Some("http") if config.tls == ClientTls::default() => None,
        Some("http") => return Err(ExporterProblem::PlainWithTls(config.endpoint.clone())),
        _ => return Err(bad()),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let header = || Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?));
        let (name, value) = header().ok_or_else(|| ExporterProblem::Header(name.clone()))?;
        headers.append(name, value);
    }
    let prefix = endpoint.path().trim_end_matches('/').to_owned();
    Ok(Destination { endpoint, prefix, headers, tls, compression: config.compression })
}

/// What the destination is told will be spoken.
fn alpn(protocol: ExportProtocol) -> &'static [u8] {
    match protocol {
        ExportProtocol::Grpc => b"h2",
        ExportProtocol::HttpProtobuf => b"http/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: &str) -> ExporterConfig {
        ExporterConfig {
            name: "out".into(),
            protocol: ExportProtocol::Grpc,
            endpoint: endpoint.into(),
            headers: vec![],
            tls: ClientTls::default(),
            compression: Compression::None,
            signals: ExportSignals::default(),
        }
    }

    /// Scenario: endpoints as people write them, good and bad, a header with a line break, and certificates that are not
    /// there or not needed.
    /// Guarantees: the usual forms are taken; the others are refused with what to write instead.
    #[test]
    fn endpoints_are_checked_at_start() {
        let prefix = |endpoint| {
            destination(&config(endpoint)).map(|d| format!("{}{}", d.endpoint.authority().unwrap(), d.prefix))
        };
        assert_eq!(prefix("http://localhost:4317").unwrap(), "localhost:4317");
        assert_eq!(prefix("10.0.0.1:4317").unwrap(), "10.0.0.1:4317");
        assert_eq!(prefix("http://gateway:4318/otlp/").unwrap(), "gateway:4318/otlp");
        for bad in ["", "localhost", "ftp://a:1", "http://:1", "http://a:1?x=y", "a b:1"] {
            assert!(matches!(prefix(bad), Err(ExporterProblem::Endpoint(named)) if named == bad), "{bad}");
        }
        let header = ExporterConfig { headers: vec![("a".into(), "b\r\nc".into())], ..config("a:1") };
        assert!(matches!(destination(&header), Err(ExporterProblem::Header(name)) if name == "a"));
        let tls = ClientTls { ca_file: Some("/nowhere/ca.pem".into()), ..ClientTls::default() };
        let said = |endpoint| {
            let config = ExporterConfig { tls: tls.clone(), ..config(endpoint) };
            Exporter::new(&config, BufferConfig::default(), Patience::Bounded).unwrap_err().to_string()
        };
        let missing = said("https://a:4317");
        assert!(missing.starts_with("exporter `out`: cannot read /nowhere/ca.pem: "), "{missing}");
        assert_eq!(said("a:4317"), "exporter `out`: endpoint `a:4317`: certificates and keys need https://");
    }
}
