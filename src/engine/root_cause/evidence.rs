//! Evidence being gathered: each piece says which way of looking gave it, what was measured, in a line, and its weight.

use super::weights::Weights;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Anomaly, Change, EvidenceKind, EvidenceTarget, ServiceName};

/// Declares the terms, in order, with the way of looking that each belongs to.
macro_rules! terms {
    ($($(#[$doc:meta])* $name:ident: $kind:ident),+ $(,)?) => {
        /// Every kind of evidence. One number each per candidate; the weight of a piece is that number times the term's
        /// coefficient, in natural-log odds. Numbers are made so that 0 says nothing and 1 is strong; those of symptoms
        /// that detection told are odds already.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum Term {
            $($(#[$doc])* $name),+
        }

        /// All of them, in order.
        pub const TERMS: &[Term] = &[$(Term::$name),+];

        impl Term {
            /// The way of looking it belongs to.
            #[must_use]
            pub fn kind(self) -> EvidenceKind {
                match self {
                    $(Self::$name => EvidenceKind::$kind),+
                }
            }
        }
    };
}

terms! {
    /// Share of the page's extra latency that arises in the candidate itself.
    OwnLatency: Deviation,
    /// Share of the page's failures that arise in the candidate itself.
    OwnErrors: Deviation,
    /// The candidate's own departure, on the metric kinds that name a fault.
    Departure: Deviation,
    /// A resource of the candidate at its limit or far off.
    Resource: Saturation,
    /// What fails depends on it.
    ExplainsOthers: Topology,
    /// A level (memory, a pool, a queue) of this copy rose, where others' did not.
    AlertLevel: Alerts,
    /// A level of this copy fell, where others' did not: it was restarted, or lost its work.
    AlertFell: Alerts,
    /// Activity (CPU, disk, network) of this copy rose, where others' did not.
    AlertActivity: Alerts,
    /// Calls to this copy are slow and fail at once, and it blames nobody further down.
    AlertCallee: Alerts,
    /// Its own log tells of a fault of its own.
    AlertLog: Logs,
    /// It calls nothing any more where its sibling does.
    AlertSilent: Alerts,
    /// Exclusive time of its spans grew (traces).
    SpanSelfTime: Deviation,
    /// Time is lost between its callers' spans and its own (traces).
    SpanGap: Deviation,
    /// Paths of spans that are new or gone (traces).
    SpanPath: Pattern,
    /// Loud log lines that come first and far more often than before (logs).
    LogFailure: Logs,
    /// Quiet log lines that ceased (logs).
    LogShift: Logs,
    /// A change of its own shortly before (changes).
    Change: Change,
    /// Share of the page's extra latency that seems to arise in it, where what is measured does not add up along calls.
    RoughLatency: Deviation,
    /// The same of the page's failures.
    RoughErrors: Deviation,
    /// The change it blames, by when it came and what it does.
    Blame: Change,
    /// Symptoms along calls: what it calls is well, what fails depends on it.
    Calls: Topology,
    /// Its symptoms came before the others'.
    Order: Order,
    /// Its symptom is larger than the others'.
    Size: Deviation,
    /// The resource it is about is used up, and was before the harm.
    Fullness: Saturation,
    /// What failures of its kind look like.
    Pattern: Pattern,
    /// New log lines, of itself or naming it.
    NewLines: Logs,
    /// A rule of somebody's fires on it.
    Firing: Alerts,
}

/// How many terms there are.
pub const TERM_COUNT: usize = TERMS.len();

impl Term {
    /// True for what is measured against a healthy time and adds up, or follows requests on their way: it may decide
    /// alone. Any other way of looking needs a second one that agrees.
    #[must_use]
    pub fn decides_alone(self) -> bool {
        (self as usize) <= Self::Change as usize
    }

    /// True for an estimate: more than a hint, and never sure by itself.
    #[must_use]
    pub fn estimates(self) -> bool {
        matches!(self, Self::RoughLatency | Self::RoughErrors)
    }
}

/// Pieces lighter than this are not worth a line.
const TOLD_MIN: f64 = 0.05;

/// One thing that speaks for or against a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Which way of looking.
    pub term: Term,
    /// What was measured, on the term's own scale.
    pub value: f64,
    /// `value` times the coefficient, in natural-log odds.
    pub weight: f64,
    /// In a line, with numbers.
    pub text: String,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// What it points at.
    pub target: Option<EvidenceTarget>,
}

/// What was found for and against one candidate.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Findings {
    /// The pieces, in the order of looking.
    pub pieces: Vec<Piece>,
    /// The metric that speaks loudest, where one does, with how loud.
    pub metric: Option<(String, f64)>,
    /// The kind of fault it would be, with how loud.
    pub kind: Option<(FaultKind, f64)>,
}

/// What kind of fault it would be, in the words of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// Network.
    Network,
    /// Disk.
    Disk,
    /// Code.
    Code,
    /// A change.
    Change,
    /// Something outside.
    External,
    /// Slowness.
    Latency,
    /// Failures.
    Availability,
    /// A host.
    Node,
    /// One copy of a service.
    Instance,
}

impl FaultKind {
    /// The word of the answer.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Network => "network",
            Self::Disk => "disk",
            Self::Code => "code",
            Self::Change => "change",
            Self::External => "external",
            Self::Latency => "latency",
            Self::Availability => "availability",
            Self::Node => "node",
            Self::Instance => "instance",
        }
    }
}

impl Findings {
    /// Adds a piece; `value` that is no finite number is not added.
    pub fn add(&mut self, term: Term, value: f64, text: impl FnOnce() -> String) {
        if value.is_finite() && value != 0.0 {
            self.pieces.push(Piece { term, value, weight: 0.0, text: text(), at: None, target: None });
        }
    }

    /// Adds a piece that points at something, of a size worth a line.
    pub fn tell(&mut self, term: Term, value: f64, text: String, at: Option<Timestamp>, target: EvidenceTarget) {
        if value.is_finite() && value.abs() >= TOLD_MIN {
            self.pieces.push(Piece { term, value, weight: 0.0, text, at, target: Some(target) });
        }
    }

    /// Tells which metric and kind the candidate would be answered with, where `loud` beats what was said before.
    pub fn name(&mut self, metric: Option<&str>, kind: FaultKind, loud: f64) {
        if let Some(metric) = metric
            && self.metric.as_ref().is_none_or(|(_, before)| loud > *before)
        {
            self.metric = Some((metric.to_owned(), loud));
        }
        if self.kind.is_none_or(|(_, before)| loud > before) {
            self.kind = Some((kind, loud));
        }
    }

    /// The pieces as one row of numbers, by term.
    #[must_use]
    pub fn row(&self) -> [f64; TERM_COUNT] {
        let mut row = [0.0; TERM_COUNT];
        for piece in &self.pieces {
            if let Some(cell) = row.get_mut(piece.term as usize) {
                *cell += piece.value;
            }
        }
        row
    }

    /// Fills in the weights; says their sum.
    pub fn weigh(&mut self, weights: &Weights) -> f64 {
        for piece in &mut self.pieces {
            piece.weight = piece.value * weights.of(piece.term);
        }
        self.pieces.iter().map(|piece| piece.weight).sum()
    }
}

/// A piece of evidence about an anomaly.
#[must_use]
pub fn of_anomaly(anomaly: &Anomaly) -> EvidenceTarget {
    EvidenceTarget::Anomaly(anomaly.id)
}

/// About a change.
#[must_use]
pub fn of_change(change: &Change) -> EvidenceTarget {
    EvidenceTarget::Change(change.id)
}

/// About a service as a whole.
#[must_use]
pub fn of_service(name: &str) -> EvidenceTarget {
    EvidenceTarget::Service(ServiceName::new(name))
}
