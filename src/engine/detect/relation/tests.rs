//! Services made up for the purpose: what is only noise stays quiet (an alert in five days at most; without the bounds of
//! an answer it would be one or two a day), a broken relation is found and named.

use super::*;

/// Reproducible noise (SplitMix64 and Box-Muller).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn gauss(&mut self) -> f64 {
        (-2.0 * self.uniform().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

const STEP_S: f64 = 300.0;
const ROWS_A_DAY: usize = 288;

/// A server whose metrics all follow its load, each in its own unit: load and season, and a little noise of their own.
struct Server {
    noise: Noise,
    load: f64,
    row: usize,
}

impl Server {
    fn new(seed: u64) -> Self {
        Self { noise: Noise(seed), load: 0.0, row: 0 }
    }

    fn next(&mut self, width: usize) -> (f64, Vec<f64>) {
        let at = self.row as f64 * STEP_S;
        self.row += 1;
        self.load = 0.95 * self.load + 0.1 * self.noise.gauss();
        let level = 1.0 + 0.5 * (at / DAY_S * std::f64::consts::TAU).sin() + self.load;
        let cell = |at: usize, noise: &mut Noise| {
            (level * (0.5 + at as f64 / 8.0) + 0.05 * noise.gauss()) * 10_f64.powi(at as i32 % 7)
        };
        (at, (0..width).map(|at| cell(at, &mut self.noise)).collect())
    }
}

fn alerts(width: usize, days: usize, mut next: impl FnMut(usize) -> Vec<f64>) -> usize {
    let mut scorer = ServiceScorer::new(width);
    let rows = (0..days * ROWS_A_DAY).map(|row| scorer.observe(row as f64 * STEP_S, &next(row)).score >= 0.5);
    let rows: Vec<bool> = rows.collect();
    rows.windows(2).skip(5 * ROWS_A_DAY).filter(|pair| !pair[0] && pair[1]).count()
}

#[test]
fn what_is_only_noise_stays_quiet() {
    let mut noise = Noise(7);
    assert!(alerts(10, 25, |_| (0..10).map(|_| noise.gauss()).collect()) <= 4, "independent");
    let mut server = Server::new(3);
    let one_load = alerts(10, 25, |_| server.next(10).1);
    assert!(one_load <= 4, "one load: {one_load}");
    let mut walk = vec![0.0; 6];
    let mut noise = Noise(9);
    let wander = |_| {
        walk.iter_mut().for_each(|at| *at += noise.gauss());
        walk.clone()
    };
    assert!(alerts(6, 25, wander) <= 4, "random walks");
    assert_eq!(alerts(4, 25, |_| vec![5.0, 0.0, -1e15, f64::NAN]), 0, "constants");
}

#[test]
fn a_broken_relation_is_found_and_named_though_every_metric_is_inside_its_bounds() {
    let (mut found, mut named) = (0, 0);
    for seed in 0..5 {
        let mut server = Server::new(seed);
        let mut scorer = ServiceScorer::new(8);
        let mut highest = f64::MIN;
        let onset = 12 * ROWS_A_DAY + 40 * seed as usize;
        let mut hit = None;
        for row in 0..onset + 12 {
            let (at, mut cells) = server.next(8);
            highest = if row < onset { highest.max(cells[5]) } else { highest };
            if row >= onset {
                // A load that this metric has every day, only not now.
                let level = cells[4] / 1.0 / 10_f64.powi(4);
                cells[5] = (if level > 1.0 { 0.6 } else { 1.4 }) * (0.5 + 5.0 / 8.0) * 10_f64.powi(5);
                assert!(cells[5] < highest);
            }
            let judged = scorer.observe(at, &cells);
            if row >= onset && judged.score >= 0.5 && hit.is_none() {
                hit = Some(scorer.shares()[0].metric == 5);
            }
        }
        found += usize::from(hit.is_some());
        named += usize::from(hit == Some(true));
    }
    assert!(found >= 4, "{found} of 5 found");
    assert!(named >= 4, "{named} of {found} named");
}

#[test]
fn a_jump_of_several_metrics_is_an_alert_at_once_and_does_not_alarm_on() {
    let mut server = Server::new(5);
    let mut scorer = ServiceScorer::new(8);
    let mut scores = Vec::new();
    for row in 0..20 * ROWS_A_DAY {
        let (at, mut cells) = server.next(8);
        if row >= 19 * ROWS_A_DAY {
            cells.iter_mut().for_each(|cell| *cell *= 4.0);
        }
        scores.push(scorer.observe(at, &cells).score);
    }
    let after = &scores[19 * ROWS_A_DAY..];
    assert!(after[..6].iter().any(|score| *score >= 0.5), "{:?}", &after[..12]);
    assert!(after[48..].iter().filter(|score| **score >= 0.5).count() < 24, "the new level is soon what there is");
}

#[test]
fn a_row_is_scored_by_what_came_before_it_alone() {
    let rows: Vec<(f64, Vec<f64>)> = {
        let mut server = Server::new(2);
        (0..3_000).map(|_| server.next(5)).collect()
    };
    let run = |count: usize| {
        let mut scorer = ServiceScorer::new(5);
        rows.iter().take(count).map(|(at, cells)| scorer.observe(*at, cells)).collect::<Vec<_>>()
    };
    assert_eq!(run(3_000)[..2_000], run(2_000)[..]);
}

#[test]
fn units_do_not_matter() {
    let run = |factor: f64| {
        let mut server = Server::new(4);
        let mut scorer = ServiceScorer::new(4);
        (0..2_000)
            .map(|_| {
                let (at, cells) = server.next(4);
                scorer.observe(at, &cells.iter().map(|cell| cell * factor).collect::<Vec<_>>()).stir
            })
            .collect::<Vec<_>>()
    };
    for (a, b) in run(1.0).iter().zip(run(1024.0)) {
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }
}

#[test]
fn anything_can_be_in_a_row() {
    let odd = [0.0, -0.0, 1e15, -1e308, f64::MAX, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1.0];
    let mut noise = Noise(1);
    for width in [0, 1, 2, 9, METRICS_MAX + 3] {
        let mut scorer = ServiceScorer::new(width);
        for row in 0..1_500_usize {
            let cells: Vec<f64> =
                (0..width + row % 3).map(|_| odd[(noise.uniform() * odd.len() as f64) as usize]).collect();
            let at = [row as f64 * 60.0, -5.0, f64::NAN, f64::INFINITY, 1e18][if row % 7 == 0 { row % 5 } else { 0 }];
            let judged = scorer.observe(at, &cells);
            assert!(judged.score.is_finite() && (0.0..=1.0).contains(&judged.score), "{judged:?}");
            assert!(scorer.shares().len() <= METRICS_MAX);
        }
    }
}

#[test]
fn surprise_counts_what_was_seen() {
    let mut tail = Tail::new(1e6);
    (1..=10_000).for_each(|size| tail.learn(f64::from(size) / 1_000.0));
    assert!((tail.surprise(9.0) - 10_f64.ln()).abs() < 0.2, "{}", tail.surprise(9.0));
    assert!((tail.quantile(0.5) - 5.0).abs() < 0.3, "{}", tail.quantile(0.5));
    assert!(tail.surprise(20.0) > tail.surprise(10.0) && tail.surprise(1e6) < 30.0);
}

#[test]
fn rarity_knows_how_many_independent_answers_there_are() {
    for count in [1, 2, 5] {
        let mut noise = Noise(count);
        let mut rarity = Rarity::new(1e6);
        let mut sum = || (0..count).map(|_| -noise.uniform().max(1e-12).ln()).sum::<f64>();
        (0..20_000).for_each(|_| {
            rarity.observe(sum());
        });
        let rare = (0..20_000).filter(|_| rarity.observe(sum()) >= 100_f64.ln()).count();
        assert!((100..400).contains(&rare), "of {count}: {rare} of 20000 are called rarer than one in a hundred");
    }
}
