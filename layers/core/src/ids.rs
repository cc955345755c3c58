//! Ids and names.
//!
//! Answers which thing is meant. Every id has its own type, so an incident cannot be passed for an action. Names are shared
//! strings because the same few hundred appear in every snapshot.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        // Most names that meet are clones of one name: one look at where they lie spares a look at the text.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                $name(Arc::from(text))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// The OpenTelemetry resource attribute `service.name`.
    ServiceName;
    /// The name of a span that is an entry into a service: what a request asked for.
    OperationName;
    /// The name that people gave a journey: what a user does.
    JourneyName;
    /// The OpenTelemetry resource attribute `service.instance.id`: one of the processes behind a service.
    InstanceId;
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident, $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number that follows this one.
            #[must_use]
            pub const fn next(self) -> Self {
                $name(self.0 + 1)
            }

            /// Reads what [`fmt::Display`] writes; the bare number is understood too.
            pub fn parse(text: &str) -> Option<Self> {
                text.strip_prefix($prefix).unwrap_or(text).parse().ok().map($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    )*};
}

numbers! {
    /// One decided action; also the idempotency key that actuators see. Written `a-17`.
    ActionId, "a-";
    /// One incident, open across ticks. Written `i-3`.
    IncidentId, "i-";
    /// One pass through the rooms. Written `t-120`.
    TickNumber, "t-";
    /// A version of something that is replaced as a whole: knowledge, settings, sampling plan. Written `g-4`.
    Generation, "g-";
}

/// The name of a detector, policy, guard or action kind: a constant in the code, owned text when read back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(Cow<'static, str>);

impl Label {
    /// A label from a constant.
    pub const fn new(text: &'static str) -> Label {
        Label(Cow::Borrowed(text))
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Label {
    fn from(text: &'static str) -> Label {
        Label::new(text)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: an operator types an id as it was printed, as a bare number, and wrongly.
    /// Guarantees: the first two name the same action; a foreign prefix or garbage names none.
    #[test]
    fn ids_are_read_as_they_are_written() {
        assert_eq!(ActionId::parse(&ActionId(17).to_string()), Some(ActionId(17)));
        assert_eq!(ActionId::parse("17"), Some(ActionId(17)));
        assert_eq!(ActionId::parse("i-17"), None);
        assert_eq!(ActionId::parse(""), None);
    }
}
