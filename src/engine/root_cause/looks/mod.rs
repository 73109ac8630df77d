//! The ways of looking at a candidate. Each adds what it finds, on its terms' scales; one that has no signal adds nothing.
//!
//! | what is there | ways of looking |
//! | --- | --- |
//! | tables: metrics, alert streams, spans, lines | `metrics`, `alerts`, `traces`, `logs`, `changes` |
//! | symptoms that detection told | `blame`, `dependencies`, `order`, `deviation`, `saturation`, `patterns`, `learned_kind`, `log_lines`, `firing` |

pub mod alerts;
pub mod blame;
pub mod changes;
pub mod dependencies;
pub mod deviation;
pub mod firing;
pub mod learned_kind;
pub mod log_lines;
pub mod logs;
pub mod metrics;
pub mod order;
pub mod patterns;
pub mod saturation;
pub mod traces;

use super::candidates::Candidate;
use super::evidence::Findings;
use super::picture::Picture;

/// One way of looking.
pub type Look = fn(&Picture<'_>, Candidate<'_>, &mut Findings);

/// All of them.
pub const LOOKS: [Look; 14] = [
    metrics::look,
    alerts::look,
    traces::look,
    logs::look,
    changes::look,
    blame::look,
    dependencies::look,
    order::look,
    deviation::look,
    saturation::look,
    patterns::look,
    learned_kind::look,
    log_lines::look,
    firing::look,
];
