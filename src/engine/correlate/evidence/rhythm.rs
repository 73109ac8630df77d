//! The rhythm of a stream: does it come in bursts that each begin at once, as detectors speak, or slowly, as rules speak that
//! wait until a condition has held? And where bursts begin. Both are read off the times alone, as the shortest way to tell
//! them: a row of incidents, each of which begins with a beat and then is heard ever less (a Poisson cluster), the best
//! division of which is found by dynamic programming over where one begins.

use std::collections::VecDeque;
use std::sync::LazyLock;

/// How far back beats are remembered, and how many.
const WINDOW_MS: i64 = 1_800_000;
const BEATS_MAX: usize = 600;
/// What one place says under one name within this is one beat: one scrape, one request.
const GRAIN_MS: i64 = 1_000;
/// Incidents that begin nearer to each other than this are one.
const APART_MS: i64 = 15_000;
/// What an incident must save, in nats, to be worth telling.
const COST: f64 = 9.0;
/// What bursts must save beyond slow incidents before the stream is taken for one of bursts, in nats: odds of three
/// thousand to one. And the other way round before it is not any more.
const CLEARLY: f64 = 8.0;

/// Seconds of the tables.
const REACH_S: usize = 2_000;

/// Slow and prompt shapes an incident can have.
const PROMPT: usize = 2;
const SLOW: usize = 3;
const SHAPES: usize = PROMPT + SLOW;

/// For a second since an incident began: the density of beats in each shape and the share of them heard by then, as logarithms.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    density: [f32; SHAPES],
    share: [f32; SHAPES],
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let most_at_once = |x: f64| 0.4 * exponential(x, 12.0) + 0.4 * exponential(x, 60.0) + 0.2 * exponential(x, 250.0);
    let some_at_once = |x: f64| 0.2 * exponential(x, 12.0) + 0.5 * exponential(x, 120.0) + 0.3 * exponential(x, 250.0);
    let rising = |x: f64| 0.5 * gamma(x, 2.5, 60.0) + 0.25 * gamma(x, 3.0, 32.0) + 0.25 * exponential(x, 300.0);
    // The same with its repeats in the quarter of an hour that follows.
    let lasting = |x: f64| {
        let begun: f64 = (0..12_u8).map(|part| rising(x - 95.0 - 70.0 * f64::from(part))).sum();
        0.4 * rising(x) + 0.6 * begun / 12.0
    };
    let even = |x: f64| if x < 1_800.0 { 1.0 } else { 0.0 };
    let mut rows = vec![Row::default(); REACH_S];
    let shapes: [&dyn Fn(f64) -> f64; SHAPES] = [&most_at_once, &some_at_once, &rising, &lasting, &even];
    for (nth, shape) in shapes.into_iter().enumerate() {
        let raw: Vec<f64> = (0..REACH_S).map(|second| shape(second as f64 + 0.5)).collect();
        let whole: f64 = raw.iter().sum();
        let mut share = 0.0;
        for (row, value) in rows.iter_mut().zip(&raw) {
            share += value / whole;
            row.density[nth] = (value / whole + 1e-9).ln() as f32;
            row.share[nth] = share.max(1e-3).ln() as f32;
        }
    }
    rows
});

fn exponential(x: f64, mean: f64) -> f64 {
    if x < 0.0 { 0.0 } else { (-x / mean).exp() / mean }
}

/// Shapes of a gamma density up to a constant that makes the ones used here comparable.
fn gamma(x: f64, shape: f64, scale: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    // The gamma function at 2.5 and 3.
    let of_shape = if shape < 3.0 { 1.329_340_388_179_137 } else { 2.0 };
    (x / scale).powf(shape - 1.0) * (-x / scale).exp() / (of_shape * scale)
}

fn second(ms: i64) -> usize {
    usize::try_from(ms / 1_000).unwrap_or(0).min(REACH_S - 1)
}

/// Logarithms of counts.
static LOGS: LazyLock<Vec<f32>> =
    LazyLock::new(|| (0..=BEATS_MAX + 1).map(|count| (count.max(1) as f32).ln()).collect());

/// A beat as the beginning of an incident.
#[derive(Debug, Clone, Copy)]
struct Beat {
    at: i64,
    /// Not where one was heard at the same moment just before, nor where one had hardly begun.
    may_begin: bool,
    /// The sums of the densities of all beats since, as logarithms.
    sums: [f32; SHAPES],
    /// The best that can be made of all beats before this one, by prompt incidents and by slow ones, and where the
    /// last of the prompt ones began.
    before: [f64; 2],
    began: u64,
}

/// The best that can be made of all beats.
#[derive(Debug, Clone, Copy)]
struct Telling {
    value: [f64; 2],
    began: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Rhythm {
    beats: VecDeque<Beat>,
    /// The number of the first beat.
    front: u64,
    /// What was heard within the grain.
    lately: Vec<(u64, i64)>,
}

impl Rhythm {
    /// Hears what a place says: `voice` is the same for the same name from the same place.
    pub fn hear(&mut self, voice: u64, at: i64) {
        let at = self.beats.back().map_or(at, |last| at.max(last.at));
        self.lately.retain(|(_, heard)| at - heard < GRAIN_MS);
        if self.lately.iter().any(|(same, _)| *same == voice) {
            return;
        }
        self.lately.push((voice, at));
        while self.beats.len() >= BEATS_MAX || self.beats.front().is_some_and(|first| at - first.at > WINDOW_MS) {
            self.beats.pop_front();
            self.front += 1;
        }
        let told = self.told(at);
        let began = told.began.checked_sub(self.front).and_then(|nth| self.beats.get(usize::try_from(nth).ok()?));
        let is_apart = began.is_none_or(|began| at - began.at >= APART_MS);
        let may_begin = is_apart && self.beats.back().is_none_or(|last| at > last.at);
        self.beats.push_back(Beat { at, may_begin, sums: [0.0; SHAPES], before: told.value, began: told.began });
        let rows = &*ROWS;
        for beat in &mut self.beats {
            let row = &rows[second(at - beat.at)];
            for (sum, density) in beat.sums.iter_mut().zip(&row.density) {
                *sum += density;
            }
        }
    }

    /// The best that can be made of all beats, if nothing more is heard until `until`.
    fn told(&self, until: i64) -> Telling {
        let Some(first) = self.beats.front() else { return Telling { value: [0.0; 2], began: 0 } };
        let (rows, logs) = (&*ROWS, &*LOGS);
        // Relative to the oldest, to be exact enough in few bits.
        let base = first.before;
        let mut best = [f32::NEG_INFINITY; 2];
        let mut began = 0;
        let count = self.beats.len();
        for (nth, beat) in self.beats.iter().enumerate() {
            if !beat.may_begin {
                continue;
            }
            let heard = (count - nth) as f32;
            let whole = heard * (logs[count - nth] - 1.0);
            let row = &rows[second(until - beat.at)];
            let mut of = [0.0_f32; SHAPES];
            for (of, (sum, share)) in of.iter_mut().zip(beat.sums.iter().zip(&row.share)) {
                *of = sum - heard * share;
            }
            let prompt = (beat.before[0] - base[0]) as f32 + whole + of[0].max(of[1]);
            let slow = (beat.before[1] - base[1]) as f32 + whole + of[2].max(of[3]).max(of[4]);
            if prompt > best[0] {
                (best[0], began) = (prompt, nth as u64);
            }
            best[1] = best[1].max(slow);
        }
        Telling {
            value: [base[0] + f64::from(best[0]) - COST, base[1] + f64::from(best[1]) - COST],
            began: self.front + began,
        }
    }

    /// When the bursts began that are within reach, where the stream is one of bursts; `was_prompt` where it was before.
    pub fn bursts(&self, now: i64, was_prompt: bool) -> Option<Vec<i64>> {
        let told = self.told(now);
        let before = self.beats.front()?.before;
        let saves = (told.value[0] - before[0]) - (told.value[1] - before[1]);
        if saves < if was_prompt { -CLEARLY } else { CLEARLY } {
            return None;
        }
        let mut found = Vec::new();
        let mut began = told.began;
        while let Some(at) = began.checked_sub(self.front).and_then(|at| usize::try_from(at).ok()) {
            let Some(beat) = self.beats.get(at) else { break };
            found.push(beat.at);
            if at == 0 {
                break;
            }
            began = beat.began;
        }
        found.reverse();
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beats of distinct voices at these seconds.
    fn heard(seconds: impl IntoIterator<Item = f64>) -> Rhythm {
        let mut rhythm = Rhythm::default();
        for (voice, second) in (0..).zip(seconds) {
            rhythm.hear(voice, (second * 1e3) as i64);
        }
        rhythm
    }

    /// A burst as detectors make it: half at once, the rest ever later.
    fn burst(from: f64) -> Vec<f64> {
        (0..24).map(|nth| from + f64::from(nth * nth * nth) / 100.0).collect()
    }

    #[test]
    fn bursts_are_found_where_they_begin() {
        let rhythm = heard(burst(0.0).into_iter().chain(burst(300.0)).chain(burst(1_000.0)));
        let began = rhythm.bursts(1_200_000, false).expect("bursts");
        assert_eq!(began.len(), 3, "{began:?}");
        for (began, expected) in began.iter().zip([0, 300_000, 1_000_000]) {
            assert!((began - expected).abs() < 2_000, "{began} for {expected}");
        }
    }

    #[test]
    fn what_rises_slowly_or_stays_even_is_no_burst() {
        let even = heard((0..200).map(|nth| f64::from(nth) * 7.3));
        assert_eq!(even.bursts(1_500_000, false), None);
        // Denser towards two minutes, thinner after: rules that wait.
        let rising = heard((0..60).map(|nth| 120.0 + 1.6 * f64::from(nth) - 80.0 * (-f64::from(nth) / 12.0).exp()));
        assert_eq!(rising.bursts(400_000, false), None);
        assert_eq!(Rhythm::default().bursts(0, false), None);
    }

    #[test]
    fn the_same_voice_within_a_second_is_one_beat() {
        let mut rhythm = Rhythm::default();
        for nth in 0..10 {
            rhythm.hear(7, nth * 50);
        }
        assert_eq!(rhythm.beats.len(), 1);
        rhythm.hear(7, 1_500);
        rhythm.hear(8, 1_400);
        assert_eq!(rhythm.beats.len(), 3, "later, and another; steps back count as now");
    }

    #[test]
    fn what_begins_at_once_is_one_burst_however_sharp() {
        // Most within two seconds, the rest ever rarer for minutes.
        let sharp = |from: f64| (1..80).map(move |nth| from + 200.0 / f64::from(81 - nth));
        let rhythm = heard(sharp(0.0).chain(sharp(600.0)));
        let began = rhythm.bursts(900_000, false).expect("bursts");
        assert!(began.windows(2).all(|pair| pair[1] - pair[0] >= APART_MS), "{began:?}");
    }

    #[test]
    fn memory_is_bounded() {
        let rhythm = heard((0..5_000).map(|nth| f64::from(nth) * 0.9));
        assert!(rhythm.beats.len() <= BEATS_MAX);
        assert_eq!(rhythm.bursts(4_500_000, false), None);
    }
}
