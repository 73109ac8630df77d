//! How long after a failure each kind of complaint is heard, learned from the cases: a rule that waits five minutes says so
//! by when it speaks. Kernel density estimates over seconds since the onset, calls taken off, on top of the tables of
//! [`delay`], which count as much as the first few times heard.

use super::case::Case;
use super::delay::{self, Pace};
use super::face::Face;
use super::places::{Places, Root};

const BIN_S: f64 = 15.0;
/// Bins before the onset, and all.
const BEFORE: i64 = 6;
const BINS: usize = 86;
/// The kernel is a triangle that ends so many bins away.
const KERNEL: i64 = 5;
/// The tables count as much as this many times heard.
const TABLE_COUNTS: f64 = 2.0;
/// With more than this heard of a name, older times count half.
const HEARD_MAX: f64 = 400.0;

/// When one name was heard.
#[derive(Debug, Clone)]
struct Times {
    /// Already smoothed: sums of kernels.
    bins: [f32; BINS],
    count: f64,
}

impl Default for Times {
    fn default() -> Self {
        Self { bins: [0.0; BINS], count: 0.0 }
    }
}

impl Times {
    fn take(&mut self, bin: usize) {
        let height = (KERNEL * KERNEL) as f32;
        for off in 1 - KERNEL..KERNEL {
            let at = usize::try_from(bin as i64 + off).ok().and_then(|at| self.bins.get_mut(at));
            if let Some(at) = at {
                *at += (KERNEL - off.abs()) as f32 / height;
            }
        }
        self.count += 1.0;
    }

    fn halve(&mut self) {
        self.bins.iter_mut().for_each(|bin| *bin /= 2.0);
        self.count /= 2.0;
    }
}

/// See the module. By name: in cases that are over, and in those that live.
#[derive(Debug, Default)]
pub struct Lags {
    over: Vec<Times>,
    live: Vec<Times>,
}

fn bin(after_s: f64) -> Option<usize> {
    usize::try_from((after_s / BIN_S).floor() as i64 + BEFORE).ok().filter(|bin| *bin < BINS)
}

impl Lags {
    /// Begins to hear anew what live cases have heard.
    pub fn begin(&mut self) {
        for times in self.live.iter_mut().filter(|times| times.count > 0.0) {
            *times = Times::default();
        }
    }

    /// Hears all of a case: as one that lives, or for good.
    pub fn take(&mut self, places: &Places, faces: &[Face], case: &Case, is_over: bool) {
        if case.view.root == Root::Burst || case.pace == Pace::Quick {
            return;
        }
        let of = if is_over { &mut self.over } else { &mut self.live };
        for (face, at) in &case.fresh {
            let face = &faces[*face as usize];
            let (share, hops) = case.view.reach(places, face);
            let after_s = (at - case.onset) as f64 / 1e3 - delay::calls_s(case.pace, hops);
            let Some(bin) = bin(after_s).filter(|_| share > 0.0) else { continue };
            let name = face.name as usize;
            if of.len() <= name {
                of.resize_with(name + 1, Times::default);
            }
            of[name].take(bin);
            if of[name].count > HEARD_MAX {
                of[name].halve();
            }
        }
    }

    /// The density, a second, of `face` heard so long after the onset.
    pub fn density(&self, face: &Face, pace: Pace, after_s: f64, hops: u8) -> f64 {
        let table = delay::density(pace, face.kind, after_s, hops);
        if pace == Pace::Quick {
            return table;
        }
        let Some(bin) = bin(after_s - delay::calls_s(pace, hops)) else { return table };
        let (mut near, mut count) = (0.0, 0.0);
        for of in [&self.over, &self.live] {
            if let Some(times) = of.get(face.name as usize) {
                near += f64::from(times.bins[bin]);
                count += times.count;
            }
        }
        (near / BIN_S + TABLE_COUNTS * table) / (count + TABLE_COUNTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::correlate::evidence::case::View;
    use crate::engine::correlate::evidence::casebook::Casebook;
    use crate::engine::correlate::evidence::labels;

    /// A case at `db` in which pods of it say `name` about `after_s` later.
    fn heard(name: &str, after_s: i64) -> (Casebook, Vec<Face>, Case) {
        let mut book = Casebook::default();
        let mut faces = Vec::new();
        for pod in ["db-0", "db-1", "db-2", "db-3"] {
            faces.push(labels::read(&mut book, name, None, [("service", "db"), ("pod", pod)].into_iter()));
        }
        faces.push(labels::read(&mut book, "GoroutinesHigh", None, [("service", "db")].into_iter()));
        let root = Root::Service(faces[0].service.unwrap());
        let mut case = Case::new(0, View::new(&book.places, root, 0.0), Pace::Held, 0);
        case.fresh = (0..4_u32).map(|face| (face, after_s * 1_000 + i64::from(face) * 9_000)).collect();
        (book, faces, case)
    }

    #[test]
    fn a_rule_that_waits_is_known_by_when_it_speaks() {
        let (book, faces, case) = heard("CPUThrottlingHigh", 400);
        let mut lags = Lags::default();
        let before = lags.density(&faces[0], Pace::Held, 410.0, 0);
        let early = lags.density(&faces[0], Pace::Held, 60.0, 0);
        lags.take(&book.places, &faces, &case, false);
        assert!(lags.density(&faces[0], Pace::Held, 410.0, 0) > 2.0 * before);
        assert!(lags.density(&faces[0], Pace::Held, 60.0, 0) < early);
        let other = delay::density(Pace::Held, faces[4].kind, 410.0, 0);
        assert!((lags.density(&faces[4], Pace::Held, 410.0, 0) - other).abs() < 1e-12, "another name is not concerned");
        lags.begin();
        assert!((lags.density(&faces[0], Pace::Held, 410.0, 0) - before).abs() < 1e-12, "live cases are heard anew");
    }

    #[test]
    fn it_follows_what_changes_and_stays_bounded() {
        let mut lags = Lags::default();
        let (book, faces, old) = heard("CPUThrottlingHigh", 400);
        for _ in 0..1_000 {
            lags.take(&book.places, &faces, &old, true);
        }
        assert!(lags.over.iter().all(|times| times.count <= HEARD_MAX));
        let (book, faces, new) = heard("CPUThrottlingHigh", 100);
        for _ in 0..300 {
            lags.take(&book.places, &faces, &new, true);
        }
        let at = |after_s| lags.density(&faces[0], Pace::Held, after_s, 0);
        assert!(at(110.0) > 3.0 * at(410.0), "the rule was changed: {} {}", at(110.0), at(410.0));
    }

    #[test]
    fn the_density_stays_one_and_far_moments_are_no_panic() {
        let (book, faces, case) = heard("CPUThrottlingHigh", 400);
        let mut lags = Lags::default();
        lags.take(&book.places, &faces, &case, true);
        let whole: f64 = (-90..1_800).map(|at| lags.density(&faces[0], Pace::Held, f64::from(at) + 0.5, 0)).sum();
        assert!((0.9..1.1).contains(&whole), "{whole}");
        for after_s in [f64::NEG_INFINITY, -1e12, 1e12, f64::NAN] {
            assert!(lags.density(&faces[0], Pace::Held, after_s, 255) < 1e-3);
        }
    }
}
