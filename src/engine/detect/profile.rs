//! The weekly profile of a series in memory: a centre, a spread and the weeks behind them for each of 168 hours, in five
//! bytes each.

/// Hours in a week.
pub const SLOTS: usize = 168;

/// What is known of one hour of the week. Packed, since every series has 168 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    /// The upper three bytes of an `f32`: within one part in 65,536, far below the smallest sigma a scale allows.
    centre: [u8; 3],
    /// Twelve bits of spread (exponent and four bits of mantissa of an `f32`; 0 for none) and four of weeks.
    spread: [u8; 2],
}

impl Slot {
    /// Packs what is known.
    #[must_use]
    pub fn new(centre: f64, spread: f64, weeks: u16) -> Self {
        Self { centre: pack_centre(centre), spread: pack(spread, weeks).to_le_bytes() }
    }

    /// What is expected, without the common shift.
    #[must_use]
    pub fn centre(self) -> f32 {
        let [low, middle, high] = self.centre;
        f32::from_le_bytes([0, low, middle, high])
    }

    /// Weeks of history.
    #[must_use]
    pub fn weeks(self) -> u16 {
        u16::from_le_bytes(self.spread) & 0xf
    }

    /// How far it scatters; `None` where that is not known.
    #[must_use]
    pub fn spread(self) -> Option<f64> {
        let bits = u16::from_le_bytes(self.spread) >> 4;
        (bits != 0).then(|| f64::from(f32::from_bits(u32::from(bits) << 19)))
    }
}

/// Centre and spread by hour of the week.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The seven days of an hour lie side by side: they are always read together.
    slots: [Slot; SLOTS],
}

impl Default for Profile {
    fn default() -> Self {
        Self { slots: [Slot::default(); SLOTS] }
    }
}

/// Where the slot of an hour of the week lies.
fn place(slot: usize) -> usize {
    slot % 24 * 7 + slot / 24 % 7
}

/// Packs a spread and a number of weeks.
fn pack(spread: f64, weeks: u16) -> u16 {
    // Adding half of the last kept bit rounds to nearest; a finite spread below 1e30 cannot carry into the sign.
    let bits = (spread.clamp(0.0, 1e30) as f32).to_bits().wrapping_add(1 << 18) >> 19;
    ((bits & 0xfff) as u16) << 4 | weeks.min(15)
}

/// Packs a centre, to nearest.
fn pack_centre(centre: f64) -> [u8; 3] {
    // Values are judged within 1e30, and rounding such a number cannot carry into the sign.
    let bits = (centre as f32).to_bits().wrapping_add(1 << 7);
    let [_, low, middle, high] = bits.to_le_bytes();
    [low, middle, high]
}

impl Profile {
    /// Centres, and spreads with weeks, by hour of the week, as they are kept on disk.
    #[must_use]
    pub fn parts(&self) -> (Vec<f32>, Vec<u16>) {
        (0..SLOTS).map(|slot| (self.slot(slot).centre(), u16::from_le_bytes(self.slot(slot).spread))).unzip()
    }

    /// Takes the parts back; what is missing or not finite becomes "not known".
    #[must_use]
    pub fn from_parts(centres: &[f32], spreads: &[u16]) -> Self {
        let mut profile = Self::default();
        for (slot, (centre, spread)) in centres.iter().zip(spreads).enumerate().take(SLOTS) {
            if centre.is_finite() {
                let centre = pack_centre(f64::from(*centre));
                profile.slots[place(slot)] = Slot { centre, spread: spread.to_le_bytes() };
            }
        }
        profile
    }

    /// The slot of an hour of the week.
    #[must_use]
    pub fn slot(&self, slot: usize) -> Slot {
        self.slots[place(slot)]
    }

    /// Replaces the slot of an hour of the week.
    pub fn set(&mut self, slot: usize, known: Slot) {
        self.slots[place(slot)] = known;
    }

    /// Median over the seven days of what `of` says of the same hour.
    #[must_use]
    pub fn day_median(&self, slot: usize, of: impl Fn(Slot) -> Option<f64>) -> Option<f64> {
        let mut found = [0.0; 7];
        let mut count = 0;
        for day in 0..7 {
            if let Some(value) = of(self.slot(slot + day * 24)) {
                found[count] = value;
                count += 1;
            }
        }
        let known = found.get_mut(..count)?;
        known.sort_unstable_by(f64::total_cmp);
        match count {
            0 => None,
            odd if odd % 2 == 1 => Some(known[odd / 2]),
            even => Some((known[even / 2 - 1] + known[even / 2]) / 2.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::detect::scale::Scale;
    use crate::engine::model::{SeriesRole, Unit};

    #[test]
    fn spreads_pack_within_a_few_per_cent() {
        for spread in [1e-9, 0.002, 1.0, 17.3, 1e13, 1e29] {
            let slot = Slot::new(0.0, spread, 3);
            let back = slot.spread().unwrap();
            assert!((back / spread - 1.0).abs() < 0.04, "{spread} {back}");
            assert_eq!(slot.weeks(), 3);
        }
        assert_eq!(pack(0.0, 15), 15);
    }

    #[test]
    fn packing_a_centre_moves_no_score_by_a_fiftieth_of_a_sigma() {
        let cases = [
            (Unit::Count, SeriesRole::Other, false),
            (Unit::Bytes, SeriesRole::Saturation, false),
            (Unit::PerSecond, SeriesRole::Traffic, false),
            (Unit::Ratio, SeriesRole::Saturation, false),
            (Unit::Ratio, SeriesRole::Errors, false),
            (Unit::Seconds, SeriesRole::Latency, true),
        ];
        for (unit, role, is_skewed) in cases {
            let scale = Scale::new(unit, role, is_skewed);
            for step in 0..60_000 {
                // Every magnitude from 1e-6 to 1e9; shares stay near the whole.
                let value = 10f64.powf(f64::from(step) / 4_000.0 - 6.0);
                let value = scale.apply(if unit == Unit::Ratio { value.min(1.0 + 1.0 / value) } else { value });
                for value in [value, -value] {
                    let moved = (f64::from(Slot::new(value, 0.0, 1).centre()) - value).abs();
                    // The smallest sigma there can be around it.
                    let sigmas = moved / scale.floor(value);
                    assert!(sigmas < 0.02, "{unit:?} {role:?} {value}: {sigmas}");
                }
            }
        }
    }

    #[test]
    fn a_profile_is_kept_by_hour_of_the_week() {
        let centres: Vec<f32> = (0..168_u8).map(f32::from).collect();
        let spreads: Vec<u16> = (0..168).map(|slot| pack(2.0, slot % 9)).collect();
        let profile = Profile::from_parts(&centres, &spreads);
        assert_eq!(profile.parts(), (centres, spreads));
        assert_eq!((profile.slot(100).centre(), profile.slot(268).centre()), (100.0, 100.0));
        let thursday_at_four = profile.day_median(100, |day| Some(f64::from(day.centre())));
        assert_eq!(thursday_at_four, Some(f64::from(3 * 24 + 4)));
    }
}
