//! The score of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015), normalised: no detection 0, perfection 100.
//!
//! Kept for comparability only: it is generous to noise.

use super::Judged;

/// What a true positive, a missed window and a false positive weigh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    hit: f64,
    miss: f64,
    noise: f64,
}

/// The standard profile.
pub const STANDARD: Profile = Profile { hit: 1.0, miss: 1.0, noise: 0.11 };
/// The profile that minds false alerts.
pub const LOW_FP: Profile = Profile { hit: 1.0, miss: 1.0, noise: 0.22 };
/// The profile that minds missed windows.
pub const LOW_FN: Profile = Profile { hit: 1.0, miss: 2.0, noise: 0.11 };

/// Share and number of rows that NAB sets aside at the start.
const PROBATION_SHARE: f64 = 0.15;
const PROBATION_ROWS_MAX: f64 = 750.0;

/// Value of a detection at a relative position: about 1 at a window's left edge, 0 at its right, -1 far past it.
fn curve(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * position).exp()) - 1.0 }
}

/// The score at the threshold `at`, or at the one that suits the corpus best.
#[must_use]
pub fn score(series: &[Judged], profile: Profile, at: Option<f64>) -> f64 {
    // What each row adds to the sum once the threshold has come down to its score.
    let mut gains: Vec<(f64, f64)> = Vec::new();
    let mut windows = 0.0;
    for one in series {
        windows += one.events.len() as f64;
        gather(one, profile, &mut gains);
    }
    gains.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut sum = 0.0;
    let mut best = 0.0_f64;
    let mut rows = gains.iter().peekable();
    while let Some(&(score, gain)) = rows.next() {
        if at.is_some_and(|at| score < at) {
            break;
        }
        sum += gain;
        if rows.peek().is_none_or(|next| next.0 < score) {
            best = best.max(sum);
        }
    }
    let reached = if at.is_some() { sum } else { best };
    100.0 * reached / (windows * (profile.hit + profile.miss))
}

fn gather(one: &Judged, profile: Profile, gains: &mut Vec<(f64, f64)>) {
    let rows = one.scores.len();
    let probation = (PROBATION_SHARE * rows as f64).floor().min(PROBATION_ROWS_MAX) as usize;
    let mut spans: Vec<(usize, usize)> = one.events.iter().map(|event| (event.0, event.1)).collect();
    spans.sort_unstable();
    let mut value = vec![-profile.noise; rows];
    let mut inside = vec![usize::MAX; rows];
    for (at, &(first, last)) in spans.iter().enumerate() {
        let width = (last - first + 1) as f64;
        for row in first..=last {
            value[row] = curve(-((last - row + 1) as f64) / width) * profile.hit / curve(-1.0);
            inside[row] = at;
        }
        let until = spans.get(at + 1).map_or(rows, |next| next.0);
        for (row, value) in value.iter_mut().enumerate().take(until).skip(last + 1) {
            *value = curve((row - last) as f64 / (width - 1.0).max(1.0)) * profile.noise;
        }
    }
    for row in probation..rows {
        if inside[row] == usize::MAX {
            gains.push((one.scores[row], value[row]));
        }
    }
    for at in 0..spans.len() {
        let mut hits: Vec<usize> = (probation..rows).filter(|row| inside[*row] == at).collect();
        hits.sort_by(|a, b| one.scores[*b].total_cmp(&one.scores[*a]));
        let mut best = -profile.miss;
        for row in hits {
            let next = best.max(value[row]);
            gains.push((one.scores[row], next - best));
            best = next;
        }
    }
}
