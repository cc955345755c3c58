//! What was decided lately, counted.
//!
//! Answers how many decisions count against each budget and which trials are open on a target, without looking through all
//! of them for every candidate. Counted once a tick, and once more for each request that is accepted meanwhile.

use std::collections::BTreeMap;

use homeostat_core::actions::{Action, ActionClass};
use homeostat_core::{ActionId, ActionRequest, InstanceId, Label, Millis, PolicyView, ServiceName, Target};

/// What is open and what was decided within the budgets' windows.
#[derive(Debug, Default)]
pub struct Past {
    targets: BTreeMap<Target, OnTarget>,
    classes: BTreeMap<ActionClass, usize>,
    all: usize,
}

#[derive(Debug, Default)]
struct OnTarget {
    decided: usize,
    open: Vec<(Label, ActionId)>,
}

impl Past {
    /// The past that `view` shows.
    pub fn of(view: &PolicyView<'_>) -> Past {
        let mut past = Past::default();
        let (now, guards) = (view.snapshot.at, &view.settings.guards);
        for trial in view.trials {
            past.open(&trial.request);
        }
        for entry in view.ledger.within(now, guards.longest_window()) {
            let age = now.since(entry.at);
            let is_within = |window: Millis| usize::from(age < window);
            past.targets.entry(entry.target.clone()).or_default().decided += is_within(guards.per_target.window);
            *past.classes.entry(entry.class).or_default() += is_within(guards.budget(entry.class).window);
            past.all += is_within(guards.global.window);
        }
        past
    }

    /// Counts a request that this tick's plan has accepted.
    pub(crate) fn accept(&mut self, request: &ActionRequest) {
        self.open(request);
        self.targets.entry(request.action.target.clone()).or_default().decided += 1;
        *self.classes.entry(request.action.class).or_default() += 1;
        self.all += 1;
    }

    /// The open actions of the same kind on the same target, oldest first.
    pub(crate) fn open_like(&self, action: &Action) -> impl Iterator<Item = ActionId> {
        let open = self.targets.get(&action.target).map(|target| target.open.as_slice()).unwrap_or_default();
        open.iter().filter(|(kind, _)| *kind == action.kind).map(|(_, id)| *id)
    }

    /// The open actions of the same kind on any instance of `service`, in the order of the instances.
    pub(crate) fn open_on_instances(&self, service: &ServiceName, kind: &Label) -> impl Iterator<Item = ActionId> {
        let first = Target::Instance(service.clone(), InstanceId::from(""));
        let of_service = self
            .targets
            .range(first..)
            .take_while(move |(target, _)| matches!(target, Target::Instance(of, _) if of == service));
        let open = of_service.flat_map(|(_, target)| &target.open);
        open.filter(move |(open, _)| open == kind).map(|(_, id)| *id)
    }

    /// Decisions on `target`.
    pub(crate) fn on(&self, target: &Target) -> usize {
        self.targets.get(target).map_or(0, |target| target.decided)
    }

    /// Decisions of `class`.
    pub(crate) fn of_class(&self, class: ActionClass) -> usize {
        self.classes.get(&class).copied().unwrap_or(0)
    }

    /// Decisions of any class.
    pub(crate) const fn all(&self) -> usize {
        self.all
    }

    fn open(&mut self, request: &ActionRequest) {
        let target = self.targets.entry(request.action.target.clone()).or_default();
        target.open.push((request.action.kind.clone(), request.id));
    }
}
