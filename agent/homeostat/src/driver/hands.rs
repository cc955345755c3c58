//! The hands.
//!
//! Answers what became of each effect, as reports. Does not decide, does not retry, and never makes a tick wait: what leaves
//! this process runs in a task of its own, and its report comes back through a channel of its own.

use std::sync::Arc;
use std::time::Duration;

use homeostat_adapters::{ActuatorError, Actuators};
use homeostat_core::{ActionId, Actuation, Effect, Report, ReportKind};
use tokio::sync::{Semaphore, mpsc};

use super::sampler::Sampler;
use crate::own_spans::OwnSpans;
use crate::view::EffectKind;

/// Effects on their way out of this process at once. By default sixteen actions a minute may leave it (six of scaling, ten
/// notifications), so this is minutes of nobody answering. The next is reported failed at once: the loop then knows.
pub(crate) const IN_FLIGHT_MAX: usize = 64;

/// Nothing outside may take longer. Longer than any actuator's own time limit with its retries; this is the last resort.
const EFFECT_WITHIN: Duration = Duration::from_secs(30);

/// What became of one effect.
#[derive(Debug)]
pub(crate) struct Done {
    /// What kind of effect it was.
    pub(crate) kind: EffectKind,
    /// What the loop is told.
    pub(crate) report: Report,
}

impl Done {
    /// Whether it failed.
    pub(crate) fn failed(&self) -> bool {
        matches!(self.report.kind, ReportKind::Failed { .. })
    }
}

/// Carries effects out.
pub(crate) struct Hands {
    /// The plan in force.
    pub(crate) sampler: Sampler,
    actuators: Arc<Actuators>,
    slots: Arc<Semaphore>,
    done: mpsc::Sender<Done>,
    spans: OwnSpans,
}

impl Hands {
    /// Hands that report through `done`.
    pub(crate) fn new(sampler: Sampler, actuators: Actuators, done: mpsc::Sender<Done>, spans: OwnSpans) -> Hands {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        Hands { sampler, actuators: Arc::new(actuators), slots, done, spans }
    }

    /// Begins an effect; returns its report if it is over at once.
    pub(crate) fn begin(&mut self, effect: Effect) -> Option<Done> {
        let (id, kind) = (id_of(&effect), kind_of(&effect));
        match self.within(&effect) {
            Some(report) => {
                self.spans.effect(self.spans.now(), id, kind, &report);
                Some(Done { kind, report: Report { id, kind: report } })
            }
            None => self.send_out(id, kind, effect),
        }
    }

    /// What is carried out inside this process.
    fn within(&mut self, effect: &Effect) -> Option<ReportKind> {
        match effect {
            Effect::Apply { actuation: Actuation::SetSampling { service, operation, sampling }, .. } => {
                self.sampler.set(service.clone(), operation.clone(), *sampling);
                Some(ReportKind::Applied)
            }
            Effect::Undo { actuation: Actuation::SetSampling { service, operation, sampling }, .. } => {
                self.sampler.set(service.clone(), operation.clone(), *sampling);
                Some(ReportKind::Undone)
            }
            Effect::ReadBack { actuation: Actuation::SetSampling { service, operation, .. }, .. } => {
                Some(ReportKind::ReadBack { actual: Some(self.sampler.read_back(service, operation.as_ref())) })
            }
            _ => None,
        }
    }

    fn send_out(&self, id: ActionId, kind: EffectKind, effect: Effect) -> Option<Done> {
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            let why = format!("{IN_FLIGHT_MAX} effects are already on their way");
            return Some(Done { kind, report: Report { id, kind: ReportKind::Failed { why } } });
        };
        let (actuators, done, spans) = (self.actuators.clone(), self.done.clone(), self.spans.clone());
        tokio::spawn(async move {
            let began = spans.now();
            let carried_out = tokio::time::timeout(EFFECT_WITHIN, carry_out(&actuators, &effect)).await;
            let too_late = |_| ReportKind::Failed { why: format!("no answer within {} s", EFFECT_WITHIN.as_secs()) };
            let report = carried_out.unwrap_or_else(too_late);
            spans.effect(began, id, kind, &report);
            // The channel has room for every slot; it is closed only when the agent has stopped listening.
            drop(done.send(Done { kind, report: Report { id, kind: report } }).await);
            drop(slot);
        });
        None
    }
}

async fn carry_out(actuators: &Actuators, effect: &Effect) -> ReportKind {
    let result = match effect {
        Effect::Apply { id, actuation } => actuators.apply(*id, actuation).await.map(|()| ReportKind::Applied),
        Effect::Undo { id, actuation } => actuators.undo(*id, actuation).await.map(|()| ReportKind::Undone),
        Effect::ReadBack { id, actuation } => {
            Ok(ReportKind::ReadBack { actual: actuators.read_back(*id, actuation).await })
        }
    };
    result.unwrap_or_else(|error| ReportKind::Failed { why: with_causes(&error) })
}

/// The error and what lies behind it, in one line.
fn with_causes(error: &ActuatorError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Which action an effect belongs to.
pub(crate) fn id_of(effect: &Effect) -> ActionId {
    match effect {
        Effect::Apply { id, .. } | Effect::Undo { id, .. } | Effect::ReadBack { id, .. } => *id,
    }
}

/// How an effect is counted.
pub(crate) fn kind_of(effect: &Effect) -> EffectKind {
    match effect {
        Effect::ReadBack { .. } => EffectKind::ReadBack,
        Effect::Apply { actuation, .. } | Effect::Undo { actuation, .. } => match actuation {
            Actuation::SetSampling { .. } => EffectKind::SetSampling,
            Actuation::SetReplicas { .. } => EffectKind::SetReplicas,
            Actuation::SetParameter { .. } => EffectKind::SetParameter,
            Actuation::Restart { .. } => EffectKind::Restart,
            Actuation::Profile { .. } => EffectKind::Profile,
            Actuation::Notify { .. } => EffectKind::Notify,
        },
    }
}
