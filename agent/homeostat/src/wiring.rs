//! The wiring.
//!
//! Answers how the planes, the doors and the journal are put together into one running agent, and how it is taken apart
//! again. Does not drive the loop; that is `driver`. `run` and `demo` start the same agent through this door, so what the
//! demo shows is what runs.

mod opening;

pub(crate) use opening::StartError;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use homeostat_adapters::{
    ActuatorConfig, Actuators, DimmerEndpoint, EndpointError, Entry, Journal, JournalReader, LimitEndpoint,
    ProfileEndpoint, Recovered, RemoteSampling, RestartEndpoint, Retention, ScaleEndpoint, SourceConfig, Sources,
    SystemClock, Webhook,
};
use homeostat_control::ControlLoop;
use homeostat_core::{Event, Generation, OperatorCommand, SamplingPlan, ServiceName, Settings, TickRecord};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::api::{self, ApiState, Identity};
use crate::data_plane::DataPlane;
use crate::doors::OpenDoors;
use crate::driver::{self, Book, Done, Driver, Hands, HoldFile, Inbox, Mind, Outlook, Parts, Sampler};
use crate::manifest::{Manifest, Protocol, TelemetryKind};
use crate::metrics::{self, MetricsState};
use crate::own_spans::{OwnSpans, OwnSpansError};
use crate::view::LoopView;
use opening::{Opened, open};

/// Records a slow listener may lag behind before it loses the oldest: a minute.
const RECORDS_BEHIND_MAX: usize = 64;

/// The driver drains within its own bound; a little longer than that is waited for it.
const DRIVER_ENDS_WITHIN: Duration = Duration::from_secs(6);

/// How an agent is started.
#[derive(Clone, Debug)]
pub(crate) struct AgentOptions {
    /// Where the journal lives.
    pub(crate) state_dir: PathBuf,
    /// Whether its own spans are sent to the manifest's first trace exporter.
    pub(crate) self_tracing: bool,
}

/// Starts agents.
pub(crate) struct Agent;

/// A running agent. Dropping it without [`RunningAgent::shutdown`] leaves the journal as after a crash, which is sound.
pub(crate) struct RunningAgent {
    identity: Arc<Identity>,
    data_plane: Arc<DataPlane>,
    remote_sampling: Arc<RemoteSampling>,
    lines: Lines,
    stop: oneshot::Sender<()>,
    driver: JoinHandle<()>,
    spans: OwnSpans,
    helpers: Vec<JoinHandle<()>>,
}

/// How the running loop is talked to and watched.
struct Lines {
    views: watch::Sender<Arc<LoopView>>,
    records: broadcast::Sender<Arc<TickRecord>>,
    operator: mpsc::Sender<OperatorCommand>,
    settings: mpsc::Sender<Box<Settings>>,
}

/// What was there before the agent, and outlives it.
struct Ground {
    journal: Journal,
    recovered: Recovered,
    clock: SystemClock,
    actuators: Actuators,
    sources: Sources,
    spans: OwnSpans,
}

impl Agent {
    /// Starts an agent after `manifest`. All doors are open when this returns. Needs a multi-threaded runtime, because
    /// the driver blocks its thread while a record goes to disk.
    pub(crate) async fn start(manifest: &Manifest, options: AgentOptions) -> Result<RunningAgent, StartError> {
        let ground = Ground::prepare(manifest, &options)?;
        let plan = first_plan(manifest, &ground.recovered);
        let opened = open(manifest, &plan, &options.state_dir).await?;
        let identity = Arc::new(Identity {
            name: manifest.name.clone(),
            manifest: manifest.source.to_string(),
            life: ground.recovered.life,
            state_dir: options.state_dir,
            started: ground.clock.now(),
            doors: opened.doors,
        });
        Ok(assemble(manifest, identity, ground, opened, plan))
    }
}

impl Ground {
    fn prepare(manifest: &Manifest, options: &AgentOptions) -> Result<Ground, StartError> {
        let (actuators, sources) = outside(manifest)?;
        let spans = own_spans(manifest, options)?;
        let opened = Journal::open(&options.state_dir, Retention::default());
        let (journal, recovered) = opened.map_err(StartError::Journal)?;
        let clock = SystemClock::new(recovered.last);
        Ok(Ground { journal, recovered, clock, actuators, sources, spans })
    }
}

fn assemble(
    manifest: &Manifest,
    identity: Arc<Identity>,
    ground: Ground,
    opened: Opened,
    plan: SamplingPlan,
) -> RunningAgent {
    let Ground { journal, recovered, clock, actuators, sources, spans } = ground;
    let Opened { data_plane, remote_sampling, shared, api, metrics, .. } = opened;
    let (done_sender, done) = mpsc::channel::<Done>(driver::IN_FLIGHT_MAX);
    let (operator, said) = mpsc::channel(driver::OPERATOR_MAX);
    let (settings, reloaded) = mpsc::channel(1);
    let (batches, observations) = mpsc::channel(driver::BATCHES_MAX);
    let (stop, stopped) = oneshot::channel();
    let reader = journal.reader();
    let views = watch::Sender::new(Arc::new(LoopView::before_the_first_tick(&manifest.settings)));
    let lines = Lines { views, records: broadcast::Sender::new(RECORDS_BEHIND_MAX), operator, settings };

    let (followed, dropped) = (data_plane.clone(), Arc::new(AtomicU64::new(0)));
    let publish = move |plan: &SamplingPlan| {
        followed.set_plan(plan.clone());
        shared.store(plan.clone());
    };
    let (seen, asked) = (data_plane.clone(), remote_sampling.clone());
    let mut driver = Driver::new(Parts {
        clock,
        mind: Mind::new(ControlLoop::new(homeostat_policies::CATALOGUE)),
        book: written_to(journal),
        hands: Hands::new(Sampler::new(plan, Box::new(publish)), actuators, done_sender, spans.clone()),
        hold_file: HoldFile::of(&identity.state_dir),
        perceive: Box::new(move |now| [seen.observe(now), asked.observe(now)].concat()),
        outlook: Outlook { views: lines.views.clone(), records: lines.records.clone(), spans: spans.clone() },
        dropped: dropped.clone(),
    });
    begin(&mut driver, recovered, manifest);

    let mut helpers = vec![driver::start_collector(sources, clock, batches, dropped)];
    helpers.extend(metrics.map(|door| serve_metrics(door, &lines, data_plane.clone(), &reader)));
    helpers.extend(api.map(|door| serve_api(door, &lines, data_plane.clone(), reader, clock, identity.clone())));
    let inbox = Inbox { done, operator: said, settings: reloaded, observations, stop: stopped };
    let driver = tokio::spawn(driver.run(inbox));
    RunningAgent { identity, data_plane, remote_sampling, lines, stop, driver, spans, helpers }
}

/// The first events of a process: its past if it has one, and what people want if that has changed.
fn begin(driver: &mut Driver, recovered: Recovered, manifest: &Manifest) {
    if let Some(checkpoint) = recovered.checkpoint {
        driver.begin_with(Event::Recovered(Box::new(checkpoint)));
    }
    if *driver.control().settings() != manifest.settings || recovered.last.is_none() {
        driver.begin_with(Event::Reconfigured(Box::new(manifest.settings.clone())));
    }
    if manifest.hold_at_start {
        driver.begin_with(Event::Operator(OperatorCommand::Hold));
    }
}

/// The plan that everybody follows until the loop says otherwise.
fn first_plan(manifest: &Manifest, recovered: &Recovered) -> SamplingPlan {
    let in_force = recovered.checkpoint.as_ref().map(|checkpoint| checkpoint.in_force.clone()).unwrap_or_default();
    driver::plan(&manifest.settings, &in_force, Generation(1))
}

fn written_to(mut journal: Journal) -> Book {
    Book::new(Box::new(move |page| {
        let entry = Entry { record: &page.record, checkpoint: &page.checkpoint, events: &page.events };
        journal.commit(entry).map_err(|error| crate::command::with_causes(&error))
    }))
}

/// What the agent can move and ask outside.
fn outside(manifest: &Manifest) -> Result<(Actuators, Sources), StartError> {
    let scale_endpoints = endpoints(&manifest.scale_endpoints, "scale", ScaleEndpoint::parse)?;
    let wrong = |source| StartError::Endpoint { what: "the webhook".to_owned(), source };
    let webhook = manifest.webhook.as_deref().map(Webhook::parse).transpose().map_err(wrong)?;
    let help = &manifest.help_endpoints;
    let limit_endpoints = endpoints(&help.limits, "limit", LimitEndpoint::parse)?;
    let dimmer_endpoints = endpoints(&help.dimmers, "dimmer", DimmerEndpoint::parse)?;
    let restart_endpoints = endpoints(&help.restarts, "restart", RestartEndpoint::parse)?;
    let actuators = Actuators::new(ActuatorConfig {
        scale_endpoints: scale_endpoints.clone(),
        limit_endpoints: limit_endpoints.clone(),
        dimmer_endpoints: dimmer_endpoints.clone(),
        restart_endpoints: restart_endpoints.clone(),
        profile_endpoints: endpoints(&help.profiles, "profile", ProfileEndpoint::parse)?,
        webhook,
    });
    let read = SourceConfig { scale_endpoints, limit_endpoints, dimmer_endpoints, restart_endpoints };
    Ok((actuators, Sources::new(read)))
}

/// The endpoints of one kind, by service.
fn endpoints<E>(
    urls: &BTreeMap<ServiceName, String>,
    kind: &str,
    parse: fn(&str) -> Result<E, EndpointError>,
) -> Result<BTreeMap<ServiceName, E>, StartError> {
    let endpoint = |(service, url): (&ServiceName, &String)| match parse(url) {
        Ok(endpoint) => Ok((service.clone(), endpoint)),
        Err(source) => Err(StartError::Endpoint { what: format!("{service}'s {kind} endpoint"), source }),
    };
    urls.iter().map(endpoint).collect()
}

fn own_spans(manifest: &Manifest, options: &AgentOptions) -> Result<OwnSpans, StartError> {
    if !options.self_tracing {
        return Ok(OwnSpans::default());
    }
    let mut exporters = manifest.exporters.iter();
    let first = exporters.find(|exporter| {
        let plain = exporter.protocol == Protocol::Grpc && exporter.endpoint.starts_with("http://");
        plain && exporter.signals.contains(&TelemetryKind::Traces)
    });
    let first = first.ok_or(StartError::OwnSpans(OwnSpansError::NoExporter))?;
    OwnSpans::sent_to(&first.endpoint).map_err(StartError::OwnSpans)
}

fn serve_metrics(
    door: TcpListener,
    lines: &Lines,
    data_plane: Arc<DataPlane>,
    journal: &JournalReader,
) -> JoinHandle<()> {
    let views = lines.views.subscribe();
    serve(door, metrics::router(MetricsState { views, data_plane, journal: journal.path().to_owned() }))
}

fn serve_api(
    door: TcpListener,
    lines: &Lines,
    data_plane: Arc<DataPlane>,
    journal: JournalReader,
    clock: SystemClock,
    identity: Arc<Identity>,
) -> JoinHandle<()> {
    let (views, operator) = (lines.views.subscribe(), lines.operator.clone());
    serve(door, api::router(ApiState { views, operator, data_plane, journal, clock, identity }))
}

fn serve(door: TcpListener, routes: axum::Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        // The server ends only with its task; accept errors are waited out inside.
        drop(axum::serve(door, routes).await);
    })
}

impl RunningAgent {
    /// Where it listens.
    pub(crate) fn doors(&self) -> OpenDoors {
        self.identity.doors
    }

    /// Who it is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Every record from now on.
    pub(crate) fn records(&self) -> broadcast::Receiver<Arc<TickRecord>> {
        self.lines.records.subscribe()
    }

    /// Says what an operator says.
    pub(crate) async fn steer(&self, said: OperatorCommand) {
        let _delivered = self.lines.operator.send(said).await;
    }

    /// Follows new settings from the next tick on.
    pub(crate) async fn reconfigure(&self, settings: Settings) {
        let _delivered = self.lines.settings.send(Box::new(settings)).await;
    }

    /// Stops: the loop drains, the last record is written, what is on its way is sent; each for a bounded time.
    pub(crate) async fn shutdown(self) {
        let _heard = self.stop.send(());
        let mut driver = self.driver;
        if tokio::time::timeout(DRIVER_ENDS_WITHIN, &mut driver).await.is_err() {
            tracing::warn!("the loop did not drain in time; the journal is as after a crash, which is sound");
            driver.abort();
            drop(driver.await);
        }
        for helper in self.helpers {
            helper.abort();
            drop(helper.await);
        }
        self.data_plane.shutdown().await;
        if let Ok(remote_sampling) = Arc::try_unwrap(self.remote_sampling) {
            remote_sampling.shutdown().await;
        }
        tokio::task::block_in_place(|| self.spans.finish());
    }
}
