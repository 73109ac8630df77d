//! The coefficient of every term, in natural-log odds per unit.

use super::evidence::{TERM_COUNT, Term};

/// Coefficients, by term.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights(pub [f64; TERM_COUNT]);

impl Weights {
    /// The coefficient of a term.
    #[must_use]
    pub fn of(&self, term: Term) -> f64 {
        self.0.get(term as usize).copied().unwrap_or(0.0)
    }
}

impl Default for Weights {
    fn default() -> Self {
        let mut weights = [0.0; TERM_COUNT];
        for (term, weight) in SHIPPED {
            if let Some(cell) = weights.get_mut(term as usize) {
                *cell = weight;
            }
        }
        Self(weights)
    }
}

/// By reasoning first, then moved as far as a conditional logistic regression with a ridge around the reasoned values was
/// sure of it. With the reasoned values alone the answers are nearly the same: nothing hangs on a digit.
const SHIPPED: [(Term, f64); TERM_COUNT] = [
    (Term::OwnLatency, 5.0),
    (Term::OwnErrors, 5.0),
    (Term::Departure, 1.0),
    (Term::Resource, 2.2),
    (Term::ExplainsOthers, 1.0),
    (Term::AlertLevel, 4.0),
    (Term::AlertFell, 2.0),
    (Term::AlertActivity, 0.3),
    (Term::AlertCallee, 4.0),
    (Term::AlertLog, 4.5),
    (Term::AlertSilent, 3.0),
    (Term::SpanSelfTime, 2.1),
    (Term::SpanGap, 2.6),
    (Term::SpanPath, 2.7),
    (Term::LogFailure, 0.7),
    (Term::LogShift, 0.3),
    (Term::Change, 1.0),
    (Term::RoughLatency, 5.0),
    (Term::RoughErrors, 5.0),
    // These come as odds.
    (Term::Blame, 1.0),
    (Term::Calls, 1.0),
    (Term::Order, 1.0),
    (Term::Size, 1.0),
    (Term::Fullness, 1.0),
    (Term::Pattern, 1.0),
    (Term::NewLines, 1.0),
    (Term::Firing, 1.0),
];
