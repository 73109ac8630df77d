//! Evidence being gathered: each piece says which way of looking gave it, what was measured, in a line, and its weight.

use crate::engine::root_cause::frame::weights::Weights;

/// Every kind of evidence. One number each per candidate; the weight of a piece is that number times the term's
/// coefficient, in natural-log odds. Numbers are made so that 0 says nothing and 1 is strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Term {
    /// Share of the page's extra latency that arises in the candidate itself.
    OwnLatency,
    /// Share of the page's failures that arise in the candidate itself.
    OwnErrors,
    /// The candidate's own departure, on the metric kinds that name a fault.
    Departure,
    /// A resource of the candidate at its limit or far off.
    Resource,
    /// What fails depends on it.
    ExplainsOthers,
    /// A level (memory, a pool, a queue) of this copy rose, where others' did not.
    AlertLevel,
    /// A level of this copy fell, where others' did not: it was restarted, or lost its work.
    AlertFell,
    /// Activity (CPU, disk, network) of this copy rose, where others' did not.
    AlertActivity,
    /// Calls to this copy are slow and fail at once, and it blames nobody further down.
    AlertCallee,
    /// Its own log tells of a fault of its own.
    AlertLog,
    /// It calls nothing any more where its sibling does.
    AlertSilent,
    /// Exclusive time of its spans grew (traces).
    SpanSelfTime,
    /// Time is lost between its callers' spans and its own (traces).
    SpanGap,
    /// Paths of spans that are new or gone (traces).
    SpanPath,
    /// Loud log lines that come first and far more often than before (logs).
    LogFailure,
    /// Quiet log lines that ceased (logs).
    LogShift,
    /// A change of its own shortly before (changes).
    Change,
}

/// How many terms there are.
pub const TERM_COUNT: usize = Term::Change as usize + 1;

/// All of them, in order.
pub const TERMS: [Term; TERM_COUNT] = [
    Term::OwnLatency,
    Term::OwnErrors,
    Term::Departure,
    Term::Resource,
    Term::ExplainsOthers,
    Term::AlertLevel,
    Term::AlertFell,
    Term::AlertActivity,
    Term::AlertCallee,
    Term::AlertLog,
    Term::AlertSilent,
    Term::SpanSelfTime,
    Term::SpanGap,
    Term::SpanPath,
    Term::LogFailure,
    Term::LogShift,
    Term::Change,
];

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
            self.pieces.push(Piece { term, value, weight: 0.0, text: text() });
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
