//! The ways of looking at a candidate. Each adds what it finds, on its terms' scales; one that has no signal adds nothing.

pub mod alerts;
pub mod changes;
pub mod logs;
pub mod metrics;
pub mod traces;

use crate::engine::root_cause::frame::candidates::Candidate;
use crate::engine::root_cause::frame::evidence::Findings;
use crate::engine::root_cause::frame::picture::Picture;

/// One way of looking.
pub type Look = fn(&Picture<'_>, Candidate, &mut Findings);

/// All of them.
pub const LOOKS: [Look; 5] = [metrics::look, alerts::look, traces::look, logs::look, changes::look];
