//! Looking: `status`, `explain`.
//!
//! Answers what the agent sees, thinks and does, and why. Asks the running agent; an explanation can also come from a
//! journal at rest, because a record explains itself.

use std::io::Write;

use homeostat_adapters::JournalReader;
use homeostat_core::{BasisPoints, Micros, TrialStage, Unit};

use super::{Answer, CommandError, asking, state_dir, write_json};
use crate::api::{GoalStatus, ServiceStatus, Status};
use crate::cli::{ExplainArgs, JournalSource, StatusArgs};
use crate::client::{AgentClient, ClientError};
use crate::explain::Explanation;
use crate::wall_time::{span, time_of_day};

/// Decisions shown; the page and the journal have more.
const DECISIONS_SHOWN: usize = 10;

/// What the agent sees, thinks and does now.
pub(super) fn status(args: StatusArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let client = AgentClient::new(&args.api.api);
    if args.json {
        let text: serde_json::Value = asking(client.get("/v1/status"))?;
        write_json(out, &text)?;
        return Ok(Answer::Yes);
    }
    let status: Status = asking(client.get("/v1/status"))?;
    write_agent(out, &status)?;
    write_services(out, &status)?;
    write_goals(out, &status)?;
    write_incidents(out, &status)?;
    write_decisions(out, &status)?;
    Ok(Answer::Yes)
}

/// Why an action was taken, or what is known of an incident.
pub(super) fn explain(args: ExplainArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let client = AgentClient::new(&args.source.api.api);
    let path = format!("/v1/explain/{}", args.id);
    let from_rest = |journal: &JournalReader| {
        let unknown = || CommandError::Unknown(format!("the journal knows nothing of {}", args.id));
        crate::journal_at_rest::explain(journal, args.id)?.ok_or_else(unknown)
    };
    let explanation: Explanation = or_at_rest(asking(client.get(&path)), &args.source, from_rest)?;
    if args.json {
        write_json(out, &explanation)?;
    } else {
        explanation.write(out)?;
    }
    Ok(Answer::Yes)
}

/// The agent's answer; if there is no agent, the journal's.
pub(super) fn or_at_rest<T>(
    asked: Result<T, CommandError>,
    source: &JournalSource,
    from_rest: impl FnOnce(&JournalReader) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let Err(CommandError::Client(ClientError::NoAgent { api })) = asked else {
        return asked;
    };
    let dir = state_dir(source.state_dir.clone());
    match JournalReader::open(&dir) {
        Ok(journal) => from_rest(&journal),
        Err(error) => Err(CommandError::Nobody { api, why: super::with_causes(&error) }),
    }
}

fn write_agent(out: &mut dyn Write, status: &Status) -> Result<(), CommandError> {
    let agent = &status.agent;
    let uptime = span(agent.uptime_ms);
    writeln!(out, "homeostat {} · {} · up {uptime} · {} at {}", agent.version, agent.name, status.regime, status.tick)?;
    if let Some(trouble) = &status.trouble {
        writeln!(out, "TROUBLE: {trouble}")?;
    }
    write_restraints(out, status)?;
    let pipeline = &status.pipeline;
    let kept: u64 = pipeline.spans_kept.values().sum();
    let received = pipeline.spans_received;
    writeln!(out, "spans: {received} received, {kept} kept ({})", BasisPoints::from_ratio(kept, received))?;
    let doors = status.doors.named().map(|(name, door)| door.map(|door| format!("{name} {door}")));
    Ok(writeln!(out, "doors: {}", doors.into_iter().flatten().collect::<Vec<_>>().join(" · "))?)
}

/// What keeps the agent from acting though nothing is broken.
fn write_restraints(out: &mut dyn Write, status: &Status) -> Result<(), CommandError> {
    if let Some(path) = &status.hold_file {
        writeln!(out, "HELD: the file {} is there; remove it, and the agent acts again", path.display())?;
    }
    if let Some(storm) = &status.storm {
        let since = time_of_day(storm.since);
        let (troubled, known) = (storm.troubled, storm.known);
        writeln!(out, "STORM since {since}: {troubled} of {known} services are in trouble at once; nothing is done")?;
    }
    for one in &status.disarmed {
        let way = one.way.map_or_else(String::new, |way| format!(" ({way})"));
        let (kind, target, until) = (&one.kind, &one.target, time_of_day(one.until));
        write!(out, "DISARMED until {until}: {kind}{way} on {target}, taken back {} times in a row", one.undone)?;
        writeln!(out, "; homeostat arm '{target}' {kind}")?;
    }
    Ok(())
}

fn write_services(out: &mut dyn Write, status: &Status) -> Result<(), CommandError> {
    if status.services.is_empty() {
        let Some(door) = status.doors.otlp_http else { return Ok(()) };
        return Ok(writeln!(
            out,
            "\nno service has reported yet; set OTEL_EXPORTER_OTLP_ENDPOINT=http://{door} in one"
        )?);
    }
    let width = status.services.iter().map(|service| service.name.chars().count()).max().unwrap_or_default().max(7);
    writeln!(
        out,
        "\n{:width$}  requests      rate   errors     slow       p50       p99     busy  repl  head   tail",
        "service"
    )?;
    for service in &status.services {
        let text = |value: Option<u64>, unit: Unit| value.map_or_else(|| "-".to_owned(), |value| unit.render(value));
        let latency = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| Micros(value).to_string());
        writeln!(
            out,
            "{:width$}  {:>8}  {:>8}  {:>7}  {:>7}  {:>8}  {:>8}  {:>7}  {:>4}  {}  {}",
            service.name,
            service.totals.requests,
            text(service.rate_milli_per_second, Unit::MilliPerSecond),
            service.errors_bp.to_string(),
            service.slow_bp.to_string(),
            latency(service.latency_p50_us),
            latency(service.latency_p99_us),
            text(service.utilization_bp, Unit::BasisPoints),
            text(service.replicas, Unit::Count),
            service.sampling.head,
            service.sampling.tail,
        )?;
    }
    status.services.iter().try_for_each(|service| write_help(out, service))
}

/// What is limited, dimmed or stuck; nothing of a service that is neither.
fn write_help(out: &mut dyn Write, service: &ServiceStatus) -> Result<(), CommandError> {
    let name = &service.name;
    if let (Some(limit), Some(in_flight)) = (service.concurrency_limit, service.requests_in_flight) {
        let shed = Unit::MilliPerSecond.render(service.shed_milli_per_second.unwrap_or(0));
        writeln!(out, "{name}: {in_flight} requests in flight of {limit} admitted, {shed} refused")?;
    }
    if let Some(dimmer) = service.dimmer_bp {
        writeln!(out, "{name}: {} of its optional work is done", Unit::BasisPoints.render(dimmer))?;
    }
    for instance in service.instances.iter().filter(|instance| instance.stuck) {
        let held = instance.requests_in_flight.unwrap_or(0);
        writeln!(out, "{name}: {} holds {held} requests and finishes none", instance.id)?;
    }
    Ok(())
}

fn write_goals(out: &mut dyn Write, status: &Status) -> Result<(), CommandError> {
    if status.goals.is_empty() {
        return Ok(());
    }
    writeln!(out, "\ngoals (`homeostat goals` says what follows from them)")?;
    for (name, goal) in &status.goals {
        let GoalStatus { importance, standing } = goal;
        writeln!(out, "  {name} ({importance}): {}; error budget left: {}", standing.standing, standing.left())?;
    }
    Ok(())
}

fn write_incidents(out: &mut dyn Write, status: &Status) -> Result<(), CommandError> {
    if status.incidents.is_empty() {
        return Ok(writeln!(out, "\nno open incident")?);
    }
    writeln!(out, "\nincidents")?;
    for incident in &status.incidents {
        let services = incident.services.iter().map(|service| service.as_str()).collect::<Vec<_>>().join(", ");
        let since = time_of_day(incident.opened);
        write!(out, "  {} {} of {services} since {since}", incident.id, incident.kind)?;
        match incident.hypotheses.first() {
            Some(cause) => writeln!(out, "; suspect {}: {} ({})", cause.cause, cause.mechanism, cause.confidence)?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

fn write_decisions(out: &mut dyn Write, status: &Status) -> Result<(), CommandError> {
    if status.decisions.is_empty() {
        return Ok(writeln!(out, "nothing has been decided yet")?);
    }
    writeln!(out, "\ndecisions, newest first (`homeostat explain ID` for each)")?;
    for decision in status.decisions.iter().take(DECISIONS_SHOWN) {
        let stage = decision.stage.map_or_else(|| "decided".to_owned(), |stage| stage.to_string());
        let at = time_of_day(decision.request.decided);
        writeln!(out, "  {at} {} {} [{stage}]", decision.request.id, decision.what)?;
        if decision.stage == Some(TrialStage::AwaitingApproval) {
            writeln!(out, "    waits for `homeostat approve {}` or `reject`", decision.request.id)?;
        }
    }
    Ok(())
}
