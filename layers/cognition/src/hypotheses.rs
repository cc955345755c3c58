//! Suspected causes.
//!
//! Answers in which service an incident may start, and how sure that is. The rule is the one that survives on real incident
//! data: suspect what is in trouble while nothing it calls is. Confidence is a rank made readable, not a probability.

use std::collections::BTreeSet;

use homeostat_core::{BasisPoints, Finding, Hypothesis, IncidentKind, Label, ServiceName};

use crate::View;

/// Being in trouble at all.
const IN_TROUBLE: u32 = 1500;
/// Nothing it calls is in trouble, so the trouble starts here or outside what is seen.
const NO_TROUBLED_CALLEE: u32 = 4000;
/// Its own capacity is used up: a mechanism, not only a symptom.
const SATURATED: u32 = 3500;

/// Causes reported per incident; beyond these nobody reads.
const HYPOTHESES_MAX: usize = 5;

/// The suspects of an incident's `findings`, most likely first; ties break by name. `all` has the pending ones too: that
/// capacity is used up explains an incident before it would open one.
pub(crate) fn suspect(view: &View<'_>, findings: &[Finding], all: &[Finding]) -> Vec<Hypothesis> {
    let troubled: BTreeSet<&ServiceName> = findings.iter().map(|finding| &finding.service).collect();
    let mut hypotheses: Vec<_> = troubled.iter().map(|service| weigh(view, service, all, &troubled)).collect();
    hypotheses.sort_by(|a, b| b.confidence.cmp(&a.confidence).then_with(|| a.cause.cmp(&b.cause)));
    hypotheses.truncate(HYPOTHESES_MAX);
    hypotheses
}

fn weigh(
    view: &View<'_>,
    service: &ServiceName,
    findings: &[Finding],
    troubled: &BTreeSet<&ServiceName>,
) -> Hypothesis {
    let kinds: BTreeSet<IncidentKind> =
        findings.iter().filter(|finding| finding.service == *service).map(|finding| finding.kind).collect();
    let saturated = kinds.contains(&IncidentKind::Saturation);
    let troubled_callee = view.snapshot.callees(service).find(|callee| troubled.contains(callee));
    let mut confidence = IN_TROUBLE;
    let mut because = Vec::new();
    match troubled_callee {
        None => {
            confidence += NO_TROUBLED_CALLEE;
            because.push(format!("nothing that {service} calls is in trouble"));
        }
        Some(callee) => because.push(format!("{service} calls {callee}, which is in trouble too")),
    }
    if saturated {
        confidence += SATURATED;
        because.push(format!("the capacity of {service} is used up"));
    }
    let mechanism = match (saturated, troubled_callee) {
        (true, _) => Label::new("capacity used up"),
        (false, Some(_)) => Label::new("waits for what it calls"),
        (false, None) if kinds.contains(&IncidentKind::AvailabilityBurn) => Label::new("fails by itself"),
        (false, None) => Label::new("slow by itself"),
    };
    Hypothesis { cause: service.clone(), mechanism, confidence: BasisPoints(confidence), because }
}
