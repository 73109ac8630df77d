//! How many customers there are: a shape over the day, one over the week, and the weather.

use std::f64::consts::TAU;

use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};

/// Page requests a second at the busiest hour of an average day.
pub(super) const PEAK_PER_SECOND: f64 = 300.0;

/// Busyness of Monday to Sunday around noon, 1.0 being an average day.
const DAYS: [f64; 7] = [0.96, 0.95, 0.96, 0.98, 1.04, 1.10, 1.06];

/// Expected page requests a second at an instant, without weather.
pub(super) fn expected_per_second(at: Timestamp) -> f64 {
    PEAK_PER_SECOND * day_shape(at) * week_shape(at)
}

/// Share of the day's peak: lowest towards 04:30, highest towards 19:30, with a smaller hill at noon.
fn day_shape(at: Timestamp) -> f64 {
    let hour = at.0.rem_euclid(DAY_MS) as f64 / HOUR_MS as f64;
    let evening = ((hour - 18.5) / 24.0 * TAU).cos();
    let noon = ((hour - 12.5) / 12.0 * TAU).cos();
    0.66 + 0.26 * evening + 0.06 * noon
}

/// Busyness of the day, gliding from one noon to the next.
fn week_shape(at: Timestamp) -> f64 {
    // 1970-01-01 was a Thursday; weeks here begin on Monday, and a day's figure holds at its noon.
    let days = (at.0 as f64 / DAY_MS as f64 + 3.0 - 0.5).rem_euclid(7.0);
    let share = days.fract();
    let today = days as usize % 7;
    DAYS[today] * (1.0 - share) + DAYS[(today + 1) % 7] * share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> f64 {
        expected_per_second(Timestamp::parse_rfc3339(text).unwrap())
    }

    #[test]
    fn evenings_are_busier_than_nights() {
        assert!(at("2026-11-18T19:30:00Z") > 2.0 * at("2026-11-18T04:30:00Z"));
    }

    #[test]
    fn saturdays_are_busier_than_tuesdays() {
        assert!(at("2026-11-21T12:00:00Z") > 1.1 * at("2026-11-17T12:00:00Z"));
    }

    #[test]
    fn load_never_jumps() {
        let monday = Timestamp::parse_rfc3339("2026-11-16T00:00:00Z").unwrap();
        for minute in 0..7 * 24 * 60 {
            let now = expected_per_second(monday + minute * 60_000);
            let next = expected_per_second(monday + (minute + 1) * 60_000);
            assert!(now > 0.0 && (next / now - 1.0).abs() < 0.01, "minute {minute}");
        }
    }
}
