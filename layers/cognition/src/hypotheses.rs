//! Suspected causes.
//!
//! Answers in which service an incident may start, and how sure that is. The rule is the one that survives on real incident
//! data: suspect what is in trouble while nothing it calls is. Confidence is a rank made readable, not a probability.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_core::{BasisPoints, Finding, Hypothesis, IncidentKind, Label, ServiceName};

use crate::View;

/// Being in trouble at all.
const IN_TROUBLE: u32 = 1500;
/// Nothing it calls is in trouble, so the trouble starts here or outside what is seen.
const NO_TROUBLED_CALLEE: u32 = 4000;
/// Its own capacity is used up: a mechanism, not only a symptom.
const SATURATED: u32 = 3500;
/// One of its instances is stuck: a mechanism too, and seen directly.
const WEDGED: u32 = 4000;

/// Causes reported per incident; beyond these nobody reads.
const HYPOTHESES_MAX: usize = 5;

/// What kinds of findings each service has, pending ones too: that capacity is used up explains an incident before it would
/// open one.
pub(crate) type Kinds<'a> = BTreeMap<&'a ServiceName, BTreeSet<IncidentKind>>;

/// The kinds of `findings`, by service.
pub(crate) fn kinds_of(findings: &[Finding]) -> Kinds<'_> {
    let mut kinds = Kinds::new();
    for finding in findings {
        kinds.entry(&finding.service).or_default().insert(finding.kind);
    }
    kinds
}

/// The suspects of an incident's `findings`, most likely first; ties break by name.
pub(crate) fn suspect(view: &View<'_>, findings: &[Finding], kinds: &Kinds<'_>) -> Vec<Hypothesis> {
    let troubled: BTreeSet<&ServiceName> = findings.iter().map(|finding| &finding.service).collect();
    let mut hypotheses: Vec<_> = troubled.iter().map(|service| weigh(view, service, kinds, &troubled)).collect();
    rank(&mut hypotheses);
    hypotheses
}

/// What was suspected `before` with more confidence stays suspected: a cause does not change because it has been repaired.
pub(crate) fn accumulate(before: Vec<Hypothesis>, mut now: Vec<Hypothesis>) -> Vec<Hypothesis> {
    for old in before {
        match now.iter_mut().find(|new| new.cause == old.cause) {
            Some(new) if new.confidence < old.confidence => *new = old,
            Some(_) => {}
            None => now.push(old),
        }
    }
    rank(&mut now);
    now
}

fn rank(hypotheses: &mut Vec<Hypothesis>) {
    hypotheses.sort_by(|a, b| b.confidence.cmp(&a.confidence).then_with(|| a.cause.cmp(&b.cause)));
    hypotheses.truncate(HYPOTHESES_MAX);
}

fn weigh(view: &View<'_>, service: &ServiceName, kinds: &Kinds<'_>, troubled: &BTreeSet<&ServiceName>) -> Hypothesis {
    let has = |kind| kinds.get(service).is_some_and(|kinds| kinds.contains(&kind));
    let saturated = has(IncidentKind::Saturation);
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
    let wedged = has(IncidentKind::Wedged);
    if wedged {
        confidence += WEDGED;
        because.push(format!("{service} takes requests that it does not finish"));
    }
    let confidence = confidence.min(BasisPoints::ONE.0);
    let mechanism = match (saturated, troubled_callee) {
        _ if wedged => Label::new("an instance is stuck"),
        (true, _) => Label::new("capacity used up"),
        (false, Some(_)) => Label::new("waits for what it calls"),
        (false, None) if has(IncidentKind::AvailabilityBurn) => Label::new("fails by itself"),
        (false, None) => Label::new("slow by itself"),
    };
    Hypothesis { cause: service.clone(), mechanism, confidence: BasisPoints(confidence), because }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hypothesis(cause: &str, confidence: u32) -> Hypothesis {
        let mechanism = Label::new("test");
        Hypothesis { cause: cause.into(), mechanism, confidence: BasisPoints(confidence), because: Vec::new() }
    }

    /// Scenario: a cause was suspected strongly, then repaired; another was suspected and is more so now.
    /// Guarantees: each keeps the confidence of its best evidence, and the strongest leads.
    #[test]
    fn a_cause_does_not_change_because_it_was_repaired() {
        let before = vec![hypothesis("pay", 9000), hypothesis("web", 1500)];
        let now = vec![hypothesis("pay", 5500), hypothesis("web", 6000)];
        assert_eq!(accumulate(before, now), [hypothesis("pay", 9000), hypothesis("web", 6000)]);
    }
}
