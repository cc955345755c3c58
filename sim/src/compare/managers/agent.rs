//! The agent.
//!
//! Answers what the loop of `agent/control` orders, with its policies, its guards and its trials, at autonomy Act. It is fed
//! by the sensors that every simulation uses and sees what they send, once a second.

use homeostat_control::ControlLoop;
use homeostat_core::{Actuation, Autonomy, Command, Effect, Event, Report, ReportKind, Seed, ServiceName};

use crate::compare::Stage;
use crate::compare::managers::Manager;
use crate::conditions::Conditions;
use crate::plants::Readings;
use crate::queue::SimTime;
use crate::world::Sensors;

/// The loop, and what it waits for.
pub(crate) struct Agent {
    control: ControlLoop,
    sensors: Sensors,
    conditions: Conditions,
    service: ServiceName,
    /// What the loop is told once its orders have been carried out. At most one for each of its effects of one second.
    reports: Vec<Report>,
}

impl Agent {
    pub(crate) fn new(stage: &Stage, seed: Seed) -> Agent {
        let names = stage.scenario.names();
        let mut settings = stage.scenario.settings.clone();
        settings.autonomy.scaling = Autonomy::Act;
        let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
        control.handle(SimTime(0).wall(), Event::Reconfigured(Box::new(settings)));
        Agent {
            control,
            sensors: Sensors::new(names, seed),
            conditions: Conditions::good(names.len()),
            service: names[stage.service].clone(),
            reports: Vec::new(),
        }
    }

    /// Takes commands; gives the number of replicas that they ask for last.
    fn obey(&mut self, commands: Vec<Command>) -> Option<u32> {
        let mut order = None;
        for command in commands {
            let Command::Effect(effect) = command else { continue };
            let (id, kind, actuation) = match effect {
                Effect::Apply { id, actuation } => (id, ReportKind::Applied, actuation),
                Effect::Undo { id, actuation } => (id, ReportKind::Undone, actuation),
                // Nothing is lost here, so what was asked for is what there is.
                Effect::ReadBack { id, actuation } => {
                    self.reports.push(Report { id, kind: ReportKind::ReadBack { actual: Some(actuation) } });
                    continue;
                }
            };
            if let Actuation::SetReplicas { service, replicas } = actuation
                && service == self.service
            {
                order = Some(replicas.0);
            }
            self.reports.push(Report { id, kind });
        }
        order
    }
}

impl Manager for Agent {
    fn second(&mut self, now: SimTime, seen: &Readings) -> Option<u32> {
        let (observed, _) = self.sensors.read(now, seen, &self.conditions);
        let mut commands = self.control.handle(now.wall(), Event::Observed(observed));
        commands.extend(self.control.handle(now.wall(), Event::Tick));
        self.obey(commands)
    }

    fn carried_out(&mut self, now: SimTime) {
        for report in std::mem::take(&mut self.reports) {
            self.control.handle(now.wall(), Event::Reported(report));
        }
    }
}
