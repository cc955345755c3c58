//! A value for each of many signals.
//!
//! Answers what belongs to a signal, and what belongs to all signals of one target together. The signals of a target lie side
//! by side, because whoever reads one of them reads the next: a tick looks each target up once, not each signal. A flat map
//! from signals was simpler and five times slower at ten thousand services. On the wire it is still that map, as a list of
//! pairs in the order of the signals.

use std::collections::BTreeMap;
use std::ops::Index;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Indicator, ServiceName, Signal, Target};

/// A value for each of many signals, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerSignal<V> {
    /// Boxed, so that the tree stays small to search and cheap to build.
    rows: BTreeMap<Target, Box<PerIndicator<V>>>,
}

/// A value for each of some indicators of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerIndicator<V> {
    values: [Option<V>; Indicator::ALL.len()],
}

impl<V> PerIndicator<V> {
    /// The value of `indicator`.
    pub const fn get(&self, indicator: Indicator) -> Option<&V> {
        self.values[indicator as usize].as_ref()
    }

    /// The value of `indicator`, to be changed.
    pub const fn get_mut(&mut self, indicator: Indicator) -> Option<&mut V> {
        self.values[indicator as usize].as_mut()
    }

    /// The value of `indicator`, to be changed; the default if there is none.
    pub fn get_or_default(&mut self, indicator: Indicator) -> &mut V
    where
        V: Default,
    {
        self.values[indicator as usize].get_or_insert_default()
    }

    /// Sets the value of `indicator`; returns the one before.
    pub const fn insert(&mut self, indicator: Indicator, value: V) -> Option<V> {
        self.values[indicator as usize].replace(value)
    }

    /// The value of `indicator`, if there is one; it has none afterwards.
    pub const fn remove(&mut self, indicator: Indicator) -> Option<V> {
        self.values[indicator as usize].take()
    }

    /// Every value there is, in the order of the indicators.
    pub fn iter(&self) -> impl Iterator<Item = (Indicator, &V)> {
        Indicator::ALL.into_iter().zip(&self.values).filter_map(|(indicator, value)| Some((indicator, value.as_ref()?)))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(Option::is_none)
    }

    /// The same indicators with other values; those that `change` gives none are left out.
    pub fn filter_map<U>(&self, mut change: impl FnMut(Indicator, &V) -> Option<U>) -> PerIndicator<U> {
        let mut changed = PerIndicator::default();
        for (indicator, value) in self.iter() {
            changed.values[indicator as usize] = change(indicator, value);
        }
        changed
    }
}

impl<V> Default for PerIndicator<V> {
    fn default() -> Self {
        PerIndicator { values: [const { None }; Indicator::ALL.len()] }
    }
}

impl<V> PerSignal<V> {
    /// The value of `signal`.
    pub fn get(&self, signal: &Signal) -> Option<&V> {
        self.rows.get(&signal.target)?.get(signal.indicator)
    }

    /// The value of `signal`, to be changed; the default if there is none.
    pub fn get_or_default(&mut self, signal: Signal) -> &mut V
    where
        V: Default,
    {
        self.rows.entry(signal.target).or_default().get_or_default(signal.indicator)
    }

    /// Sets the value of `signal`; returns the one before.
    pub fn insert(&mut self, signal: Signal, value: V) -> Option<V> {
        self.rows.entry(signal.target).or_default().insert(signal.indicator, value)
    }

    /// Everything of `target`, if there is anything.
    pub fn row(&self, target: &Target) -> Option<&PerIndicator<V>> {
        self.rows.get(target).map(Box::as_ref)
    }

    /// Everything of `target`, to be changed.
    pub fn row_mut(&mut self, target: &Target) -> Option<&mut PerIndicator<V>> {
        self.rows.get_mut(target).map(Box::as_mut)
    }

    /// Replaces everything of `target`.
    pub fn insert_row(&mut self, target: Target, row: PerIndicator<V>) {
        self.rows.insert(target, Box::new(row));
    }

    /// Every target with everything of it, in the order of the targets.
    pub fn rows(&self) -> impl Iterator<Item = (&Target, &PerIndicator<V>)> {
        self.rows.iter().map(|(target, row)| (target, row.as_ref()))
    }

    /// The targets from `first` on with everything of them, in the order of the targets.
    pub fn rows_from(&self, first: Target) -> impl Iterator<Item = (&Target, &PerIndicator<V>)> {
        self.rows.range(first..).map(|(target, row)| (target, row.as_ref()))
    }

    /// Every target with everything of it, to be changed, in the order of the targets.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = (&Target, &mut PerIndicator<V>)> {
        self.rows.iter_mut().map(|(target, row)| (target, row.as_mut()))
    }

    /// Every service with everything of it, in name order.
    pub fn services(&self) -> impl Iterator<Item = (&ServiceName, &PerIndicator<V>)> {
        self.rows.iter().filter_map(|(target, row)| match target {
            Target::Service(service) => Some((service, row.as_ref())),
            Target::Agent | Target::Operation(..) | Target::Instance(..) => None,
        })
    }

    /// Every signal that has a value, in order. A signal is made for each; its target's text is shared.
    pub fn iter(&self) -> impl Iterator<Item = (Signal, &V)> {
        self.rows.iter().flat_map(|(target, row)| {
            row.iter().map(move |(indicator, value)| (Signal::new(target.clone(), indicator), value))
        })
    }

    /// Every value, in the order of the signals.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.rows.values().flat_map(|row| row.iter().map(|(_, value)| value))
    }

    /// How many targets there are.
    pub fn targets(&self) -> usize {
        self.rows.len()
    }

    /// How many signals have a value. Counts them.
    pub fn len(&self) -> usize {
        self.values().count()
    }

    /// Whether no signal has a value.
    pub fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }
}

impl<V> Default for PerSignal<V> {
    fn default() -> Self {
        PerSignal { rows: BTreeMap::new() }
    }
}

impl<V> FromIterator<(Signal, V)> for PerSignal<V> {
    fn from_iter<I: IntoIterator<Item = (Signal, V)>>(pairs: I) -> Self {
        let mut all = PerSignal::default();
        for (signal, value) in pairs {
            all.insert(signal, value);
        }
        all
    }
}

/// Whole rows; of two rows of one target the later one stays.
impl<V> FromIterator<(Target, Box<PerIndicator<V>>)> for PerSignal<V> {
    fn from_iter<I: IntoIterator<Item = (Target, Box<PerIndicator<V>>)>>(rows: I) -> Self {
        PerSignal { rows: rows.into_iter().collect() }
    }
}

impl<V, const N: usize> From<[(Signal, V); N]> for PerSignal<V> {
    fn from(pairs: [(Signal, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<V> Index<&Signal> for PerSignal<V> {
    type Output = V;

    fn index(&self, signal: &Signal) -> &V {
        self.get(signal).expect("an index names a signal that has a value")
    }
}

impl<V: Serialize> Serialize for PerSignal<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for PerSignal<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<(Signal, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: signals of two services and of the agent, set out of order, one of them twice.
    /// Guarantees: they are told in the order of a map from signals, once each, with the last value; what is not set is not there.
    #[test]
    fn values_keep_the_order_of_their_signals() {
        let signal = |name: &str, indicator| Signal::new(Target::Service(name.into()), indicator);
        let pairs = [
            (signal("web", Indicator::Utilization), 1),
            (signal("cart", Indicator::HeadProbability), 2),
            (signal("web", Indicator::RequestsTotal), 3),
            (Signal::new(Target::Agent, Indicator::SpansKeptTotal), 4),
            (signal("web", Indicator::Utilization), 5),
        ];
        let flat: BTreeMap<Signal, i32> = pairs.clone().into();
        let all = PerSignal::from(pairs);
        assert!(all.iter().map(|(signal, value)| (signal, *value)).eq(flat));
        assert_eq!((all.len(), all.get(&signal("cart", Indicator::Utilization))), (4, None));
        assert!(all.services().map(|(service, _)| service.as_str()).eq(["cart", "web"]));
    }

    /// Scenario: every indicator there is.
    /// Guarantees: each has the place of its own that its number says.
    #[test]
    fn every_indicator_has_its_place() {
        assert!(Indicator::ALL.iter().enumerate().all(|(place, indicator)| place == *indicator as usize));
    }
}
