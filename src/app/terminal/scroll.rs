//! Finds the block of rows that moved up or down between two frames, so that the terminal can move it itself: a
//! scrolled list then costs one new row, not a screenful.

/// Rows `top..=bottom` move by `by`: up where positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// First row of the region.
    pub top: usize,
    /// Last row of the region, included.
    pub bottom: usize,
    /// Rows the content moves up; negative moves down.
    pub by: isize,
}

/// A block shorter than this is written again: the two sequences around a shift cost about as much.
const ROWS_MIN: usize = 4;

/// The shift that saves most rows, given a digest of each row before and after; `None` where it is not worth it.
#[must_use]
pub fn find(before: &[u64], after: &[u64]) -> Option<Shift> {
    let rows = before.len();
    if rows != after.len() {
        return None;
    }
    let changed = before.iter().zip(after).filter(|(old, new)| old != new).count();
    if changed < ROWS_MIN {
        return None;
    }
    let mut best: Option<(usize, Shift)> = None;
    for distance in 1..rows / 2 + 1 {
        for (gain, shift) in [best_block(before, after, distance, true), best_block(before, after, distance, false)]
            .into_iter()
            .flatten()
        {
            if best.is_none_or(|(best_gain, _)| gain > best_gain) {
                best = Some((gain, shift));
            }
        }
    }
    best.filter(|(gain, _)| *gain >= ROWS_MIN).map(|(_, shift)| shift)
}

/// The longest run of rows that reappear `distance` rows away, and how many of them would else be written again.
fn best_block(before: &[u64], after: &[u64], distance: usize, is_up: bool) -> Option<(usize, Shift)> {
    let pairs = before.len().checked_sub(distance)?;
    let mut best: Option<(usize, Shift)> = None;
    let mut start = 0;
    let mut gain = 0;
    for index in 0..=pairs {
        // Up: what was at `index + distance` is now at `index`. Down: the other way round.
        let (old, new) = if is_up { (index + distance, index) } else { (index, index + distance) };
        let is_same = index < pairs && before.get(old) == after.get(new);
        if is_same {
            gain += usize::from(before.get(new) != after.get(new));
            continue;
        }
        if index > start && best.is_none_or(|(best_gain, _)| gain > best_gain) {
            let by = isize::try_from(distance).unwrap_or(0);
            let shift = Shift { top: start, bottom: index - 1 + distance, by: if is_up { by } else { -by } };
            best = Some((gain, shift));
        }
        start = index + 1;
        gain = 0;
    }
    // Rows that scroll in blank cost again what stood there and stays.
    best.map(|(gain, shift)| (gain.saturating_sub(lost(before, after, &shift)), shift))
}

/// Rows of the region that were right before and are blanked by the shift.
fn lost(before: &[u64], after: &[u64], shift: &Shift) -> usize {
    let distance = shift.by.unsigned_abs();
    let blanked =
        if shift.by > 0 { shift.bottom + 1 - distance..=shift.bottom } else { shift.top..=shift.top + distance - 1 };
    blanked.filter(|row| before.get(*row) == after.get(*row)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_scrolls_between_its_frame_is_found() {
        let up = find(&[9, 1, 2, 3, 4, 5, 6, 8], &[9, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(up, Some(Shift { top: 1, bottom: 6, by: 1 }));
        let down = find(&[9, 3, 4, 5, 6, 7, 8, 0], &[9, 1, 2, 3, 4, 5, 6, 0]);
        assert_eq!(down, Some(Shift { top: 1, bottom: 6, by: -2 }));
    }

    #[test]
    fn what_is_cheaper_to_write_again_is_left_alone() {
        for (before, after) in [
            (&[1_u64, 2, 3, 4][..], &[1_u64, 2, 3, 4][..]),
            (&[1, 2, 3, 4], &[2, 3, 4, 5]),
            (&[1, 2, 3, 4, 5, 6], &[6, 5, 4, 3, 2, 1]),
            (&[7, 7, 7, 7, 7, 7], &[7, 7, 7, 7, 7, 1]),
        ] {
            assert_eq!(find(before, after), None, "{before:?} {after:?}");
        }
    }
}
