//! How often the series goes this far: the furthest of each hour by size, forgotten over weeks.
//!
//! What has come as large every few days is how the series is, however far it stands out of the rest: a job of its own
//! hours, a counter that is mostly zero, a tail without end.

use super::pen::Pen;

/// Sizes told apart on a side, an octave each, from the largest down. What is smaller is not counted.
const OCTAVES: usize = 6;
/// Counts are kept in parts of one, so that they can fade.
const PARTS: u8 = 8;
/// Days over which they do.
const MEMORY_DAYS: f64 = 30.0;
/// Octaves beyond any size.
const OCTAVE_MAX: f64 = 100.0;
const DAY_HOURS: i32 = 24;

/// Departures to one side.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Side {
    /// Of the hour under way.
    furthest: f32,
    /// Hours by octave, the largest first.
    counts: [u8; OCTAVES],
    /// The octave of the first.
    top: i8,
    /// Octave of the hours before, one less for each hour since: what goes on is counted once.
    before: i8,
}

impl Default for Side {
    fn default() -> Self {
        Self { furthest: 0.0, counts: [0; OCTAVES], top: 0, before: i8::MIN }
    }
}

/// Departures to either side.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Recurrence {
    sides: [Side; 2],
}

fn octave(size: f64) -> i8 {
    // Within the range of the type after the clamp.
    size.log2().floor().clamp(-OCTAVE_MAX, OCTAVE_MAX) as i8
}

impl Recurrence {
    pub fn walk(&mut self, pen: &mut Pen<'_>) {
        for side in &mut self.sides {
            pen.f32(&mut side.furthest);
            pen.row(&mut side.counts, u8::to_le_bytes, u8::from_le_bytes);
            pen.i8(&mut side.top);
            pen.i8(&mut side.before);
        }
    }

    /// Days from one departure to the next that is as large, on the side of `away`. The series counts as known for
    /// `more_days` than it is.
    pub fn days(&self, away: f64, age_days: f64, more_days: f64) -> f64 {
        let known = MEMORY_DAYS * -(-age_days / MEMORY_DAYS).exp_m1() + more_days;
        known / (1.0 + self.side(away).count(octave(away.abs())))
    }

    fn side(&self, away: f64) -> &Side {
        let [up, down] = &self.sides;
        if away < 0.0 { down } else { up }
    }

    /// Takes in how far the series is.
    #[inline]
    pub fn note(&mut self, away: f64) {
        let [up, down] = &mut self.sides;
        let side = if away < 0.0 { down } else { up };
        side.furthest = side.furthest.max(away.abs() as f32);
    }

    /// An hour is over and another has begun, counted from the epoch.
    pub fn close(&mut self, over: i32, begun: i32) {
        let day = begun.div_euclid(DAY_HOURS);
        for side in &mut self.sides {
            side.close();
            if day != over.div_euclid(DAY_HOURS) {
                side.fade(day);
            }
        }
    }
}

impl Side {
    fn count(&self, octave: i8) -> f64 {
        let place = i16::from(self.top) - i16::from(octave);
        match usize::try_from(place) {
            Ok(place) if place < OCTAVES => {
                let parts: u16 = self.counts.iter().take(place + 1).map(|count| u16::from(*count)).sum();
                f64::from(parts) / f64::from(PARTS)
            }
            _ => 0.0,
        }
    }

    fn close(&mut self) {
        let furthest = std::mem::take(&mut self.furthest);
        let before = self.before;
        self.before = before.saturating_sub(1);
        if furthest <= 0.0 {
            return;
        }
        let octave = octave(f64::from(furthest));
        self.before = self.before.max(octave);
        if self.counts == [0; OCTAVES] {
            self.top = octave;
        }
        if octave > before {
            self.add(octave);
        }
    }

    fn add(&mut self, octave: i8) {
        let rise = i16::from(octave) - i16::from(self.top);
        if let Ok(rise) = usize::try_from(rise)
            && rise > 0
        {
            self.counts.rotate_right(rise.min(OCTAVES));
            self.counts.iter_mut().take(rise).for_each(|count| *count = 0);
            self.top = octave;
        }
        let place = usize::try_from(i16::from(self.top) - i16::from(octave)).unwrap_or_default();
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(PARTS);
        }
    }

    /// A day's share is forgotten, a part on one day and none on another where it is less than one.
    fn fade(&mut self, day: i32) {
        let days = MEMORY_DAYS as i32;
        for count in &mut self.counts {
            let part = (i32::from(*count) + day.wrapping_mul(7).rem_euclid(days)) / days;
            *count = count.saturating_sub(u8::try_from(part).unwrap_or(u8::MAX));
        }
        for _ in 0..OCTAVES {
            if self.counts.first() == Some(&0) && self.counts != [0; OCTAVES] {
                self.counts.rotate_left(1);
                self.top = self.top.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours of departures of a size, one every so many hours, for days.
    fn after(days: i32, every_hours: i32, size: f64) -> Recurrence {
        let mut recurrence = Recurrence::default();
        for hour in 0..days * DAY_HOURS {
            recurrence.note(if hour % every_hours == 0 { size } else { 1.0 });
            recurrence.close(hour, hour + 1);
        }
        recurrence
    }

    #[test]
    fn departures_are_counted_by_size_and_side() {
        let recurrence = after(30, 3 * DAY_HOURS, 20.0);
        let days = |away: f64| recurrence.days(away, 30.0, 0.0);
        assert!((2.0..4.0).contains(&days(20.0)), "{}", days(20.0));
        assert!((2.0..4.0).contains(&days(16.0)), "the same octave: {}", days(16.0));
        assert!(days(40.0) > 15.0 && days(-20.0) > 15.0, "larger, other side: {} {}", days(40.0), days(-20.0));
    }

    #[test]
    fn what_goes_on_is_counted_once() {
        let mut recurrence = Recurrence::default();
        for hour in 0..10 * DAY_HOURS {
            recurrence.note(if hour < 5 * DAY_HOURS { 1.0 } else { 50.0 });
            recurrence.close(hour, hour + 1);
        }
        assert!(recurrence.days(50.0, 10.0, 0.0) > 3.0);
    }

    #[test]
    fn departures_are_forgotten_over_weeks() {
        let mut recurrence = after(30, DAY_HOURS, 20.0);
        let before = recurrence.days(20.0, 30.0, 0.0);
        for hour in 30 * DAY_HOURS..120 * DAY_HOURS {
            recurrence.note(1.0);
            recurrence.close(hour, hour + 1);
        }
        assert!(before < 1.5 && recurrence.days(20.0, 120.0, 0.0) > 8.0);
    }

    #[test]
    fn any_size_has_its_place() {
        let mut recurrence = Recurrence::default();
        for (hour, size) in (0..).zip([0.0, 1e-300, 1e300, f64::INFINITY, 1.0, -1e30, -0.0]) {
            recurrence.note(size);
            recurrence.close(hour, hour + 1);
            assert!(recurrence.days(size, 1.0, 1.0) > 0.0);
        }
        recurrence.close(i32::MIN, i32::MAX);
        recurrence.close(i32::MAX, i32::MIN);
    }
}
