//! The golden table of transitions.
//!
//! Answers, for every state between ticks and everything the loop can be told, in which state it then rests. The table is
//! the specification: a change here is a change of behaviour and is read as such.

use homeostat_core::{ActionId, Event, Observation, OperatorCommand, Report, ReportKind, Timestamp};

use crate::ControlLoop;

const RESTING: [&str; 5] = ["starting", "holding", "blind", "engaged", "draining"];

/// A loop at rest in `regime`, reached only by events.
fn at_rest(regime: &str) -> ControlLoop {
    let mut control = ControlLoop::new(&[]);
    let mut tell = |event| drop(control.handle(Timestamp(1000), event));
    match regime {
        "starting" => {}
        "holding" => tell(Event::Operator(OperatorCommand::Hold)),
        "engaged" => tell(Event::Tick),
        "draining" => tell(Event::Drain),
        "blind" => {
            tell(observed());
            tell(Event::Tick);
            // Half a minute later the only signal is stale.
            control.handle(Timestamp(31_000), Event::Tick);
        }
        other => panic!("no regime {other}"),
    }
    assert_eq!(control.regime().to_string(), regime);
    control
}

fn observed() -> Event {
    let target = homeostat_core::Target::Agent;
    Event::Observed(vec![Observation::new(target, homeostat_core::Indicator::Utilization, 1, Timestamp(1000))])
}

fn events() -> Vec<(&'static str, Event)> {
    let report = Report { id: ActionId(1), kind: ReportKind::Applied };
    vec![
        ("Observed", Event::Observed(Vec::new())),
        ("Reported", Event::Reported(report)),
        ("Reconfigured", Event::Reconfigured(Box::default())),
        ("Hold", Event::Operator(OperatorCommand::Hold)),
        ("Resume", Event::Operator(OperatorCommand::Resume)),
        ("Approve", Event::Operator(OperatorCommand::Approve(ActionId(1)))),
        ("Reject", Event::Operator(OperatorCommand::Reject(ActionId(1)))),
        ("Tick", Event::Tick),
        ("Drain", Event::Drain),
    ]
}

fn table() -> String {
    let mut rows = vec![format!("{:13}{}", "event", RESTING.map(|state| format!("{state:10}")).join(""))];
    for (name, event) in events() {
        let cells = RESTING.map(|state| {
            let mut control = at_rest(state);
            control.handle(Timestamp(31_000), event.clone());
            format!("{:10}", control.regime().to_string())
        });
        rows.push(format!("{name:13}{}", cells.join("")));
    }
    rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n")
}

/// Scenario: every event is told to a loop at rest in every regime.
/// Guarantees: the table below. Only a tick thinks; only an operator leaves a hold; nothing leads from draining back to acting.
#[test]
fn every_state_answers_every_event() {
    let golden = "\
event        starting  holding   blind     engaged   draining
Observed     starting  holding   blind     engaged   draining
Reported     starting  holding   blind     engaged   draining
Reconfigured starting  holding   blind     engaged   draining
Hold         holding   holding   holding   holding   holding
Resume       starting  engaged   blind     engaged   draining
Approve      starting  holding   blind     engaged   draining
Reject       starting  holding   blind     engaged   draining
Tick         engaged   holding   blind     engaged   draining
Drain        draining  draining  draining  draining  draining";
    assert_eq!(table(), golden, "\n{}\n", table());
}

/// Scenario: a tick in every regime.
/// Guarantees: it passes through all five rooms and leaves exactly one record, whatever the regime.
#[test]
fn a_tick_leaves_one_record_in_every_regime() {
    for state in RESTING {
        let mut control = at_rest(state);
        let commands = control.handle(Timestamp(31_000), Event::Tick);
        assert!(matches!(commands.as_slice(), [homeostat_core::Command::Record(_)]), "{state}: {commands:?}");
    }
}

/// Scenario: a loop that drains is held, and the hold is released.
/// Guarantees: it goes on draining; a release never makes it act again.
#[test]
fn nothing_leads_back_from_draining() {
    let mut control = at_rest("draining");
    control.handle(Timestamp(31_000), Event::Operator(OperatorCommand::Hold));
    control.handle(Timestamp(31_000), Event::Operator(OperatorCommand::Resume));
    assert_eq!(control.regime().to_string(), "draining");
}
