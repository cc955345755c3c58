//! `run`: the agent, until it is told to stop.
//!
//! Answers signals: SIGTERM and SIGINT drain and end it, SIGHUP reloads the manifest, SIGUSR1 holds it and SIGUSR2 lets
//! it act again. Says at the start, in a few lines, what
//! it is about to do, because people start agents far more often than they read manuals.

use std::io::Write;
use std::path::PathBuf;

use homeostat_core::actions::ActionClass;
use homeostat_core::{Autonomy, OperatorCommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Answer, CommandError, state_dir};
use crate::cli::RunArgs;
use crate::logging;
use crate::manifest::{Manifest, Problems};
use crate::wiring::{Agent, AgentOptions, RunningAgent};

/// Runs the agent.
pub(super) fn run(args: RunArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    logging::start();
    let manifest = load(args.manifest.as_ref()).map_err(CommandError::Manifest)?;
    let options = AgentOptions { state_dir: state_dir(args.state_dir), self_tracing: args.self_tracing };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::Runtime)?;
    runtime.block_on(async {
        let mut signals = Signals::listen().map_err(CommandError::Runtime)?;
        let agent = Agent::start(&manifest, options).await?;
        greet(out, &agent, &manifest)?;
        live(&agent, &mut signals, args.manifest.as_ref(), manifest).await;
        agent.shutdown().await;
        tracing::info!("stopped");
        Ok(Answer::Yes)
    })
}

fn load(path: Option<&PathBuf>) -> Result<Manifest, Problems> {
    path.map_or_else(|| Ok(Manifest::embedded()), |path| Manifest::load(path))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    hold: Signal,
    resume: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            hold: signal(SignalKind::user_defined1())?,
            resume: signal(SignalKind::user_defined2())?,
        })
    }
}

/// Until a signal ends it.
async fn live(agent: &RunningAgent, signals: &mut Signals, path: Option<&PathBuf>, mut manifest: Manifest) {
    loop {
        let stop = tokio::select! {
            _ = signals.terminate.recv() => "SIGTERM",
            _ = signals.interrupt.recv() => "SIGINT",
            _ = signals.hang_up.recv() => {
                manifest = reload(agent, path, manifest).await;
                continue;
            }
            _ = signals.hold.recv() => {
                agent.steer(OperatorCommand::Hold).await;
                continue;
            }
            _ = signals.resume.recv() => {
                agent.steer(OperatorCommand::Resume).await;
                continue;
            }
        };
        tracing::info!("{stop}: finishing what is open, then stopping");
        return;
    }
}

/// Follows the manifest as it is now on disk; keeps the last good one if it has problems.
async fn reload(agent: &RunningAgent, path: Option<&PathBuf>, current: Manifest) -> Manifest {
    let Some(path) = path else {
        tracing::warn!("SIGHUP: there is no manifest to reload; start with --manifest FILE to have one");
        return current;
    };
    match Manifest::load(path) {
        Ok(next) => {
            let same = next.doors == current.doors
                && next.exporters == current.exporters
                && next.delivery == current.delivery
                && next.sampler == current.sampler
                && next.span_metrics_interval == current.span_metrics_interval
                && next.scale_endpoints == current.scale_endpoints
                && next.webhook == current.webhook;
            if !same {
                tracing::warn!(
                    "SIGHUP: changed doors, exporters, delivery, caps, dry runs, span metrics, scale endpoints and webhooks are used after a restart"
                );
            }
            agent.reconfigure(next.settings.clone()).await;
            tracing::info!("SIGHUP: {} is followed from the next tick on", path.display());
            next
        }
        Err(problems) => {
            for problem in problems.to_string().lines() {
                tracing::error!("{problem}");
            }
            tracing::error!("SIGHUP: the last good manifest stays in force");
            current
        }
    }
}

/// What runs, where, what it may do, and what to try next.
fn greet(out: &mut dyn Write, agent: &RunningAgent, manifest: &Manifest) -> Result<(), CommandError> {
    let identity = agent.identity();
    writeln!(out, "homeostat {} runs", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "  manifest   {} ({})", manifest.name, manifest.source)?;
    writeln!(out, "  state      {} (life {})", identity.state_dir.display(), identity.life)?;
    for (name, door) in agent.doors().named() {
        let door = door.map_or_else(|| "off".to_owned(), |door| door.to_string());
        writeln!(out, "  {name:<13}  {door}")?;
    }
    let autonomy = &manifest.settings.autonomy;
    let may = ActionClass::ALL.map(|class| {
        let may = match autonomy.of(class) {
            Autonomy::Observe => "only decides",
            Autonomy::Approve => "asks first",
            Autonomy::Act => "acts",
        };
        format!("{class}: {may}")
    });
    writeln!(out, "  autonomy   {}", may.join(" · "))?;
    for note in &manifest.notes {
        writeln!(out, "  note       {note}")?;
    }
    if let Some(door) = agent.doors().otlp_http {
        writeln!(out, "try next")?;
        writeln!(out, "  OTEL_EXPORTER_OTLP_ENDPOINT=http://{door} YOUR-SERVICE")?;
    }
    if let Some(door) = agent.doors().api {
        writeln!(out, "  homeostat status --api http://{door}    or open http://{door}/")?;
    }
    Ok(out.flush()?)
}
