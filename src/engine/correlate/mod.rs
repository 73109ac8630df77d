//! Anomalies and alerts to incidents: one incident for one failure.
//!
//! [`Correlator::step`] hears what was touched and, once a tick, groups what waits with what is live: `symptom` says
//! what counts, `grouping` what belongs together, `opinion` whether that is several failures after all, `opening` what is worth an incident, `same_cause` what an explanation joins, `splitting` what it takes apart, `membership` what the
//! members make of it, [`lifecycle`] what time and people do to it. Nothing is written here: the answer is a list of
//! [`CorrelationEvent`]s. Whatever is set aside keeps its reason and stays within reach.

mod affinity;
pub mod alerts;
mod becoming;
mod by_case;
mod by_hand;
mod cases;
pub mod changes;
mod events;
pub mod evidence;
mod flapping;
mod grouping;
mod habits;
mod learned_suppression;
pub mod lifecycle;
mod membership;
mod opening;
mod pass;
mod ranked;
mod same_cause;
mod severity;
mod splitting;
mod step;
mod symptom;
mod timeline;
mod transfer;

#[cfg(test)]
mod tests;

pub use by_hand::BorderError;
pub use events::{CorrelationEvent, Touched, carry_marks};
pub use ranked::take_ranking;
pub use step::Correlator;
pub use timeline::add as add_to_timeline;
