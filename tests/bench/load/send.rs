//! Offering load.
//!
//! Answers how many items per second a receiver accepts, how long it takes to acknowledge, and what that costs it. Senders
//! are tasks: each has one request under way. Refused requests are sent again, as SDKs do, so that no trace stays
//! incomplete. With a rate, requests are due at fixed times, and one that is sent late because all senders were still
//! waiting counts from when it was due.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use crate::latency::Latencies;
use crate::process::{self, Cpu};
use crate::template::{Shape, Template, Workload};
use crate::transport::{Answer, Client, Protocol, fill};
use crate::{Outcome, clock, patch};

/// How often one request is sent before it counts as failed, and the pause between two attempts: two seconds of overload
/// are sat out.
const ATTEMPTS_MAX: u32 = 40;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);

/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Requests of split traces that one sender holds back; beyond it, the oldest are sent before their time.
const HELD_BACK_MAX: usize = 100_000;

/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(100);

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The receiver
    #[arg(long)]
    to: SocketAddr,
    #[arg(long, value_enum, default_value = "grpc")]
    protocol: Protocol,
    #[arg(long, value_enum, default_value = "whole")]
    workload: Workload,
    /// Spans, log records or data points in a request
    #[arg(long, default_value_t = 512)]
    batch: usize,
    #[arg(long, default_value_t = 8)]
    trace_spans: usize,
    /// Services that send; a split trace has spans of each
    #[arg(long, default_value_t = 8)]
    services: usize,
    /// How long after the first request of a split trace the last one comes
    #[arg(long, default_value_t = 500)]
    lag_ms: u64,
    /// One trace in so many has an error; 0: none
    #[arg(long, default_value_t = 50)]
    error_every: usize,
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Requests under way on each connection; over HTTP/1.1 each has a connection of its own
    #[arg(long, default_value_t = 16)]
    inflight: usize,
    /// Items per second over all connections; 0: as many as are accepted
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Seconds before measuring
    #[arg(long, default_value_t = 3.0)]
    warmup: f64,
    /// Seconds of measuring
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// The receiver's process, whose CPU time and memory are read
    #[arg(long)]
    pid: Option<u32>,
    /// Threads that send
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// Different numbers give different trace ids
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// What all senders share.
struct Run {
    options: Options,
    templates: Vec<Template>,
    begun: Instant,
    phase: AtomicU8,
    next_trace: AtomicU64,
    next_slot: AtomicU64,
}

/// One request that is to be sent.
#[derive(Clone, Copy)]
struct Piece {
    template: usize,
    first_trace: u64,
}

#[derive(Clone, Default)]
struct Counts {
    requests: u64,
    items: u64,
    errors: u64,
    bytes: u64,
}

/// What one sender, or all, saw.
#[derive(Clone, Default)]
struct Tally {
    window: Counts,
    total: Counts,
    latencies: Latencies,
    rejected: u64,
    refusals: BTreeMap<String, u64>,
    failures: BTreeMap<String, u64>,
    items_failed: u64,
}

struct Sender {
    run: Arc<Run>,
    index: usize,
    client: Client,
    buffer: BytesMut,
    /// Per place in a trace's order: when it is due, and what. Each queue is in order of time.
    held_back: Vec<VecDeque<(Instant, Piece)>>,
    tally: Tally,
}

/// What was used between the beginning and the end of the window.
struct Usage {
    server: Option<(Cpu, Cpu)>,
    own: Option<(Cpu, Cpu)>,
    machine: Option<((f64, f64), (f64, f64))>,
    rss_peak: f64,
    seconds: f64,
}

/// Offers the load and reports.
pub(crate) async fn run(options: Options) -> Outcome<Value> {
    let Options { workload, batch, trace_spans, services, error_every, .. } = options;
    let templates = Shape { workload, batch, trace_spans, services, error_every }.templates()?;
    let bytes_per_item = templates[0].bytes.len() as f64 / batch as f64;
    let run = Arc::new(Run {
        options,
        templates,
        begun: clock(),
        phase: AtomicU8::new(WARMING),
        next_trace: AtomicU64::new(0),
        next_slot: AtomicU64::new(0),
    });
    let mut senders = start(&run).await?;
    sleep(Duration::from_secs_f64(run.options.warmup)).await;
    let usage = measure(&run).await;
    let mut tally = Tally::default();
    while let Some(ended) = senders.join_next().await {
        tally.merge(&ended??);
    }
    Ok(report(&run, &tally, &usage, bytes_per_item))
}

async fn start(run: &Arc<Run>) -> Outcome<JoinSet<Outcome<Tally>>> {
    let mut senders = JoinSet::new();
    let Options { to, protocol, workload, connections, inflight, .. } = run.options;
    let mut connection = None;
    for index in 0..connections * inflight {
        let client = match connection.take() {
            Some(client) if protocol == Protocol::Grpc && index % inflight != 0 => client,
            _ => Client::connect(to, protocol, workload).await?,
        };
        connection = Some(client.clone());
        let held_back = vec![VecDeque::new(); run.options.services];
        let (buffer, tally) = (BytesMut::new(), Tally::default());
        let mut sender = Sender { run: run.clone(), index, client, buffer, held_back, tally };
        senders.spawn(async move {
            sender.work().await?;
            Ok(sender.tally)
        });
    }
    Ok(senders)
}

/// Opens the window, looks at memory until it closes, and closes it.
async fn measure(run: &Run) -> Usage {
    let pid = run.options.pid;
    let read = || (pid.and_then(|pid| process::cpu(Some(pid))), process::cpu(None), process::machine());
    let (server, own, machine) = read();
    let begun = clock();
    run.phase.store(MEASURING, Ordering::Relaxed);
    let mut rss_peak: f64 = 0.0;
    while clock().duration_since(begun).as_secs_f64() < run.options.seconds {
        sleep(GLANCE).await;
        rss_peak = rss_peak.max(pid.and_then(process::memory).map_or(0.0, |(now, _)| now));
    }
    run.phase.store(OVER, Ordering::Relaxed);
    let seconds = clock().duration_since(begun).as_secs_f64();
    let (server_end, own_end, machine_end) = read();
    Usage {
        server: server.zip(server_end),
        own: own.zip(own_end),
        machine: machine.zip(machine_end),
        rss_peak,
        seconds,
    }
}

impl Run {
    fn is_over(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == OVER
    }

    /// When the next request is due; `None` at saturation.
    fn next_due(&self) -> Option<Instant> {
        let rate = self.options.rate;
        if rate <= 0.0 {
            return None;
        }
        let slot = self.next_slot.fetch_add(1, Ordering::Relaxed);
        Some(self.begun + Duration::from_secs_f64(slot as f64 * self.options.batch as f64 / rate))
    }
}

impl Sender {
    async fn work(&mut self) -> Outcome<()> {
        while !self.run.is_over() {
            let due = self.run.next_due();
            let mut from = clock();
            if let Some(due) = due {
                if from < due {
                    sleep_until(due.into()).await;
                    from = clock();
                } else {
                    from = due;
                }
            }
            let piece = self.next_piece(clock());
            self.deliver(piece, from).await?;
        }
        while let Some(piece) = self.overdue(None) {
            self.deliver(piece, clock()).await?;
        }
        Ok(())
    }

    fn next_piece(&mut self, now: Instant) -> Piece {
        if let Some(piece) = self.overdue(Some(now)) {
            return piece;
        }
        let services = self.run.templates.len();
        let is_split = self.run.options.workload == Workload::Split;
        let traces = self.run.templates[0].traces.max(1);
        let first_trace = self.run.next_trace.fetch_add(traces, Ordering::Relaxed);
        if !is_split {
            return Piece { template: self.index % services, first_trace };
        }
        // Every service comes first in turn, so that roots come early, late and in between.
        let first = (first_trace / traces) as usize;
        let lag = Duration::from_millis(self.run.options.lag_ms);
        for place in 1..services {
            let due = now + lag * place as u32 / (services - 1) as u32;
            self.held_back[place].push_back((due, Piece { template: (first + place) % services, first_trace }));
        }
        Piece { template: first % services, first_trace }
    }

    /// A request that was held back until `now`, or any of them.
    fn overdue(&mut self, now: Option<Instant>) -> Option<Piece> {
        let held: usize = self.held_back.iter().map(VecDeque::len).sum();
        let is_due = |due: Instant| now.is_none_or(|now| due <= now || HELD_BACK_MAX < held);
        let queue = self.held_back.iter_mut().filter(|queue| !queue.is_empty());
        let queue = queue.min_by_key(|queue| queue.front().map(|(due, _)| *due))?;
        let (due, piece) = *queue.front()?;
        is_due(due).then(|| queue.pop_front())?;
        Some(piece)
    }

    async fn deliver(&mut self, piece: Piece, from: Instant) -> Outcome<()> {
        let run = self.run.clone();
        let template = &run.templates[piece.template];
        fill(&mut self.buffer, &template.bytes);
        let message = self.buffer.len() - template.bytes.len();
        let message = &mut self.buffer[message..];
        patch::write(message, &template.patches, run.options.seed, piece.first_trace, unix_nanos());
        let request = std::mem::take(&mut self.buffer).freeze();
        let mut failure = String::new();
        for _ in 0..ATTEMPTS_MAX {
            match timeout(ANSWER_WITHIN, self.client.send(request.clone())).await {
                Ok(Ok(Answer::Accepted { rejected })) => {
                    self.tally.accept(template, rejected, clock().duration_since(from), &run.phase);
                    self.buffer = request.try_into_mut().unwrap_or_default();
                    return Ok(());
                }
                Ok(Ok(Answer::Refused(why))) => {
                    *self.tally.refusals.entry(why.clone()).or_default() += 1;
                    failure = why;
                    sleep(ATTEMPT_PAUSE).await;
                }
                Ok(Ok(Answer::Failed(why))) => {
                    failure = why;
                    break;
                }
                Ok(Err(broken)) => return Err(broken),
                Err(_) => {
                    failure = format!("no answer within {} s", ANSWER_WITHIN.as_secs());
                    break;
                }
            }
        }
        *self.tally.failures.entry(failure).or_default() += 1;
        self.tally.items_failed += template.items;
        Ok(())
    }
}

impl Tally {
    fn accept(&mut self, template: &Template, rejected: u64, latency: Duration, phase: &AtomicU8) {
        let mut counts = vec![&mut self.total];
        if phase.load(Ordering::Relaxed) == MEASURING {
            counts.push(&mut self.window);
            self.latencies.add(latency);
        }
        for counts in counts {
            counts.requests += 1;
            counts.items += template.items - rejected;
            counts.errors += template.errors;
            counts.bytes += template.bytes.len() as u64;
        }
        self.rejected += rejected;
    }

    fn merge(&mut self, other: &Tally) {
        for (mine, theirs) in [(&mut self.window, &other.window), (&mut self.total, &other.total)] {
            mine.requests += theirs.requests;
            mine.items += theirs.items;
            mine.errors += theirs.errors;
            mine.bytes += theirs.bytes;
        }
        self.latencies.merge(&other.latencies);
        self.rejected += other.rejected;
        self.items_failed += other.items_failed;
        for (mine, theirs) in [(&mut self.refusals, &other.refusals), (&mut self.failures, &other.failures)] {
            theirs.iter().for_each(|(why, count)| *mine.entry(why.clone()).or_default() += count);
        }
    }
}

fn report(run: &Run, tally: &Tally, usage: &Usage, bytes_per_item: f64) -> Value {
    let spent = |(from, to): (Cpu, Cpu)| (to.user - from.user, to.system - from.system);
    let seconds = usage.seconds;
    let millions = tally.window.items as f64 / 1e6;
    let (server, own) = (usage.server.map(spent), usage.own.map(spent));
    let cores = |spent: Option<(f64, f64)>| spent.map_or(0.0, |(user, system)| (user + system) / seconds);
    let machine = usage.machine.map(|(from, to)| ((to.0 - from.0) / seconds, (to.1 - from.1) / seconds));
    let memory = run.options.pid.and_then(process::memory);
    json!({
        "items_per_s": tally.window.items as f64 / seconds,
        "seconds": seconds,
        "items": tally.window.items,
        "requests": tally.window.requests,
        "bytes_per_item": bytes_per_item,
        "ack_ms": {
            "p50": tally.latencies.quantile_ms(0.5),
            "p90": tally.latencies.quantile_ms(0.9),
            "p99": tally.latencies.quantile_ms(0.99),
            "max": tally.latencies.max_ms(),
        },
        "server": server.map(|(user, system)| json!({
            "user_s": user,
            "system_s": system,
            "cpu_s_per_million": (user + system) / millions,
            "cores": cores(server),
            "rss_peak_mib": usage.rss_peak,
            "rss_highest_mib": memory.map(|(_, highest)| highest),
        })),
        "client_cores": cores(own),
        "client_cpu_s_per_million": cores(own) * seconds / millions,
        "others_cores": machine.map(|(busy, _)| (busy - cores(server) - cores(own)).max(0.0)),
        "steal_cores": machine.map(|(_, steal)| steal),
        "total": {
            "items": tally.total.items,
            "requests": tally.total.requests,
            "bytes": tally.total.bytes,
            "traces": run.next_trace.load(Ordering::Relaxed),
            "error_spans": tally.total.errors,
        },
        "rejected": tally.rejected,
        "refused": tally.refusals,
        "failed": tally.failures,
        "items_failed": tally.items_failed,
    })
}

/// What spans say about when they were.
#[expect(clippy::disallowed_methods, reason = "a load generator stamps what it sends")]
fn unix_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
