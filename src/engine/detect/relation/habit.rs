//! What a service does at this time of the day anyway: how much it stirred in each slot of the last days.

use serde::{Deserialize, Serialize};

/// Slots a day, five minutes each.
const SLOTS: usize = 288;
/// Days remembered.
const DAYS: usize = 5;
/// What was reached on this many of them is a habit: more than half.
const OFTEN: usize = 3;
/// Share of a habit that is taken off: the rest stays, for it may be worse this time.
const SHARE: f64 = 0.5;
/// Slots over which the usual stir is forgotten.
const MEMORY: u32 = 1_000;
/// One slot counts as if it were at most this many times the usual.
const TIMES_MAX: f64 = 4.0;

/// The habits of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Habit {
    /// The largest stir of each slot of each day, the last day last.
    days: Vec<[f32; DAYS]>,
    present: Option<usize>,
    largest: f64,
    usual: f64,
    count: u32,
}

impl Default for Habit {
    fn default() -> Self {
        Self { days: vec![[0.0; DAYS]; SLOTS], present: None, largest: 0.0, usual: 0.0, count: 0 }
    }
}

impl Habit {
    /// False where it was read from what no habit writes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.days.len() == SLOTS
    }

    /// What of `stir` is no habit of the time `of_day`, a share of the day.
    pub fn observe(&mut self, of_day: f64, stir: f64) -> f64 {
        // A share of a day times the slots is a slot; anything odd saturates and is brought back.
        let slot = (of_day * SLOTS as f64) as usize % SLOTS;
        if self.present != Some(slot) {
            self.close();
            self.present = Some(slot);
        }
        self.largest = self.largest.max(stir);
        let beside = [slot, (slot + 1) % SLOTS, (slot + SLOTS - 1) % SLOTS];
        let habit = beside.iter().map(|slot| self.often(*slot)).fold(0.0, f64::max);
        (stir - SHARE * (habit - self.usual).max(0.0)).max(0.0)
    }

    /// Writes down the slot that ends.
    fn close(&mut self) {
        let largest = std::mem::take(&mut self.largest);
        let Some(days) = self.present.and_then(|slot| self.days.get_mut(slot)) else {
            return;
        };
        days.rotate_left(1);
        if let Some(last) = days.last_mut() {
            *last = largest as f32;
        }
        self.count = (self.count + 1).min(MEMORY);
        let seen = largest.min(TIMES_MAX * self.usual.max(1.0));
        self.usual += (seen - self.usual) / f64::from(self.count);
    }

    /// What the slot reached on [`OFTEN`] of the days.
    fn often(&self, slot: usize) -> f64 {
        let mut days = self.days.get(slot).copied().unwrap_or_default();
        days.sort_unstable_by(|a, b| b.total_cmp(a));
        days.get(OFTEN - 1).copied().map_or(0.0, f64::from)
    }
}
