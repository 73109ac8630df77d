//! A source that tells as many samples a second as asked for.

use std::pin::Pin;
use std::sync::Arc;

use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::ingest::{SignalSink, Source, StopSignal, wall_clock};
use hypocenter::engine::model::{
    BadWhen, Labels, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal, SourceKind,
    SourceName, Unit,
};
use hypocenter::engine::runtime::source_list::SourceSpec;

/// Anomalous services first, then the others in scrape order, a sample each a second.
#[derive(Clone)]
pub struct Load {
    /// Series.
    pub count: u32,
    /// How many of them are anomalous from the start, each on a service of its own.
    pub anomalous: u32,
    /// After so many rounds nothing comes any more, where it is to become quiet.
    pub rounds: Option<u32>,
}

impl Load {
    /// What an engine is started with to be under it.
    pub fn spec(self) -> SourceSpec {
        SourceSpec {
            name: SourceName::new("load"),
            kind: SourceKind::Demo,
            address: Arc::from("made up"),
            make: Box::new(move |_| Ok(Box::new(Running { name: SourceName::new("load"), load: self.clone() }))),
        }
    }

    fn descriptor(&self, local: u32) -> SeriesDescriptor {
        let service = if local < self.anomalous { local } else { self.anomalous + local / 50 };
        SeriesDescriptor {
            metric: Arc::from("error_ratio"),
            service: ServiceName::new(&format!("service-{service}")),
            instance: Some(Arc::from(format!("pod-{local}"))),
            unit: Unit::Ratio,
            role: SeriesRole::Errors,
            bad_when: BadWhen::High,
            is_skewed: false,
            limit: None,
            // A load that has become quiet is not to be missed within the time that is measured.
            interval_ms: 3_600_000,
            labels: Labels::default(),
        }
    }

    fn sample(&self, local: u32, at: Timestamp) -> Sample {
        let value = if local < self.anomalous { 0.5 } else { 0.001 };
        Sample { local, at, value }
    }
}

struct Running {
    name: SourceName,
    load: Load,
}

impl Source for Running {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Self { name, load } = *self;
            for local in 0..load.count {
                let descriptor = load.descriptor(local);
                sink.send(Signal::Series(SeriesNotice { source: name.clone(), local, descriptor })).await;
            }
            let mut rounds = 0;
            while stop.sleep_ms(1_000).await {
                rounds += 1;
                if load.rounds.is_some_and(|max| rounds > max) {
                    continue;
                }
                let at = wall_clock::now();
                for chunk in (0..load.count).collect::<Vec<_>>().chunks(10_000) {
                    let samples = chunk.iter().map(|local| load.sample(*local, at)).collect();
                    let batch = SampleBatch { source: name.clone(), is_backfill: false, samples };
                    sink.send(Signal::Samples(batch)).await;
                }
            }
        })
    }
}
