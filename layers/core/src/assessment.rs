//! The assessment.
//!
//! Answers what is wrong, since when, why, and how sure. Does not propose anything. Incidents stay open across ticks, so an
//! assessment is the child of the one before it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BasisPoints, Forecast, GoalsAssessment, Importance, IncidentId, Label, ServiceName, Timestamp, Unit};

/// What kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// Requests fail faster than the error budget allows.
    AvailabilityBurn,
    /// Requests are slow faster than the error budget allows.
    LatencyBurn,
    /// Capacity is used up.
    Saturation,
    /// An instance takes requests and finishes none.
    Wedged,
    /// More capacity is used than wanted. Never opens an incident; its findings stay pending and say since when.
    Pressure,
    /// Capacity lies idle. Never opens an incident; its findings stay pending and say since when.
    Slack,
}

impl fmt::Display for IncidentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IncidentKind::AvailabilityBurn => "availability burn",
            IncidentKind::LatencyBurn => "latency burn",
            IncidentKind::Saturation => "saturation",
            IncidentKind::Wedged => "wedged",
            IncidentKind::Pressure => "pressure",
            IncidentKind::Slack => "slack",
        })
    }
}

/// How loudly it should be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look this week.
    Ticket,
    /// Somebody should look now.
    Page,
}

/// Whether a finding has lasted long enough to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// True, but not yet for long enough.
    Pending,
    /// Part of an incident.
    Firing,
}

/// One number a finding rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was measured, for example `burn rate over 5 min`.
    pub what: Label,
    /// The value found.
    pub value: u64,
    /// The limit it crossed.
    pub limit: u64,
    /// The unit of both.
    pub unit: Unit,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (limit {})", self.what, self.unit.render(self.value), self.unit.render(self.limit))
    }
}

/// What one detector states of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which detector.
    pub detector: Label,
    /// Of which service.
    pub service: ServiceName,
    /// What kind of trouble.
    pub kind: IncidentKind,
    /// How loud.
    pub severity: Severity,
    /// Since when it has been true without a break.
    pub since: Timestamp,
    /// Pending or firing.
    pub state: FindingState,
    /// The numbers behind it.
    pub evidence: Vec<Evidence>,
}

/// A suspected cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// The service in which the trouble starts.
    pub cause: ServiceName,
    /// How it causes it, for example `capacity used up`.
    pub mechanism: Label,
    /// How sure, out of one.
    pub confidence: BasisPoints,
    /// The reasons, one sentence each.
    pub because: Vec<String>,
}

/// Findings that belong together, open across ticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The loudest of its findings' kinds, when it opened.
    pub kind: IncidentKind,
    /// How loud it is now.
    pub severity: Severity,
    /// When it opened.
    pub opened: Timestamp,
    /// When a finding last supported it.
    pub last_seen: Timestamp,
    /// The services it touches, in name order.
    pub services: Vec<ServiceName>,
    /// What supports it now; empty while it is about to close.
    pub findings: Vec<Finding>,
    /// Suspected causes, most likely first.
    pub hypotheses: Vec<Hypothesis>,
}

impl Incident {
    /// The most likely cause.
    pub fn suspect(&self) -> Option<&ServiceName> {
        self.hypotheses.first().map(|hypothesis| &hypothesis.cause)
    }

    /// Whether a finding supports it at this tick.
    pub fn is_active(&self) -> bool {
        !self.findings.is_empty()
    }
}

/// So much is wrong at once that no single cause explains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// Since when.
    pub since: Timestamp,
    /// Services in trouble or gone, without a cause that is known.
    pub troubled: u32,
    /// Services there are.
    pub known: u32,
}

/// What is wrong at one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The tick's time.
    pub at: Timestamp,
    /// Everything the detectors stated, pending ones included, in catalogue order.
    pub findings: Vec<Finding>,
    /// Open incidents, oldest first.
    pub incidents: Vec<Incident>,
    /// Incidents that closed at this tick.
    pub closed: Vec<IncidentId>,
    /// The id the next incident will get.
    pub next_incident: IncidentId,
    /// What the goals come to.
    #[serde(default, skip_serializing_if = "GoalsAssessment::is_empty")]
    pub goals: GoalsAssessment,
    /// The demand that scalable services will meet, in name order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forecasts: Vec<Forecast>,
    /// Mass failure, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
}

impl Assessment {
    /// The open incident `id`.
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.iter().find(|incident| incident.id == id)
    }

    /// How much `incident` matters: as much as the most important journey through a service it touches.
    pub fn importance_of(&self, incident: &Incident) -> Importance {
        let importances = incident.services.iter().map(|service| self.goals.importance_of(service));
        importances.max().unwrap_or_default()
    }

    /// The forecast for `service`, if there is one that can be trusted.
    pub fn trusted_forecast(&self, service: &ServiceName) -> Option<&Forecast> {
        self.forecasts.iter().find(|forecast| forecast.service == *service && forecast.trusted)
    }

    /// Whether `service` is the suspect of an open incident.
    pub fn is_suspect(&self, service: &ServiceName) -> bool {
        self.incidents.iter().any(|incident| incident.suspect() == Some(service))
    }
}
