//! The course of the run.
//!
//! Answers how it went, second by second: what each service and the whole agent looked like at each tick. The summary's
//! numbers are taken from it. One small moment per tick is kept instead of the record because a record holds the whole
//! world.

use std::collections::{BTreeMap, VecDeque};

use homeostat_core::{
    BasisPoints, IncidentId, Indicator, Reading, SamplingProbability, ServiceName, Target, TickRecord, Timestamp,
};

use super::Story;

/// Ticks remembered; the oldest fall out. Five times as many as the demo has.
const MOMENTS_MAX: usize = 600;

/// One tick, as far as the summary needs it.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// When.
    pub(crate) at: Timestamp,
    /// Spans received a second, in thousandths.
    pub(crate) received: Option<u64>,
    /// Spans kept a second, in thousandths.
    pub(crate) kept: Option<u64>,
    /// Incidents open, with the service suspected of each.
    pub(crate) incidents: Vec<(IncidentId, Option<ServiceName>)>,
    /// Every service.
    pub(crate) services: BTreeMap<ServiceName, ServiceMoment>,
}

/// One service at one tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceMoment {
    /// The share of its capacity in use.
    pub(crate) utilization: Option<BasisPoints>,
    /// Its workers.
    pub(crate) workers: Option<u64>,
    /// The share of its ordinary traces that is kept.
    pub(crate) tail: SamplingProbability,
}

/// All moments, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    moments: VecDeque<Moment>,
}

impl Course {
    /// The moments from `from` up to, but without, `to`.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Moment> {
        self.moments.iter().filter(move |moment| from <= moment.at && moment.at < to)
    }

    /// The first moment from `from` on that is as `wanted`.
    pub(crate) fn first(&self, from: Timestamp, wanted: impl Fn(&Moment) -> bool) -> Option<&Moment> {
        self.moments.iter().find(|moment| from <= moment.at && wanted(moment))
    }

    fn note(&mut self, moment: Moment) {
        if self.moments.len() == MOMENTS_MAX {
            self.moments.pop_front();
        }
        self.moments.push_back(moment);
    }
}

impl Story {
    pub(super) fn note_course(&mut self, record: &TickRecord) {
        let agent = |indicator| record.snapshot.reading(&Target::Agent, indicator).fresh();
        let incidents = record.assessment.incidents.iter();
        let moment = Moment {
            at: record.at,
            received: agent(Indicator::SpansReceivedTotal),
            kept: agent(Indicator::SpansKeptTotal),
            incidents: incidents.map(|incident| (incident.id, incident.suspect().cloned())).collect(),
            services: record
                .snapshot
                .services()
                .map(|name| (name.clone(), self.service_moment(record, name)))
                .collect(),
        };
        self.course.note(moment);
    }

    fn service_moment(&self, record: &TickRecord, service: &ServiceName) -> ServiceMoment {
        let utilization = record.snapshot.service_value(service, Indicator::Utilization);
        ServiceMoment {
            utilization: utilization.and_then(|value| u32::try_from(value).ok()).map(BasisPoints),
            workers: match record.snapshot.reading(&Target::Service(service.clone()), Indicator::ReplicasReady) {
                Reading::Fresh { value } | Reading::Stale { last: value, .. } => Some(value),
                Reading::Missing { .. } => None,
            },
            tail: self.sampling_of(service).tail,
        }
    }
}
