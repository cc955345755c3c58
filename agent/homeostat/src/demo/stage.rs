//! The stage.
//!
//! Answers what stands on it: the shop, its users, the stand-in backend and the agent, each started with the others'
//! addresses, and how all of it is taken down again without losing what is on its way. Does not know what is played.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use homeostat_adapters::SystemClock;
use homeostat_core::{Seed, ServiceName, Settings, Timestamp};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::backend::Backend;
use super::line::wrap;
use super::load::{self, Load};
use super::shop::{Doors, SERVICES, Shop, Site, VICTIM};
use super::story::Story;
use super::summary::{self, Run};
use super::{DemoError, Repair, cost, fault, overlay};
use crate::wiring::{Agent, AgentOptions, RunningAgent};

/// The demo is the same every time, as far as chance in the shop goes; the machine adds its own.
const SEED: Seed = Seed(1);

/// Threads of the agent; as many as the smallest machine it is meant for has cores.
const AGENT_THREADS: usize = 2;

/// Those inside the shop may finish before the last telemetry is sent.
const LAST_USERS: Duration = Duration::from_secs(1);

/// Taking everything down takes at most this long; each part has its own, smaller bound.
pub(crate) const CLEARING: Duration = Duration::from_secs(25);

/// Everything that runs.
pub(crate) struct Stage {
    /// When users began to come.
    pub(crate) began: Instant,
    /// The same instant by the agent's clock.
    pub(crate) began_at: Timestamp,
    /// The shop.
    pub(crate) shop: Shop,
    /// The agent.
    pub(crate) agent: RunningAgent,
    /// The agent's threads.
    pub(crate) runtime: Runtime,
    settings: Settings,
    load: Load,
    backend: Backend,
    state_dir: PathBuf,
    interrupted: Arc<AtomicBool>,
}

impl Stage {
    /// Starts everything.
    pub(crate) fn set() -> Result<Stage, DemoError> {
        let site = Site::find()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(AGENT_THREADS)
            .thread_name(cost::AGENT_THREADS)
            .enable_all()
            .build()
            .map_err(DemoError::Threads)?;
        let backend = site.runtime().block_on(Backend::listen()).map_err(DemoError::Backend)?;
        let manifest = overlay::manifest(site.addresses(), backend.address);
        let state_dir = state_dir()?;
        let options = AgentOptions { state_dir: state_dir.clone(), self_tracing: false };
        let agent = runtime.block_on(Agent::start(&manifest, options))?;
        let shop = site.open(Some(&doors(&agent)), SEED)?;
        let (began, began_at) = (Instant::now(), SystemClock::new(None).now());
        let entered = shop.runtime().enter();
        let load = Load::begin(shop.entrance(), SEED, began);
        drop(entered);
        let interrupted = listen_for_signals(&runtime);
        let settings = manifest.settings;
        Ok(Stage { began, began_at, shop, agent, runtime, settings, load, backend, state_dir, interrupted })
    }

    /// What the agent was told.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether somebody wants the demo to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// What is about to be seen, before it begins.
    pub(crate) fn introduction(&self, width: usize) -> Vec<String> {
        let names: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
        let fault = fault::AFTER.as_secs();
        let mut rows = vec![
            String::new(),
            "  homeostat demo: an agent watches a small shop, something breaks, the agent repairs it".to_owned(),
            String::new(),
        ];
        let mut say = |name: &str, text: String| {
            for (number, row) in wrap(&text, width.saturating_sub(14)).into_iter().enumerate() {
                rows.push(format!("  {:<10}{row}", if number == 0 { name } else { "" }));
            }
        };
        say(
            "shop",
            format!("{}: real HTTP services, an OpenTelemetry SDK each; {} requests/s", names.join(", "), load::RATE),
        );
        say("fault", format!("{VICTIM}'s backend gets slow after {fault} s and stays slow; nobody tells the agent"));
        if let Some(api) = self.agent.doors().api {
            say("look", format!("open http://{api}/ while it runs"));
        }
        say("journal", format!("{} (kept)", self.state_dir.display()));
        say("agent", "the one `homeostat run` starts, with the embedded default manifest, plus:".to_owned());
        rows.extend(overlay::told().into_iter().map(|[key, why]| format!("              {key:<56}{why}")));
        rows.push(String::new());
        rows
    }

    /// Takes everything down; returns the summary's rows and whether the fault was repaired.
    pub(crate) fn clear(self, story: &Story, fault: Option<Duration>, width: usize) -> (Vec<String>, Repair) {
        let (cpu, memory) = (cost::agent_cpu(), cost::process_memory());
        let end = self.began.elapsed();
        self.load.end();
        self.runtime.block_on(async { tokio::time::sleep(LAST_USERS).await });
        let visits = self.load.visits();
        self.shop.flush();
        let served = self.shop.served();
        self.runtime.block_on(self.agent.shutdown());
        let arrived = self.backend.arrived();
        let victim = ServiceName::from(VICTIM);
        let run = Run { story, visits: &visits, victim, fault, end, arrived, served, cpu, memory };
        let repair = if summary::repaired(&run).is_some() { Repair::Done } else { Repair::NotDone };
        let mut rows = summary::rows(&run, width);
        rows.extend(next(story, &self.state_dir));
        self.shop.close();
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        (rows, repair)
    }
}

fn doors(agent: &RunningAgent) -> Doors {
    let doors = agent.doors();
    let [otlp, sampling] =
        [doors.otlp_grpc, doors.sampling_http].map(|door| door.expect("the embedded default opens these doors"));
    Doors { otlp_grpc: format!("http://{otlp}"), sampling: format!("http://{sampling}/sampling") }
}

/// Directories that may be there already, of earlier demos whose process had the same number.
const OLD_STATE_DIRS_MAX: u32 = 100;

/// A new directory under the system's temporary one; kept, so that the demo can be explained afterwards.
fn state_dir() -> Result<PathBuf, DemoError> {
    let mut path = PathBuf::new();
    for attempt in 0..OLD_STATE_DIRS_MAX {
        let again = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        path = std::env::temp_dir().join(format!("homeostat-demo-{}{again}", std::process::id()));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(source) if source.kind() != ErrorKind::AlreadyExists => {
                return Err(DemoError::StateDir { path, source });
            }
            Err(_) => {}
        }
    }
    Err(DemoError::StateDir { path, source: ErrorKind::AlreadyExists.into() })
}

/// SIGINT and SIGTERM end the demo in good order. In a terminal, Ctrl-C is a key and arrives there.
fn listen_for_signals(runtime: &Runtime) -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let said = Arc::clone(&interrupted);
    runtime.spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        said.store(true, Ordering::Relaxed);
    });
    interrupted
}

/// What to type next. The program is called as it was called, because after `cargo run` it is on no path.
fn next(story: &Story, state_dir: &Path) -> Vec<String> {
    let program = std::env::args().next().unwrap_or_else(|| "homeostat".to_owned());
    let dir = state_dir.display();
    let victim = ServiceName::from(VICTIM);
    let repair = story.repairs_of(&victim).next().map(|begun| begun.request.id);
    let mut rows = vec![String::new(), "  next".to_owned()];
    let mut say = |why: &str, command: String| {
        rows.push(format!("    {program} {command}"));
        rows.push(format!("        {why}"));
    };
    if let Some(id) = repair {
        say("why it did that", format!("explain {id} --state-dir {dir}"));
    }
    say("what every tick saw, thought and did", format!("journal --state-dir {dir}"));
    say("the same events give the same decisions", format!("replay {dir}"));
    say("the agent, for your own services", "run".to_owned());
    rows.push(String::new());
    rows
}
