//! What was decided lately, counted.
//!
//! Answers how many decisions count against each budget and which trials are open on a target, without looking through all
//! of them for every candidate. Counted once a tick, and once more for each request that is accepted meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_core::actions::{Action, ActionClass};
use homeostat_core::{
    ActionId, ActionRequest, InstanceId, Knob, Label, Millis, PolicyView, ServiceName, Target, Timestamp, Turn, Way,
};

/// What is open and what was decided within the budgets' windows.
#[derive(Debug, Default)]
pub struct Past {
    targets: BTreeMap<Target, OnTarget>,
    classes: BTreeMap<ActionClass, usize>,
    all: usize,
    /// Decisions that users can feel, within the blast radius' window.
    felt: Vec<(ActionId, Target, Touched)>,
    /// When people were told something.
    told: Vec<(ActionId, Timestamp)>,
}

#[derive(Debug, Default)]
struct OnTarget {
    decided: usize,
    open: Vec<(Label, ActionId)>,
    /// Newest first.
    turns: Vec<PastTurn>,
}

/// When a knob was turned, by which action, and how.
pub(crate) type PastTurn = (Timestamp, ActionId, Turn);

/// What was done to the replicas of one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// How many were taken away.
    pub(crate) taken: u64,
    /// The most there were.
    pub(crate) most: u64,
    /// Whether any was taken away or started anew.
    pub(crate) disturbed: bool,
}

impl Touched {
    /// By an action of this class with these turns. A restart takes nothing away for good, but while it lasts.
    pub(crate) fn by(class: ActionClass, turns: &[Turn]) -> Touched {
        let replicas = turns.iter().filter(|turn| turn.knob == Knob::Replicas);
        let restarted = Touched { disturbed: class == ActionClass::Remediation, ..Touched::default() };
        replicas.fold(restarted, |touched, turn| {
            let taken = if turn.way() == Some(Way::Down) { turn.from - turn.to } else { 0 };
            touched.and(Touched { taken, most: turn.from, disturbed: 0 < taken })
        })
    }

    /// Together with what was done besides.
    pub(crate) fn and(self, other: Touched) -> Touched {
        Touched {
            taken: self.taken.saturating_add(other.taken),
            most: self.most.max(other.most),
            disturbed: self.disturbed || other.disturbed,
        }
    }
}

impl Past {
    /// The past that `view` shows.
    pub fn of(view: &PolicyView<'_>) -> Past {
        let mut past = Past::default();
        let (now, guards) = (view.snapshot.at, &view.settings.guards);
        for trial in view.trials {
            past.open(&trial.request);
        }
        let mut known = BTreeSet::new();
        for entry in view.ledger.within(now, guards.longest_window()) {
            // What a person released stands there twice; the newer entry, which comes first, is when it was done.
            if !known.insert(entry.id) {
                continue;
            }
            let age = now.since(entry.at);
            let is_within = |window: Millis| usize::from(age < window);
            let target = past.targets.entry(entry.target.clone()).or_default();
            target.decided += is_within(guards.per_target.window);
            target.turns.extend(entry.turns.iter().map(|turn| (entry.at, entry.id, *turn)));
            if entry.class == ActionClass::Notification {
                past.told.push((entry.id, entry.at));
            }
            if entry.class.is_felt() && age < guards.blast_radius.window {
                past.felt.push((entry.id, entry.target.clone(), Touched::by(entry.class, &entry.turns)));
            }
            *past.classes.entry(entry.class).or_default() += is_within(guards.budget(entry.class).window);
            past.all += is_within(guards.global.window);
        }
        past
    }

    /// Counts a request that this tick's plan has accepted.
    pub(crate) fn accept(&mut self, request: &ActionRequest, now: Timestamp) {
        self.open(request);
        self.count(request, now);
    }

    /// Counts a request that was accepted earlier, and that a person has released now. Its trial is open already.
    pub(crate) fn release(&mut self, request: &ActionRequest, now: Timestamp) {
        self.count(request, now);
    }

    fn count(&mut self, request: &ActionRequest, now: Timestamp) {
        self.targets.entry(request.action.target.clone()).or_default().decided += 1;
        *self.classes.entry(request.action.class).or_default() += 1;
        self.all += 1;
        let (id, action) = (request.id, &request.action);
        if action.class.is_felt() {
            self.felt.push((id, action.target.clone(), Touched::by(action.class, &action.turns())));
        }
        if action.class == ActionClass::Notification {
            self.told.push((id, now));
        }
        let turns = &mut self.targets.entry(action.target.clone()).or_default().turns;
        turns.splice(0..0, action.turns().into_iter().map(|turn| (now, id, turn)));
    }

    /// The knobs of `target` that were turned lately, newest first.
    pub(crate) fn turns(&self, target: &Target) -> &[PastTurn] {
        self.targets.get(target).map(|target| target.turns.as_slice()).unwrap_or_default()
    }

    /// What was touched within the blast radius' window, but for what `own` did.
    pub(crate) fn touched(&self, own: Option<ActionId>) -> BTreeMap<&Target, Touched> {
        let mut touched: BTreeMap<&Target, Touched> = BTreeMap::new();
        for (_, target, by) in self.felt.iter().filter(|(id, ..)| Some(*id) != own) {
            let before = touched.entry(target).or_default();
            *before = before.and(*by);
        }
        touched
    }

    /// Whether people were told anything since `since`, but for `own`.
    pub(crate) fn was_told_since(&self, since: Timestamp, own: Option<ActionId>) -> bool {
        self.told.iter().any(|(id, at)| since <= *at && Some(*id) != own)
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
