//! A scorer's state as bytes and back.

use super::SeriesScorer;
use super::pen::Pen;

impl SeriesScorer {
    /// The state as bytes, always as many.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size_of::<Self>());
        self.clone().walk(&mut Pen::Write(&mut bytes));
        bytes
    }

    /// The state from its bytes; `None` where they are not of one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Box<Self>> {
        // Filled where it is to lie: a million are read at a start.
        let mut scorer = Box::<Self>::default();
        let mut pen = Pen::Read { bytes, is_whole: true };
        scorer.walk(&mut pen);
        matches!(pen, Pen::Read { bytes: [], is_whole: true }).then_some(scorer)
    }

    fn walk(&mut self, pen: &mut Pen<'_>) {
        for number in [&mut self.last_at, &mut self.smooth, &mut self.short_mean, &mut self.hour_mean] {
            pen.f64(number);
        }
        self.levels.iter_mut().for_each(|level| pen.f64(level));
        for number in [&mut self.step_s, &mut self.age_days, &mut self.magnitude] {
            pen.f32(number);
        }
        pen.u32(&mut self.count);
        pen.i32(&mut self.run);
        self.channels.iter_mut().for_each(|channel| channel.walk(pen));
        self.records.iter_mut().for_each(|record| record.walk(pen));
        self.alarm.walk(pen);
        self.recurrence.walk(pen);
        self.season.walk(pen);
    }
}
