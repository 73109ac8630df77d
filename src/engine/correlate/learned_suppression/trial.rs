//! The life of one rule: from a habit that never matters, through a trial in shadow, into force, and out of it at the first
//! word against it.

use serde::{Deserialize, Serialize};

use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::model::SuppressionStage;
use crate::engine::model::suppression_rule::{HABIT_DAYS, HABIT_EPISODES, TRIAL_DAYS, TRIAL_EPISODES};

/// Each refutation doubles what is asked the next time, up to this often.
const DOUBLINGS_MAX: u32 = 4;
/// An episode may last this many times as long as the longest one before and be the same habit, and this much longer.
const LONGER: i64 = 2;
const LONGER_MS: i64 = 60_000;

/// What is known of one habit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trial {
    stage: Stage,
    /// Since when it is in that stage.
    pub(super) since: Timestamp,
    /// Episodes since then that did not matter.
    count: u32,
    /// Episodes of the last trial.
    pub(super) tried: u32,
    /// What it would have hidden, or has hidden, that mattered.
    pub(super) mattered: u32,
    /// The longest episode that did not matter, milliseconds.
    longest_ms: i64,
    pub(super) last_heard: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Habit,
    Shadow,
    InForce,
}

impl Trial {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { stage: Stage::Habit, since: now, count: 0, tried: 0, mattered: 0, longest_ms: 0, last_heard: now }
    }

    /// Takes the fate of an episode in, which lasted `lasted_ms`.
    pub(super) fn decide(&mut self, has_mattered: bool, lasted_ms: i64, now: Timestamp) {
        if has_mattered {
            self.refute(now);
            return;
        }
        self.count = self.count.saturating_add(1);
        self.longest_ms = self.longest_ms.max(lasted_ms);
        let (times, age_ms) = (1_u32 << self.mattered.min(DOUBLINGS_MAX), now.since_ms(self.since));
        match self.stage {
            Stage::Habit if self.count >= HABIT_EPISODES * times && age_ms >= HABIT_DAYS * DAY_MS => {
                self.tried = 0;
                self.enter(Stage::Shadow, now);
            }
            Stage::Shadow => {
                self.tried = self.count;
                if self.count >= TRIAL_EPISODES * times && age_ms >= TRIAL_DAYS * DAY_MS {
                    self.enter(Stage::InForce, now);
                }
            }
            Stage::Habit | Stage::InForce => {}
        }
    }

    fn refute(&mut self, now: Timestamp) {
        if self.stage != Stage::Habit {
            self.mattered = self.mattered.saturating_add(1);
        }
        self.longest_ms = 0;
        self.enter(Stage::Habit, now);
    }

    fn enter(&mut self, stage: Stage, now: Timestamp) {
        (self.stage, self.since, self.count) = (stage, now, 0);
    }

    /// True where an episode that has lasted `lasted_ms` so far is to be set aside: what lasts longer than it ever did is
    /// something else.
    pub(super) fn hides(&self, lasted_ms: i64) -> bool {
        self.stage == Stage::InForce && lasted_ms <= LONGER * self.longest_ms + LONGER_MS
    }

    /// What is shown of it; `None` for a mere habit.
    pub(super) fn stage(&self) -> Option<SuppressionStage> {
        match self.stage {
            Stage::InForce => Some(SuppressionStage::InForce),
            Stage::Shadow => Some(SuppressionStage::Shadow),
            Stage::Habit if self.mattered > 0 => Some(SuppressionStage::Withdrawn),
            Stage::Habit => None,
        }
    }

    /// Episodes hidden since it is in force.
    pub(super) fn hidden(&self) -> u32 {
        if self.stage == Stage::InForce { self.count } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = DAY_MS / 24;

    /// Episodes an hour apart, each a minute long, that did not matter.
    fn quiet(trial: &mut Trial, from: i64, count: i64) -> i64 {
        for nth in 0..count {
            trial.decide(false, 60_000, Timestamp((from + nth) * HOUR_MS));
        }
        from + count
    }

    #[test]
    fn a_habit_is_tried_and_put_in_force_only_after_every_day_of_a_week() {
        let mut trial = Trial::new(Timestamp(0));
        let at = quiet(&mut trial, 1, 71);
        assert_eq!(trial.stage(), None, "71 times, but not yet three days");
        let at = quiet(&mut trial, at, 1);
        assert_eq!((trial.stage(), trial.tried), (Some(SuppressionStage::Shadow), 0));
        let at = quiet(&mut trial, at, 167);
        assert_eq!((trial.stage(), trial.tried), (Some(SuppressionStage::Shadow), 167));
        assert!(!trial.hides(60_000), "in shadow nothing is hidden");
        quiet(&mut trial, at, 2);
        assert_eq!((trial.stage(), trial.mattered), (Some(SuppressionStage::InForce), 0));
        assert!(trial.hides(60_000) && trial.hides(170_000));
        assert!(!trial.hides(200_000), "what lasts longer than it ever did is something else");
    }

    #[test]
    fn rare_episodes_take_as_many_as_frequent_ones() {
        let mut trial = Trial::new(Timestamp(0));
        for day in 1..80 {
            trial.decide(false, 60_000, Timestamp(day * DAY_MS));
        }
        assert_eq!((trial.stage(), trial.tried), (Some(SuppressionStage::Shadow), 59));
        trial.decide(false, 60_000, Timestamp(80 * DAY_MS));
        assert_eq!(trial.stage(), Some(SuppressionStage::InForce));
    }

    #[test]
    fn one_that_mattered_ends_it_and_doubles_what_is_asked() {
        let mut trial = Trial::new(Timestamp(0));
        let at = quiet(&mut trial, 1, 100);
        trial.decide(true, 60_000, Timestamp(at * HOUR_MS));
        assert_eq!((trial.stage(), trial.mattered), (Some(SuppressionStage::Withdrawn), 1));
        let at = quiet(&mut trial, at + 1, 73);
        assert_eq!(trial.stage(), Some(SuppressionStage::Shadow), "72 is more than twice 20");
        let at = quiet(&mut trial, at, 170);
        assert_eq!(trial.stage(), Some(SuppressionStage::InForce));
        trial.decide(true, 60_000, Timestamp(at * HOUR_MS));
        assert_eq!((trial.stage(), trial.mattered, trial.hidden()), (Some(SuppressionStage::Withdrawn), 2, 0));
    }

    #[test]
    fn a_habit_that_matters_now_and_then_is_never_tried() {
        let mut trial = Trial::new(Timestamp(0));
        for hour in 1..2_000 {
            trial.decide(hour % 19 == 0, 60_000, Timestamp(hour * HOUR_MS));
        }
        assert_eq!((trial.stage(), trial.mattered), (None, 0));
    }
}
