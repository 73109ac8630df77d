//! What a scorer does on made-up series, and that nothing that comes in breaks it.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64;

use super::*;

const START_S: f64 = 1_700_000_000.0;

/// Scores of values at an interval.
fn scores(step_s: f64, values: impl IntoIterator<Item = f64>) -> Vec<Scored> {
    let mut scorer = SeriesScorer::new();
    values.into_iter().enumerate().map(|(at, value)| scorer.observe(START_S + at as f64 * step_s, value)).collect()
}

fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut random = Pcg64::seed_from_u64(seed);
    (0..count).map(|_| random.sample::<f64, _>(StandardNormal)).collect()
}

fn alerts(scored: &[Scored]) -> usize {
    scored.iter().filter(|one| one.score >= 0.5).count()
}

/// A day's wave, with noise.
fn wave(step_s: f64, count: usize) -> Vec<f64> {
    let noise = noise(5, count);
    let phase = |at: usize| (START_S + at as f64 * step_s) / DAY_S * std::f64::consts::TAU;
    (0..count).map(|at| 100.0 + 40.0 * phase(at).sin() + noise[at]).collect()
}

#[test]
fn a_series_fits_its_budget() {
    assert!(size_of::<SeriesScorer>() <= 640, "{}", size_of::<SeriesScorer>());
}

#[test]
fn a_state_comes_back_whole_from_its_bytes_or_not_at_all() {
    let mut scorer = SeriesScorer::new();
    for (at, value) in wave(300.0, 9 * 288).into_iter().enumerate() {
        scorer.observe(START_S + at as f64 * 300.0, value);
        if at % 500 == 0 {
            let bytes = scorer.to_bytes();
            assert!(bytes.len() <= size_of::<SeriesScorer>());
            let mut back = SeriesScorer::from_bytes(&bytes).unwrap();
            assert_eq!(*back, scorer);
            let next = START_S + at as f64 * 300.0 + 1.0;
            assert_eq!(back.observe(next, 500.0), scorer.clone().observe(next, 500.0));
        }
    }
    let mut bytes = scorer.to_bytes();
    assert!(SeriesScorer::from_bytes(&bytes[1..]).is_none());
    bytes[..8].copy_from_slice(&f64::NAN.to_le_bytes());
    assert!(SeriesScorer::from_bytes(&bytes).is_none());
    bytes.push(0);
    assert!(SeriesScorer::from_bytes(&bytes).is_none() && SeriesScorer::from_bytes(&[]).is_none());
}

#[test]
fn noise_is_quiet_at_every_interval() {
    for (step_s, days) in [(15.0, 5.0), (60.0, 14.0), (300.0, 40.0), (3_600.0, 300.0)] {
        let count = (days * DAY_S / step_s) as usize;
        let found: usize = (0..4)
            .map(|seed| alerts(&scores(step_s, noise(seed, count).into_iter().map(|value| 50.0 + 5.0 * value))))
            .sum();
        // One in some weeks, of which a young series has more.
        assert!(found as f64 <= 0.2 * 4.0 * days, "{step_s}: {found}");
    }
}

#[test]
fn a_spike_alerts_once_and_then_is_only_shown() {
    let mut values: Vec<f64> = noise(1, 3_000).into_iter().map(|value| 50.0 + 5.0 * value).collect();
    values[2_500..2_530].fill(250.0);
    let scored = scores(300.0, values);
    assert!(scored[2_500].score >= 0.5 && scored[2_500].kind == Evidence::Extreme, "{:?}", scored[2_500]);
    assert_eq!(alerts(&scored[2_500..2_600]), 1);
    assert!(scored[2_501..2_600].iter().all(|one| one.score > scored[2_499].score));
}

#[test]
fn what_repeats_every_day_is_expected() {
    let scored = scores(3_600.0, wave(3_600.0, 40 * 24));
    assert_eq!(alerts(&scored[10 * 24..]), 0);
    let last = scored.last().unwrap();
    assert!(last.sigma < 8.0, "{last:?}");
}

#[test]
fn a_day_that_stays_away_alerts_within_its_usual_range() {
    let mut values = wave(300.0, 21 * 288);
    let night = values.iter().copied().fold(f64::MAX, f64::min) + 5.0;
    values[20 * 288..].fill(night);
    let scored = scores(300.0, values);
    assert_eq!(alerts(&scored[10 * 288..20 * 288]), 0);
    let first = scored[20 * 288..].iter().find(|one| one.score >= 0.5);
    assert!(first.is_some());
}

#[test]
fn a_constant_series_alerts_at_its_first_change_and_learns_the_new_level() {
    let scored = scores(60.0, (0..8_000).map(|at| if at < 4_000 { 42.0 } else { 43.0 }));
    assert_eq!(alerts(&scored[..4_000]), 0);
    assert!(scored[4_000].score >= 0.5);
    assert_eq!(alerts(&scored[4_100..]), 0);
    assert!((scored[7_999].expected - 43.0).abs() < 0.01);
}

#[test]
fn a_change_of_interval_is_no_anomaly() {
    let mut scorer = SeriesScorer::new();
    let mut at_s = START_S;
    let values = noise(9, 6_000);
    let found = values.iter().enumerate().skip(1).filter(|(at, value)| {
        at_s += if *at < 3_000 { 300.0 } else { 60.0 };
        scorer.observe(at_s, 10.0 + **value).score >= 0.5
    });
    assert!(found.count() <= 2);
}

#[test]
fn what_happens_every_day_anyway_stops_alerting() {
    // Once a day at no fixed hour, out of nothing.
    let mut random = Pcg64::seed_from_u64(11);
    let mut values = vec![0.0; 40 * 288];
    for day in values.chunks_mut(288) {
        day[random.random_range(0..288)] = 1.0;
    }
    values[38 * 288 + 50] = 9.0;
    let scored = scores(300.0, values);
    assert!(alerts(&scored[..10 * 288]) > 0);
    assert_eq!(alerts(&scored[20 * 288..38 * 288 + 50]), 0);
    assert!(scored[38 * 288 + 50].score >= 0.5);
}

#[test]
fn a_slow_rise_is_followed() {
    let values = noise(3, 5_000).into_iter().enumerate().map(|(at, value)| at as f64 * 0.05 + value);
    assert!(alerts(&scores(300.0, values)[2_000..]) <= 2);
}

#[test]
fn values_of_any_size_are_told_apart() {
    for scale in [1e-12, 1.0, 1e15, 1e28] {
        let mut values: Vec<f64> = noise(4, 2_000).into_iter().map(|value| scale * (50.0 + value)).collect();
        values[1_900] = scale * 90.0;
        let scored = scores(60.0, values);
        assert!(scored[1_900].score >= 0.5, "{scale}");
        assert!(alerts(&scored[500..1_900]) <= 1, "{scale}");
    }
}

#[test]
fn what_is_no_number_changes_nothing() {
    let values = noise(7, 500);
    let (mut plain, mut mixed) = (SeriesScorer::new(), SeriesScorer::new());
    for (at, value) in values.iter().enumerate() {
        let at_s = START_S + at as f64 * 60.0;
        for nothing in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(mixed.observe(at_s, nothing).score, 0.0);
        }
        assert_eq!(mixed.observe(f64::NAN, 1.0).score, 0.0);
        assert_eq!(plain.observe(at_s, *value), mixed.observe(at_s, *value));
    }
}

proptest! {
    #[test]
    fn nothing_breaks_it(
        samples in proptest::collection::vec((any::<f64>(), -1e5..1e7_f64, any::<bool>()), 1..200),
    ) {
        let mut scorer = SeriesScorer::new();
        let mut at_s = START_S;
        for (wild, step_s, is_wild) in samples {
            at_s += step_s;
            let scored = scorer.observe(if is_wild && wild.is_finite() { wild } else { at_s }, wild);
            prop_assert!((0.0..=1.0).contains(&scored.score), "{scored:?}");
            prop_assert!(scored.evidence.is_finite() && scored.z.is_finite(), "{scored:?}");
            prop_assert!(scored.expected.is_finite() && scored.sigma.is_finite(), "{scored:?}");
        }
    }
}
