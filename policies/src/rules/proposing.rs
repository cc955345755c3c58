//! What a rule that has held for long enough proposes.
//!
//! Answers the next step towards what the rule asks for: never further than one action may go, and nothing where it is
//! reached. Whether the step may be taken is the guards' word, as it is for everybody.

use std::collections::BTreeMap;

use homeostat_core::actions::{self, Action};
use homeostat_core::{
    BasisPoints, Indicator, Label, PolicyView, Proposal, Replicas, Rule, RuleAction, SamplingProbability, ScaleOut,
    ServiceName, ServiceSampling, Target, Timestamp, Urgency,
};

use crate::concern;

/// When each policy last told people about each target, as far as the ledger remembers.
pub(super) struct Notified<'a>(BTreeMap<(&'a Label, &'a Target), Timestamp>);

impl<'a> Notified<'a> {
    pub(super) fn of(view: &PolicyView<'a>) -> Notified<'a> {
        let mut newest = BTreeMap::new();
        let notifies = view.settings.rules.iter().any(|rule| matches!(rule.then, RuleAction::Notify { .. }));
        if notifies {
            let entries = view.ledger.within(view.snapshot.at, homeostat_core::Ledger::REMEMBERED);
            for entry in entries.filter(|entry| entry.kind == actions::NOTIFY.name) {
                newest.entry((&entry.policy, &entry.target)).or_insert(entry.at);
            }
        }
        Notified(newest)
    }
}

/// A rule that has held of a service for long enough.
pub(super) struct Ripe<'a> {
    pub(super) rule: &'a Rule,
    pub(super) policy: &'a Label,
    pub(super) service: &'a ServiceName,
    pub(super) since: Timestamp,
}

impl Ripe<'_> {
    /// What it proposes; `None` where nothing is left to do. `readings` says what its condition read.
    pub(super) fn proposal(
        &self,
        view: &PolicyView<'_>,
        notified: &Notified<'_>,
        readings: impl FnOnce(&Rule) -> String,
    ) -> Option<Proposal> {
        let (rule, service) = (self.rule, self.service);
        let action = match &rule.then {
            RuleAction::ScaleOut(step) => scale_out(*step, service, view)?,
            RuleAction::Sample(tail) => sample(*tail, service, view)?,
            RuleAction::Notify { urgency, text } => self.notify(*urgency, text, view, notified)?,
        };
        let held = view.snapshot.at.since(self.since);
        let why = format!("{} has held of {service} for {held}: {}", rule.name, readings(rule));
        let incident = concern::incident(service, view);
        Some(Proposal { policy: self.policy.clone(), incident, action, why })
    }

    /// Once for as long as the condition holds, and again when the ledger has forgotten it.
    fn notify(&self, urgency: Urgency, text: &str, view: &PolicyView<'_>, notified: &Notified<'_>) -> Option<Action> {
        let target = Target::Service(self.service.clone());
        let is_told = notified.0.get(&(self.policy, &target)).is_some_and(|at| self.since <= *at);
        let incident = concern::incident(self.service, view);
        (!is_told).then(|| actions::notify(self.service, incident, urgency, format!("{}: {text}", self.service)))
    }
}

fn scale_out(step: ScaleOut, service: &ServiceName, view: &PolicyView<'_>) -> Option<Action> {
    let replicas = view.snapshot.service_value(service, Indicator::ReplicasReady)?;
    let asked = match step {
        ScaleOut::By(more) => replicas.saturating_add(more.0.into()),
        ScaleOut::To(least) => least.0.into(),
    };
    let highest = view.settings.guards.replica_factor_max.of(replicas).max(replicas.saturating_add(1));
    // Where nobody allowed scaling, the envelope guard says so; that is better than silence.
    let envelope = view.settings.scaling.services.get(service).map_or(u64::MAX, |allowed| allowed.max.0.into());
    let wanted = asked.min(highest).min(envelope);
    let number = |replicas: u64| Replicas(u32::try_from(replicas).unwrap_or(u32::MAX));
    (replicas < wanted)
        .then(|| actions::scale_out(service, number(replicas), number(wanted), concern::relief(service, view)))
}

fn sample(tail: SamplingProbability, service: &ServiceName, view: &PolicyView<'_>) -> Option<Action> {
    let sampling = &view.settings.sampling;
    let from = view.in_force.sampling.get(service).copied().unwrap_or(sampling.initial);
    let to = ServiceSampling { tail: step_towards(from.tail, tail, view.settings.guards.sampling_factor_max), ..from };
    let budget = sampling.kept_spans_per_second_max.saturating_mul(1000);
    (to != from).then(|| actions::adjust_sampling(service, from, to, budget))
}

/// The largest step from `from` towards `to` that one action may take.
fn step_towards(from: SamplingProbability, to: SamplingProbability, factor: BasisPoints) -> SamplingProbability {
    let (now, wanted) = (u64::from(from.ppm()), u64::from(to.ppm()));
    let highest = factor.of(now).max(now + 1);
    let lowest = (now * 10_000).div_ceil(u64::from(factor.0.max(1))).min(now.saturating_sub(1));
    SamplingProbability::from_ppm_saturating(wanted.clamp(lowest, highest))
}
