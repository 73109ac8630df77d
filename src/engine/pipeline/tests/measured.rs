//! What was measured is there after a stop, and after a kill but for the last ten minutes.

use std::sync::Arc;

use crate::engine::clock::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::input::Input;
use crate::engine::job::{Job, Record};
use crate::engine::limits::PAST_KEPT_WITHIN_MS;
use crate::engine::model::{
    BadWhen, Labels, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal, Slot,
    SlotWidth, SourceName, Unit,
};
use crate::engine::pipeline::Engine;
use crate::engine::runbooks::Library;
use crate::engine::settings::EngineSettings;

const START: Timestamp = Timestamp(1_793_577_600_000);
const METRICS: u32 = 7;

fn engine(kept: &[Record], now: Timestamp) -> Engine {
    let mut engine = Engine::new(EngineSettings::default(), Library::shipped()).unwrap();
    engine.restore(kept.to_vec(), now);
    for local in 0..METRICS {
        let descriptor = SeriesDescriptor {
            metric: Arc::from(format!("metric-{local}")),
            service: ServiceName::new("cart"),
            instance: None,
            unit: Unit::Count,
            role: SeriesRole::Other,
            bad_when: BadWhen::High,
            is_skewed: false,
            limit: None,
            interval_ms: 15_000,
            labels: Labels::default(),
        };
        let notice = SeriesNotice { source: SourceName::new("made-up"), local, descriptor };
        engine.handle(Input::Signal(Signal::Series(notice)), now);
    }
    engine
}

/// What a store would hold of it: of each page what was written last.
fn keep(jobs: Vec<Job>, kept: &mut Vec<Record>) {
    for job in jobs {
        let (Job::Persist(records) | Job::PersistLater(records)) = job else { continue };
        kept.extend(records.into_iter().filter(|record| matches!(record, Record::PastPage(_))));
    }
}

fn minutes(engine: &Engine, local: u32) -> Vec<(Timestamp, Slot)> {
    engine.past_values().slots("cart", &format!("metric-{local}"), SlotWidth::FiveMinutes)
}

#[test]
fn a_stop_loses_nothing_and_a_kill_ten_minutes_at_most() {
    let mut kept = Vec::new();
    let mut live = engine(&[], START);
    let until = START + HOUR_MS + 3 * MINUTE_MS;
    let mut now = START;
    while now < until {
        now = now + SECOND_MS;
        if now.since_ms(START) % (15 * SECOND_MS) == 0 {
            let sample = |local| Sample { local, at: now, value: f64::from(local) + (now.0 % 7) as f64 };
            let samples = (0..METRICS).map(sample).collect();
            let batch = SampleBatch { source: SourceName::new("made-up"), is_backfill: false, samples };
            keep(live.handle(Input::Signal(Signal::Samples(batch)), now), &mut kept);
        }
        keep(live.handle(Input::Tick, now), &mut kept);
    }
    let killed = engine(&kept, now);
    for local in 0..METRICS {
        let (all, left) = (minutes(&live, local), minutes(&killed, local));
        let count = |slots: &[(Timestamp, Slot)]| slots.iter().map(|(_, slot)| i64::from(slot.count)).sum::<i64>();
        let lost_ms = (count(&all) - count(&left)) * 15 * SECOND_MS;
        assert!((0..=PAST_KEPT_WITHIN_MS).contains(&lost_ms), "metric {local}: {lost_ms} ms");
        assert!(count(&left) > 0);
    }
    keep(live.close(now), &mut kept);
    let stopped = engine(&kept, now);
    for local in 0..METRICS {
        assert_eq!(minutes(&stopped, local), minutes(&live, local));
    }
}
