//! A series with little history is judged by what it has shown so far.

use super::super::SeriesState;
use super::Bench;
use super::bench_source::{Noise, plain};
use crate::engine::model::{AnomalyState, DetectionMethod, Direction};

/// Three days of noise around a hundred, as they happen.
fn three_days() -> Bench {
    let mut bench = Bench::new(vec![plain("load")]);
    let mut noise = Noise(21);
    bench.run(3, false, |_, _| 100.0 + 4.0 * noise.normal());
    bench
}

#[test]
fn noise_of_a_new_series_is_quiet() {
    let mut bench = Bench::new((0..8).map(|at| plain(&format!("load{at}"))).collect());
    let mut noise = Noise(22);
    bench.run(13, false, |local, _| (50.0 + local as f64) * (1.0 + 0.1 * noise.normal()));
    assert!(bench.began() <= 1, "{}", bench.began());
}

#[test]
fn what_a_new_series_never_showed_is_an_anomaly_until_it_is_back() {
    for (away, direction) in [(300.0, Direction::Above), (-300.0, Direction::Below)] {
        let mut bench = three_days();
        assert_eq!(bench.began(), 0);
        for _ in 0..8 {
            bench.step(false, &[100.0 + away]);
        }
        let found = bench.last_of("load").clone();
        assert_eq!((found.method, found.direction), (DetectionMethod::OwnHistory, direction));
        assert_eq!(found.state, AnomalyState::Active);
        assert!((found.expected.centre - 100.0).abs() < 5.0, "{:?}", found.expected);
        for _ in 0..5 {
            bench.step(false, &[100.0]);
        }
        assert_eq!(bench.last_of("load").state, AnomalyState::Ended);
        assert_eq!(bench.began(), 1);
    }
}

#[test]
fn one_odd_sample_of_a_new_series_is_none() {
    let mut bench = three_days();
    bench.step(false, &[900.0]);
    for _ in 0..20 {
        bench.step(false, &[100.0]);
    }
    assert_eq!(bench.began(), 0);
}

#[test]
fn what_a_new_series_departed_from_is_kept_over_a_restart() {
    let mut bench = three_days();
    bench.step(false, &[400.0]);
    bench.detection.keep_everything();
    let kept: Vec<SeriesState> = bench.detection.series_to_keep(usize::MAX);
    let mut second = Bench::new(Vec::new());
    for state in kept {
        let back: SeriesState = postcard::from_bytes(&postcard::to_stdvec(&state).unwrap()).unwrap();
        assert_eq!(back, state);
        second.detection.restore_series(back);
    }
    for notice in &bench.notices {
        second.detection.define(notice);
    }
    (second.now, second.notices) = (bench.now, bench.notices.clone());
    for both in [&mut bench, &mut second] {
        for _ in 0..4 {
            both.step(false, &[400.0]);
        }
    }
    assert_eq!(bench.last_of("load").expected, second.last_of("load").expected);
    assert_eq!(bench.began(), second.began());
}
