//! What whoever follows a departure asks of a scorer: where the series would be, and that it takes a level for given.

use super::{SeriesScorer, Tuning, VALUE_MAX};

impl SeriesScorer {
    /// What is usual at `at_s`, of which nothing has come: the level of the last days and the season.
    #[must_use]
    pub fn usual_at(&mut self, at_s: f64) -> f64 {
        self.season.turn(&Tuning::SHIPPED, at_s, self.age_days);
        self.levels[2] + self.season.at(at_s)
    }

    /// Takes the level of the last samples for that of the days to come.
    pub fn settle(&mut self) {
        self.levels[2] = self.levels[1];
        self.run = 0;
    }

    /// Takes `value` for where the series is at `at_s`, without a word on how it came there: what is next is held against
    /// that, and that against the days before.
    pub fn arrive(&mut self, at_s: f64, value: f64) {
        let value = value.clamp(-VALUE_MAX, VALUE_MAX);
        self.season.turn(&Tuning::SHIPPED, at_s, self.age_days);
        let rest = value - self.season.at(at_s);
        (self.levels[0], self.levels[1], self.smooth, self.short_mean) = (rest, rest, rest, value);
    }
}
