//! A small world in which guards are tested.
//!
//! Answers what a guard sees in its tests: one healthy service called `cart` that may run one to eight replicas. Only for
//! tests.

use homeostat_core::actions::{self, Action, Measure};
use homeostat_core::{
    ActionId, ActionRequest, Assessment, BasisPoints, Caution, GuardSettings, Habit, Hands, InForce, Indicator, Knob,
    Knowledge, Label, Ledger, LedgerEntry, Millis, OtherHand, PolicyView, Range, Reading, Regime, Replicas,
    RestartPermission, SamplingProbability, ServiceName, ServicePermissions, ServiceSampling, ServiceScaling, Settings,
    Severity, Signal, Snapshot, Storm, Target, Timestamp, Trial, TrialState, WindowCounts,
};

use crate::{Candidate, Guard, GuardView, Past, Refusal};

pub(crate) struct World {
    snapshot: Snapshot,
    settings: Settings,
    ledger: Ledger,
    trials: Vec<Trial>,
    regime: Regime,
    caution: Caution,
    assessment: Assessment,
}

impl Default for World {
    fn default() -> World {
        World::at(1000)
    }
}

impl World {
    pub(crate) fn at(second: u64) -> World {
        let mut settings = Settings::default();
        let envelope = ServiceScaling { min: Replicas(1), max: Replicas(8) };
        settings.scaling.services.insert("cart".into(), envelope);
        let limit = Some(Range { min: 4, max: 64 });
        let allowed = ServicePermissions { limit, restart: Some(RestartPermission::Asked), ..Default::default() };
        settings.permissions.services.insert("cart".into(), allowed);
        let signal = |indicator| (Signal::new(Target::Service("cart".into()), indicator), Reading::Fresh { value: 2 });
        let signals = [Indicator::Utilization, Indicator::ReplicasReady].map(signal).into();
        let snapshot = Snapshot { at: Timestamp(second * 1000), signals, ..Snapshot::default() };
        World {
            snapshot,
            settings,
            ledger: Ledger::default(),
            trials: Vec::new(),
            regime: Regime::Engaged,
            caution: Caution::default(),
            assessment: Assessment::default(),
        }
    }

    pub(crate) fn in_regime(mut self, regime: Regime) -> World {
        self.regime = regime;
        self
    }

    pub(crate) fn without(mut self, indicator: Indicator) -> World {
        for (_, row) in self.snapshot.signals.rows_mut() {
            row.remove(indicator);
        }
        self
    }

    /// An instance with so many requests in flight, that finishes so many thousandths of one a second.
    pub(crate) fn with_instance(mut self, service: &str, name: &str, (in_flight, finished): (u64, u64)) -> World {
        let target = Target::Instance(service.into(), name.into());
        for (indicator, value) in [(Indicator::RequestsInFlight, in_flight), (Indicator::CompletedTotal, finished)] {
            self.snapshot.signals.insert(Signal::new(target.clone(), indicator), Reading::Fresh { value });
        }
        self
    }

    pub(crate) fn with_entry(mut self, action: Action, second: u64) -> World {
        let turns = action.turns();
        let (kind, class, target) = (action.kind, action.class, action.target);
        let number = self.ledger.within(Timestamp(u64::MAX), Millis(u64::MAX)).count() as u64;
        let id = ActionId(second * 1000 + number);
        let entry = LedgerEntry { id, kind, class, target, at: Timestamp(second * 1000), turns };
        self.ledger.enter(entry);
        self
    }

    pub(crate) fn with_guards(mut self, change: impl FnOnce(&mut GuardSettings)) -> World {
        change(&mut self.settings.guards);
        self
    }

    pub(crate) fn with_needs(mut self, service: &str, seconds: std::ops::Range<u64>, need: u64) -> World {
        let needs = self.caution.needs.entry(service.into()).or_default();
        let window = self.settings.scaling.reduce_after;
        seconds.for_each(|second| needs.see(Timestamp(second * 1000), need, window));
        self
    }

    pub(crate) fn with_undone(mut self, action: Action, second: u64) -> World {
        let habit = Habit { kind: action.kind.clone(), target: Some(action.target.clone()), way: action.way() };
        self.caution.undone.taken_back(Timestamp(second * 1000), &habit);
        self
    }

    pub(crate) fn with_other_hand(mut self, service: &str, expected: u64, found: u64) -> World {
        let other = Some(OtherHand { at: self.snapshot.at, expected, found });
        self.caution.hands.insert((service.into(), Knob::Replicas), Hands { level: found, back: None, other });
        self
    }

    pub(crate) fn with_storm(mut self, second: u64) -> World {
        self.assessment.storm = Some(Storm { since: Timestamp(second * 1000), troubled: 4, known: 5 });
        self
    }

    pub(crate) fn serving(mut self, services: usize) -> World {
        let name = |number| ServiceName::from(format!("known{number}").as_str());
        self.snapshot.counts = (0..services).map(|number| (name(number), WindowCounts::default())).collect();
        self
    }

    pub(crate) fn with_trial(mut self, action: Action) -> World {
        let request = ActionRequest {
            id: ActionId(7),
            decided: Timestamp(0),
            policy: Label::new("test"),
            incident: None,
            action,
            baseline: None,
            forecast: None,
            why: String::new(),
            propensity: BasisPoints::ONE,
            alternatives: Vec::new(),
            passed: Vec::new(),
        };
        let state = TrialState::Settling { applied: Timestamp(0), until: Timestamp(u64::MAX) };
        self.trials.push(Trial { request, state });
        self
    }

    pub(crate) fn asks(&self, guard: &dyn Guard, action: &Action) -> Option<Refusal> {
        let view = PolicyView {
            snapshot: &self.snapshot,
            assessment: &self.assessment,
            knowledge: &Knowledge::default(),
            settings: &self.settings,
            in_force: &InForce::default(),
            trials: &self.trials,
            ledger: &self.ledger,
        };
        let past = Past::of(&view);
        guard.check(
            &Candidate { action, id: None },
            &GuardView { view, past: &past, caution: &self.caution, regime: self.regime },
        )
    }
}

pub(crate) fn scale(service: &str, from: u32, to: u32) -> Action {
    let service = ServiceName::from(service);
    let measure = Measure::Reading(Signal::new(Target::Service(service.clone()), Indicator::Utilization));
    actions::scale_out(&service, Replicas(from), Replicas(to), measure)
}

pub(crate) fn restart(service: &str, instance: &str) -> Action {
    actions::restart_instance(&service.into(), &instance.into())
}

pub(crate) fn limit(service: &str, from: u64, to: u64) -> Action {
    actions::lower_limit(&service.into(), from, to, 10_000)
}

pub(crate) fn sample(service: &str, from_ppm: u64, to_ppm: u64) -> Action {
    let tail = |ppm| ServiceSampling {
        head: SamplingProbability::ALWAYS,
        tail: SamplingProbability::from_ppm_saturating(ppm),
    };
    actions::adjust_sampling(&service.into(), tail(from_ppm), tail(to_ppm), 1_000_000)
}

pub(crate) fn page(service: &str) -> Action {
    actions::notify(&service.into(), Default::default(), Severity::Page, "look".to_owned())
}
