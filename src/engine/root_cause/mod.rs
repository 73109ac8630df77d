//! Incident to ranked hypotheses: where it starts, with what speaks for and against, and how sure that is.
//!
//! ```text
//! console: world + incident ─┐
//!                            ├─▶ picture ─▶ candidates ─▶ looks ─▶ weights ─▶ soft-max ─▶ confidence ─┬─▶ hypotheses (console)
//! folder of tables: case ────┘                                                                        └─▶ answer (command)
//! ```
//!
//! One way for both: only the picture is made differently, since the console keeps what detection told and a folder holds
//! what was measured. What a way of looking says depends on which signals are there, and one that finds no signal says
//! nothing. Nothing here knows any system by name. "Unresolved" is an answer: it says what would settle the matter.

pub mod answer;
mod buckets;
pub mod calibration;
pub mod candidates;
pub mod case;
pub mod evidence;
mod hypotheses;
pub mod looks;
pub mod picture;
pub mod robust;
mod second;
pub mod settle;
pub mod solve;
mod title;
pub mod weights;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use second::{SecondFailure, second_failure};
pub use title::title;

use self::calibration::Calibration;
use self::case::Case;
use self::picture::Picture;
use self::solve::solve;
use self::weights::Weights;
use crate::engine::clock::Timestamp;
use crate::engine::model::{CauseVerdict, Incident, Ranking};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;

/// The hypotheses about `incident`, best first. Depends on the world and the incident's members only, so the same
/// picture always gives the same ranking; `now` is not needed to weigh what happened.
#[must_use]
pub fn rank(world: &World, incident: &Incident, settings: &CorrelationSettings, _now: Timestamp) -> Ranking {
    let case = Case::of_incident(world, incident);
    let picture = Picture::of_incident(&case, world, incident, settings.hops_max);
    let learned = Calibration::learned(&world.verdicts.values());
    let solved = solve(&picture, &Weights::default(), &learned);
    hypotheses::ranking(&picture, &solved, settings.confidence_floor)
}

/// An operator's word on the leading hypothesis as something to learn from; `None` where there is none to judge.
#[must_use]
pub fn verdict(world: &World, incident: &Incident, is_right: bool) -> Option<CauseVerdict> {
    let confidence = incident.ranking.hypotheses.first()?.confidence.get();
    // The incident's own earlier verdict must not count twice.
    let others = world.verdicts.iter().filter(|(id, _)| **id != incident.id).map(|(_, verdict)| verdict);
    Some(CauseVerdict { log_odds: Calibration::learned(&others).unbent(confidence), is_right })
}
