//! What kind of failure an incident resembles, by those whose cause was confirmed.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hypothesis::CauseKind;

/// The guess, with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindGuess {
    /// The kind.
    pub kind: CauseKind,
    /// How likely it is among the kinds that were learnt, 0 to 1.
    pub chance: f64,
    /// What decided, the most telling first.
    pub because: Vec<Arc<str>>,
    /// Confirmed incidents of this kind.
    pub of_kind: u32,
    /// Confirmed incidents in all.
    pub learnt_from: u32,
    /// Of those that were left out to measure it, how many were guessed rightly.
    pub right: u32,
    /// How many were left out in turn.
    pub tried: u32,
}

/// `bad deploy 82 %: new log lines, a deploy within the hour before; learnt from 24 incidents (9 of this kind), right in 21 of 24 left out`
impl fmt::Display for KindGuess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {:.0} %", self.kind.title(), 100.0 * self.chance)?;
        if !self.because.is_empty() {
            write!(out, ": {}", self.because.join(", "))?;
        }
        write!(
            out,
            "; learnt from {} incidents ({} of this kind), right in {} of {} left out",
            self.learnt_from, self.of_kind, self.right, self.tried
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_says_what_it_rests_on() {
        let guess = KindGuess {
            kind: CauseKind::BadDeploy,
            chance: 0.824,
            because: vec!["new log lines".into()],
            of_kind: 9,
            learnt_from: 24,
            right: 21,
            tried: 24,
        };
        let expected =
            "bad deploy 82 %: new log lines; learnt from 24 incidents (9 of this kind), right in 21 of 24 left out";
        assert_eq!(guess.to_string(), expected);
    }
}
