//! A small world in which policies are tested.
//!
//! Answers what a policy sees in its tests, built reading by reading. Only for tests.

use homeostat_core::{
    Assessment, Finding, InForce, Indicator, Knowledge, Ledger, Millis, Policy, PolicyView, Proposal, Reading,
    Replicas, ServiceScaling, Settings, Signal, Snapshot, Standing, Target, Timestamp, WindowCounts,
};

#[derive(Default)]
pub(crate) struct World {
    snapshot: Snapshot,
    assessment: Assessment,
    settings: Settings,
}

impl World {
    pub(crate) fn at(mut self, second: u64) -> World {
        self.snapshot.at = Timestamp(second * 1000);
        self
    }

    pub(crate) fn scalable(mut self, service: &str, min: u32, max: u32) -> World {
        let envelope = ServiceScaling { min: Replicas(min), max: Replicas(max) };
        self.settings.scaling.services.insert(service.into(), envelope);
        self
    }

    pub(crate) fn gauge(self, service: &str, indicator: Indicator, value: u64) -> World {
        self.reads(Target::Service(service.into()), indicator, Reading::Fresh { value })
    }

    pub(crate) fn agent(self, indicator: Indicator, value: u64) -> World {
        self.reads(Target::Agent, indicator, Reading::Fresh { value })
    }

    pub(crate) fn stale(self, service: &str, indicator: Indicator, age: Millis) -> World {
        self.reads(Target::Service(service.into()), indicator, Reading::Stale { last: 0, worst: 0, age })
    }

    pub(crate) fn counted(mut self, service: &str) -> World {
        self.snapshot.counts.insert(service.into(), WindowCounts::default());
        self
    }

    pub(crate) fn finding(mut self, finding: Finding) -> World {
        self.assessment.findings.push(finding);
        self
    }

    pub(crate) fn proposals(&self, policy: &dyn Policy) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        let view = PolicyView {
            snapshot: &self.snapshot,
            assessment: &self.assessment,
            knowledge: &Knowledge::default(),
            settings: &self.settings,
            in_force: &InForce::default(),
            trials: &[],
            ledger: &Ledger::default(),
            standing: &Standing::default(),
        };
        policy.propose(&view, &mut proposals);
        proposals
    }

    fn reads(mut self, target: Target, indicator: Indicator, reading: Reading) -> World {
        self.snapshot.signals.insert(Signal::new(target, indicator), reading);
        self
    }
}
