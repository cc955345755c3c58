//! Mass failure.
//!
//! Answers whether so much is wrong at once that no single cause explains it. Then the eyes are more likely wrong than the
//! world, or the trouble is larger than anything the loop could mend, and whatever it did would be done everywhere. What is
//! known to lack capacity is not counted: that is the one mass trouble that acting cures. Trouble that travels along calls from
//! one service is not a storm either, however far it reaches.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_core::{BasisPoints, Finding, FindingState, IncidentKind, ServiceName, Severity, Storm};

use crate::View;

/// Places where trouble starts. One is a cause; two at once can be chance in a small system; three are not.
const ORIGINS_MIN: usize = 3;

/// The storm at this tick, if there is one.
pub(crate) fn storm(view: &View<'_>, findings: &[Finding]) -> Option<Storm> {
    let known = view.snapshot.counts.len();
    let troubled = troubled(view, findings);
    let share = BasisPoints::from_ratio(troubled.len() as u64, known as u64);
    if share <= view.settings.guards.storm_above || origins(view, &troubled) < ORIGINS_MIN {
        return None;
    }
    let since = view.last.storm.map_or(view.snapshot.at, |storm| storm.since);
    Some(Storm { since, troubled: troubled.len() as u32, known: known as u32 })
}

/// Services that users notice to be in trouble, or that have fallen silent, without a lack of capacity that explains it.
fn troubled<'a>(view: &View<'a>, findings: &'a [Finding]) -> BTreeSet<&'a ServiceName> {
    let mut kinds: BTreeMap<&ServiceName, (bool, bool)> = BTreeMap::new();
    for finding in findings {
        let (burns, lacks) = kinds.entry(&finding.service).or_default();
        match finding.kind {
            IncidentKind::AvailabilityBurn | IncidentKind::LatencyBurn => {
                *burns |= finding.state == FindingState::Firing && finding.severity == Severity::Page;
            }
            IncidentKind::Saturation | IncidentKind::Pressure => *lacks = true,
            _ => {}
        }
    }
    let silent = view.snapshot.served().filter(|served| !served.is_heard()).map(|served| served.service);
    let burning = kinds.into_iter().filter(|(_, (burns, lacks))| *burns && !*lacks).map(|(service, _)| service);
    burning.chain(silent).collect()
}

/// How many of them call nobody who is in trouble.
fn origins(view: &View<'_>, troubled: &BTreeSet<&ServiceName>) -> usize {
    let starts = |service: &&&ServiceName| !view.snapshot.callees(service).any(|callee| troubled.contains(callee));
    troubled.iter().filter(starts).count()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use homeostat_core::{
        Assessment, Edge, Indicator, Label, Reading, Settings, Signal, Snapshot, Target, Timestamp, WindowCounts,
    };

    use super::*;

    fn burning(service: &str, kind: IncidentKind) -> Finding {
        Finding {
            detector: Label::new("test"),
            service: service.into(),
            kind,
            severity: Severity::Page,
            since: Timestamp(0),
            state: FindingState::Firing,
            evidence: Vec::new(),
        }
    }

    /// Five services, of which `web` calls the other four.
    fn found(findings: &[Finding], heard: &[&str]) -> Option<Storm> {
        let names = ["a", "b", "c", "d", "web"];
        let signal = |name: &&str| Signal::new(Target::Service((*name).into()), Indicator::RequestsTotal);
        let snapshot = Snapshot {
            at: Timestamp(1000),
            signals: heard.iter().map(|name| (signal(name), Reading::Fresh { value: 1 })).collect(),
            counts: names.iter().map(|name| ((*name).into(), WindowCounts::default())).collect(),
            edges: Arc::new(
                names[..4].iter().map(|name| Edge { caller: "web".into(), callee: (*name).into() }).collect(),
            ),
            ..Snapshot::default()
        };
        let (last, settings) = (Assessment::default(), Settings::default());
        storm(&View { snapshot: &snapshot, last: &last, settings: &settings, goals: &last.goals }, findings)
    }

    /// Scenario: of five services one fails and its caller with it; three fail by themselves; three fail and lack capacity;
    /// three fall silent.
    /// Guarantees: only what no single cause and no lack of capacity explains is a storm.
    #[test]
    fn a_storm_has_more_than_one_cause() {
        let all = ["a", "b", "c", "d", "web"];
        let fails = |names: &[&str]| -> Vec<Finding> {
            names.iter().map(|name| burning(name, IncidentKind::AvailabilityBurn)).collect()
        };
        assert_eq!(found(&fails(&["a", "web"]), &all), None);
        let three = found(&fails(&["a", "b", "c"]), &all);
        assert_eq!(three, Some(Storm { since: Timestamp(1000), troubled: 3, known: 5 }));
        let mut busy = fails(&["a", "b", "c"]);
        busy.extend(["a", "b", "c"].map(|name| burning(name, IncidentKind::Pressure)));
        assert_eq!(found(&busy, &all), None);
        assert!(found(&[], &["d", "web"]).is_some());
    }
}
