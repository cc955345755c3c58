//! The log as a notifier.
//!
//! Answers how a notification looks in the agent's own log, where it stands even when nobody configured a webhook. It cannot
//! fail, so an incident is never told to nobody.

use homeostat_core::Urgency;

use super::webhook::Notice;

/// Writes `notice`; what must be read now is a warning.
pub(super) fn notify(notice: &Notice<'_>) {
    let (id, text) = (notice.id, notice.text);
    // A field without a value is left out of the line.
    let incident = notice.incident.map(tracing::field::display);
    match notice.urgency {
        Urgency::Page => tracing::warn!(%id, incident, urgency = "page", "{text}"),
        Urgency::Ticket => tracing::info!(%id, incident, urgency = "ticket", "{text}"),
    }
}
