//! Rows of numbers in one byte or two each, in a unit of their own that grows when a number does not fit.

use super::pen::Pen;

/// An integer that a cell is kept in.
pub trait Cell: Copy + Default {
    /// The largest.
    const MOST: f32;
    /// From a rounded number within ±`MOST`.
    fn from_rounded(value: f32) -> Self;
    /// Back.
    fn to_f32(self) -> f32;
    /// A row of them, written or read.
    fn walk(row: &mut [Self], pen: &mut Pen<'_>);
}

impl Cell for i8 {
    fn walk(row: &mut [Self], pen: &mut Pen<'_>) {
        pen.row(row, Self::to_le_bytes, Self::from_le_bytes);
    }

    const MOST: f32 = 127.0;
    fn from_rounded(value: f32) -> Self {
        value as Self
    }
    fn to_f32(self) -> f32 {
        f32::from(self)
    }
}

impl Cell for i16 {
    fn walk(row: &mut [Self], pen: &mut Pen<'_>) {
        pen.row(row, Self::to_le_bytes, Self::from_le_bytes);
    }

    const MOST: f32 = 32_767.0;
    fn from_rounded(value: f32) -> Self {
        value as Self
    }
    fn to_f32(self) -> f32 {
        f32::from(self)
    }
}

/// `N` numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells<T, const N: usize> {
    unit: f32,
    cells: [T; N],
}

impl<T: Cell, const N: usize> Default for Cells<T, N> {
    fn default() -> Self {
        Self { unit: 0.0, cells: [T::default(); N] }
    }
}

impl<T: Cell, const N: usize> Cells<T, N> {
    pub fn walk(&mut self, pen: &mut Pen<'_>) {
        pen.f32(&mut self.unit);
        T::walk(&mut self.cells, pen);
    }

    /// The number at `at`; 0 outside.
    pub fn get(&self, at: usize) -> f32 {
        self.cells.get(at).map_or(0.0, |cell| cell.to_f32() * self.unit)
    }

    /// Puts a number in, rounded to the unit.
    pub fn set(&mut self, at: usize, value: f32) {
        let need = value.abs() / T::MOST;
        if need > self.unit && need.is_finite() {
            // Twice what is needed, so that a slow rise does not rewrite everything each time.
            let unit = if self.unit > 0.0 { 2.0 * need } else { 4.0 * need };
            let shrink = self.unit / unit;
            for cell in &mut self.cells {
                *cell = T::from_rounded((cell.to_f32() * shrink).round());
            }
            self.unit = unit;
        }
        if let Some(cell) = self.cells.get_mut(at)
            && self.unit > 0.0
        {
            *cell = T::from_rounded((value / self.unit).round().clamp(-T::MOST, T::MOST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_within_a_unit_however_they_grow() {
        let mut cells = Cells::<i8, 4>::default();
        for (at, value) in [(0, 1.0), (1, -3.0), (2, 40.0), (3, -1_000.0)] {
            cells.set(at, value);
        }
        // A hundred and twenty-seven steps either way, at most halved by growing.
        let unit = 2.0 * 1_000.0 / 127.0;
        for (at, value) in [(0, 1.0), (1, -3.0), (2, 40.0), (3, -1_000.0)] {
            assert!((cells.get(at) - value).abs() <= 2.0 * unit, "{at}: {}", cells.get(at));
        }
    }

    #[test]
    fn what_does_not_fit_any_unit_is_left() {
        let mut cells = Cells::<i16, 2>::default();
        cells.set(0, 5.0);
        cells.set(1, f32::INFINITY);
        cells.set(7, 1.0);
        assert!((cells.get(0) - 5.0).abs() < 1e-3 && cells.get(1).is_finite() && cells.get(7) == 0.0);
    }
}
