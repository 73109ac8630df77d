//! A file of changes as a source: one JSON object a line, in the format of [`super::change_events::file_line`].

use std::future::Future;
use std::pin::Pin;

use tokio::sync::watch;

use super::change_events::file_line;
use super::tail::{Tail, TailPosition, TakenLine, follow};
use super::{Health, SignalSink, Source, StopSignal, normalize};
use crate::engine::clock::Timestamp;
use crate::engine::limits::LABEL_VALUE_BYTES_MAX;
use crate::engine::model::{DropReason, Signal, SourceKind, SourceName};
use crate::engine::settings::ChangeFileSettings;

/// A followed file of changes.
#[derive(Debug)]
pub struct ChangeFileSource {
    name: SourceName,
    tail: Tail,
    health: Health,
    positions: watch::Sender<Option<TailPosition>>,
}

impl ChangeFileSource {
    /// Follows the file of `settings`, from `kept` where that is given.
    #[must_use]
    pub fn new(settings: &ChangeFileSettings, kept: Option<TailPosition>) -> Self {
        let address = settings.path.display().to_string();
        let file_name =
            settings.path.file_name().map_or_else(|| address.clone(), |name| name.to_string_lossy().into_owned());
        let name = normalize::sanitize(settings.name.as_ref().unwrap_or(&file_name), LABEL_VALUE_BYTES_MAX);
        let name = SourceName::from(name);
        Self {
            health: Health::new(name.clone(), SourceKind::ChangeFile, &address),
            tail: Tail::new(&settings.path, kept),
            positions: watch::Sender::new(kept),
            name,
        }
    }

    /// How far the file has been read, for a restart that goes on from there.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<Option<TailPosition>> {
        self.positions.subscribe()
    }
}

impl Source for ChangeFileSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let Self { name, tail, health, positions } = *self;
        let read_line = move |raw: &[u8], now| take(raw, &name, now);
        Box::pin(follow(tail, health, sink, stop, positions, read_line))
    }
}

fn take(raw: &[u8], source: &SourceName, now: Timestamp) -> TakenLine {
    match file_line::parse(raw, source, now) {
        Ok(taken) => {
            TakenLine { signal: Some(Signal::Change(taken.notice)), set_aside: taken.set_aside, problem: None }
        }
        Err(problem) => {
            TakenLine { signal: None, set_aside: Some(DropReason::Malformed), problem: Some(problem.to_string()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn changes_arrive_and_what_is_none_is_counted_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("changes.jsonl");
        let source =
            ChangeFileSource::new(&ChangeFileSettings { path: path.clone(), name: Some("ci".to_owned()) }, None);
        let (sink, mut signals) = SignalSink::bounded(8);
        let (switch, stop) = StopSignal::pair();
        let running = tokio::spawn(Box::new(source).run(sink, stop));
        assert!(matches!(signals.recv().await, Some(Signal::Source(_))));
        std::fs::File::create(&path).unwrap().write_all(b"oops\n{\"service\":\"cart\"}\n").unwrap();
        let Some(Signal::Change(notice)) = signals.recv().await else { panic!() };
        assert_eq!(notice.source.as_str(), "ci");
        let Some(Signal::Source(report)) = signals.recv().await else { panic!() };
        assert_eq!((report.accepted_count, report.dropped.get(&DropReason::Malformed)), (1, Some(&1)));
        assert!(report.warnings[0].contains("`service` or `title`"), "{report:?}");
        switch.stop();
        running.await.unwrap();
    }
}
