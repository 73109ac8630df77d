//! The nouns: plain data with public fields, serialisable, without I/O.
//!
//! Everything that crosses a boundary (source to engine, engine to console, engine to store) is made of these.

pub mod act;
pub mod alert;
pub mod anomaly;
pub mod audit;
pub mod call;
pub mod change;
pub mod contradiction;
pub mod delivery;
pub mod document;
mod early_warning;
pub mod hypothesis;
pub mod ids;
pub mod incident;
pub mod kind_guess;
pub mod past_values;
mod person;
mod presence;
mod promise;
pub mod quantity;
pub mod reason;
pub mod run;
pub mod runbook;
pub mod runbook_page;
pub mod safety;
pub mod series;
pub mod severity;
mod shown;
pub mod signal;
pub mod source;
pub mod step;
pub mod subject;
pub mod suppression_rule;
pub mod topology;
pub mod verdict;
pub mod vital;
mod wheel;

pub use act::{ActSpec, ActionKind, BlastRadius, DATABASE_PROOFS, Danger, Repeat};
pub use alert::{Alert, AlertNotice, AlertState};
pub use anomaly::{
    Anomaly, AnomalyKind, AnomalyState, Band, CompoundAnomaly, DetectionMethod, Direction, Forecast, Reading,
};
pub use audit::{AuditEntry, AuditKind};
pub use call::{Call, HttpCall, HttpMethod, Play};
pub use change::{Change, ChangeContent, ChangeKind, ChangeNotice};
pub use contradiction::Contradiction;
pub use delivery::{
    Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryReport, DeliveryState, Destination, DestinationStatus,
    OutboxStatus, OutwardEvent, OutwardMessage,
};
pub use document::{Document, DocumentKind};
pub use early_warning::{EarlyWarning, WarningRecord};
pub use hypothesis::{Buckets, CauseKind, Evidence, EvidenceKind, EvidenceTarget, Hypothesis, Ranking};
pub use ids::{
    AnomalyId, ChangeId, Fingerprint, IncidentId, RolloutId, RunId, SeriesId, ServiceName, SourceName, TemplateId,
};
pub use incident::{Incident, IncidentState, TimelineEntry, TimelineKind};
pub use kind_guess::KindGuess;
pub use past_values::{PastMetric, PastPage, PastValues, Slot, SlotPage, SlotWidth};
pub use person::{Person, Role};
pub use presence::{Attendee, Present};
pub use promise::{ForecastOutcome, Promise, TrackRecord};
pub use quantity::{human, human_count, human_span};
pub use reason::SuppressionReason;
pub use run::{Approval, Beginning, LeftOver, Purpose, Run, RunState, RunStep, StepState};
pub use runbook::{Include, LabelMatcher, Misfit, ParamKind, ParamSpec, Proposal, Runbook, RunbookPlace};
pub use runbook_page::RunbookPage;
pub use safety::{AGREEMENT_MIN, AutonomyMode, AutonomyStatus, KillSwitch, Safety, ShadowRecord};
pub use series::{BadWhen, Labels, SeriesDescriptor, SeriesRole, Unit};
pub use severity::{IncidentSeverity, Score, Severity};
pub use signal::{LogLevel, LogLine, Sample, SampleBatch, SeriesNotice, Signal};
pub use source::{DropReason, HOST_SOURCE, SourceKind, SourceReport, SourceState, position_setting};
pub use step::{
    BoundStep, Case, CheckSpec, Choice, Goto, Look, MetricGoal, OnlyNames, StepEffect, StepKind, StepSpec, Unexpected,
    When,
};
pub use subject::{RolloutTarget, RunSubject};
pub use suppression_rule::{SuppressionRule, SuppressionStage};
pub use topology::{EdgeFacts, EdgeNotice, EdgeOrigin, Topology};
pub use verdict::CauseVerdict;
pub use vital::Vital;
pub use wheel::{Wheel, WheelAsked};
